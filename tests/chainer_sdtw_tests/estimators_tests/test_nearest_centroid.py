"""Classification of series by the nearest barycenter."""

import pickle

import chainer_sdtw  # isort: skip  (makes Chainer work)

import numpy as np
import pytest
from chainer.testing import attr

pytest.importorskip("sklearn", reason="needs scikit-learn")

from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chainer_sdtw import pairwise_soft_dtw
from chainer_sdtw.estimators import SoftDTWNearestCentroid

NAMES = np.array(["slow", "medium", "fast"])


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence", "sharp"])
def test_waves_are_told_apart(ragged_blobs, loss):
    X, groups = ragged_blobs
    model = SoftDTWNearestCentroid(gamma=0.1, loss=loss)
    assert model.fit(X[:18], NAMES[groups[:18]]) is model
    assert model.score(X[18:], NAMES[groups[18:]]) == 1
    assert list(model.classes_) == sorted(NAMES)
    losses = pairwise_soft_dtw(X, model.centroids_, 0.1, loss=loss)
    expected = model.classes_[losses.argmin(axis=1)]
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence"])
def test_centroids_are_barycenters(ragged_blobs, loss):
    X, groups = ragged_blobs
    model = SoftDTWNearestCentroid(
        gamma=0.3, loss=loss, length=11, tol=1e-10
    ).fit(X, groups)
    assert model.centroids_.shape == (3, 11, 2)
    for k in range(3):
        own = [x for x, group in zip(X, groups) if group == k]
        expected = chainer_sdtw.barycenter(
            own, 0.3, length=11, loss=loss, tol=1e-10
        )
        least, got = (
            pairwise_soft_dtw(own, [z], 0.3, loss=loss).sum()
            for z in (expected, model.centroids_[k])
        )
        np.testing.assert_allclose(got, least, rtol=1e-4)


def test_default_length_is_the_mean(ragged_blobs):
    X, groups = ragged_blobs
    model = SoftDTWNearestCentroid(max_iter=1).fit(X, groups)
    assert model.centroids_.shape[1] == round(np.mean([len(x) for x in X]))


def test_float32_stays(blobs):
    X, groups = blobs
    model = SoftDTWNearestCentroid().fit(X.astype(np.float32), groups)
    assert model.centroids_.dtype == np.float32


def test_pickles_clones_and_pipelines(blobs):
    X, groups = blobs
    model = SoftDTWNearestCentroid(gamma=0.1).fit(X, groups)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(
        clone(model).fit(X, groups).centroids_, model.centroids_
    )
    scaled = make_pipeline(StandardScaler(), clone(model))
    assert cross_val_score(scaled, X[:, :, 0], groups, cv=3).mean() > 0.8


def test_verbose(blobs, capsys):
    pytest.importorskip("tqdm")
    SoftDTWNearestCentroid(max_iter=2).fit(*blobs)
    assert capsys.readouterr() == ("", "")
    SoftDTWNearestCentroid(max_iter=2, verbose=True).fit(*blobs)
    assert "3/3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"gamma": -1}, ValueError, "gamma must be >= 0"),
        ({"length": 0}, ValueError, "length must be >= 1"),
        ({"length": 2.0}, TypeError, "length must be an integer"),
        ({"tol": -1}, ValueError, "tol must be >= 0"),
        ({"max_iter": 0}, ValueError, "max_iter must be"),
        ({"cost": "square"}, ValueError, "cost"),
    ],
)
def test_errors(blobs, options, error, message):
    with pytest.raises(error, match=message):
        SoftDTWNearestCentroid(**options).fit(*blobs)


def test_wrong_classes(blobs):
    X, groups = blobs
    model = SoftDTWNearestCentroid()
    with pytest.raises(ValueError, match="two classes or more"):
        model.fit(X, groups * 0)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, groups[:-1])
    with pytest.raises(ValueError, match="requires y"):
        model.fit(X, None)


@attr.gpu
@pytest.mark.parametrize("loss", ["soft_dtw", "sharp_divergence"])
def test_on_a_gpu(ragged_blobs, loss):
    X, groups = ragged_blobs
    model = SoftDTWNearestCentroid(loss=loss, device="@cupy:0")
    model.fit(X, groups)
    assert isinstance(model.centroids_, np.ndarray)
    np.testing.assert_array_equal(model.predict(X), groups)
