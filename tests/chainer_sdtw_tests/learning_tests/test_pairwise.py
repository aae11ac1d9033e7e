"""The matrix of a loss between all series of two sets."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import tracemalloc

import chainer.functions as F
import numpy as np
import pytest
import reference
from chainer.testing import attr
from named_losses import FUNCTIONS

from chainer_sdtw import pairwise_soft_dtw
from chainer_sdtw._engine import losses
from chainer_sdtw.learning import _matrix


def ragged(rng, lengths, d=2):
    return [reference.walks(rng, 1, n, d)[0] for n in lengths]


def one_by_one(X, Y, loss="soft_dtw", **options):
    """The matrix by one call of a loss for each pair."""
    function = FUNCTIONS[loss]
    return np.array(
        [
            [float(function(x[None], y[None], **options).array) for y in Y]
            for x in X
        ]
    )


def doubled_manhattan(x, y):
    return 2 * F.sum(abs(x[:, :, None] - y[:, None]), axis=3)


def lopsided(x, y):
    return F.sum(F.relu(x[:, :, None] - y[:, None]), axis=3) + 0.1


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize("max_bytes", [1, 1500, 2**25])
def test_two_sets_of_different_lengths(rng, loss, max_bytes):
    X = ragged(rng, [7, 3, 12, 9, 1])
    Y = ragged(rng, [4, 10, 2])
    options = {} if loss.startswith("mean") else {"gamma": 0.3}
    got = pairwise_soft_dtw(X, Y, loss=loss, max_bytes=max_bytes, **options)
    expected = one_by_one(X, Y, loss, **options)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize("max_bytes", [1, 1500, 2**25])
def test_one_set(rng, loss, max_bytes):
    X = ragged(rng, [7, 3, 12, 9, 1, 7])
    options = {} if loss.startswith("mean") else {"gamma": 0.3}
    got = pairwise_soft_dtw(X, loss=loss, max_bytes=max_bytes, **options)
    expected = one_by_one(X, X, loss, **options)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(got, got.T)


@pytest.mark.parametrize(
    "options",
    [
        {"gamma": 0},
        {"cost": "cosine"},
        {"cost": "manhattan", "gamma": 0.1},
        {"cost": doubled_manhattan},
        {"cost": doubled_manhattan, "loss": "soft_dtw_divergence"},
        {"bandwidth": 2},
        {"bandwidth": 0, "loss": "sharp_soft_dtw_divergence"},
    ],
    ids=[
        "dtw",
        "cosine",
        "manhattan",
        "function",
        "function-divergence",
        "band",
        "band-divergence",
    ],
)
@pytest.mark.parametrize("max_bytes", [1000, 2**25])
def test_options(rng, options, max_bytes):
    X = ragged(rng, [7, 3, 12, 9])
    Y = ragged(rng, [4, 10, 2])
    got = pairwise_soft_dtw(X, Y, max_bytes=max_bytes, **options)
    expected = one_by_one(X, Y, **options)
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


def test_a_cost_that_is_not_symmetric(rng):
    X = ragged(rng, [5, 5, 3])
    got = pairwise_soft_dtw(X, cost=lopsided)
    np.testing.assert_allclose(got, one_by_one(X, X, cost=lopsided))
    assert abs(got - got.T).max() > 0.1


def test_forms(rng):
    X = reference.walks(rng, 5, 8, 1)
    expected = pairwise_soft_dtw(X)
    for form in (X[:, :, 0], list(X), list(X[:, :, 0]), X.tolist()):
        np.testing.assert_array_equal(pairwise_soft_dtw(form), expected)
    np.testing.assert_array_equal(
        pairwise_soft_dtw(X[:, :, 0], X[:2]), pairwise_soft_dtw(X, X[:2])
    )
    whole = pairwise_soft_dtw(np.rint(X).astype(int))
    np.testing.assert_array_equal(whole, pairwise_soft_dtw(np.rint(X)))


@pytest.mark.parametrize("count", [1, 5, 12, 50, 10**6])
@pytest.mark.parametrize("symmetric", [False, True])
def test_slabs_have_each_pair_once(count, symmetric):
    n, m = (23, 23) if symmetric else (23, 9)
    seen = np.zeros((n, m), int)
    for i, j in _matrix._slabs(n, m, count, symmetric):
        assert 0 < len(i) == len(j) <= count
        np.add.at(seen, (i, j), 1)
    wanted = np.triu(np.ones((n, m), int)) if symmetric else 1
    np.testing.assert_array_equal(seen, np.broadcast_to(wanted, (n, m)))


@pytest.mark.parametrize("loss", ["soft_dtw", "sharp"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slabs_of_any_size_give_the_same_bits(rng, loss, dtype):
    X = [x[:, 0].astype(dtype) for x in ragged(rng, rng.integers(1, 60, 50))]
    expected = pairwise_soft_dtw(X, loss=loss, gamma=0.3)
    for max_bytes in (400, 5000, 50000):
        got = pairwise_soft_dtw(X, loss=loss, gamma=0.3, max_bytes=max_bytes)
        np.testing.assert_array_equal(got, expected)
    some = rng.permutation(20)[:7]
    np.testing.assert_array_equal(
        pairwise_soft_dtw([X[i] for i in some], X[20:], loss=loss, gamma=0.3),
        pairwise_soft_dtw(X[:20], X[20:], loss=loss, gamma=0.3)[some],
    )


def test_a_slab_is_no_longer_than_its_series(rng, monkeypatch):
    longest = []
    between = losses.Loss.between

    def spy(self, pairs):
        longest.append((pairs.x.shape[1], pairs.y.shape[1]))
        return between(self, pairs)

    monkeypatch.setattr(losses.Loss, "between", spy)
    X = ragged(rng, [2, 30] * 4)
    pairwise_soft_dtw(X, max_bytes=16 * 16 * 60)
    assert (2, 2) in longest
    assert (30, 30) in longest


def test_memory_is_that_of_a_slab(rng):
    X = reference.walks(rng, 200, 100, 1)
    tracemalloc.start()
    try:
        pairwise_soft_dtw(X, loss="divergence", max_bytes=2**20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # All pairs at once would be 32 MB.
    assert peak < 2**22


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_types(rng, loss, dtype):
    X = reference.walks(rng, 4, 8, 2).astype(dtype)
    got = pairwise_soft_dtw(X, loss=loss)
    assert got.dtype == dtype
    expected = pairwise_soft_dtw(X.astype(np.float64), loss=loss)
    eps = np.finfo(dtype).eps * 1e3
    np.testing.assert_allclose(got, expected, rtol=eps, atol=eps)
    assert pairwise_soft_dtw(X, X.astype(np.float64)).dtype == np.float64
    np.testing.assert_allclose(
        pairwise_soft_dtw(X.astype(np.float64), X, loss=loss), expected
    )


@pytest.mark.parametrize("loss", ["soft_dtw", "sharp_divergence"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_a_number_stays_with_its_pairs(rng, loss, bad):
    X = reference.walks(rng, 5, 8, 2)
    expected = pairwise_soft_dtw(X, loss=loss)
    X[2, 3, 1] = bad
    got = pairwise_soft_dtw(X, loss=loss)
    assert np.isnan(got[2]).all()
    assert np.isnan(got[:, 2]).all()
    others = np.ix_([0, 1, 3, 4], [0, 1, 3, 4])
    np.testing.assert_array_equal(got[others], expected[others])


def test_out(rng):
    X = ragged(rng, [7, 3, 12])
    Y = ragged(rng, [4, 10])
    whole = np.zeros((6, 2))
    got = pairwise_soft_dtw(X, Y, out=whole[::2])
    assert np.shares_memory(got, whole)
    np.testing.assert_array_equal(whole[::2], pairwise_soft_dtw(X, Y))
    assert not whole[1::2].any()


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence"])
def test_interrupted_it_leaves_what_is_finished(rng, monkeypatch, loss):
    X = ragged(rng, [7, 3, 12, 9, 5])
    expected = pairwise_soft_dtw(X, loss=loss)
    between = losses.Loss.between
    calls = []

    def interrupted(self, pairs):
        if len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(1)
        return between(self, pairs)

    monkeypatch.setattr(losses.Loss, "between", interrupted)
    out = np.zeros((5, 5))
    with pytest.raises(KeyboardInterrupt):
        pairwise_soft_dtw(X, loss=loss, out=out, max_bytes=1)
    done = ~np.isnan(out)
    # Four pairs, of which those of two series are two entries.
    assert 4 <= done.sum() <= 8
    np.testing.assert_allclose(out[done], expected[done])


def test_progress(rng, capsys):
    pytest.importorskip("tqdm")
    X = reference.walks(rng, 5, 8, 1)
    quiet = pairwise_soft_dtw(X)
    assert capsys.readouterr() == ("", "")
    shown = pairwise_soft_dtw(X, progress=True, max_bytes=600)
    np.testing.assert_array_equal(quiet, shown)
    bar = capsys.readouterr().err
    assert "100%" in bar
    assert "25/25" in bar


X = np.zeros((3, 4, 2))


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        (([],), {}, ValueError, "X must not be an empty list"),
        ((X[:0],), {}, ValueError, "X must be series"),
        ((X, X[:0]), {}, ValueError, "Y must be series"),
        ((X, X[:, :, :1]), {}, ValueError, "X and Y .* features, got 2 and 1"),
        (([X[0], X[0, :, :1]],), {}, ValueError, r"X\[0\] has shape"),
        ((X,), {"gamma": -1}, ValueError, "gamma must be >= 0"),
        ((X,), {"gamma": "1/2"}, TypeError, "gamma must be a number"),
        ((X,), {"loss": "dtw"}, ValueError, "loss must be one of"),
        ((X,), {"cost": "square"}, ValueError, "cost"),
        ((X,), {"bandwidth": -1}, ValueError, "bandwidth must be >= 0"),
        ((X,), {"max_bytes": 0}, ValueError, "max_bytes must be >= 1"),
        ((X,), {"out": np.zeros((3, 4))}, ValueError, r"shape \(3, 3\), got"),
        ((X,), {"out": np.zeros((3, 3), "f")}, ValueError, "out must be"),
        ((X,), {"out": [[0.0] * 3] * 3}, TypeError, "out must be a numpy"),
        ((["abc"],), {}, TypeError, "must be real numbers"),
    ],
)
def test_errors(args, options, error, message):
    with pytest.raises(error, match=message):
        pairwise_soft_dtw(*args, **options)


@attr.gpu
@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize("lengths", [[7, 3, 12, 9], [8] * 4], ids=str)
def test_on_a_gpu(rng, loss, lengths):
    import cupy

    X = ragged(rng, lengths)
    expected = pairwise_soft_dtw(X, loss=loss)
    got = pairwise_soft_dtw(
        [cupy.asarray(x) for x in X], loss=loss, max_bytes=2000
    )
    assert isinstance(got, cupy.ndarray)
    np.testing.assert_allclose(got.get(), expected, rtol=1e-9, atol=1e-9)
    with pytest.raises(TypeError, match="device"):
        pairwise_soft_dtw(cupy.asarray(X[0])[None], X[0][None])


@attr.gpu
def test_on_another_gpu(rng, second_gpu):
    import cupy

    X = reference.walks(rng, 4, 8, 2)
    with cupy.cuda.Device(second_gpu):
        there = cupy.asarray(X)
    got = pairwise_soft_dtw(there, loss="divergence")
    assert got.device.id == second_gpu
    expected = pairwise_soft_dtw(X, loss="divergence")
    np.testing.assert_allclose(got.get(), expected, rtol=1e-9, atol=1e-9)
