"""The memory that sweeps on a GPU take."""

import numpy as np
import pytest

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
    assert 0 < shape[0] * plan.slot <= most
    # The values alone: one edge per pair.
    alone = _plan.make_plan(*shape, dtype, False)
    assert alone.slot == 16 * shape[2]


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("m", [1, 32, 33, 1000, 100_000])
@pytest.mark.parametrize("batch", [1, 64, 1000])
def test_bands_have_every_strip_once(batch, m, dtype):
    plan = _plan.make_plan(batch, m, 3000, dtype, True)
    kinds = [p.dtype for p in plan.passes]
    assert kinds == ([F32, F64] if dtype == F32 else [F64])
    for run in plan.passes:
        strips = [i for b in range(run.bands) for i in range(*run.band(b))]
        assert strips == list(range(-(-m // 32)))
        entries = run.band_strips * _plan.strip_entries(3000)
        entries += run.bands * 3000
        assert run.packed * entries <= plan.slot
    assert plan.slot % 16 == 0


def test_long_series_keep_a_device_busy():
    (run, _) = _plan.make_plan(4, 65536, 65536, F32, True).passes
    assert 4 * run.band_strips >= 400


@pytest.mark.parametrize("dtype", [F32, F64])
def test_tangents_take_as_much_again(dtype):
    for keep in (True, False):
        alone = _plan.make_plan(8, 500, 700, dtype, keep)
        both = _plan.make_plan(8, 500, 700, dtype, keep, dual=True)
        assert 2 * alone.slot <= both.slot <= 2 * alone.slot + 32
        assert both.slot % both.passes[-1].packed == 0
    large = _plan.make_plan(4, 65536, 65536, dtype, True, dual=True)
    assert large.slot * 4 <= 1.5e9
