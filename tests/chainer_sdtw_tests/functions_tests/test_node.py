"""Second and third derivatives, and the work that they take."""

from unittest import mock

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import chainer
import chainer.functions as F
import checks
import numpy as np
import pytest
import reference
from chainer import Variable

import sdtw_cpu
from chainer_sdtw import (
    dilate_loss,
    sharp_soft_dtw,
    soft_dtw,
    soft_dtw_from_cost,
)


def gradients(value, *variables):
    return chainer.grad([value], variables, enable_double_backprop=True)


@pytest.mark.parametrize("name", {**checks.OPTIONS, **checks.MASKS})
@pytest.mark.parametrize("gamma", [0, 0.5])
def test_second_derivatives(gamma, name):
    options = {**checks.OPTIONS, **checks.MASKS}[name]
    checks.check_derivatives(
        lambda x, y: soft_dtw(x, y, gamma, reduce="no", **options),
        *checks.pair(),
    )


@pytest.mark.parametrize("name", {**checks.OPTIONS, **checks.MASKS})
def test_third_derivatives(name):
    options = {**checks.OPTIONS, **checks.MASKS}[name]

    def gradient(x, y):
        values = soft_dtw(x, y, 0.5, reduce="no", **options)
        return gradients(F.sum(values * values), x, y)[0]

    checks.check_derivatives(gradient, *checks.pair())


def test_fourth_derivatives():
    """Of sharp soft-DTW, a third one of soft-DTW itself."""

    def second(x, y):
        gx, gy = gradients(sharp_soft_dtw(x, y, 0.5), x, y)
        return gradients(F.sum(gx * gx) + F.sum(gy), x)[0]

    x, y = checks.pair()
    checks.check_derivatives(second, x[:1, :2, :1], y[:1, :2, :1])


@pytest.mark.parametrize(
    "options", [{}, {"bandwidth": 1}, {"x_length": [4, 2]}], ids=str
)
@pytest.mark.parametrize("gamma", [0, 0.5])
def test_derivatives_of_a_cost(rng, gamma, options):
    def from_cost(cost):
        return soft_dtw_from_cost(cost, gamma, reduce="no", **options)

    def alignment(cost):
        return gradients(F.sum(from_cost(cost)), cost)[0]

    cost = rng.random((2, 4, 3))
    checks.check_derivatives(from_cost, cost)
    checks.check_derivatives(alignment, cost)


def test_forbidden_cells(rng):
    """Derivatives of all orders are zero there and right elsewhere."""
    forbidden = np.zeros((2, 4, 3), dtype=bool)
    forbidden[0, 1, 1] = forbidden[0, 0, 1:] = forbidden[1, 2] = True

    def alignment(c):
        cost = F.where(forbidden, np.full(c.shape, np.inf), c)
        values = soft_dtw_from_cost(cost, 0.5, reduce="no")
        possible = F.where(np.array([True, False]), values, np.zeros(2))
        return gradients(F.sum(possible), c)[0]

    checks.check_derivatives(alignment, rng.random((2, 4, 3)))


def test_hessian_product(pair):
    """That of the cost's gradient with the expected alignment is in it."""
    x, y = map(Variable, pair)
    dx, dy = np.cos(np.arange(36.0)).reshape(3, 6, 2), pair[1][:, ::-1]
    gx, gy = gradients(soft_dtw(x, y, 0.5, reduce="sum"), x, y)
    hx, hy = gradients(F.sum(gx * dx) + F.sum(gy * dy), x, y)
    eps = 1e-5
    ends = [
        reference.batch(pair[0] + s * dx, pair[1] + s * dy, 0.5)
        for s in (eps, -eps)
    ]
    for actual, k in ((hx, 1), (hy, 2)):
        expected = (ends[0][k] - ends[1][k]) / (2 * eps)
        np.testing.assert_allclose(actual.array, expected, atol=1e-7)


def test_inputs_that_depend_on_each_other(rng):
    """A third derivative is that of the paths through the loss alone."""
    a = rng.standard_normal((1, 4, 1))

    def gradient(x):
        y = F.sin(x[:, 1:])
        value = soft_dtw(x, y, 0.5, reduce="sum")
        (gx,) = gradients(value * value, x)
        return gx * gx

    checks.check_derivatives(gradient, a)


def test_gradient_penalty(rng):
    """A graph through the gradient, as one trains with it."""
    x = Variable(rng.standard_normal((2, 5, 1)).astype(np.float32))
    y = rng.standard_normal((2, 4, 1)).astype(np.float32)
    weight = Variable(np.array(0.5, np.float32))
    scaled = x * F.broadcast_to(weight, x.shape)
    value = soft_dtw(scaled, y, 0.1)
    (gradient,) = gradients(value, scaled)
    penalty = (F.sqrt(F.sum(gradient * gradient)) - 1) ** 2
    (value + penalty).backward()
    assert np.isfinite(weight.grad) and weight.grad != 0
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("loss", [soft_dtw, sharp_soft_dtw, dilate_loss])
def test_types(pair, loss, dtype):
    found = []
    for kind in (dtype, np.float64):
        x, y = (Variable(a[:2, :4].astype(dtype).astype(kind)) for a in pair)
        (gx,) = gradients(loss(x, y, gamma=0.5, reduce="sum"), x)
        (second,) = gradients(F.sum(gx[:, :2]), x)
        (third,) = gradients(F.sum(second[:, 1:3] * 0.5), y)
        assert gx.dtype == second.dtype == third.dtype == kind
        found.append((second.array, third.array))
    tolerance = {np.float16: 1e-2, np.float32: 2e-5}[dtype]
    for actual, expected in zip(*found):
        assert reference.error(actual, expected) <= tolerance


def test_one_sweep_and_back(pair):
    """A second derivative takes no more than that, and no graph."""
    x, y = map(Variable, pair)
    (gx,) = gradients(soft_dtw(x, y), x)
    with (
        checks.watched("tangent", "adjoint_tangent") as (tangent, adjoint),
        mock.patch.object(sdtw_cpu, "value") as value,
        mock.patch("chainer_sdtw._engine.graph.soft_dtw") as composed,
    ):
        F.sum(gx * gx).backward()
    assert tangent.call_count == adjoint.call_count == 1
    assert not value.called and not composed.called
    direction = tangent.call_args.args[2]
    np.testing.assert_allclose(direction[0], 2 * gx.array)
    assert direction[1] is None
    assert adjoint.call_args.kwargs == {"x": True, "y": True}


def test_tangent_alone(pair):
    """An incoming gradient that is needed by nothing is not computed."""
    scale = Variable(np.array(2.0))
    x = Variable(pair[0])
    value = scale * soft_dtw(x, pair[1])
    (gx,) = gradients(value, x)
    with mock.patch.object(sdtw_cpu, "adjoint_tangent") as adjoint:
        (g,) = gradients(F.sum(gx), scale)
    assert not adjoint.called
    np.testing.assert_allclose(g.array, gx.array.sum() / 2)


@pytest.mark.parametrize("loss", [soft_dtw, sharp_soft_dtw, dilate_loss])
def test_backward_twice(pair, loss):
    x, y = map(Variable, pair)
    value = loss(x, y)
    value.backward()
    first = x.grad.copy()
    x.cleargrad()
    value.backward()
    np.testing.assert_array_equal(x.grad, first)


def test_labels(pair):
    x, y = map(Variable, pair)
    values = soft_dtw(x, y, reduce="no")
    assert values.creator.label == "soft_dtw"
    (gx,) = gradients(F.sum(values), x)
    assert gx.creator.label == "gradient of soft_dtw"
    (h,) = gradients(F.sum(gx), x)
    assert h.creator.label == "second derivative of soft_dtw"
    tangents = sharp_soft_dtw(x, y, reduce="no")
    (gx,) = gradients(F.sum(tangents), x)
    assert tangents.creator.label == "sharp_soft_dtw"
    assert gx.creator.label == "gradient of sharp_soft_dtw"


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_reduction_is_part_of_the_node(pair, reduce):
    """Its derivatives of all orders are those of Chainer's functions."""
    reductions = {"mean": F.mean, "sum": F.sum}

    def own(x, y):
        return soft_dtw(x, y, 0.5, reduce=reduce)

    def composed(x, y):
        return reductions[reduce](soft_dtw(x, y, 0.5, reduce="no"))

    def derivatives(loss):
        x, y = map(Variable, pair)
        scale = Variable(np.array(0.7))
        value = loss(x, y)
        first = gradients(scale * value, x, y, scale)
        second = gradients(F.sum(first[0] * first[0]), x, y, scale)
        third = gradients(F.sum(second[0]) + second[2], x, y, scale)
        exact = [v.array for v in (value, *first, *second)]
        return exact, [v.array for v in third]

    assert own(*map(Variable, pair)).creator.label == "soft_dtw"
    exact, third = derivatives(own)
    composed_exact, composed_third = derivatives(composed)
    for actual, expected in zip(exact, composed_exact):
        np.testing.assert_array_equal(actual, expected)
    # Graphs of the third derivatives add up in another order.
    for actual, expected in zip(third, composed_third):
        np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-13)
