"""The sweeps of chainer_sdtw.cuda on the executor, beside sdtw_cpu."""

import compared
import numpy as np
from compared import KINDS as KINDS

import sdtw_cpu
from chainer_sdtw import cuda

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


def swept(arrays, gamma, lengths=(None, None), device=None, grad=None, **more):
    """Value and gradients: by the CPU if there is no device."""
    if not device:
        return compared.swept(sdtw_cpu, arrays, gamma, lengths, grad, **more)
    return compared.swept(
        cuda, arrays, gamma, lengths, grad, device=device, **more
    )


def check(arrays, gamma, lengths=(None, None), *, device):
    """Compare with the CPU's float64 on the same inputs."""
    dtype = arrays[0].dtype.type
    grad = np.linspace(-1, 2, len(arrays[0])).astype(dtype)
    actual = swept(arrays, gamma, lengths, device, grad)
    exact = [a.astype(np.float64) for a in arrays]
    expected = swept(exact, gamma, lengths, None, grad)
    compared.assert_near(actual, expected, gamma, dtype, TOLERANCE[dtype])
