"""Nearest neighbors found by lower bounds, against all losses."""

import chainer_sdtw  # isort: skip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainer_sdtw import nearest_neighbors, pairwise_soft_dtw
from chainer_sdtw._engine.losses import LOSSES, as_loss
from chainer_sdtw._engine.series_set import as_series_set
from chainer_sdtw.learning import _nearest
from chainer_sdtw.learning._lower_bounds import (
    LowerBounds,
    _log_paths,
    log_paths,
)
from chainer_sdtw.learning._matrix import self_terms
from chainer_sdtw.learning._nearest import Nearest
from sdtw_cpu.costs import COSTS


def by_sorting(X, Y, count, gamma, **options):
    """Losses and indexes from the whole matrix."""
    losses = pairwise_soft_dtw(X, Y, gamma, **options)
    order = np.argsort(losses, axis=1, kind="stable")
    if Y is None:
        other = order != np.arange(len(X))[:, None]
        order = order[other].reshape(len(X), -1)
    order = order[:, :count]
    return np.take_along_axis(losses, order, axis=1), order


@st.composite
def series_sets(draw):
    """Two sets of series, the second may be None; many losses are equal."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = draw(st.integers(1, 3))
    dtype = draw(st.sampled_from(["f2", "f4", "f8"]))
    scale = draw(st.sampled_from([0.01, 1, 100]))
    decimals = draw(st.integers(0, 2))

    def made(size, ragged):
        lengths = rng.integers(1, 12, size if ragged else 1)
        return [
            (rng.standard_normal((n, features)).round(decimals) * scale)
            .cumsum(axis=0)
            .astype(dtype)
            for n in np.resize(lengths, size)
        ]

    X = made(draw(st.integers(2, 8)), draw(st.booleans()))
    if draw(st.booleans()):
        return X, None
    return X, made(draw(st.integers(1, 40)), draw(st.booleans()))


@pytest.mark.filterwarnings("ignore:overflow")
@settings(max_examples=300, deadline=None)
@given(
    sets=series_sets(),
    count=st.integers(1, 5),
    gamma=st.sampled_from([0, 0.01, 1, 100]),
    loss=st.sampled_from(list(LOSSES)),
    cost=st.sampled_from([*COSTS, "cosine"]),
    bandwidth=st.sampled_from([None, 0, 1, 3, 20]),
)
def test_equal_to_sorting_all_losses(sets, count, gamma, **options):
    X, Y = sets
    count = min(count, len(X) - 1 if Y is None else len(Y))
    found = nearest_neighbors(X, Y, count, gamma, **options)
    expected = by_sorting(X, Y, count, gamma, **options)
    for ours, theirs in zip(found, expected):
        assert ours.dtype == theirs.dtype
        if options["cost"] == "cosine":
            # Its losses depend by rounding on the other pairs of a sweep.
            np.testing.assert_allclose(found[0], expected[0], 1e-3, 1e-3)
        else:
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore:overflow")
@settings(max_examples=200, deadline=None)
@given(
    sets=series_sets(),
    gamma=st.sampled_from([0, 0.01, 1, 100]),
    loss=st.sampled_from(list(LOSSES)),
    cost=st.sampled_from(list(COSTS)),
    bandwidth=st.sampled_from([None, 0, 1, 3]),
)
def test_no_bound_is_above_the_loss(sets, gamma, **options):
    x, y = (as_series_set("X", s) for s in (sets[0], sets[1] or sets[0]))
    losses = pairwise_soft_dtw(x.array, y.array, gamma, **options)
    if x.length is not None or y.length is not None:
        losses = pairwise_soft_dtw(sets[0], sets[1], gamma, **options)
    loss = as_loss(gamma=gamma, **options)
    terms = (None, None)
    if loss.kind.is_divergence:
        terms = tuple(self_terms(series, loss) for series in (x, y))
    bounds = LowerBounds(x, y, loss, *terms, losses.dtype)
    i, j = np.indices(losses.shape).reshape(2, -1)
    first = bounds.first(np.arange(len(x)))[i, j]
    for bound in (
        first,
        bounds.swapped(i, j, first),
        bounds.improved(i, j, first),
    ):
        assert (bounds.of_loss(i, j, bound) <= losses[i, j]).all()
        assert (bound >= first).all()


def paths(m, n, radius):
    """The number of paths, from the recursion of Delannoy's numbers."""
    count = np.zeros((m, n))
    lower, upper = min(n - m, 0) - radius, max(n - m, 0) + radius
    for i in range(m):
        for j in range(n):
            if lower <= j - i <= upper:
                before = count[max(i - 1, 0) : i + 1, max(j - 1, 0) : j + 1]
                count[i, j] = before.sum() or 1
    return count[-1, -1]


@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 5), (4, 4), (7, 5), (9, 9)])
@pytest.mark.parametrize("radius", [None, 0, 1, 3])
def test_number_of_paths(m, n, radius):
    expected = np.log(paths(m, n, m + n if radius is None else radius))
    assert log_paths(m, n, radius) == pytest.approx(expected, abs=1e-12)


def test_number_of_paths_of_several_lengths():
    """One table has all; those of a band are among them."""
    m, n = np.array([1, 2, 6, 300]), np.array([1, 5, 400])
    expected = [[log_paths(i, j) for j in n] for i in m.tolist()]
    for radius in None, 1:
        table = _log_paths(m, n, radius)
        np.testing.assert_allclose(table, expected, rtol=1e-14, atol=1e-14)


def test_losses_of_minus_infinity(rng):
    """Are equal, although their bounds are not."""
    series = rng.standard_normal((9, 5)).astype("f4")
    X, Y = series[:2], series[2:]
    with np.errstate(over="ignore"):
        found = nearest_neighbors(X, Y, 3, 1e60)
        expected = by_sorting(X, Y, 3, 1e60)
    assert (found[0] == -np.inf).all()
    for ours, theirs in zip(found, expected):
        np.testing.assert_array_equal(ours, theirs)


def test_most_losses_are_not_computed(rng):
    """Each of the bounds excludes pairs."""
    walks = rng.standard_normal((1000, 50)).cumsum(axis=1)
    y = as_series_set("Y", walks - walks.mean(axis=1, keepdims=True))
    x = y.take(np.arange(20))
    search = Nearest(x, y, as_loss(gamma=0, bandwidth=5), 3, dtype="f8")
    search.find()
    assert sum(search.pairs.values()) == 20 * 1000
    assert search.pairs["computed"] < 0.1 * 20 * 1000
    assert min(search.pairs.values()) > 0
    assert set(search.pairs) == {"first", "swapped", "improved", "computed"}


@pytest.mark.parametrize("cost", ["sqeuclidean", "cosine"])
@pytest.mark.parametrize("loss", ["soft_dtw", "divergence"])
def test_blocks(rng, monkeypatch, cost, loss):
    X = rng.standard_normal((9, 6, 2))
    options = {"gamma": 0.1, "cost": cost, "loss": loss}
    whole = nearest_neighbors(X, n_neighbors=3, **options)
    monkeypatch.setattr(_nearest, "_PAIRS", 20)
    parts = nearest_neighbors(X, n_neighbors=3, max_bytes=1, **options)
    for one, other in zip(whole, parts):
        np.testing.assert_array_equal(one, other)


def test_function_as_cost(rng):
    """A cost that is no longer the same with its arguments swapped."""

    def cost(x, y):
        difference = chainer_sdtw.cost_matrix(x, y)
        return difference + x[:, :, :1].array ** 2

    X = rng.standard_normal((7, 5, 1))
    found = nearest_neighbors(X, n_neighbors=2, gamma=0.1, cost=cost)
    expected = by_sorting(X, None, 2, 0.1, cost=cost)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_of_equal_losses_the_first_comes_first():
    Y = np.repeat(np.eye(3), 4, axis=0)
    losses, indexes = nearest_neighbors(np.eye(3), Y, 2, gamma=0)
    np.testing.assert_array_equal(losses, np.zeros((3, 2)))
    np.testing.assert_array_equal(indexes, [[0, 1], [4, 5], [8, 9]])


@pytest.mark.filterwarnings("ignore:overflow")
def test_losses_beyond_the_range():
    X = np.array([[0, 3e38, 0], [0, 0, 0], [-3e38, 3e38, 0]], np.float32)
    found = nearest_neighbors(X, n_neighbors=2, gamma=0)
    expected = by_sorting(X, None, 2, 0)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_errors():
    X = np.eye(3)
    with pytest.raises(ValueError, match="n_neighbors must be <= 2, the num"):
        nearest_neighbors(X, n_neighbors=3)
    with pytest.raises(
        ValueError, match="must be <= 3, the number of series of Y"
    ):
        nearest_neighbors(X, X, n_neighbors=4)
    with pytest.raises(ValueError, match="n_neighbors must be >= 1"):
        nearest_neighbors(X, n_neighbors=0)
    X[1, 1] = np.nan
    with pytest.raises(ValueError, match=r"Y\[1\] contains NaN"):
        nearest_neighbors(np.eye(3), X)
    with pytest.raises(ValueError, match=r"X\[1\] contains NaN"):
        nearest_neighbors(X)
