import chainer_sdtw  # noqa: F401  isort: skip  (before chainer)

import chainer
import numpy as np
import pytest

from chainer_sdtw._engine import series_set


def test_arrays():
    series = np.arange(12.0).reshape(2, 3, 2)
    batch = series_set.as_series_set("series", series)
    assert batch.array is series and batch.length is None
    assert not batch.univariate and len(batch) == 2 and batch.features == 2
    np.testing.assert_array_equal(batch.lengths, [3, 3])
    flat = series_set.as_series_set("series", series[:, :, 0])
    assert flat.univariate
    np.testing.assert_array_equal(flat.array, series[:, :, :1])


@pytest.mark.parametrize("wrap", [list, tuple, chainer.Variable])
def test_series_of_one_length(wrap):
    series = np.arange(6.0).reshape(2, 3)
    batch = series_set.as_series_set("series", wrap(series))
    assert batch.length is None and batch.univariate
    np.testing.assert_array_equal(batch.array[:, :, 0], series)


def test_lists_are_padded():
    series = [[[1, 2]], np.array([[3.0, 4], [5, 6]], np.float32)]
    batch = series_set.as_series_set("series", series)
    np.testing.assert_array_equal(
        batch.array, [[[1, 2], [0, 0]], [[3, 4], [5, 6]]]
    )
    np.testing.assert_array_equal(batch.length, [1, 2])
    assert not batch.univariate
    array = np.empty(2, object)
    array[:] = series
    again = series_set.as_series_set("series", array)
    np.testing.assert_array_equal(again.array, batch.array)


@pytest.mark.parametrize(
    "given, computed",
    [
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (int, np.float64),
        (bool, np.float64),
    ],
)
def test_types(given, computed):
    series = np.ones((2, 3), given)
    for form in series, list(series):
        batch = series_set.as_series_set("series", form)
        assert batch.array.dtype == computed
        wanted = given if np.dtype(given).kind == "f" else np.float64
        assert batch.dtype == wanted
        assert batch.as_given(batch.array).dtype == wanted
        assert batch.as_given(batch.array).shape == (2, 3)


def test_take_is_cut_to_the_longest():
    series = [np.full(n, float(n)) for n in (2, 5, 3)]
    batch = series_set.as_series_set("series", series).take(np.array([2, 0]))
    np.testing.assert_array_equal(batch.array[:, :, 0], [[3, 3, 3], [2, 2, 0]])
    np.testing.assert_array_equal(batch.lengths, [3, 2])


@pytest.mark.parametrize(
    "series, error, message",
    [
        ([], ValueError, "series must not be an empty list"),
        (np.zeros((0, 3)), ValueError, r"not empty; got shape \(0, 3\)"),
        (np.zeros((2, 0, 1)), ValueError, r"not empty; got shape"),
        (np.zeros(3), ValueError, r"or a list of series, .*\(3,\)"),
        (np.zeros((1, 1, 1, 1)), ValueError, r"\(1, 1, 1, 1\)"),
        ([[1.0], []], ValueError, r"series\[1\] must be .* shape \(0,\)"),
        ([1.0, 2.0], ValueError, r"or a list of series, .*\(2,\)"),
        ([[1.0], 2.0], ValueError, r"series\[1\] must be .* shape \(\)"),
        (None, TypeError, "series must be series, got None"),
        ([[1.0], None], TypeError, r"series\[1\] must be series, got None"),
        (chainer.Parameter(), TypeError, "series is a parameter that has not"),
        (map(abs, [1]), TypeError, "series must be real numbers, got object"),
        ([[1.0], [[1.0]]], ValueError, r"series\[1\] has \(1, 1\)"),
        (np.array([["a"]]), TypeError, "must be real numbers, got <U1"),
        (np.ones((1, 1), complex), TypeError, "real numbers, got complex128"),
        ([[1], ["a"]], TypeError, "must be real numbers"),
    ],
)
def test_errors(series, error, message):
    with pytest.raises(error, match=message):
        series_set.as_series_set("series", series)


def test_check_finite():
    series = np.ones((3, 2))
    series_set.check_finite("x", series_set.as_series_set("x", series))
    # A sum beyond the range is no infinity among the elements.
    series_set.check_finite("x", series_set.as_series_set("x", series * 1e308))
    for bad in np.nan, np.inf, -np.inf:
        series[1, 1] = bad
        with pytest.raises(ValueError, match=r"x\[1\] contains NaN or inf"):
            series_set.check_finite("x", series_set.as_series_set("x", series))


PADDED = "its steps from 3 on are NaN. Series of different lengths are given"


@pytest.mark.parametrize(
    ("bad", "at", "message"),
    [
        (np.nan, slice(3, None), PADDED),
        (np.nan, slice(0, 3), "3 of its 5 steps, of which step 0 is the"),
        (np.nan, slice(None), "5 of its 5 steps, of which step 0 is the"),
        (np.nan, slice(1, 4, 2), "2 of its 5 steps, of which step 1 is the"),
        (np.inf, slice(3, None), "2 of its 5 steps, of which step 3 is the"),
    ],
)
@pytest.mark.parametrize("as_list", [False, True])
def test_what_is_not_finite(bad, at, message, as_list):
    series = np.ones((4, 5, 2))
    series[2, at] = bad
    if as_list:
        series = [*series, np.ones((9, 2))]
    with pytest.raises(ValueError, match=rf"x\[2\] contains .*: {message}"):
        series_set.check_finite("x", series_set.as_series_set("x", series))


def test_one_feature_of_several_is_missing():
    series = np.ones((1, 5, 2))
    series[0, 3:, 1] = np.nan
    with pytest.raises(ValueError, match="2 of its 5 steps"):
        series_set.check_finite("x", series_set.as_series_set("x", series))


def test_check_fits():
    a, b = (series_set.as_series_set("a", np.ones((1, 2, d))) for d in (1, 2))
    series_set.check_fits("a", a, "b", a)
    with pytest.raises(ValueError, match="a and b must have the same number"):
        series_set.check_fits("a", a, "b", b)
