"""All losses of series that have spikes, which match."""

import chainer_sdtw  # isort: skip

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer import Variable

from sdtw_cpu.checks import COSTS

SPIKE = 1e7


def forbidding(x, y):
    """The squared Euclidean cost, infinity where it is large."""
    cost = chainer_sdtw.cost_matrix(x, y)
    large = cost.array > SPIKE
    return F.where(large, np.full(cost.shape, np.inf, cost.dtype), cost)


@pytest.fixture(params=[np.float64, np.float32])
def pair(request, rng):
    x, y = rng.standard_normal((2, 3, 12, 1))
    x[:, 5], y[:, 7] = SPIKE, SPIKE
    return x.astype(request.param), y.astype(request.param)


@pytest.mark.parametrize(
    "loss",
    [
        chainer_sdtw.soft_dtw,
        chainer_sdtw.soft_dtw_divergence,
        chainer_sdtw.sharp_soft_dtw,
        chainer_sdtw.sharp_soft_dtw_divergence,
        chainer_sdtw.dilate_loss,
        chainer_sdtw.soft_alignment,
    ],
)
def test_spikes_forbid_and_no_more(loss, pair):
    found = []
    for cost in ("sqeuclidean", forbidding):
        x, y = map(Variable, pair)
        value = loss(x, y, gamma=1.0, cost=cost)
        value = F.sum(value * value)
        gx, gy = chainer.grad([value], [x, y], enable_double_backprop=True)
        second = chainer.grad([F.sum(gx * gx) + F.sum(gy * gy)], [x, y])
        found.append([v.array for v in (value, gx, gy, *second)])
    tolerance = {np.float32: 1e-4, np.float64: 1e-9}[pair[0].dtype.type]
    for a, b in zip(*found):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, tolerance, tolerance * abs(b).max())


@pytest.mark.parametrize("cost", COSTS)
def test_matrices_of_losses(cost, pair):
    x, y = pair
    matrix = chainer_sdtw.pairwise_soft_dtw(x, y, cost=cost)
    for i in range(3):
        for j in range(3):
            value = chainer_sdtw.soft_dtw(x[[i]], y[[j]], cost=cost)
            np.testing.assert_allclose(matrix[i, j], value.array, 1e-6)
    hard = chainer_sdtw.pairwise_soft_dtw(x, y, 0.0, cost=cost)
    assert (matrix < hard - 1).all()
