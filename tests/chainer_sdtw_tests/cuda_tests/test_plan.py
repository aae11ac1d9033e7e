"""The memory that sweeps on a GPU take."""

import numpy as np
import pytest

import sdtw_cpu
from chainer_sdtw.cuda import _plan

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


@pytest.mark.parametrize(
    ("shape", "dtype", "most"),
    [
        ((32, 2048, 2048), F32, 150e6),
        ((32, 2048, 2048), F64, 150e6),
        ((32, 512, 512), F32, 8e6),
        ((4, 65536, 65536), F32, 1e9),
        ((4, 65536, 65536), F64, 1e9),
        ((1, 131072, 131072), F32, 1e9),
        ((512, 128, 128), F32, 10e6),
    ],
)
def test_memory(shape, dtype, most):
    plan = _plan.make_plan(*shape, dtype, True)
    assert 0 < shape[0] * plan.pair_bytes <= most
    # The values alone: one edge per pair.
    alone = _plan.make_plan(*shape, dtype, False)
    assert alone.pair_bytes == 16 * shape[2]


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("m", [1, 32, 33, 1000, 100_000])
@pytest.mark.parametrize("batch", [1, 64, 1000])
def test_slabs_have_every_strip_once(batch, m, dtype):
    plan = _plan.make_plan(batch, m, 3000, dtype, True)
    kinds = [p.dtype for p in plan.passes]
    assert kinds == ([F32, F64] if dtype == F32 else [F64])
    for run in plan.passes:
        strips = [i for b in range(run.slabs) for i in range(*run.slab(b))]
        assert strips == list(range(-(-m // 32)))
        entries = run.slab_strips * _plan.tape_of_table(3000).entries
        entries += run.slabs * 3000
        assert run.entry_bytes * entries <= plan.pair_bytes
    assert plan.pair_bytes % 16 == 0


def test_long_series_keep_a_device_busy():
    (run, _) = _plan.make_plan(4, 65536, 65536, F32, True).passes
    assert 4 * run.slab_strips >= 400


@pytest.mark.parametrize("bandwidth", [0, 64, 5000])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (1000, 1000), (90, 700)])
def test_a_band_takes_what_its_widest_strip_does(m, n, bandwidth):
    band = sdtw_cpu.sakoe_chiba_band(m, n, bandwidth)
    strip_tape = _plan.tape_of_band(band, np.array([m]), np.array([n]))
    rows = (band[..., 1] - band[..., 0]).max()
    assert strip_tape.edge <= min(rows, n)
    tops = range(0, m, 32)
    widest = max(band[0, min(i + 31, m - 1), 1] - band[0, i, 0] for i in tops)
    states = -(-(widest + 31 + 8 + 31) // 32) * 64
    assert 0 <= strip_tape.states <= states
    # Not more where only the device knows lengths than a segment.
    for known in ((None, np.array([n])), (np.array([m]), None)):
        more = _plan.tape_of_band(band, *known)
        assert more.edge >= strip_tape.edge
        assert 0 <= more.states - strip_tape.states <= 64


def test_rows_beyond_a_pair_take_nothing():
    band = sdtw_cpu.sakoe_chiba_band(100, 100, 3)
    strip_tape = _plan.tape_of_band(band, np.array([100]), np.array([100]))
    wide = np.repeat(band, 2, 0)
    wide[1, 40:] = -(10**6), 10**6
    lengths = np.array([100, 40]), np.array([100, 44])
    assert _plan.tape_of_band(wide, *lengths) == strip_tape


def test_a_band_of_all_columns_takes_what_a_table_does():
    for m, n in ((1, 1), (40, 25), (1000, 999)):
        band = np.broadcast_to([0, n], (1, m, 2))
        strip_tape = _plan.tape_of_band(band, np.array([m]), np.array([n]))
        table = _plan.tape_of_table(n)
        assert strip_tape.edge == table.edge
        assert 0 <= table.states - strip_tape.states <= 64


@pytest.mark.parametrize("dtype", [F32, F64])
def test_tangents_take_as_much_again(dtype):
    for keep in (True, False):
        alone = _plan.make_plan(8, 500, 700, dtype, keep)
        both = _plan.make_plan(8, 500, 700, dtype, keep, dual=True)
        assert (
            2 * alone.pair_bytes
            <= both.pair_bytes
            <= 2 * alone.pair_bytes + 32
        )
        assert both.pair_bytes % both.passes[-1].entry_bytes == 0
    large = _plan.make_plan(4, 65536, 65536, dtype, True, dual=True)
    assert large.pair_bytes * 4 <= 1.5e9
