"""The memory that the sweeps on a GPU take."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest
from chainer.backends.cuda import cupy
from chainer.testing import attr
from gpu_sweeps import KINDS, assert_near, assert_same, exact, on_gpu
from reference import make

from chainer_sdtw import cuda


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slabs(rng, dtype, kind):
    """With less memory than the sweeps would take, the same bits."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 3, 230, 90, d, dtype)
    arrays[0][2] *= 300  # in float32, not for a mantissa of 24 bits
    lengths = np.array([230, 100, 225]), np.array([60, 90, 90])
    whole = on_gpu(arrays, 0.05, lengths)
    assert_near(whole, exact(arrays, 0.05, lengths), 0.05, dtype)
    for limit in (10**6, 400_000, 150_000, 50_000):
        with cuda.memory_limit(limit):
            assert_same(on_gpu(arrays, 0.05, lengths), whole)


def taken(x, y, limit, least):
    """What values and gradients take of a pool beyond these arrays."""
    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc), cuda.memory_limit(limit):
        x, y = map(cupy.asarray, (x, y))
        before = pool.used_bytes()
        value, tape = cuda.value(x, y, 1.0, tape=True)
        gx, gy = cuda.adjoint(tape)
        arrays = sum(a.nbytes for a in (x, y, value, gx, gy))
        # All that has ever been in use at a time, and fragments.
        most = pool.total_bytes() - arrays
        assert np.isfinite(value.get()).all()
        # A shift of both series changes nothing.
        a, b = gx.astype(float).sum(), gy.astype(float).sum()
        assert abs(a + b) <= 1e-4 * abs(gx).astype(float).sum()
        del value, tape, gx, gy, a, b
        assert pool.used_bytes() == before
        cuda.value(x, y, 1.0)
        assert pool.used_bytes() == before
    assert most >= least
    return most


@attr.gpu
@pytest.mark.parametrize("length", [512, 2048])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory(rng, dtype, length):
    x, y = make(rng, "series", 32, length, length, 64, dtype)
    assert taken(x, y, None, 85e6) <= 4e9
    assert taken(x, y, 150 * 10**6, 85e6) <= 150e6


@attr.gpu
def test_memory_of_long_series(rng):
    x, y = make(rng, "univariate", 1, 65536, 32768, 1, np.float32)
    assert taken(x, y, 10**9, 500e6) <= 1e9
    assert taken(x, y, 300 * 10**6, 150e6) <= 300e6
