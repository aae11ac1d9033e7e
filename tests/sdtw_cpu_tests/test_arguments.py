"""Every error names the argument and what was wrong with it."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import sdtw_cpu
from sdtw_cpu._settings import one_thread

X = np.zeros((2, 5, 3))
Y = np.zeros((2, 4, 3))
COST = np.zeros((2, 5, 4))


def raises(error, message):
    return pytest.raises(error, match=re.escape(message))


@pytest.mark.parametrize(
    ("a", "error", "message"),
    [
        (X[0], ValueError, "must have 3 dimensions, got shape (5, 3)"),
        (X[None], ValueError, "must have 3 dimensions, got shape (1, 2, 5"),
        (X[:0], ValueError, "must not be empty, got shape (0, 5, 3)"),
        (X[:, :0], ValueError, "must not be empty, got shape (2, 0, 3)"),
        (X[:, :, :0], ValueError, "must not be empty, got shape (2, 5, 0)"),
        (X.astype(np.float16), TypeError, "or float64, got float16"),
        (X.astype(int), TypeError, "or float64, got int64"),
        (X.astype(complex), TypeError, "or float64, got complex128"),
        (X.astype(object), TypeError, "or float64, got object"),
        (X.astype(str), TypeError, "or float64, got <U"),
        (None, TypeError, "or float64, got object"),
    ],
)
class TestArrays:
    def test_x(self, a, error, message):
        with raises(error, message) as caught:
            sdtw_cpu.value(a, Y)
        assert str(caught.value).startswith("x must ")

    def test_y(self, a, error, message):
        with raises(error, message) as caught:
            sdtw_cpu.value(X, a)
        assert str(caught.value).startswith("y must ")

    def test_cost(self, a, error, message):
        with raises(error, message) as caught:
            sdtw_cpu.value_from_cost(a)
        assert str(caught.value).startswith("cost must ")


def test_longdouble():
    if np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("long double is float64 here")
    with raises(TypeError, "x must be float32 or float64, got "):
        sdtw_cpu.value(X.astype(np.longdouble), Y)


def test_too_long():
    with raises(ValueError, "at most 2**30 elements in each of the last "):
        sdtw_cpu.value_from_cost(np.broadcast_to(0.0, (1, 2**30 + 1, 1)))


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (
            Y.astype(np.float32),
            TypeError,
            "x and y must have the same dtype, got float64 and float32",
        ),
        (
            Y[:1],
            ValueError,
            "same batch size, got shapes (2, 5, 3) and (1, 4, 3)",
        ),
        (
            Y[:, :, :2],
            ValueError,
            "same number of features (last axis), got shapes (2, 5, 3) and "
            "(2, 4, 2)",
        ),
    ],
)
def test_mismatch(y, error, message):
    with raises(error, message):
        sdtw_cpu.value(X, y)


def test_byte_orders_are_one_dtype():
    swapped = Y.astype(Y.dtype.newbyteorder())
    np.testing.assert_array_equal(
        sdtw_cpu.value(X, swapped), sdtw_cpu.value(X, Y)
    )


LENGTHS = [
    ([1], ValueError, "must have shape (2,), got (1,)"),
    ([[1, 2]], ValueError, "must have shape (2,), got (1, 2)"),
    (3, ValueError, "must have shape (2,), got ()"),
    ([1.0, 2.0], TypeError, "must be integers, got float64"),
    ([True, True], TypeError, "must be integers, got bool"),
    (["1", "2"], TypeError, "must be integers, got <U1"),
    ([0, 2], ValueError, "must be from 1 to {longest}, got 0 at 0"),
    ([2, -3], ValueError, "must be from 1 to {longest}, got -3 at 1"),
    ([2, 6], ValueError, "must be from 1 to {longest}, got 6 at 1"),
    (
        np.array([1, 2**64 - 1], np.uint64),
        ValueError,
        "must be from 1 to {longest}, got 18446744073709551615 at 1",
    ),
]


@pytest.mark.parametrize(("lengths", "error", "message"), LENGTHS)
@pytest.mark.parametrize(
    ("name", "longest"), [("x_length", 5), ("y_length", 4)]
)
def test_lengths(name, longest, lengths, error, message):
    message = f"{name} {message.format(longest=longest)}"
    with raises(error, message):
        sdtw_cpu.value(X, Y, **{name: lengths})
    with raises(error, message):
        sdtw_cpu.value_from_cost(COST, **{name: lengths})


def band(*rows):
    return np.array([rows])


BANDS = [
    (np.zeros((1, 5, 2)), TypeError, "must be integers, got float64"),
    (np.zeros((1, 5, 2), bool), TypeError, "must be integers, got bool"),
    (
        np.zeros((5, 2), int),
        ValueError,
        "must have shape (2, 5, 2) or (1, 5, 2), got (5, 2)",
    ),
    (np.zeros((3, 5, 2), int), ValueError, "(1, 5, 2), got (3, 5, 2)"),
    (np.zeros((1, 4, 2), int), ValueError, "(1, 5, 2), got (1, 4, 2)"),
    (
        band([0, 4], [-1, 4], [0, 4], [0, 4], [0, 4]),
        ValueError,
        "must have 0 <= first < stop <= 4 in every row, got [-1, 4] in row 1 "
        "of pair 0",
    ),
    (
        band([-1, 4], [0, 4], [0, 4], [0, 4], [0, 4]),
        ValueError,
        "got [-1, 4] in row 0 of pair 0",
    ),
    (
        band([0, 1], [1, 1], [1, 3], [2, 4], [3, 4]),
        ValueError,
        "got [1, 1] in row 1 of pair 0",
    ),
    (
        band([0, 4], [0, 4], [2, 2], [2, 4], [2, 4]),
        ValueError,
        "got [2, 2] in row 2 of pair 0",
    ),
    (
        np.array([[[0, 4]] * 5, [[0, 4]] * 4 + [[0, 5]]], np.uint8),
        ValueError,
        "got [0, 5] in row 4 of pair 1",
    ),
    (
        band([0, 2], [1, 3], [0, 4], [1, 4], [1, 4]),
        ValueError,
        "must not go back from a row to the next, got [1, 3] and [0, 4] in "
        "rows 1 and 2 of pair 0",
    ),
    (
        band([0, 3], [0, 2], [0, 4], [0, 4], [0, 4]),
        ValueError,
        "got [0, 3] and [0, 2] in rows 0 and 1 of pair 0",
    ),
]


@pytest.mark.parametrize(("rows", "error", "message"), BANDS)
def test_band(rows, error, message):
    for call in (
        lambda: sdtw_cpu.value(X, Y, band=rows),
        lambda: sdtw_cpu.value_from_cost(COST, band=rows),
    ):
        with raises(error, message) as caught:
            call()
        assert str(caught.value).startswith("band must ")


def test_band_beyond_the_lengths_can_be_anything():
    rows = np.array([[[0, 4]] * 3 + [[-7, 99], [5, 1]]])
    lengths = {"x_length": [3, 2], "band": rows}
    np.testing.assert_array_equal(sdtw_cpu.value(X, Y, 0, **lengths), 0)
    lengths["x_length"] = [3, 4]
    with raises(ValueError, "got [-7, 99] in row 3 of pair 0"):
        sdtw_cpu.value(X, Y, **lengths)


GAMMAS = [
    (-1, ValueError, "gamma must be >= 0 and finite, got -1"),
    (-1e-300, ValueError, "gamma must be >= 0 and finite, got -1e-300"),
    (np.nan, ValueError, "gamma must be >= 0 and finite, got nan"),
    (np.inf, ValueError, "gamma must be >= 0 and finite, got inf"),
    ("a", TypeError, "gamma must be a number, got 'a'"),
    (None, TypeError, "gamma must be a number, got None"),
    ([1, 2], TypeError, "gamma must be a number, got [1, 2]"),
]


@pytest.mark.parametrize(("gamma", "error", "message"), GAMMAS)
def test_gamma(gamma, error, message):
    for call in (
        lambda: sdtw_cpu.value(X, Y, gamma),
        lambda: sdtw_cpu.value_from_cost(COST, gamma),
        lambda: sdtw_cpu.SoftDTW(COST[0], gamma),
        lambda: sdtw_cpu.check_gamma(gamma),
    ):
        with raises(error, message):
            call()


@pytest.mark.parametrize(
    "gamma", [1, np.float32(1), np.float64(1), np.array(1.0), True]
)
def test_gamma_can_be_any_number(gamma):
    expected = sdtw_cpu.value(X, Y, 1.0)
    np.testing.assert_array_equal(sdtw_cpu.value(X, Y, gamma), expected)


@pytest.mark.parametrize("grad", [[1.0], [[1.0, 1.0]], np.ones(3)])
def test_grad(grad):
    _, tape = sdtw_cpu.value(X, Y, tape=True)
    shape = np.shape(grad)
    with raises(ValueError, f"grad must have shape (2,), got {shape}"):
        sdtw_cpu.adjoint(tape, grad)


@pytest.mark.parametrize("n", [0, -1, 1.5, np.nan, np.inf, 2**40, "a", None])
def test_number_of_threads(n):
    before = sdtw_cpu.get_num_threads()
    message = f"the number of threads must be .*, got {re.escape(repr(n))}"
    with pytest.raises((TypeError, ValueError), match=message):
        sdtw_cpu.set_num_threads(n)
    assert sdtw_cpu.get_num_threads() == before


@pytest.mark.parametrize("n", [1, np.int64(2)])
def test_number_of_threads_can_be_any_integer(n):
    sdtw_cpu.set_num_threads(n)
    assert sdtw_cpu.get_num_threads() == n


def test_one_thread_is_for_the_thread_that_asks():
    before = sdtw_cpu.get_num_threads()
    sdtw_cpu.set_num_threads(3)
    try:
        with one_thread():
            assert sdtw_cpu.get_num_threads() == 1
            with ThreadPoolExecutor(1) as pool:
                other = pool.submit(sdtw_cpu.get_num_threads).result()
            assert other == 3
        assert sdtw_cpu.get_num_threads() == 3
    finally:
        sdtw_cpu.set_num_threads(before)


@pytest.mark.parametrize("name", ["mmx", "", "AVX2"])
def test_isa(name):
    usable = ", ".join(sdtw_cpu.isa_levels())
    message = f"instruction set {name!r} is not usable here; usable: {usable}"
    with raises(ValueError, message):
        sdtw_cpu.set_isa(name)
