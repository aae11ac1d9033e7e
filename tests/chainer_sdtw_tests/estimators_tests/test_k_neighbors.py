"""Classification of series by their nearest neighbors."""

import pickle

import chainer_sdtw  # isort: skip

import chainer
import numpy as np
import pytest
from chainer.testing import attr

pytest.importorskip("sklearn", reason="needs scikit-learn")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainer_sdtw import pairwise_soft_dtw
from chainer_sdtw.estimators import SoftDTWKNeighborsClassifier
from chainer_sdtw.learning import _nearest

NAMES = np.array(["slow", "medium", "fast"])


def sklearns(X, y, others, loss, **options):
    """scikit-learn's classifier of the same losses, and its shares."""
    model = KNeighborsClassifier(metric="precomputed", **options)
    losses = pairwise_soft_dtw(X, loss=loss)
    # It takes no negative distances: larger by a constant, order stays.
    least = min(losses.min(), 0)
    model.fit(losses - least, y)
    to = pairwise_soft_dtw(others, X, loss=loss) - least
    return model, to


@pytest.mark.parametrize(
    ("loss", "weights"),
    [
        ("soft_dtw", "uniform"),
        ("divergence", "uniform"),
        ("divergence", "distance"),
        ("sharp", "distance"),
        ("sharp", lambda losses: 1 / (1 + losses)),
    ],
)
def test_it_votes_as_scikit_learn_does(ragged_blobs, loss, weights):
    X, groups = ragged_blobs
    y = NAMES[groups]
    y[::4] = "fast"  # so that they do not all agree
    X, others, y = X[:20], X[18:], y[:20]
    model = SoftDTWKNeighborsClassifier(5, loss=loss, weights=weights)
    assert model.fit(X, y) is model
    theirs, to = sklearns(X, y, others, loss, weights=weights)
    shares = model.predict_proba(others)
    np.testing.assert_allclose(shares, theirs.predict_proba(to), atol=1e-9)
    assert len(np.unique(shares)) > 2
    np.testing.assert_array_equal(model.predict(others), theirs.predict(to))
    losses, indexes = model.kneighbors(others, 3)
    np.testing.assert_array_equal(
        indexes, theirs.kneighbors(to, 3, return_distance=False)
    )
    expected = pairwise_soft_dtw(others, X, loss=loss)
    np.testing.assert_allclose(
        losses, np.take_along_axis(expected, indexes, axis=1)
    )


def test_waves_are_told_apart(blobs):
    X, groups = blobs
    model = SoftDTWKNeighborsClassifier(3, gamma=0.1)
    model.fit(X[:18], NAMES[groups[:18]])
    assert model.n_samples_fit_ == 18
    assert model.score(X[18:], NAMES[groups[18:]]) == 1


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence"])
def test_neighbors_of_the_series_fitted(blobs, loss):
    X, groups = blobs
    model = SoftDTWKNeighborsClassifier(3, loss=loss).fit(X, groups)
    losses, indexes = model.kneighbors()
    expected = pairwise_soft_dtw(X, loss=loss)
    np.fill_diagonal(expected, np.inf)
    order = np.argsort(expected, axis=1)[:, :3]
    np.testing.assert_array_equal(indexes, order)
    np.testing.assert_allclose(
        losses, np.take_along_axis(expected, order, axis=1)
    )
    everyone = model.kneighbors(n_neighbors=26, return_distance=False)
    assert all(i not in row for i, row in enumerate(everyone))
    with pytest.raises(ValueError, match="n_neighbors must be <= 26"):
        model.kneighbors(n_neighbors=27)


def test_blocks(blobs, monkeypatch):
    X, groups = blobs
    model = SoftDTWKNeighborsClassifier(4, loss="divergence").fit(X, groups)
    whole = [*model.kneighbors(X), *model.kneighbors()]
    monkeypatch.setattr(_nearest, "_PAIRS", 27 * 5)
    parts = [*model.kneighbors(X), *model.kneighbors()]
    for one, other in zip(whole, parts):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_of_equal_losses_the_first_counts():
    X = np.repeat(np.eye(3), 4, axis=0)
    y = [0, 1, 2, 3] * 3
    model = SoftDTWKNeighborsClassifier(1, gamma=0).fit(X, y)
    np.testing.assert_array_equal(model.predict(X[::4]), [0, 0, 0])
    np.testing.assert_array_equal(
        model.kneighbors(X[::4], 2, False), [[0, 1], [4, 5], [8, 9]]
    )


def test_equal_series_have_all_the_weight(blobs):
    X, _ = blobs
    model = SoftDTWKNeighborsClassifier(
        5, weights="distance", loss="divergence"
    )
    X, classes = np.concatenate([X, X]), np.tile(np.arange(27), 2)
    model.fit(X, classes)
    np.testing.assert_array_equal(model.predict_proba(X[:27]), np.eye(27))


def test_negative_losses_have_no_inverse(blobs):
    X, groups = blobs
    model = SoftDTWKNeighborsClassifier(5, weights="distance")
    with pytest.raises(ValueError, match="such as one of 'soft_dtw_di"):
        model.fit(X, groups)
    model = SoftDTWKNeighborsClassifier(
        5, weights="distance", loss="sharp", cost=lambda x, y: below(x, y)
    )
    model.fit(X, groups)
    with pytest.raises(ValueError, match="some losses are negative"):
        model.predict(X)


def below(x, y):
    """A cost that can be negative."""
    return chainer_sdtw.cost_matrix(x, y) - 5


def test_float32_stays(blobs):
    X, groups = blobs
    model = SoftDTWKNeighborsClassifier().fit(X.astype(np.float32), groups)
    losses, _ = model.kneighbors(X.astype(np.float32))
    assert losses.dtype == np.float32


def test_pickles_clones_and_pipelines(blobs):
    X, groups = blobs
    model = SoftDTWKNeighborsClassifier(1, gamma=0.1).fit(X, groups)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), groups)
    scaled = make_pipeline(StandardScaler(), clone(model))
    assert cross_val_score(scaled, X[:, :, 0], groups, cv=3).mean() > 0.8
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


def test_verbose(blobs, capsys):
    pytest.importorskip("tqdm")
    model = SoftDTWKNeighborsClassifier().fit(*blobs)
    model.predict(blobs[0])
    assert capsys.readouterr() == ("", "")
    model.set_params(verbose=True).predict(blobs[0])
    assert "729/729" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"gamma": -1}, ValueError, "gamma must be >= 0"),
        ({"loss": "dtw"}, ValueError, "loss must be one of"),
        ({"n_neighbors": 0}, ValueError, "n_neighbors must be >= 1"),
        ({"n_neighbors": 1.5}, TypeError, "n_neighbors must be an integer"),
        ({"weights": "loss"}, ValueError, "weights must be"),
        ({"weights": np.ones(2)}, ValueError, "weights must be"),
        ({"weights": None}, ValueError, "weights must be"),
    ],
)
def test_errors(blobs, options, error, message):
    with pytest.raises(error, match=message):
        SoftDTWKNeighborsClassifier(**options).fit(*blobs)


@pytest.mark.parametrize("X", [{"a": 1}, {1.0}, iter([[1.0]]), None])
def test_no_series(X):
    with pytest.raises(TypeError, match=r"^X must be real numbers, got"):
        SoftDTWKNeighborsClassifier(1).fit(X, [1])


class Unreadable:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("there are no classes here")


@pytest.mark.parametrize("y", [[[1], [1, 2]], Unreadable()])
def test_no_classes(blobs, y):
    # Of unequal rows old releases of NumPy make an array of lists.
    message = r"^y must be classes, got|label|shape"
    with pytest.raises((TypeError, ValueError), match=message):
        SoftDTWKNeighborsClassifier(1).fit(blobs[0][:2], y)


def test_classes_in_a_variable(blobs):
    X, y = blobs
    model = SoftDTWKNeighborsClassifier(1).fit(X, chainer.Variable(y))
    np.testing.assert_array_equal(model.predict(X), y)


@attr.gpu
@pytest.mark.parametrize("loss", ["soft_dtw", "sharp_divergence"])
@pytest.mark.parametrize("device", [None, "@cupy:0"])
def test_on_a_gpu(ragged_blobs, loss, device):
    import cupy

    X, groups = ragged_blobs
    host = SoftDTWKNeighborsClassifier(3, loss=loss).fit(X, groups)
    model = SoftDTWKNeighborsClassifier(3, loss=loss, device=device)
    model.fit(X, groups)
    for given in (X, [cupy.asarray(x) for x in X]):
        losses, indexes = model.kneighbors(given)
        assert isinstance(losses, np.ndarray)
        np.testing.assert_array_equal(
            indexes, host.kneighbors(X, return_distance=False)
        )
