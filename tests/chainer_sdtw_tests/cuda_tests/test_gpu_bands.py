"""Bands on a GPU."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import compared
import numpy as np
import pytest
import reference
from chainer.backends.cuda import cupy
from chainer.testing import attr
from gpu_sweeps import KINDS, assert_near, assert_same, on_gpu, swept
from reference import make

import sdtw_cpu
from chainer_sdtw import cuda


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gamma", [0, 0.01, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_band(rng, dtype, gamma, kind):
    """As explicit costs that are inf outside of it; the same bits twice."""
    d = 1 if kind == "univariate" else 5
    for i in range(8):
        m, n = (int(v) for v in rng.integers(1, 400, 2))
        lengths = (None, None)
        if i % 2:
            lengths = [rng.integers(1, k + 1, 3) for k in (m, n)]
        band = reference.random_band(rng, 3, m, n, 10 * i, *lengths)
        arrays = make(rng, kind, 3, m, n, d, dtype)
        cost = arrays[0]
        if len(arrays) == 2:
            cost = reference.squared_euclidean(*arrays)
        j = np.arange(n)
        inside = (band[..., :1] <= j) & (j < band[..., 1:])
        value, e = reference.soft_dtw(
            np.where(inside, cost, np.inf), gamma, *lengths
        )
        expected = value, e
        if len(arrays) == 2:
            series = [reference.masked(*a) for a in zip(arrays, lengths)]
            expected = (value, *reference.gradients(*series, e))
        given = [cupy.asarray(a) for a in arrays]
        actual = [a.get() for a in swept(given, gamma, lengths, band=band)]
        assert_near(actual, expected, gamma, dtype)
        again = [a.get() for a in swept(given, gamma, lengths, band=band)]
        assert_same(again, actual)


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_wide_and_narrow_bands(rng, kind):
    d = 1 if kind == "univariate" else 8
    arrays = make(rng, kind, 4, 2000, 2200, d, np.float32)
    for bandwidth in (0, 50, 4000):
        band = sdtw_cpu.sakoe_chiba_band(2000, 2200, bandwidth)
        wide = [np.asarray(a, np.float64) for a in arrays]
        expected = compared.swept(sdtw_cpu, wide, 0.1, band=band)
        given = [cupy.asarray(a) for a in arrays]
        actual = [a.get() for a in swept(given, 0.1, band=band)]
        assert_near(actual, expected, 0.1, np.float32)
    assert_same(actual, on_gpu(arrays, 0.1))


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_band_in_slabs(rng, kind):
    """With less memory than the sweeps would take, the same bits."""
    d = 1 if kind == "univariate" else 3
    given = [
        cupy.asarray(a) for a in make(rng, kind, 3, 500, 400, d, np.float32)
    ]
    band = sdtw_cpu.sakoe_chiba_band(500, 400, 20)
    whole = [a.get() for a in swept(given, 0.05, band=band)]
    for size in (400_000, 100_000):
        with cuda.memory_limit(size):
            again = [a.get() for a in swept(given, 0.05, band=band)]
        assert_same(again, whole)
