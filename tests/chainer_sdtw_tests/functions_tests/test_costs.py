"""Costs: chainer_sdtw.cost_matrix, and what the losses do with them."""

import re
import warnings

import chainer_sdtw  # isort: skip

import chainer
import chainer.functions as F
import checks
import numpy as np
import pytest
import reference
from chainer import Parameter, Variable
from chainer.utils import type_check

from chainer_sdtw import cost_matrix, soft_dtw
from sdtw_cpu.costs import COSTS

NAMES = [*COSTS, "cosine"]


def expected_costs(x, y, cost):
    """In NumPy, (B, m, n)."""
    if cost == "cosine":
        x, y = (a / np.linalg.norm(a, axis=2, keepdims=True) for a in (x, y))
        return 1 - x @ y.swapaxes(1, 2)
    return reference.cost_and_slopes(x, y, cost)[0]


def gradients(value, *variables):
    return chainer.grad([value], variables, enable_double_backprop=True)


@pytest.mark.parametrize("cost", NAMES)
class TestNames:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_values(self, pair, cost, dtype):
        x, y = (a.astype(dtype) for a in pair)
        actual = cost_matrix(x, y, cost)
        assert actual.dtype == dtype
        expected = expected_costs(x.astype(float), y.astype(float), cost)
        tolerance = {np.float16: 2e-3, np.float32: 1e-6, np.float64: 1e-13}
        assert reference.error(actual.array, expected) <= tolerance[dtype]

    def test_derivatives(self, cost):
        checks.check_derivatives(
            lambda x, y: cost_matrix(x, y, cost), *checks.pair()
        )

    @pytest.mark.parametrize("gamma", [0, 0.5])
    def test_loss(self, pair, cost, gamma):
        """The loss without matrices is the loss of the matrices."""
        lengths = {"x_length": [6, 1, 4]}
        fused = [Variable(a) for a in pair]
        values = soft_dtw(*fused, gamma, cost=cost, reduce="no", **lengths)
        F.sum(values).backward()
        wanted, e = reference.soft_dtw(
            expected_costs(*pair, cost), gamma, **lengths
        )
        np.testing.assert_allclose(values.array, wanted, rtol=1e-11)
        composed = [Variable(a) for a in pair]
        matrices = cost_matrix(*composed, cost)
        matrices.grad = e
        matrices.backward()
        for a, b in zip(fused, composed):
            np.testing.assert_allclose(a.grad, b.grad, atol=1e-12)

    def test_where_elements_coincide(self, pair, cost):
        """The gradients are right, not NaN, and so are those of these."""
        x, y = pair
        y[:, 1] = x[:, 2]
        y[:, 2, 0] = x[:, 3, 0]  # in one feature
        x[0, 0] = y[0, 0] = 0
        both = []
        for function in (
            lambda x, y: soft_dtw(x, y, 0.5, cost=cost, reduce="sum"),
            lambda x, y: chainer_sdtw.soft_dtw_from_cost(
                cost_matrix(x, y, cost), 0.5, reduce="sum"
            ),
        ):
            a, b = Variable(x), Variable(y)
            (ga, gb) = gradients(function(a, b), a, b)
            second = gradients(F.sum(ga**2) + F.sum(gb * ga[:, :5]), a, b)
            both.append([v.array for v in (ga, gb, *second)])
        for fused, composed in zip(*both):
            assert np.isfinite(fused).all()
            np.testing.assert_allclose(fused, composed, atol=1e-11)

    def test_of_one_pair(self, pair, cost):
        x, y = pair
        expected = cost_matrix(x, y, cost).array[1]
        actual = cost_matrix(x[1], y[1], cost)
        assert actual.shape == (6, 5)
        np.testing.assert_array_equal(actual.array, expected)


class TestCosine:
    def test_zero_vectors(self):
        x = np.array([[[0.0, 0], [1, 1], [0, 0]]])
        y = np.array([[[0.0, 0], [2, 2], [-1, -1], [1, -1]]])
        a, b = Variable(x), Variable(y)
        matrix = cost_matrix(a, b, "cosine")
        expected = [[0, 1, 1, 1], [1, 0, 2, 1], [0, 1, 1, 1]]
        np.testing.assert_allclose(matrix.array[0], expected, atol=1e-15)
        matrix.grad = np.arange(12.0).reshape(1, 3, 4)
        matrix.backward()
        assert not a.grad[0, [0, 2]].any() and not b.grad[0, 0].any()
        assert a.grad[0, 1].any() and np.isfinite(b.grad).all()

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("power", [-30, 30])
    def test_any_scale(self, pair, dtype, power):
        x, y = (a.astype(dtype) for a in pair)
        scale = dtype(10.0) ** power
        a, b = Variable(x), Variable(scale * x)
        for variable, factor in ((a, 1), (b, scale)):
            matrix = cost_matrix(variable, y, "cosine")
            expected = expected_costs(x, y, "cosine")
            assert reference.error(matrix.array, expected) <= 1e-5
            matrix.grad = np.full_like(matrix.array, factor)
            matrix.backward()
        assert reference.error(b.grad, a.grad) <= 1e-5

    @pytest.mark.parametrize(
        ("dtype", "power"),
        [(np.float32, 120), (np.float32, -120), (None, 1000), (None, -900)],
    )
    def test_beyond_the_range_of_squares(self, pair, dtype, power):
        x, y = (a.astype(dtype) for a in pair)
        scaled = np.ldexp(x, power)
        assert np.isfinite(scaled).all() and scaled.all()
        matrices = cost_matrix(x, y, "cosine").array
        a, b = Variable(x), Variable(scaled)
        of_scaled = cost_matrix(b, y, "cosine")
        np.testing.assert_array_equal(of_scaled.array, matrices)
        # Derivatives of both orders, which scale as the series do not.
        weight = np.arange(matrices.size, dtype=x.dtype) % 7
        weight = weight.reshape(matrices.shape)
        g, h = (
            gradients(F.sum(c * weight), variable)[0]
            for c, variable in (
                (cost_matrix(a, y, "cosine"), a),
                (of_scaled, b),
            )
        )
        np.testing.assert_allclose(
            np.ldexp(h.array, power), g.array, rtol=1e-4, atol=1e-6
        )
        (second,) = gradients(F.sum(g * x[..., ::-1]), a)
        along = np.ldexp(x[..., ::-1], power)
        (other,) = gradients(F.sum(h * along), b)
        np.testing.assert_allclose(
            np.ldexp(other.array, power), second.array, rtol=1e-3, atol=1e-5
        )
        value = soft_dtw(scaled, y, cost="cosine").array
        assert value == soft_dtw(x, y, cost="cosine").array

    def test_any_layout(self, rng):
        """The same bits, values and gradients."""
        x, y = rng.random((2, 3, 5)), rng.random((2, 4, 5))
        results = []
        for given in (y, np.asfortranarray(y), y[::-1].copy()[::-1]):
            a = Variable(given)
            value = cost_matrix(x, a, "cosine")
            results.append((value.array, gradients(F.sum(value), a)[0].array))
        for value, g in results[1:]:
            np.testing.assert_array_equal(value, results[0][0])
            np.testing.assert_array_equal(g, results[0][1])

    def test_largest_gamma(self, pair):
        """The sweeps would be given twice as much."""
        one, other = (
            soft_dtw(*pair, gamma, cost="cosine").array
            for gamma in (1e290, 1e280)
        )
        np.testing.assert_allclose(one, 1e10 * other)
        with pytest.raises(ValueError, match=r"1e\+290, got 1.1e\+290"):
            soft_dtw(*pair, 1.1e290, cost="cosine")

    def test_denormals(self):
        """All numbers of one sign have the same direction."""
        x = Variable(np.array([[[5e-324], [1e-310], [1.0]]]))
        matrix = cost_matrix(x, [[[3.0]]], "cosine")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (g,) = gradients(F.sum(matrix), x)
        assert not matrix.array.any() and not g.array.any()

    def test_scale_of_gamma(self, pair):
        """Half the squared Euclidean cost of unit vectors."""
        values = soft_dtw(*pair, 0.3, cost="cosine", reduce="no").array
        matrices = expected_costs(*pair, "cosine")
        expected, _ = reference.soft_dtw(matrices, 0.3)
        np.testing.assert_allclose(values, expected, rtol=1e-12)


class TestFunction:
    def test_loss(self, pair):
        x, y = map(Variable, pair)
        values = soft_dtw(x, y, 0.5, cost=checks.inner_product, reduce="no")
        matrices = pair[0] @ pair[1].swapaxes(1, 2)
        expected, e = reference.soft_dtw(matrices, 0.5)
        np.testing.assert_allclose(values.array, expected, rtol=1e-12)
        F.sum(values).backward()
        np.testing.assert_allclose(x.grad, e @ pair[1], atol=1e-12)
        wanted = e.swapaxes(1, 2) @ pair[0]
        np.testing.assert_allclose(y.grad, wanted, atol=1e-12)

    def test_parameters(self, pair):
        """What the function computes with gets gradients, too."""

        def loss(weight):
            def cost(x, y):
                return cost_matrix(x * F.broadcast_to(weight, x.shape), y)

            return soft_dtw(*pair, 0.5, cost=cost, reduce="no")

        checks.check_derivatives(loss, np.array([2.0, 3.0]))

    def test_padding_comes_as_first_elements(self, pair):
        x, y = pair
        x[0, 4:] = np.nan
        seen = []

        def cost(x, y):
            seen.append(x.array)
            return checks.inner_product(x, y)

        a = Variable(x)
        soft_dtw(a, y, cost=cost, x_length=[4, 6, 6]).backward()
        np.testing.assert_array_equal(seen[0][0, 4:], x[0, [0, 0]])
        assert np.isfinite(a.grad).all()

    @pytest.mark.parametrize("dtype", [np.float16, np.float32])
    def test_type(self, pair, dtype):
        x, y = (a.astype(dtype) for a in pair)
        types = []

        def cost(x, y):
            types.append(x.dtype)
            return checks.inner_product(x, y)

        assert soft_dtw(x, y, cost=cost).dtype == dtype
        assert types == [np.float32]

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (lambda x, y: x, "got (3, 6, 2) and float64"),
            (lambda x, y: F.sum(x), "got () and float64"),
            (lambda x, y: None, "got NoneType"),
            (lambda x, y: 1.0, "got float"),
            (lambda x, y: Parameter(), "got Parameter"),
            (
                lambda x, y: F.cast(checks.inner_product(x, y), np.float32),
                "got (3, 6, 5) and float32",
            ),
        ],
    )
    def test_bad(self, pair, bad, message):
        message = (
            "cost must return an array of shape (3, 6, 5) and type float64, "
            + message
        )
        for function in (soft_dtw, cost_matrix):
            with pytest.raises(ValueError, match=re.escape(message)):
                function(*pair, cost=bad)


@pytest.mark.parametrize("function", [soft_dtw, cost_matrix])
def test_unknown(pair, function):
    known = f"cost must be {', '.join(map(repr, NAMES))} or"
    with pytest.raises(ValueError, match=f"{known} .*, got 'hamming'"):
        function(*pair, cost="hamming")
    with pytest.raises(TypeError, match=f"{known} .*, got 2"):
        function(*pair, cost=2)


@pytest.mark.parametrize("cost", NAMES)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_bad_elements(pair, cost, bad):
    """The whole pair is NaN, with a matrix of costs and without."""
    x, y = pair
    mask = np.ones((6, 5), bool)
    good = soft_dtw(x, y, cost=cost, reduce="no").array
    y[1, 2, 0] = bad
    mask[3, 1] = False  # a hole: a matrix is made
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in ({}, {"mask": mask}):
            a = Variable(x)
            value = soft_dtw(a, y, cost=cost, reduce="no", **options)
            assert np.isnan(value.array).tolist() == [False, True, False]
            value.grad = np.ones(3)
            value.backward()
            assert np.isfinite(a.grad[[0, 2]]).all()
            assert np.isnan(a.grad[1]).any()
            if not options:
                assert (value.array == good)[[0, 2]].all()
        e = chainer_sdtw.soft_alignment(x, y, cost=cost).array
        assert np.isnan(e[1]).all() and np.isfinite(e[[0, 2]]).all()
        cost_matrix(x, y, cost)
        # What is bad has no other value where there is no alignment, either.
        mask[:] = False
        value = soft_dtw(x, y, cost=cost, mask=mask, reduce="no").array
        np.testing.assert_array_equal(value, [np.inf, np.nan, np.inf])


@pytest.mark.parametrize("cost", COSTS)
def test_huge_elements(pair, cost):
    """Costs beyond the range are infinite, without a warning."""
    x, y = 1e307 * pair[0], 1e200 * pair[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a = Variable(x)
        matrix = cost_matrix(a, y, cost)
        assert (matrix.array > 1e200).any()
        matrix.grad = np.ones_like(matrix.array)
        matrix.backward()


def test_wrong_shapes(pair):
    for cost in NAMES:
        with pytest.raises(type_check.InvalidType, match="cost_matrix"):
            cost_matrix(pair[0], pair[1][:, :, :1], cost)
