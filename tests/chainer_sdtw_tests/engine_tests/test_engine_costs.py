"""A cost that is one more class in the registry of sdtw_cpu.costs."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest
from chainer import gradient_check

from chainer_sdtw._engine import costs
from sdtw_cpu.costs import COSTS, Cost


class LogCosh(Cost):
    """The logarithm of the hyperbolic cosine."""

    name = "log-cosh"

    def term(self, difference, xp):
        return xp.log(xp.cosh(difference))

    def slope(self, difference, xp):
        return xp.tanh(difference)

    def bend(self, difference, direction, xp):
        return direction * (1 - xp.tanh(difference) ** 2)


@pytest.fixture
def series(rng):
    return rng.standard_normal((2, 4, 3)), rng.standard_normal((2, 5, 3))


@pytest.mark.parametrize("name", [*COSTS, "log-cosh"])
def test_derivatives(series, monkeypatch, name):
    """A graph and the formulas of a class agree with differences."""
    monkeypatch.setitem(COSTS, "log-cosh", LogCosh())

    def matrix(x, y):
        return costs.matrix(x, y, name)

    grad = np.cos(np.arange(40.0)).reshape(2, 4, 5)
    directions = tuple(np.sin(a) for a in series)
    options = {"dtype": np.float64, "eps": 1e-5, "atol": 1e-5, "rtol": 1e-5}
    gradient_check.check_backward(matrix, series, grad, **options)
    gradient_check.check_double_backward(
        matrix, series, grad, directions, **options
    )


@pytest.mark.parametrize("name", [*COSTS, "log-cosh"])
def test_changes_along_a_direction(series, monkeypatch, name):
    """Tangents of slopes and of factors are those of the gradient."""
    monkeypatch.setitem(COSTS, "log-cosh", LogCosh())
    kind, eps = COSTS[name], 1e-6
    x, y = series
    d = x[:, :, None] - y[:, None]
    v = np.cos(d * 3)
    weight = np.sin(np.arange(40.0)).reshape(2, 4, 5)

    def gradient(d):
        c = kind.finish(kind.term(d, np).sum(axis=3), np)
        return kind.scaled(weight, c, np)[..., None] * kind.slope(d, np)

    c = kind.finish(kind.term(d, np).sum(axis=3), np)
    slope = kind.slope(d, np)
    scaled = kind.scaled(weight, c, np)[..., None]
    tangent = scaled * kind.bend(d, v, np)
    if kind.by_cost:
        change = kind.scaled((slope * v).sum(axis=3), c, np)
        tangent += (
            kind.scaled_tangent(weight, c, change, np)[..., None] * slope
        )
    expected = (gradient(d + eps * v) - gradient(d - eps * v)) / (2 * eps)
    np.testing.assert_allclose(tangent, expected, atol=1e-6)
    assert kind.curved == bool(kind.bend(d, v, np).any())
