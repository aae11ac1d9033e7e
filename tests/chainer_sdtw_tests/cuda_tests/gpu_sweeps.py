"""Run sweeps on a GPU and compare them with those of sdtw_cpu."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import compared
import numpy as np
from chainer.backends.cuda import cupy
from compared import KINDS as KINDS

import sdtw_cpu
from chainer_sdtw import cuda

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}


def swept(arrays, gamma, lengths=(None, None), grad=None, **options):
    """Value and gradients of arrays on a GPU."""
    return compared.swept(cuda, arrays, gamma, lengths, grad, **options)


def on_gpu(arrays, gamma, lengths=(None, None), grad=None):
    """The same for arrays of NumPy, and back."""
    if grad is not None:
        grad = cupy.asarray(grad)
    found = swept([cupy.asarray(a) for a in arrays], gamma, lengths, grad)
    assert all(type(a) is cupy.ndarray for a in found)
    return [a.get() for a in found]


def exact(arrays, gamma, lengths=(None, None), grad=None):
    """The CPU's, in float64."""
    with np.errstate(all="ignore"):
        wide = [np.asarray(a, np.float64) for a in arrays]
        return compared.swept(sdtw_cpu, wide, gamma, lengths, grad)


def assert_near(actual, expected, gamma, dtype):
    """Values and gradients are of a type and near enough."""
    compared.assert_near(actual, expected, gamma, dtype, TOLERANCE[dtype])


def assert_same(actual, expected):
    """The same bits."""
    for a, e in zip(actual, expected):
        np.testing.assert_array_equal(a, e)


def check(arrays, gamma, lengths=(None, None)):
    dtype = arrays[0].dtype.type
    grad = np.linspace(-1, 2, len(arrays[0])).astype(dtype)
    actual = on_gpu(arrays, gamma, lengths, grad)
    assert_near(actual, exact(arrays, gamma, lengths, grad), gamma, dtype)
