"""chainer_sdtw.sharp_soft_dtw and chainer_sdtw.mean_cost."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import chainer
import checks
import numpy as np
import pytest
import reference
from chainer import Variable

from chainer_sdtw import cost_matrix, mean_cost, sharp_soft_dtw
from sdtw_cpu.checks import COSTS


@pytest.mark.parametrize("name", {**checks.OPTIONS, **checks.MASKS})
def test_derivatives(name):
    options = {**checks.OPTIONS, **checks.MASKS}[name]
    checks.check_derivatives(
        lambda x, y: sharp_soft_dtw(x, y, 0.5, reduce="no", **options),
        *checks.pair(),
    )


@pytest.mark.parametrize("name", checks.OPTIONS)
def test_derivatives_of_the_mean_cost(name):
    checks.check_derivatives(
        lambda x, y: mean_cost(x, y, reduce="no", **checks.OPTIONS[name]),
        *checks.pair(),
    )


@pytest.mark.parametrize("gamma", [0, 0.01, 1.0, 1e15])
@pytest.mark.parametrize("cost", COSTS)
def test_expected_cost(pair, cost, gamma):
    lengths = {"x_length": [6, 1, 4], "y_length": [5, 5, 2]}
    options = {"cost": cost, **lengths}
    matrices = cost_matrix(*pair, cost).array
    _, e = reference.soft_dtw(matrices, gamma, **lengths)
    expected = (e * matrices).sum(axis=(1, 2))
    for reduce in ("no", "sum", "mean"):
        wanted = {"no": np.copy, "sum": np.sum, "mean": np.mean}[reduce](
            expected
        )
        actual = sharp_soft_dtw(*pair, gamma, reduce=reduce, **options)
        np.testing.assert_allclose(actual.array, wanted, rtol=1e-11)


def test_between_dtw_and_the_mean(pair):
    values = [
        sharp_soft_dtw(*pair, gamma, reduce="no").array
        for gamma in (0, 0.1, 1, 10, 100, 1e9)
    ]
    assert (np.diff(values, axis=0) > 0).all()
    dtw, _, _ = reference.batch(*pair, 0)
    np.testing.assert_allclose(values[0], dtw, rtol=1e-12)
    mean = mean_cost(*pair, reduce="no").array
    np.testing.assert_allclose(values[-1], mean, rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-5, 1, 1e5, 1e12, 1e13, 1e15])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mean_over_all_alignments(pair, dtype, scale):
    x, y = (scale * a.astype(dtype) for a in pair)
    alignments = np.array(list(reference.alignments(6, 5)))
    expected = np.tensordot(
        reference.squared_euclidean(x, y), alignments.mean(axis=0)
    )
    actual = mean_cost(x, y, reduce="no")
    assert actual.dtype == dtype
    tolerance = {np.float32: 1e-6, np.float64: 1e-12}[dtype]
    np.testing.assert_allclose(actual.array, expected, rtol=tolerance)


def test_mean_cost_is_linear(pair):
    """Its gradient has the same alignment whatever the costs are."""
    x, y = map(Variable, pair)
    mean_cost(x, y, reduce="sum").backward()
    alignments = np.array(list(reference.alignments(6, 5)))
    e = np.broadcast_to(alignments.mean(axis=0), (3, 6, 5))
    gx, gy = reference.gradients(*pair, e)
    np.testing.assert_allclose(x.grad, gx, atol=1e-13)
    np.testing.assert_allclose(y.grad, gy, atol=1e-13)


def test_no_alignment(pair):
    mask = np.ones((3, 6, 5), dtype=bool)
    mask[1, 2] = False
    x, y = map(Variable, pair)
    values = sharp_soft_dtw(x, y, mask=mask, reduce="no")
    np.testing.assert_array_equal(np.isinf(values.array), [0, 1, 0])
    values.grad = np.ones(3)
    values.backward()
    for variable in (x, y):
        assert not variable.grad[1].any()
        assert np.isfinite(variable.grad).all() and variable.grad[0].any()


def test_nan_stays_in_its_pair(pair):
    checks.check_nan_stays_in_its_pair(sharp_soft_dtw, pair)


@pytest.mark.parametrize(
    ("backprop", "requires_grad", "tape"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_work(pair, backprop, requires_grad, tape):
    with (
        checks.watched("tangent", "adjoint_tangent") as (tangent, adjoint),
        chainer.using_config("enable_backprop", backprop),
    ):
        x = Variable(pair[0], requires_grad=requires_grad)
        value = sharp_soft_dtw(x, pair[1])
        if tape:
            value.backward()
    assert tangent.call_count == 1
    assert tangent.call_args.kwargs["tape"] == tape
    assert adjoint.call_count == tape
    if tape:
        assert adjoint.call_args.kwargs == {"x": True, "y": False}


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_types(pair, dtype):
    x, y = (Variable(a.astype(dtype)) for a in pair)
    value = sharp_soft_dtw(x, y, 0.1)
    value.backward()
    expected = sharp_soft_dtw(
        x.array.astype(np.float64), y.array.astype(np.float64), 0.1
    )
    assert value.dtype == x.grad.dtype == y.grad.dtype == dtype
    tolerance = {np.float16: 2e-3, np.float32: 1e-5}[dtype]
    assert reference.error(value.array, expected.array) <= tolerance
