"""The sweeps of chainer_sdtw.cuda on the executor, beside sdtw_cpu."""

import compared
import numpy as np
from compared import KINDS as KINDS
from reference import make

import sdtw_cpu
from chainer_sdtw import cuda

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


def random_problem(rng, kind, dtype, with_lengths):
    """Return arrays, gamma and lengths of a random shape, and their names."""
    batch = int(rng.integers(1, 5))
    m, n = (int(v) for v in rng.integers(1, 100, 2))
    d = 1 if kind == "univariate" else int(rng.integers(2, 40))
    gamma = float(rng.choice([0, 0.01, 0.1, 1, 10]))
    lengths = (None, None)
    if with_lengths:
        lengths = [rng.integers(1, k + 1, batch) for k in (m, n)]
    name = f"B={batch} m={m} n={n} d={d} gamma={gamma} {lengths}"
    return make(rng, kind, batch, m, n, d, dtype), gamma, lengths, name


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
