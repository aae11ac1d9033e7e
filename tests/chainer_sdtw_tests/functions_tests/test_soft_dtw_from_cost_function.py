"""chainer_sdtw.soft_dtw_from_cost."""

import re
from unittest import mock

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import chainer
import chainer.functions as F
import checks
import numpy as np
import pytest
import reference
from chainer import Variable, testing
from chainer.utils import type_check

import sdtw_cpu
from chainer_sdtw import soft_dtw, soft_dtw_from_cost


@testing.parameterize(
    *testing.product(
        {
            "dtype": checks.DTYPES,
            "gamma": [0.3, 2.0],
            "reduce": ["mean", "sum", "no"],
            "shape": [(2, 5, 4), (20, 3, 4)],
            "ragged": [False, True],
            "contiguous": [None, "C"],
        }
    )
)
@testing.inject_backend_tests(None, [{}])
@testing.fix_random()
class TestSoftDTWFromCost(checks.SoftDTWCase):
    """On the CPU."""


@pytest.fixture
def cost(rng):
    return rng.random((3, 6, 5))


@pytest.mark.parametrize("gamma", [0, 0.5])
def test_gradient_is_the_expected_alignment(cost, gamma):
    variable = Variable(cost)
    loss = soft_dtw_from_cost(variable, gamma, reduce="no")
    loss.grad = grad = np.array([1.0, -2.0, 0.0])
    loss.backward()
    values, e = reference.soft_dtw(cost, gamma)
    np.testing.assert_allclose(loss.array, values, rtol=1e-12)
    expected = e * grad[:, None, None]
    np.testing.assert_allclose(variable.grad, expected, atol=1e-12)


def test_cost_from_a_graph(rng):
    """Through Chainer's own pairwise cost, the same as the fused loss."""
    x, y = rng.standard_normal((3, 6, 2)), rng.standard_normal((3, 5, 2))
    a, b = Variable(x), Variable(y)
    difference = F.broadcast_to(a[:, :, None], (3, 6, 5, 2)) - F.broadcast_to(
        b[:, None], (3, 6, 5, 2)
    )
    composed = soft_dtw_from_cost(F.sum(difference**2, axis=3), 0.5)
    composed.backward()
    c, d = Variable(x), Variable(y)
    fused = soft_dtw(c, d, 0.5)
    fused.backward()
    np.testing.assert_allclose(composed.array, fused.array, rtol=1e-12)
    np.testing.assert_allclose(a.grad, c.grad, atol=1e-12)
    np.testing.assert_allclose(b.grad, d.grad, atol=1e-12)


def test_one_matrix(cost):
    expected = soft_dtw_from_cost(cost[:1], reduce="no").array[0]
    for reduce in ("mean", "sum", "no"):
        actual = soft_dtw_from_cost(cost[0], reduce=reduce)
        assert actual.shape == () and actual.array == expected
    variable = Variable(cost[0])
    soft_dtw_from_cost(variable).backward()
    _, e = reference.soft_dtw(cost[0], 1.0)
    np.testing.assert_allclose(variable.grad, e, atol=1e-12)


def test_forbidden_cells(cost):
    cost[0, 0, 1:] = np.inf
    cost[1, 3] = np.inf
    variable = Variable(cost)
    values = soft_dtw_from_cost(variable, reduce="no")
    np.testing.assert_array_equal(np.isinf(values.array), [0, 1, 0])
    values.grad = np.ones(3)
    values.backward()
    assert np.isfinite(variable.grad).all()
    assert not variable.grad[1].any() and not variable.grad[0, 0, 1:].any()


def test_nan_stays_in_its_pair(cost):
    cost[2, 1, 1] = np.nan
    variable = Variable(cost)
    values = soft_dtw_from_cost(variable, reduce="no")
    np.testing.assert_array_equal(np.isnan(values.array), [0, 0, 1])
    values.grad = np.ones(3)
    values.backward()
    assert np.isfinite(variable.grad[:2]).all()
    assert np.isnan(variable.grad[2]).all()


@pytest.mark.parametrize("kind", [list, np.int32, np.array, Variable])
def test_lengths(cost, kind):
    lengths = {
        "x_length": np.array([1, 6, 4]),
        "y_length": np.array([5, 2, 3]),
    }
    expected, e = reference.soft_dtw(cost, 0.5, **lengths)
    variable = Variable(cost)
    values = soft_dtw_from_cost(
        variable,
        0.5,
        reduce="no",
        **{name: kind(a) for name, a in lengths.items()},
    )
    np.testing.assert_allclose(values.array, expected, rtol=1e-12)
    values.grad = np.ones(3)
    values.backward()
    np.testing.assert_allclose(variable.grad, e, atol=1e-12)
    assert not variable.grad[0, 1:].any()


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((1, 2, 3, 4)),
        np.zeros(3),
        np.zeros((2, 3, 4), int),
        np.zeros((0, 3, 4)),
        np.zeros((2, 0, 4)),
        np.zeros((2, 3, 0)),
    ],
)
def test_invalid_type(bad):
    with pytest.raises(type_check.InvalidType, match=r"\bcost\."):
        soft_dtw_from_cost(bad)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reduce": "all"}, "reduce must be 'mean', 'sum' or 'no', got 'all'"),
        ({"gamma": -1}, "gamma must be >= 0 and finite, got -1"),
        ({"x_length": [1, 2]}, "x_length must have shape (3,), got (2,)"),
        ({"y_length": [1, 2, 6]}, "y_length must be from 1 to 5, got 6 at 2"),
    ],
)
def test_values(cost, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        soft_dtw_from_cost(cost, **options)


@pytest.mark.parametrize(
    ("backprop", "requires_grad", "tape"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_tape(cost, backprop, requires_grad, tape):
    sweep = sdtw_cpu.value_from_cost
    with (
        mock.patch.object(sdtw_cpu, "value_from_cost", wraps=sweep) as spy,
        chainer.using_config("enable_backprop", backprop),
    ):
        soft_dtw_from_cost(Variable(cost, requires_grad=requires_grad))
    assert spy.call_args.kwargs["tape"] == tape
