"""The memory that the sweeps on a GPU take."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest
from chainer.backends.cuda import cupy
from chainer.testing import attr
from gpu_sweeps import KINDS, assert_near, assert_same, exact, on_gpu
from reference import make

from chainer_sdtw import cuda
from chainer_sdtw.cuda import _plan


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slabs(rng, dtype, kind, monkeypatch):
    """With less memory than the tape would take, the same bits."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 3, 230, 90, d, dtype)
    arrays[0][2] *= 300  # in float32, not for a mantissa of 24 bits
    lengths = np.array([230, 100, 225]), np.array([60, 90, 90])
    whole = on_gpu(arrays, 0.05, lengths)
    assert_near(whole, exact(arrays, 0.05, lengths), 0.05, dtype)
    slabs = set()
    for part in (2, 3, 5, 100):
        limit = _plan.fine_bytes(3, 230, 90, np.dtype(dtype)) // part
        monkeypatch.setattr(_plan, "WHOLE_TAPE_BYTES", limit)
        plan = _plan.make_plan(3, 230, 90, np.dtype(dtype), True)
        slabs.add(plan.passes[0].slabs)
        assert_same(on_gpu(arrays, 0.05, lengths), whole)
    assert len(slabs) > 2 and max(slabs) == 8


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory(rng, dtype):
    series = make(rng, "series", 32, 2048, 2048, 64, dtype)
    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        x, y = map(cupy.asarray, series)
        before = pool.used_bytes()
        value, tape = cuda.value(x, y, 1.0, tape=True)
        gx, gy = cuda.adjoint(tape)
        arrays = sum(a.nbytes for a in (x, y, value, gx, gy))
        # All that has ever been in use at a time, and fragments.
        assert pool.total_bytes() - arrays <= 150e6
        del value, tape, gx, gy
        assert pool.used_bytes() == before
        cuda.value(x, y, 1.0)
        assert pool.used_bytes() == before


@attr.gpu
def test_memory_of_slabs(rng):
    """Tapes that are too large are not kept."""
    series = make(rng, "univariate", 1, 65536, 32768, 1, np.float32)
    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        x, y = map(cupy.asarray, series)
        value, tape = cuda.value(x, y, 1.0, tape=True)
        gx, gy = cuda.adjoint(tape)
        assert pool.total_bytes() <= 300e6
        whole = _plan.fine_bytes(1, 65536, 32768, np.dtype(np.float32))
        assert whole > 1e9
        # The sum of the gradients does not depend on the alignment's shape:
        # a shift of both series changes nothing.
        a, b = gx.astype(float).sum(), gy.astype(float).sum()
        scale = abs(gx).astype(float).sum()
        assert abs(a + b) <= 1e-4 * scale
        assert np.isfinite(value.get()).all()
        del tape
