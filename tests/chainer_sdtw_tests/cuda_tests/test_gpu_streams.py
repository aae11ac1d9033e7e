"""The streams in which the sweeps on a GPU run."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest
from chainer.backends.cuda import cupy
from chainer.testing import attr
from gpu_sweeps import KINDS, assert_same, on_gpu, swept
from reference import make


@attr.gpu
@pytest.mark.alone
@pytest.mark.parametrize("kind", KINDS)
def test_the_current_stream_is_used(rng, stream, busy, kind):
    """Its inputs are made late, in the stream, and its outputs read there."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 8, 100, 90, d, np.float32)
    grad = np.linspace(-1, 2, 8).astype(np.float32)
    expected = on_gpu(arrays, 0.5, grad=grad)
    sources = [cupy.asarray(a) for a in (*arrays, grad)]
    late = [cupy.zeros_like(a) for a in sources]
    cupy.cuda.Device().synchronize()
    with stream:
        busy(0.2)
        for a, source in zip(late, sources):
            cupy.copyto(a, source)
        *given, late_grad = late
        actual = swept(given, 0.5, grad=late_grad)
    stream.synchronize()
    assert_same([a.get() for a in actual], expected)


@attr.gpu
def test_streams_side_by_side(rng):
    batches = [
        make(rng, "series", 16, 400, 300, d, dtype)
        for d in (1, 5)
        for dtype in (np.float32, np.float64)
    ]
    expected = [on_gpu(arrays, 0.5) for arrays in batches]
    given = [[cupy.asarray(a) for a in arrays] for arrays in batches]
    cupy.cuda.Device().synchronize()
    streams = [cupy.cuda.Stream(non_blocking=True) for _ in batches]
    for _ in range(5):
        actual = []
        for stream, arrays in zip(streams, given):
            with stream:
                actual.append(swept(arrays, 0.5))
        for stream in streams:
            stream.synchronize()
        for a, e in zip(actual, expected):
            assert_same([v.get() for v in a], e)


@attr.gpu
@pytest.mark.alone
@pytest.mark.parametrize("lengths", ["none", "device", "host"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_waits_for_the_device(rng, stream, busy, kind, lengths):
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 8, 100, 90, d, np.float32)
    arrays = [cupy.asarray(a) for a in arrays]
    given = (None, None)
    if lengths != "none":
        given = [np.arange(8) * 11 + 1, np.arange(8) * 10 + 2]
    if lengths == "device":
        given = [cupy.asarray(a) for a in given]
    grad = cupy.ones(8, np.float32)
    cupy.cuda.Device().synchronize()
    # First compile the kernels and fill the pools of memory.
    for _ in range(3):
        with stream:
            busy(0.25)
            found = swept(arrays, 0.5, given, grad)
            running = not stream.done
        stream.synchronize()
        value = found[0].get()
        del found
    assert running
    assert np.isfinite(value).all()
