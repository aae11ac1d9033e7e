"""The interface of mblondel/soft-dtw, which sdtw_cpu keeps."""

import re
import warnings

import numpy as np
import pytest
import reference

import sdtw_cpu
from sdtw_cpu.barycenter import sdtw_barycenter
from sdtw_cpu.distance import SquaredEuclidean
from sdtw_cpu.search import METHODS

GAMMA = 0.7


@pytest.fixture
def series(rng):
    return rng.standard_normal((12, 3)), rng.standard_normal((9, 3))


def test_readme(series):
    import sdtw_cpu as sdtw
    from sdtw_cpu import SoftDTW

    X, Y = series
    D = sdtw.distance.SquaredEuclidean(X, Y)
    sdtw = SoftDTW(D, gamma=1.0)
    value = sdtw.compute()
    E = sdtw.grad()
    G = D.jacobian_product(E)

    expected, gx, _ = reference.batch(X[None], Y[None], 1.0)
    assert isinstance(value, float)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    _, e = reference.soft_dtw(reference.squared_euclidean(X, Y), 1.0)
    np.testing.assert_allclose(E, e, atol=1e-12)
    assert E.shape == (12, 9) and G.shape == (12, 3)
    np.testing.assert_allclose(G, gx[0], atol=1e-11)
    assert repr(D) == "SquaredEuclidean(m=12, n=9, d=3)"
    assert repr(sdtw) == "SoftDTW(m=12, n=9, gamma=1)"


class TestSoftDTW:
    def test_matrix_or_object(self, series):
        d = SquaredEuclidean(*series)
        from_object = sdtw_cpu.SoftDTW(d, GAMMA)
        from_matrix = sdtw_cpu.SoftDTW(d.compute(), GAMMA)
        assert from_object.compute() == from_matrix.compute()
        np.testing.assert_array_equal(from_object.grad(), from_matrix.grad())

    def test_gamma_defaults_to_one(self, series):
        d = SquaredEuclidean(*series)
        assert sdtw_cpu.SoftDTW(d).gamma == 1.0

    @pytest.mark.parametrize("dtype", [np.int8, np.float16, np.float32, bool])
    def test_any_numbers(self, rng, dtype):
        matrix = rng.integers(0, 2, (5, 6)).astype(dtype)
        sdtw = sdtw_cpu.SoftDTW(matrix, GAMMA)
        value, e = reference.soft_dtw(matrix.astype(np.float64), GAMMA)
        assert abs(sdtw.compute() - value) < 1e-12
        assert sdtw.grad().dtype == np.float64
        np.testing.assert_allclose(sdtw.grad(), e, atol=1e-12)

    def test_nested_lists(self):
        assert sdtw_cpu.SoftDTW([[1, 2], [3, 4]], 0).compute() == 5.0

    def test_keeps_its_own_copy(self, rng):
        matrix = rng.random((4, 4))
        sdtw = sdtw_cpu.SoftDTW(matrix)
        value = sdtw.compute()
        e = sdtw.grad()
        matrix[:] = 7
        assert sdtw.compute() == value
        np.testing.assert_array_equal(sdtw.grad(), e)

    def test_grad_before_compute(self):
        sdtw = sdtw_cpu.SoftDTW(np.eye(3))
        with pytest.raises(ValueError, match=r"compute\(\) before grad\(\)"):
            sdtw.grad()

    @pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 3), (3, 0), ()])
    def test_shapes(self, shape):
        message = f"D must have shape (m, n) with m, n >= 1, got {shape}"
        with pytest.raises(ValueError, match=re.escape(message)):
            sdtw_cpu.SoftDTW(np.zeros(shape))

    @pytest.mark.parametrize("d", ["matrix", object(), [["a", "b"]]])
    def test_what_is_not_numbers(self, d):
        message = "D must be a matrix of real numbers or have a compute() that"
        with pytest.raises(TypeError, match=re.escape(message)):
            sdtw_cpu.SoftDTW(d)


class TestSquaredEuclidean:
    def test_compute(self, series):
        d = SquaredEuclidean(*series).compute()
        expected = reference.squared_euclidean(*series)
        np.testing.assert_allclose(d, expected, rtol=1e-14)

    def test_far_from_zero(self):
        x = 1e8 + np.arange(4.0)[:, None]
        d = SquaredEuclidean(x, x).compute()
        np.testing.assert_array_equal(d[0], [0, 1, 4, 9])

    def test_jacobian_product(self, series, rng):
        """Against central differences of <E, D>, exact for squares."""
        x, y = series
        e = rng.standard_normal((12, 9))
        product = SquaredEuclidean(x, y).jacobian_product(e)
        numeric = np.zeros_like(x)
        for at in np.ndindex(x.shape):
            for sign in (-1, 1):
                moved = x.copy()
                moved[at] += sign / 8
                d = SquaredEuclidean(moved, y).compute()
                numeric[at] += 4 * sign * (e * d).sum()
        np.testing.assert_allclose(product, numeric, atol=1e-11)

    def test_jacobian_product_in_any_layout(self, series, rng):
        D = SquaredEuclidean(*series)
        e = rng.random(D.compute().shape)
        expected = D.jacobian_product(e)
        for other in (e[::-1].copy()[::-1], np.asfortranarray(e)):
            np.testing.assert_array_equal(D.jacobian_product(other), expected)

    def test_what_is_beyond_the_range(self):
        D = SquaredEuclidean([[1e200], [1.0]], [[-1e308]])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.isinf(D.compute()).all()
            assert np.isinf(D.jacobian_product([[1e10], [1.0]])[0])

    def test_accepts_lists_and_other_numbers(self):
        d = SquaredEuclidean([[1], [2]], np.array([[4]], np.int8))
        np.testing.assert_array_equal(d.compute(), [[9], [4]])
        np.testing.assert_array_equal(
            d.jacobian_product([[1], [2]]), [[-6], [-8]]
        )

    @pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 3), (3, 0)])
    def test_shapes(self, shape):
        good, bad = np.zeros((2, 3)), np.zeros(shape)
        message = re.escape(f"(length, features), got shape {shape}")
        with pytest.raises(ValueError, match=f"^X .*{message}"):
            SquaredEuclidean(bad, good)
        with pytest.raises(ValueError, match=f"^Y .*{message}"):
            SquaredEuclidean(good, bad)

    def test_features(self):
        message = "same number of features, got shapes (2, 3) and (2, 4)"
        with pytest.raises(ValueError, match=re.escape(message)):
            SquaredEuclidean(np.zeros((2, 3)), np.zeros((2, 4)))

    def test_shape_of_e(self, series):
        message = "E must have shape (12, 9), got (9, 12)"
        with pytest.raises(ValueError, match=re.escape(message)):
            SquaredEuclidean(*series).jacobian_product(np.zeros((9, 12)))


class TestBarycenter:
    @pytest.fixture
    def X(self, rng):
        return [rng.standard_normal((n, 2)).cumsum(axis=0) for n in (6, 9, 7)]

    def test_least_objective(self, X):
        """The gradient is zero, by the classes for one pair."""
        weights = [1, 0.5, 2]
        Z = sdtw_barycenter(
            X, X[0][:5], gamma=GAMMA, weights=weights, tol=1e-10, max_iter=500
        )
        assert Z.shape == (5, 2) and Z.dtype == np.float64
        gradient = 0
        for w, x in zip(weights, X):
            D = SquaredEuclidean(Z, x)
            sdtw = sdtw_cpu.SoftDTW(D, GAMMA)
            sdtw.compute()
            gradient += w * D.jacobian_product(sdtw.grad())
        np.testing.assert_allclose(gradient, 0, atol=1e-4)

    def test_positions_and_defaults(self, X):
        init = np.zeros((4, 2))
        Z = sdtw_barycenter(X, init, 1.0, None, "L-BFGS-B", 1e-3, 50)
        np.testing.assert_array_equal(Z, sdtw_barycenter(X, init))
        assert not np.array_equal(Z, sdtw_barycenter(X, init, max_iter=1))
        Z = sdtw_barycenter(X, init, tol=1e-6)
        other = sdtw_barycenter(X, init, method="CG", tol=1e-6)
        np.testing.assert_allclose(other, Z, atol=0.1)
        assert not init.any()

    @pytest.mark.parametrize("X", [3, np.array(3.0), None, object()])
    def test_no_series(self, X):
        message = r"^X\[0\] must be (a series|real numbers)"
        with pytest.raises((TypeError, ValueError), match=message):
            sdtw_barycenter(X, np.zeros((2, 1)))

    def test_what_numpy_can_read(self, X):
        a = np.stack([x[:4] for x in X])
        Z = sdtw_barycenter(a, a[0])
        for other in (memoryview(a), tuple(a), np.ma.array(a)):
            np.testing.assert_array_equal(sdtw_barycenter(other, a[0]), Z)

    def test_units(self, X):
        """Tiny series and weights, whose product underflows."""
        small, weights = 2.0**-450, np.array([1, 0.5, 2])
        Z = sdtw_barycenter(X, X[0], GAMMA, weights)
        other = sdtw_barycenter(
            [x * small for x in X],
            X[0] * small,
            GAMMA * small**2,
            weights * 2.0**-200,
        )
        np.testing.assert_array_equal(other, Z * small)

    def test_an_array_of_series(self, rng):
        X = rng.standard_normal((4, 6, 1))
        Z = sdtw_barycenter(X, X.mean(axis=0))
        np.testing.assert_array_equal(Z, sdtw_barycenter(list(X), X.mean(0)))

    @pytest.mark.parametrize(
        ("method", "error"),
        [("newton", ValueError), ("", ValueError), (None, TypeError)],
    )
    def test_unknown_methods(self, X, method, error):
        message = f"method must be one of 'bfgs', .*, got {method!r}"
        with pytest.raises(error, match=message):
            sdtw_barycenter(X, X[0], method=method)

    @pytest.mark.parametrize("method", METHODS)
    def test_methods(self, X, method):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Z = sdtw_barycenter(
                X, X[0][:5], GAMMA, method=method, tol=1e-8, max_iter=500
            )
        gradients = []
        for x in X:
            _, tape = sdtw_cpu.value(Z[None], x[None], GAMMA, tape=True)
            gradients.append(sdtw_cpu.adjoint(tape)[0])
        assert abs(sum(gradients)).max() < 0.01

    def test_what_ends_a_search_at_once(self, X):
        """And numbers whose squares are beyond the range."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Z = sdtw_barycenter(X, X[0], GAMMA, tol=1e308)
            np.testing.assert_array_equal(Z, X[0])
            X[1][0] = 1e200
            sdtw_barycenter(X, X[0], GAMMA, max_iter=1)
            sdtw_barycenter(X[1:2], 1e300 + X[0], GAMMA, max_iter=1)
            sdtw_barycenter(X[2:], 1e308 + X[0], GAMMA, max_iter=1)

    @pytest.mark.parametrize(
        "args, message",
        [
            (([], np.zeros((3, 1))), "X must not be empty"),
            (([np.zeros((2, 2))], np.zeros((3, 1))), r"X\[0\] must be"),
            (([np.zeros(2)], np.zeros((3, 1))), r"X\[0\] must be"),
            (([np.zeros((2, 1))], np.zeros(3)), "barycenter_init must be"),
            (([np.zeros((2, 1))], np.zeros((3, 1)), -1), "gamma must be"),
            (
                ([np.zeros((2, 1))], np.zeros((3, 1)), 1, [1, 2]),
                r"weights must have shape \(1,\)",
            ),
        ],
    )
    def test_errors(self, args, message):
        with pytest.raises(ValueError, match=message):
            sdtw_barycenter(*args)
