"""The objective of barycenters, of one or several at once."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest
from named_losses import FUNCTIONS, total

from chainer_sdtw._engine import losses, series_set
from chainer_sdtw.functions import cost_matrix
from chainer_sdtw.learning._objective import Objective


def lopsided(x, y):
    """A cost that changes when its arguments change places."""
    return cost_matrix(2 * x, y)


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize(
    "options",
    [{}, {"cost": "cosine"}, {"cost": lopsided}, {"bandwidth": 2}],
    ids=["plain", "cosine", "lopsided", "band"],
)
@pytest.mark.parametrize("length", [3, 9])
def test_objective(rng, series, loss, options, length):
    weights = np.array([1.0, 0.5, 0, 2])
    z = rng.standard_normal((length, 2))
    expected = total(z, series, weights, loss, 0.4, **options)
    objective = Objective(
        series_set.as_series_set("series", series),
        losses.as_loss(loss, 0.4, **options),
        weights,
    )
    for _ in range(2):  # what the first call keeps must not change the next
        values, gradient = objective(z[None])
        np.testing.assert_allclose(values, [expected[0]], rtol=1e-10)
        np.testing.assert_allclose(
            gradient[0], expected[1], rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence"])
def test_several_at_once(rng, series, loss):
    labels = np.array([2, 0, 2, 0])  # none for barycenter 1
    weights = np.array([1.0, 3, 0.5, 2])
    z = rng.standard_normal((3, 5, 2))
    batch = series_set.as_series_set("series", series)
    objective = Objective(batch, losses.as_loss(loss, 0.3), weights, labels, 3)
    values, gradient = objective(z)
    for k in range(3):
        own = np.flatnonzero(labels == k)
        if len(own) == 0:
            assert values[k] == 0 and not gradient[k].any()
            continue
        cluster = [series[i] for i in own]
        value, g = total(z[k], cluster, weights[own], loss, 0.3)
        np.testing.assert_allclose(values[k], value, rtol=1e-12)
        np.testing.assert_allclose(gradient[k], g, rtol=1e-9, atol=1e-10)
