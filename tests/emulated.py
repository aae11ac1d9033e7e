"""The sweeps of chainer_sdtw.cuda on the emulator, compared with sdtw_cpu."""

import numpy as np
import reference

import sdtw_cpu
from chainer_sdtw import cuda

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
KINDS = ("univariate", "multivariate", "explicit")


def swept(arrays, gamma, lengths=(None, None), device=None, grad=None, **more):
    """Value and gradients: by the CPU if there is no device."""
    lengths = dict(zip(("x_length", "y_length"), lengths))
    sweeps = cuda if device else sdtw_cpu
    if device:
        more["device"] = device
    name = "value" if len(arrays) == 2 else "value_from_cost"
    value, tape = getattr(sweeps, name)(
        *arrays, gamma, tape=True, **lengths, **more
    )
    gradients = sweeps.adjoint(tape, grad)
    if len(arrays) == 1:
        gradients = (gradients,)
    return (value, *gradients)


def check(arrays, gamma, lengths=(None, None), *, device):
    """Compare with the CPU's float64 on the same inputs."""
    dtype = arrays[0].dtype.type
    grad = np.linspace(-1, 2, len(arrays[0])).astype(dtype)
    actual = swept(arrays, gamma, lengths, device, grad)
    exact = [a.astype(np.float64) for a in arrays]
    expected = swept(exact, gamma, lengths, None, grad)
    # A value may be what is left of costs and gamma times an entropy.
    scale = max(np.abs(expected[0]).max(), gamma)
    assert np.abs(actual[0] - expected[0]).max() <= TOLERANCE[dtype] * scale
    for a, e in zip(actual, expected):
        assert a.dtype == dtype and a.shape == e.shape
    for a, e in zip(actual[1:], expected[1:]):
        assert reference.error(a, e) <= TOLERANCE[dtype]
