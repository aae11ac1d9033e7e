"""Values and gradients under every cost."""

import numpy as np
import pytest
import reference

import sdtw_cpu
from sdtw_cpu.checks import COSTS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("cost", COSTS)
def test_near_and_far_elements(isa, rng, cost, d, dtype):
    """Differences of all sizes, at any smoothing."""
    tolerance = {np.float32: 2e-5, np.float64: 1e-12}[dtype]
    for batch in (1, 20):
        x = 2 * rng.standard_normal((batch, 40, d)).astype(dtype)
        y = 2 * rng.standard_normal((batch, 37, d)).astype(dtype)
        y[:, 3:9] = x[:, 5:11] + rng.choice([-1, 0, 1], (6, 1))
        for gamma in (1, 0.1, 0.01, 0.001, 0):
            value, tape = sdtw_cpu.value(x, y, gamma, cost=cost, tape=True)
            found = value, *sdtw_cpu.adjoint(tape)
            expected = reference.batch_of_cost(x, y, gamma, cost)
            for a, b in zip(found, expected):
                assert a.dtype == dtype
                assert reference.error(a, b) <= tolerance


@pytest.mark.parametrize("cost", COSTS)
def test_roundings_of_costs(isa, rng, cost):
    """What float32 leaves out of a cost is magnified by 1 / gamma.

    Differences are exact here, and so many alignments cost alike that the
    gradients tell.
    """
    x = 0.75 + rng.integers(-(2**7), 2**7, (5, 60, 1)) / 2.0**20
    y = rng.integers(-(2**7), 2**7, (5, 75, 1)) / 2.0**20
    expected = reference.batch_of_cost(x, y, 2e-4, cost)
    x, y = x.astype(np.float32), y.astype(np.float32)
    value, tape = sdtw_cpu.value(x, y, 2e-4, cost=cost, tape=True)
    for a, b in zip((value, *sdtw_cpu.adjoint(tape)), expected):
        assert reference.error(a, b) <= 1e-6
