"""The three divergences of chainer_sdtw."""

import re

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import checks
import numpy as np
import pytest
import reference
from chainer import Variable
from chainer.utils import type_check

from chainer_sdtw import (
    mean_cost,
    mean_cost_divergence,
    sharp_soft_dtw,
    sharp_soft_dtw_divergence,
    soft_dtw,
    soft_dtw_divergence,
)


def bound(loss, gamma):
    """A loss with its gamma, if it has one."""
    if loss in (mean_cost, mean_cost_divergence):
        return loss

    def function(x, y, **options):
        return loss(x, y, gamma, **options)

    return function


LOSSES = [
    (soft_dtw_divergence, soft_dtw),
    (sharp_soft_dtw_divergence, sharp_soft_dtw),
    (mean_cost_divergence, mean_cost),
]
every_loss = pytest.mark.parametrize(
    ("divergence", "loss"), LOSSES, ids=[loss.__name__ for _, loss in LOSSES]
)


@pytest.mark.parametrize("name", ["plain", "cosine", "ragged-band"])
@every_loss
def test_derivatives(divergence, loss, name):
    divergence = bound(divergence, 0.5)
    checks.check_derivatives(
        lambda x, y: divergence(x, y, reduce="no", **checks.OPTIONS[name]),
        *checks.pair(),
    )


@pytest.mark.parametrize("reduce", ["no", "sum", "mean"])
@every_loss
def test_terms(pair, divergence, loss, reduce):
    x, y = pair
    divergence, loss = bound(divergence, 0.3), bound(loss, 0.3)
    n = [6, 1, 4]
    options = {"cost": "euclidean", "bandwidth": 2}
    terms = [
        loss(x, y, x_length=n, reduce="no", **options),
        loss(x, x, x_length=n, y_length=n, reduce="no", **options),
        loss(y, y, reduce="no", **options),
    ]
    expected = terms[0].array - (terms[1].array + terms[2].array) / 2
    expected = {"no": np.copy, "sum": np.sum, "mean": np.mean}[reduce](
        expected
    )
    actual = divergence(x, y, x_length=n, reduce=reduce, **options)
    np.testing.assert_allclose(actual.array, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", checks.OPTIONS)
@pytest.mark.parametrize("gamma", [0, 0.01, 1.0])
@every_loss
def test_zero_for_equal_series(rng, divergence, loss, gamma, name):
    options = dict(checks.OPTIONS[name])
    if name == "function" and gamma == 0:
        pytest.skip("two alignments tie, each the mirror image of the other")
    if "y_length" in options:
        options["x_length"] = options["y_length"]
    elif "x_length" in options:
        options["y_length"] = options["x_length"]
    a = rng.standard_normal((2, 4, 2))
    x, y = Variable(a), Variable(a.copy())
    value = bound(divergence, gamma)(x, y, reduce="no", **options)
    assert abs(value.array).max() <= 1e-14
    value.grad = np.ones(2)
    value.backward()
    assert abs(x.grad).max() <= 1e-13
    assert abs(y.grad).max() <= 1e-13


@pytest.mark.parametrize("cost", ["sqeuclidean", "manhattan", "euclidean"])
@every_loss
def test_not_negative(rng, divergence, loss, cost):
    x = reference.walks(rng, 200, 9, 2)
    y = x[:, :7] + rng.choice([0.01, 0.1, 1], (200, 1, 1)) * reference.walks(
        rng, 200, 7, 2
    )
    for gamma in (0.01, 1.0, 100.0):
        value = bound(divergence, gamma)(x, y, cost=cost, reduce="no")
        assert value.array.min() > 0


@every_loss
def test_dtw_for_gamma_zero(pair, divergence, loss):
    if loss is mean_cost:
        pytest.skip("has no gamma")
    x, y = map(Variable, pair)
    value = divergence(x, y, 0, reduce="no")
    value.grad = np.ones(3)
    value.backward()
    expected, gx, gy = reference.batch(*pair, 0)
    np.testing.assert_allclose(value.array, expected, rtol=1e-12)
    np.testing.assert_allclose(x.grad, gx, atol=1e-12)
    np.testing.assert_allclose(y.grad, gy, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@every_loss
def test_types(pair, divergence, loss, dtype):
    divergence = bound(divergence, 0.1)
    wide = [Variable(a.astype(dtype).astype(np.float64)) for a in pair]
    narrow = [Variable(a.astype(dtype)) for a in pair]
    for series in (wide, narrow):
        divergence(*series).backward()
    actual, expected = divergence(*narrow), divergence(*wide)
    assert actual.dtype == dtype
    tolerance = {np.float16: 2e-3, np.float32: 3e-5}[dtype]
    assert reference.error(actual.array, expected.array) <= tolerance
    for a, b in zip(narrow, wide):
        assert a.grad.dtype == dtype
        assert reference.error(a.grad, b.grad) <= tolerance


@every_loss
def test_forms_of_series(pair, divergence, loss):
    x, y = pair
    expected = divergence(x, y, reduce="no").array
    one = divergence(x[1], y[1], reduce="no")
    assert one.shape == () and one.array == expected[1]
    lists = divergence(list(x), list(y), reduce="no")
    np.testing.assert_array_equal(lists.array, expected)


class TestYTerm:
    @pytest.fixture
    def expected(self, pair):
        """Value and gradient for x with all terms."""
        x = Variable(pair[0])
        value = soft_dtw_divergence(x, pair[1], 0.5, reduce="no")
        value.grad = np.ones(3)
        value.backward()
        return value.array, x.grad

    def result(self, pair, y_term):
        x = Variable(pair[0])
        value = soft_dtw_divergence(
            x, pair[1], 0.5, y_term=y_term, reduce="no"
        )
        value.grad = np.ones(3)
        value.backward()
        return value.array, x.grad

    def test_skip(self, pair, expected):
        of_y = soft_dtw(pair[1], pair[1], 0.5, reduce="no").array
        value, gradient = self.result(pair, "skip")
        np.testing.assert_allclose(value - of_y / 2, expected[0], atol=1e-14)
        np.testing.assert_array_equal(gradient, expected[1])

    @pytest.mark.parametrize("kind", [np.asarray, list, Variable, np.float32])
    def test_given(self, pair, expected, kind):
        of_y = soft_dtw(pair[1], pair[1], 0.5, reduce="no").array
        value, gradient = self.result(pair, kind(of_y))
        tolerance = 1e-6 if kind is np.float32 else 1e-14
        np.testing.assert_allclose(value, expected[0], atol=tolerance)
        np.testing.assert_array_equal(gradient, expected[1])

    def test_given_for_one_pair(self, pair):
        x, y = (a[0] for a in pair)
        of_y = soft_dtw(y[None], y[None]).array
        value = soft_dtw_divergence(x, y, y_term=of_y)
        expected = soft_dtw_divergence(x, y)
        np.testing.assert_allclose(value.array, expected.array, atol=1e-14)

    @pytest.mark.parametrize(
        ("y_term", "message"),
        [
            ("drop", "y_term must be None, 'skip' or an array, got 'drop'"),
            (np.zeros(2), "y_term must have shape (3,), got (2,)"),
            (1.0, "y_term must have shape (3,), got ()"),
        ],
    )
    def test_bad(self, pair, y_term, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            soft_dtw_divergence(*pair, y_term=y_term)


class TestWork:
    """What is not asked for is not computed and not kept."""

    @pytest.fixture(autouse=True)
    def sweeps(self):
        with checks.watched("value", "adjoint") as sweeps:
            self.value, self.adjoint = sweeps
            yield

    def tapes(self):
        return [c.kwargs["tape"] for c in self.value.call_args_list]

    def gradients(self):
        return sorted(
            (c.kwargs["x"], c.kwargs["y"]) for c in self.adjoint.call_args_list
        )

    def test_gradient_for_one(self, pair):
        soft_dtw_divergence(Variable(pair[0]), pair[1]).backward()
        assert self.tapes() == [True, True, False]
        assert self.gradients() == [(True, False), (True, False)]

    def test_gradients_for_both(self, pair):
        soft_dtw_divergence(*map(Variable, pair)).backward()
        assert self.tapes() == [True, True, True]
        wanted = [(True, False), (True, False), (True, True)]
        assert self.gradients() == wanted

    @pytest.mark.parametrize("y_term", ["skip", np.zeros(3)])
    def test_without_the_term_of_y(self, pair, y_term):
        soft_dtw_divergence(*pair, y_term=y_term)
        assert self.tapes() == [False, False]


@pytest.mark.parametrize("name", reference.cases())
def test_reference(name):
    case = reference.cases()[name]
    if "divergence" not in case:
        pytest.skip("has no divergences")
    x, y, gamma = case["x"][None], case["y"][None], float(case["gamma"])
    for field, function in (
        ("divergence", soft_dtw_divergence),
        ("sharp", sharp_soft_dtw),
        ("sharp_divergence", sharp_soft_dtw_divergence),
        ("mean_cost", mean_cost),
    ):
        actual = bound(function, gamma)(x, y).array
        # Of the terms that a divergence is the difference of.
        scale = max(abs(case["value"]), abs(case["sharp"]), 1)
        assert abs(actual - case[field]) <= 1e-8 * scale, field


@every_loss
def test_errors(pair, divergence, loss):
    x, y = pair
    with pytest.raises(type_check.InvalidType, match=divergence.__name__):
        divergence(x, y[:2])
    for option, message in (
        ({"reduce": "all"}, "reduce must be"),
        ({"cost": "hamming"}, "cost must be 'sqeuclidean', 'euclidean', "),
        ({"bandwidth": -1}, "bandwidth must be >= 0"),
        ({"x_length": [7, 1, 1]}, "x_length must be from 1 to 6, got 7 at 0"),
    ):
        with pytest.raises(ValueError, match=message):
            divergence(x, y, **option)
