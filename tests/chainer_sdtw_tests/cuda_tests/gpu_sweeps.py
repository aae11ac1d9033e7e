"""Run sweeps on a GPU and compare them with those of sdtw_cpu."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import reference
from chainer.backends.cuda import cupy

import sdtw_cpu
from chainer_sdtw import cuda

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
KINDS = ("univariate", "multivariate", "explicit")


def swept(
    arrays, gamma, lengths=(None, None), grad=None, sweeps=cuda, **options
):
    """Value and gradients of arrays that are where the sweeps run."""
    name = "value" if len(arrays) == 2 else "value_from_cost"
    value, tape = getattr(sweeps, name)(
        *arrays,
        gamma,
        x_length=lengths[0],
        y_length=lengths[1],
        tape=True,
        **options,
    )
    gradients = sweeps.adjoint(tape, grad)
    return (value, *(gradients if len(arrays) == 2 else (gradients,)))


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
        return swept(wide, gamma, lengths, grad, sdtw_cpu)


def assert_near(actual, expected, gamma, dtype):
    """Values and gradients are of a type and near enough."""
    # A value may be what is left of costs and gamma times an entropy.
    scale = max(np.abs(expected[0]).max(), gamma)
    assert np.abs(actual[0] - expected[0]).max() <= TOLERANCE[dtype] * scale
    for a, e in zip(actual, expected):
        assert a.dtype == dtype and a.shape == e.shape
    for a, e in zip(actual[1:], expected[1:]):
        assert reference.error(a, e) <= TOLERANCE[dtype]


def assert_same(actual, expected):
    """The same bits."""
    for a, e in zip(actual, expected):
        np.testing.assert_array_equal(a, e)


def check(arrays, gamma, lengths=(None, None)):
    dtype = arrays[0].dtype.type
    grad = np.linspace(-1, 2, len(arrays[0])).astype(dtype)
    actual = on_gpu(arrays, gamma, lengths, grad)
    assert_near(actual, exact(arrays, gamma, lengths, grad), gamma, dtype)
