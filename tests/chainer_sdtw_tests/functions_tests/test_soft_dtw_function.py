"""chainer_sdtw.soft_dtw."""

import re

import chainer_sdtw  # isort: skip  (makes Chainer work)

import chainer
import chainer.functions as F
import chainer.links as L
import checks
import numpy as np
import pytest
import reference
from chainer import Variable, testing
from chainer.utils import type_check

from chainer_sdtw import soft_dtw


@testing.parameterize(
    *testing.product(
        {
            "dtype": checks.DTYPES,
            "gamma": [0.3, 2.0],
            "reduce": ["mean", "sum", "no"],
            "shape": [(2, 5, 4, 3), (20, 3, 4, 1)],
            "ragged": [False, True],
            "contiguous": [None, "C"],
        }
    )
)
@testing.inject_backend_tests(None, [{}])
@testing.fix_random()
class TestSoftDTW(checks.SoftDTWCase):
    """On the CPU."""


def assert_equal(actual, expected):
    np.testing.assert_array_equal(actual.array, expected.array)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("reduce", ["mean", "sum", "no"])
def test_gradients(pair, dtype, reduce):
    x, y = (Variable(a.astype(dtype)) for a in pair)
    loss = soft_dtw(x, y, 0.5, reduce=reduce)
    assert loss.dtype == dtype
    loss.grad = np.full(loss.shape, 2, dtype)
    loss.backward()
    _, *expected = reference.batch(x.array, y.array, 0.5)
    scale = 2 / 3 if reduce == "mean" else 2
    tolerance = {np.float16: 2e-3, np.float32: 1e-6, np.float64: 1e-12}
    for variable, wanted in zip((x, y), expected):
        assert variable.grad.dtype == dtype
        error = reference.error(variable.grad, scale * wanted)
        assert error < tolerance[dtype]


def test_gamma_zero_is_dtw(pair):
    x, y = map(Variable, pair)
    loss = soft_dtw(x, y, 0, reduce="sum")
    loss.backward()
    values, gx, gy = reference.batch(*pair, 0)
    np.testing.assert_allclose(loss.array, values.sum(), rtol=1e-12)
    np.testing.assert_allclose(x.grad, gx, rtol=1e-12)
    np.testing.assert_allclose(y.grad, gy, rtol=1e-12)


def test_defaults(pair):
    assert_equal(soft_dtw(*pair), soft_dtw(*pair, 1.0, reduce="mean"))


def test_mixed_precision(pair):
    with chainer.using_config("dtype", chainer.mixed16):
        x, y = (Variable(a.astype(np.float16)) for a in pair)
        loss = soft_dtw(x, y)
        loss.backward()
    assert loss.dtype == x.grad.dtype == np.float16


class TestShapes:
    def both(self, x, y, reduce="no"):
        return soft_dtw(x, y, 0.5, reduce=reduce)

    def test_one_pair(self, pair):
        x, y = pair
        expected = self.both(x[:1], y[:1])
        actual = self.both(x[0], y[0])
        assert actual.shape == ()
        np.testing.assert_array_equal(actual.array, expected.array[0])
        assert_equal(self.both(x[0], y[0], "mean"), actual)
        assert_equal(self.both(x[0], y[0], "sum"), actual)

    def test_one_univariate_pair(self, pair):
        x, y = (a[:, :, 0] for a in pair)
        expected = self.both(x[:1, :, None], y[:1, :, None])
        actual = self.both(x[0], y[0])
        assert actual.shape == ()
        np.testing.assert_array_equal(actual.array, expected.array[0])

    def test_one_pair_of_variables(self, pair):
        x, y = (Variable(a[0]) for a in pair)
        self.both(x, y).backward()
        _, gx, gy = reference.batch(pair[0][:1], pair[1][:1], 0.5)
        np.testing.assert_allclose(x.grad, gx[0], atol=1e-12)
        np.testing.assert_allclose(y.grad, gy[0], atol=1e-12)

    def test_one_element(self):
        loss = self.both(np.array([[3.0]]), np.array([[1.0]]), "mean")
        assert loss.array == 4.0

    @pytest.mark.parametrize(
        ("x", "y"),
        [
            ((1, 2), (3, 2)),  # a series of one element
            ((4, 5), (3, 5)),
            ((150, 1), (150, 1)),
            ((150, 1), (140, 1)),
            ((7, 7), (7, 7)),
            ((3,), (4, 1)),
        ],
    )
    def test_two_axes_are_one_series(self, rng, x, y):
        x, y = rng.random(x), rng.random(y)
        batch = [a.reshape(1, len(a), -1) for a in (x, y)]
        actual = self.both(x, y)
        assert actual.shape == ()
        wanted, gx, _ = reference.batch(*batch, 0.5)
        np.testing.assert_allclose(actual.array, wanted[0], rtol=1e-12)
        x = Variable(x)
        self.both(x, y).backward()
        np.testing.assert_allclose(x.grad.reshape(gx[0].shape), gx[0])

    @pytest.mark.parametrize(
        ("x", "y"),
        [
            ((10, 1), (10, 2)),
            ((2, 6), (2, 5)),
            ((2, 6), (1, 3, 6)),
            ((1, 3, 6), (2, 6)),
        ],
    )
    def test_two_axes_that_do_not_fit(self, rng, x, y):
        message = "An array with two axes is one series (length, features); a "
        with pytest.raises(type_check.InvalidType) as caught:
            self.both(rng.random(x), rng.random(y))
        assert message in str(caught.value)

    @pytest.mark.parametrize("length", [4, [4], np.int8(4), np.array(4)])
    def test_length_of_one_pair(self, pair, length):
        x, y = pair[0][0], pair[1][0]
        actual = soft_dtw(x, y, 0.5, x_length=length, y_length=5)
        assert_equal(actual, self.both(x[:4], y))
        alignment = chainer_sdtw.soft_alignment(x, y, 0.5, x_length=length)
        wanted = chainer_sdtw.soft_alignment(x[:4], y, 0.5)
        np.testing.assert_array_equal(alignment.array[:4], wanted.array)
        assert not alignment.array[4:].any()


class TestLists:
    LENGTHS = ((6, 2, 1), (3, 5, 4))

    @pytest.fixture
    def lists(self, rng):
        return [
            [rng.standard_normal((length, 2)) for length in lengths]
            for lengths in self.LENGTHS
        ]

    def expected(self, lists):
        return [reference.batch(x[None], y[None], 0.5) for x, y in zip(*lists)]

    @pytest.mark.parametrize("kind", [list, tuple])
    def test_values(self, lists, kind):
        values = soft_dtw(*map(kind, lists), 0.5, reduce="no").array
        wanted = [value[0] for value, _, _ in self.expected(lists)]
        np.testing.assert_allclose(values, wanted, rtol=1e-12)

    def test_variables_get_gradients(self, lists):
        x, y = ([Variable(a) for a in series] for series in lists)
        soft_dtw(x, y, 0.5, reduce="sum").backward()
        for b, (_, gx, gy) in enumerate(self.expected(lists)):
            np.testing.assert_allclose(x[b].grad, gx[0], atol=1e-12)
            np.testing.assert_allclose(y[b].grad, gy[0], atol=1e-12)

    def test_variables_beside_arrays(self, lists):
        x, y = lists
        x = [x[0], Variable(x[1]), x[2]]
        soft_dtw(x, y, 0.5, reduce="sum").backward()
        _, gx, _ = self.expected(lists)[1]
        np.testing.assert_allclose(x[1].grad, gx[0], atol=1e-12)

    def test_univariate(self, lists):
        flat = [[a[:, 0] for a in series] for series in lists]
        deep = [[a[:, :1] for a in series] for series in lists]
        expected = soft_dtw(*deep, 0.5, reduce="no")
        assert_equal(soft_dtw(*flat, 0.5, reduce="no"), expected)
        assert_equal(soft_dtw(flat[0], deep[1], 0.5, reduce="no"), expected)

    def test_list_against_array(self, lists, rng):
        y = rng.standard_normal((3, 5, 2))
        values = soft_dtw(lists[0], y, 0.5, reduce="no").array
        for value, one, other in zip(values, lists[0], y):
            wanted, _, _ = reference.batch(one[None], other[None], 0.5)
            np.testing.assert_allclose(value, wanted[0], rtol=1e-12)

    def test_empty_list(self, lists):
        with pytest.raises(ValueError, match="x must not be an empty list"):
            soft_dtw([], lists[1])

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (np.zeros((0, 2)), "not empty; got shape (0, 2)"),
            (np.zeros((2, 2, 2)), "not empty; got shape (2, 2, 2)"),
            (np.zeros((3, 1)), "float64, y[1] has (3, 1) and float64"),
            (np.zeros(3), "float64, y[1] has (3,) and float64"),
            (np.zeros((3, 2), "f"), "float64, y[1] has (3, 2) and float32"),
        ],
    )
    def test_bad_series(self, lists, bad, message):
        lists[1][1] = bad
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            soft_dtw(*lists)
        assert "y[1]" in str(caught.value)

    def test_lengths_do_not_go_with_lists(self, lists):
        with pytest.raises(ValueError, match="y_length does not go with a l"):
            soft_dtw(*lists, y_length=[1, 2, 3])

    def test_other_number_of_series(self, lists):
        with pytest.raises(type_check.InvalidType):
            soft_dtw(lists[0], lists[1][:2])


class TestLengths:
    @pytest.mark.parametrize(
        "kind", [list, tuple, np.int32, np.uint8, np.array, Variable]
    )
    def test_kinds(self, pair, kind):
        lengths = np.array([1, 6, 4])
        expected, *_ = reference.batch(*pair, 0.5, x_length=lengths)
        actual = soft_dtw(*pair, 0.5, x_length=kind(lengths), reduce="no")
        np.testing.assert_allclose(actual.array, expected, rtol=1e-12)

    def test_padding_is_ignored(self, pair):
        lengths = {"x_length": [1, 6, 4], "y_length": [5, 2, 3]}
        clean = [
            reference.masked(a, n) for a, n in zip(pair, lengths.values())
        ]
        gradients = []
        for fill in (0, np.nan):
            x, y = (
                Variable(
                    np.where(
                        np.arange(a.shape[1])[:, None]
                        < np.array(n)[:, None, None],
                        a,
                        fill,
                    )
                )
                for a, n in zip(clean, lengths.values())
            )
            soft_dtw(x, y, 0.5, **lengths).backward()
            gradients.append((x.grad, y.grad))
        np.testing.assert_array_equal(gradients[0][0], gradients[1][0])
        np.testing.assert_array_equal(gradients[0][1], gradients[1][1])
        assert not gradients[1][0][0, 1:].any()

    @pytest.mark.parametrize(
        ("lengths", "error", "message"),
        [
            ([1, 2], ValueError, "x_length must have shape (3,), got (2,)"),
            ([1, 2, 7], ValueError, "x_length must be from 1 to 6, got 7"),
            ([0, 2, 3], ValueError, "x_length must be from 1 to 6, got 0"),
            ([1.0, 2.0, 3.0], TypeError, "x_length must be integers"),
        ],
    )
    def test_bad(self, pair, lengths, error, message):
        with pytest.raises(error, match=re.escape(message)):
            soft_dtw(*pair, x_length=lengths)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((2, 3, 1)), np.zeros((3, 3, 1))),
        (np.zeros((2, 3, 1)), np.zeros((2, 3, 2))),
        (np.zeros((2, 3, 1)), np.zeros((2, 3))),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(3), np.zeros((2, 3))),
        (np.zeros((2, 3, 1, 1)), np.zeros((2, 3, 1, 1))),
        (np.zeros((2, 3, 1), "f"), np.zeros((2, 3, 1))),
        (np.zeros((2, 3, 1), int), np.zeros((2, 3, 1), int)),
        (np.zeros((2, 0, 1)), np.zeros((2, 3, 1))),
        (np.zeros((2, 3, 1)), np.zeros((2, 0, 1))),
        (np.zeros((0, 3, 1)), np.zeros((0, 3, 1))),
        (np.zeros((2, 3, 0)), np.zeros((2, 3, 0))),
        (np.array(1.0), np.array(1.0)),
    ],
)
def test_invalid_type(x, y):
    with pytest.raises(type_check.InvalidType) as caught:
        soft_dtw(x, y)
    assert re.search(r"\b[xy]\.", str(caught.value))


@pytest.mark.parametrize("reduce", ["none", "", None, "Mean"])
def test_reduce(pair, reduce):
    message = f"reduce must be 'mean', 'sum' or 'no', got {reduce!r}"
    with pytest.raises(ValueError, match=message):
        soft_dtw(*pair, reduce=reduce)


@pytest.mark.parametrize("gamma", [-1, np.nan, np.inf])
def test_gamma(pair, gamma):
    with pytest.raises(ValueError, match="gamma must be >= 0 and finite"):
        soft_dtw(*pair, gamma)


def test_nan_stays_in_its_pair(pair):
    checks.check_nan_stays_in_its_pair(soft_dtw, pair)


class TestWork:
    """What is not asked for is not computed and not kept."""

    @pytest.fixture(autouse=True)
    def sweeps(self):
        with checks.watched("value", "adjoint") as sweeps:
            self.value, self.adjoint = sweeps
            yield

    def kept_a_tape(self):
        return self.value.call_args.kwargs["tape"]

    @pytest.mark.parametrize("wanted", ["x", "y", "xy"])
    def test_gradients_for_what_requires_them(self, pair, wanted):
        x, y = (
            Variable(a, requires_grad=name in wanted)
            for name, a in zip("xy", pair)
        )
        soft_dtw(x, y).backward()
        assert self.adjoint.call_count == 1
        options = self.adjoint.call_args.kwargs
        assert options == {"x": "x" in wanted, "y": "y" in wanted}
        assert (x.grad is not None) == ("x" in wanted)
        assert (y.grad is not None) == ("y" in wanted)

    def test_arrays_need_no_gradient(self, pair):
        soft_dtw(*pair)
        assert not self.kept_a_tape()
        x = Variable(pair[0])
        soft_dtw(x, pair[1]).backward()
        assert self.kept_a_tape()
        assert self.adjoint.call_args.kwargs == {"x": True, "y": False}

    def test_no_backprop_mode(self, pair):
        with chainer.no_backprop_mode():
            soft_dtw(*map(Variable, pair))
        assert not self.kept_a_tape()

    def test_backward_does_not_sweep_again(self, pair):
        soft_dtw(*map(Variable, pair)).backward()
        assert self.value.call_count == self.adjoint.call_count == 1


def test_one_variable_on_both_sides(rng):
    a = rng.standard_normal((2, 4, 3))
    x = Variable(a)
    soft_dtw(x, x, reduce="sum").backward()
    _, gx, gy = reference.batch(a, a, 1.0)
    np.testing.assert_allclose(x.grad, gx + gy, atol=1e-12)


def test_grad_function(pair):
    x, y = map(Variable, pair)
    loss = soft_dtw(x, y, reduce="sum")
    (gy,) = chainer.grad([loss], [y])
    np.testing.assert_allclose(gy.array, reference.batch(*pair, 1.0)[2])


def test_training(rng):
    """A linear layer learns to copy series through the loss."""
    series = reference.walks(rng, 8, 12, 1, dtype=np.float32)[:, :, 0]

    class Model(chainer.Chain):
        def __init__(self):
            super().__init__()
            with self.init_scope():
                self.layer = L.Linear(
                    12, 10, initialW=chainer.initializers.Normal(0.1, rng=rng)
                )

        def forward(self, x):
            z = F.expand_dims(self.layer(x), 2)
            return soft_dtw(z, x[:, :, None], gamma=0.1)

    model = Model()
    optimizer = chainer.optimizers.Adam(0.02).setup(model)
    losses = []
    for _ in range(60):
        optimizer.update(model, series)
        losses.append(float(optimizer.target.forward(series).array))
    assert losses[-1] < losses[0] - 0.5 * abs(losses[0])
