"""The memory that sweeps on a GPU take."""

import numpy as np
import pytest

import sdtw_cpu
from chainer_sdtw.cuda import _plan

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
KINDS = {
    "univariate": (0, False),
    "cells": (8, False),
    "Euclidean": (12, False),
    "tangents": (16, True),
}


def plan_of(size, m, n, kind, dtype=F32, keep=True, limit=None):
    kind = _plan.Kind(dtype, *KINDS[kind])
    segments = _plan.segments_of_table(n)
    return _plan.make_plan(size, m, segments, kind, keep, limit)


@pytest.mark.parametrize(
    ("shape", "kind", "limit", "whole"),
    [
        # By default, of 80 GB.
        ((32, 512, 512), "cells", 4e9, True),
        ((32, 2048, 2048), "cells", 4e9, True),
        ((4, 65536, 65536), "univariate", 4e9, False),
        ((512, 128, 128), "univariate", 4e9, True),
        # On request.
        ((32, 512, 512), "cells", 150e6, True),
        ((32, 2048, 2048), "cells", 150e6, False),
        ((4, 65536, 65536), "univariate", 1e9, False),
    ],
)
def test_memory(shape, kind, limit, whole):
    plan = plan_of(*shape, kind, limit=limit)
    assert 0 < plan.nbytes <= limit
    assert plan.is_whole == whole
    assert plan.nbytes >= 0.8 * limit or whole


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(
    ("size", "m", "n"),
    [
        (1, 1, 1),
        (3, 33, 2000),
        (64, 1000, 300),
        (1000, 200, 200),
        (30_000, 500, 500),
        (2, 100_000, 3000),
    ],
)
def test_plans_keep_to_limits(kind, dtype, keep, size, m, n):
    """And have all that a launch needs, of every strip once."""
    whole = plan_of(size, m, n, kind, dtype, keep)
    assert whole.is_whole
    for part in (1, 1.5, 3, 10, 50, 1000, 1e9):
        limit = whole.nbytes / part
        plan = plan_of(size, m, n, kind, dtype, keep, limit)
        assert plan.is_whole == (part == 1 or size == m == 1)
        check_plan(plan, KINDS[kind], dtype, keep, m, n)
        if plan.nbytes > limit:
            # The least that there is.
            assert plan.pairs == 1
            smaller = plan_of(size, m, n, kind, dtype, keep, 1)
            assert smaller.nbytes == plan.nbytes


def check_plan(plan, kind, dtype, keep, m, n):
    cell_bytes, dual = kind
    steps = plan.segments * 32
    assert plan.segments == _plan.segments_of_table(n) and steps >= n + 31
    dtypes = [p.dtype for p in plan.passes]
    assert dtypes == ([F32, F64] if dtype == F32 else [F64])
    firsts = list(plan.portions)
    assert firsts[0] == 0 and firsts[-1] < plan.size
    assert firsts[-1] + plan.pairs >= plan.size
    assert plan.tape_pairs in (plan.pairs, plan.size)
    for run in plan.passes:
        strips = [i for b in range(run.slabs) for i in range(*run.slab(b))]
        assert strips == list(range(-(-m // 32)))
        # Words of 8 bytes, see tape.cuh.
        entry = 8 * (run.dtype.itemsize // 4 + dual)
        two = run.dtype == F64 and (dual or not cell_bytes)
        mass = 16 if two else 8
        assert run.slab_strips * steps * entry <= plan.pair_edges
        assert run.slabs * steps * entry <= plan.pair_slab_edges
        segments = run.slab_strips * plan.segments
        assert plan.pair_cells == segments * 1024 * cell_bytes
        if not keep:
            assert plan.pair_states == plan.pair_masses == 0
            continue
        states = run.slab_strips * (steps - 32) * 2 * entry
        assert states <= plan.pair_states
        assert run.slab_strips * steps * mass <= plan.pair_masses
        assert steps * mass <= plan.pair_slab_masses
        if cell_bytes:
            assert plan.pair_live == 4 * segments
    strides = plan.pair_edges, plan.pair_states, plan.pair_slab_edges
    assert not any(stride % 16 for stride in strides)
    way = list(plan.way_back())
    visited = [(run, slab) for slab, runs in way for run in runs]
    assert sorted(visited, key=str) == sorted(
        ((run, slab) for run in plan.passes for slab in range(run.slabs)),
        key=str,
    )
    for run in plan.passes:
        slabs = [slab for r, slab in visited if r is run]
        assert slabs == sorted(slabs, reverse=True)
    if cell_bytes:
        assert all(runs == plan.passes for _, runs in way)
        # Gradients are added up in the same order.
        run = plan.passes[0]
        assert run.slabs == 1 or run.slab_strips % _plan.GRADIENT_STRIPS == 0


def test_tapes_are_kept_where_only_cells_do_not_fit():
    plan = plan_of(128, 2048, 2048, "cells", limit=4e9)
    assert plan.tape_pairs == 128 and plan.pairs == 64
    # Few pairs would not keep a device busy.
    plan = plan_of(3, 8192, 8192, "cells", limit=1.1e9)
    assert plan.pairs == 3 and plan.passes[0].slabs > 1
    # Not even a strip of all of them fits.
    plan = plan_of(30_000, 500, 500, "cells", limit=1e9)
    assert 1 < plan.pairs == plan.tape_pairs < 30_000
    assert plan.passes[0].slabs == 1


def test_long_series_keep_a_device_busy():
    run, wide = plan_of(4, 65536, 65536, "univariate", limit=4e9).passes
    assert 4 * run.slab_strips >= 1600
    # In float64, as few launches as there can be in the same memory.
    assert run.slabs <= 5 and wide.slabs <= 2 * run.slabs


def test_more_memory_never_means_more_slabs():
    slabs = [
        plan_of(2, 9000, 1000, "univariate", limit=k * 10**6).passes[0].slabs
        for k in range(1, 200, 5)
    ]
    assert slabs == sorted(slabs, reverse=True)
    assert slabs[0] > 8 and slabs[-1] == 1


@pytest.mark.parametrize("bandwidth", [0, 64, 5000])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (1000, 1000), (90, 700)])
def test_a_band_takes_what_its_widest_strip_does(m, n, bandwidth):
    band = sdtw_cpu.sakoe_chiba_band(m, n, bandwidth)
    segments = _plan.segments_of_band(band, np.array([m]), np.array([n]))
    tops = range(0, m, 32)
    widest = max(band[0, min(i + 31, m - 1), 1] - band[0, i, 0] for i in tops)
    assert 1 <= segments <= 1 + -(-(widest + 31 + 8 + 31) // 32)
    # Not more where only the device knows lengths than a segment.
    for known in ((None, np.array([n])), (np.array([m]), None)):
        assert 0 <= _plan.segments_of_band(band, *known) - segments <= 1


def test_rows_beyond_a_pair_take_nothing():
    band = sdtw_cpu.sakoe_chiba_band(100, 100, 3)
    segments = _plan.segments_of_band(band, np.array([100]), np.array([100]))
    wide = np.repeat(band, 2, 0)
    wide[1, 40:] = -(10**6), 10**6
    lengths = np.array([100, 40]), np.array([100, 44])
    assert _plan.segments_of_band(wide, *lengths) == segments


def test_a_band_of_all_columns_takes_what_a_table_does():
    for m, n in ((1, 1), (40, 25), (1000, 999)):
        band = np.broadcast_to([0, n], (1, m, 2))
        segments = _plan.segments_of_band(band, np.array([m]), np.array([n]))
        assert 0 <= _plan.segments_of_table(n) - segments <= 1


def test_segments_have_all_steps():
    for n in (1, 24, 25, 26, 1000):
        # One for each column and row, and up to eight before the first.
        assert _plan.segments_of_table(n) == -(-(n + 31 + 8) // 32)


@pytest.mark.parametrize("count", [1, 2, 10, 2047, 100_000])
def test_parts(count):
    parts = list(_plan._parts(count))
    assert parts == sorted(
        {-(-count // k) for k in range(1, count + 1)}, reverse=True
    )


def test_blocks():
    assert _plan.survey_blocks(1, 1, 32) == 1
    assert _plan.survey_blocks(1000, 10**6, 32) == 32
    assert _plan.survey_blocks(1024, 16, 32) == 2
    assert _plan.cell_blocks(_plan.CELL_SEGMENTS + 1) == 2
    assert [_plan.column_tiles(n) for n in (1, 25, 26)] == [1, 1, 2]
    assert _plan.survey_words(3, 4) == 14 and _plan.survey_words(3, 8) == 26
