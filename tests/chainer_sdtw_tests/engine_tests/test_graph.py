"""Soft-DTW in Chainer's own functions, beside the recursion in NumPy."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest
import reference
from chainer import Variable

import sdtw_cpu
from chainer_sdtw._engine import graph

LENGTHS = {"x_length": np.array([6, 1, 4]), "y_length": np.array([2, 5, 3])}


@pytest.mark.parametrize("lengths", [{}, LENGTHS], ids=["whole", "ragged"])
@pytest.mark.parametrize("gamma", [0, 1e-300, 1e-3, 0.5, 1e25])
def test_values_and_gradients(rng, gamma, lengths):
    cost = rng.standard_normal((3, 6, 5))
    cost[0, 1:3, 1] = np.inf
    variable = Variable(cost)
    actual = graph.soft_dtw(variable, gamma, **lengths)
    actual.grad = np.ones(3)
    actual.backward()
    values, e = reference.soft_dtw(cost, gamma, **lengths)
    np.testing.assert_allclose(actual.array, values, rtol=1e-12)
    np.testing.assert_allclose(variable.grad, e, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (3, 7)])
def test_shapes(rng, shape):
    cost = rng.random((2, *shape))
    actual = graph.soft_dtw(Variable(cost), 0.3)
    expected, _ = reference.soft_dtw(cost, 0.3)
    np.testing.assert_allclose(actual.array, expected, rtol=1e-12)


def test_band(rng):
    cost = rng.random((2, 6, 5))
    band = sdtw_cpu.sakoe_chiba_band(6, 5, np.array([0, 2]))
    actual = graph.soft_dtw(Variable(cost), 0.3, band=band)
    outside = ~graph.inside(band, 5)
    cost[outside] = np.inf
    expected, _ = reference.soft_dtw(cost, 0.3)
    assert outside[0].sum() > outside[1].sum() > 0
    np.testing.assert_allclose(actual.array, expected, rtol=1e-12)


def test_no_path_and_nan(rng):
    cost = rng.random((3, 4, 4))
    cost[0, 2] = np.inf
    cost[1, 2, 2] = np.nan
    variable = Variable(cost)
    values = graph.soft_dtw(variable, 0.5)
    assert np.isposinf(values.array[0]) and np.isnan(values.array[1])
    values.grad = np.ones(3)
    values.backward()
    assert not variable.grad[0].any()
    assert np.isfinite(variable.grad[2]).all()
