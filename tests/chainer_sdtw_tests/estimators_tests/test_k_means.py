"""K-means of series."""

import pickle
import warnings
from unittest import mock

import chainer_sdtw  # isort: skip  (makes Chainer work)

import numpy as np
import pytest
from chainer.testing import attr

pytest.importorskip("sklearn", reason="needs scikit-learn")

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import sdtw_cpu
from chainer_sdtw import pairwise_soft_dtw
from chainer_sdtw.estimators import SoftDTWKMeans, _lloyd

LOSSES = [
    "soft_dtw",
    "divergence",
    "sharp",
    "sharp_divergence",
    "mean_cost_divergence",
]


def check_state(model, X):
    """What the attributes of a fitted model say of each other."""
    losses = pairwise_soft_dtw(
        X, model.cluster_centers_, model.gamma, loss=model.loss
    )
    np.testing.assert_array_equal(model.labels_, losses.argmin(axis=1))
    np.testing.assert_allclose(model.inertia_, losses.min(axis=1).sum())
    np.testing.assert_allclose(model.transform(X), losses)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    np.testing.assert_allclose(model.score(X), -model.inertia_)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_waves_get_separated(blobs, loss, init):
    X, groups = blobs
    model = SoftDTWKMeans(
        n_clusters=3,
        gamma=0.1,
        loss=loss,
        init=init,
        n_init=4,
        random_state=0,
    )
    assert model.fit(X) is model
    assert model.cluster_centers_.shape == (3, 20, 1)
    assert 1 <= model.n_iter_ <= 50
    if loss != "mean_cost_divergence":  # which is not that clear
        assert adjusted_rand_score(groups, model.labels_) == 1
    check_state(model, X)


@pytest.mark.parametrize("loss", ["soft_dtw", "sharp_divergence"])
def test_different_lengths(ragged_blobs, loss):
    X, groups = ragged_blobs
    model = SoftDTWKMeans(
        n_clusters=3, gamma=0.1, loss=loss, n_init=3, random_state=0
    )
    labels = model.fit_predict(X)
    assert adjusted_rand_score(groups, labels) == 1
    mean = round(np.mean([len(x) for x in X]))
    assert model.cluster_centers_.shape == (3, mean, 2)
    check_state(model, X)
    model.set_params(length=12).fit(X)
    assert model.cluster_centers_.shape == (3, 12, 2)
    check_state(model, X)


def test_a_center_is_a_barycenter(blobs):
    X, _ = blobs
    model = SoftDTWKMeans(2, random_state=0).fit(X)
    for k, center in enumerate(model.cluster_centers_):
        own = X[model.labels_ == k]
        found = chainer_sdtw.barycenter(own, init=center, tol=1e-12)
        least, got = (
            pairwise_soft_dtw(own, z[None]).sum() for z in (found, center)
        )
        np.testing.assert_allclose(got, least, rtol=1e-6)


def test_weights(blobs):
    X, groups = blobs
    weights = np.where(groups == 2, 0, 2.0)
    model = SoftDTWKMeans(2, gamma=0.1, random_state=0)
    model.fit(X, sample_weight=weights)
    kept = groups < 2
    assert adjusted_rand_score(groups[kept], model.labels_[kept]) == 1
    alone = SoftDTWKMeans(2, gamma=0.1, init=model.cluster_centers_)
    alone.fit(X[kept])
    np.testing.assert_allclose(2 * alone.inertia_, model.inertia_, rtol=1e-6)
    np.testing.assert_allclose(
        model.score(X, sample_weight=weights), -model.inertia_
    )


@pytest.mark.parametrize("weight", [2, 0.5, np.float32(2), np.array(2)])
def test_one_weight_for_all(blobs, weight):
    X, _ = blobs
    model = SoftDTWKMeans(3, random_state=0, max_iter=2)
    inertia = model.fit(X).inertia_
    labels = model.fit_predict(X, sample_weight=weight)
    np.testing.assert_array_equal(labels, model.labels_)
    assert model.inertia_ == weight * inertia
    score = model.score(X, sample_weight=weight)
    np.testing.assert_allclose(score, -model.inertia_)


def test_the_same_seed_gives_the_same(blobs):
    X, _ = blobs
    one, other, third = (
        SoftDTWKMeans(4, max_iter=2, random_state=seed).fit(X)
        for seed in (3, np.random.RandomState(3), 4)
    )
    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)
    np.testing.assert_array_equal(one.labels_, other.labels_)
    assert not np.array_equal(one.cluster_centers_, third.cluster_centers_)


def test_the_best_start_is_kept(blobs):
    X, _ = blobs
    rng = np.random.RandomState(0)
    options = {"init": "random", "max_iter": 1}
    single = [
        SoftDTWKMeans(3, random_state=rng, **options).fit(X).inertia_
        for _ in range(5)
    ]
    assert len(set(single)) > 1
    model = SoftDTWKMeans(3, n_init=5, random_state=0, **options).fit(X)
    assert model.inertia_ == min(single)


def test_losses_beyond_the_range():
    X = np.array([[0.0, 1], [1e200, 1], [-1e200, 1], [2, 3]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FloatingPointError, match="beyond the range"):
            SoftDTWKMeans(2, random_state=0).fit(X)


def test_another_byte_order(blobs):
    X = blobs[0].astype(np.float32)
    one, other = (
        SoftDTWKMeans(3, random_state=0, max_iter=2).fit(a)
        for a in (X, X.astype(X.dtype.newbyteorder()))
    )
    assert other.cluster_centers_.dtype == np.float32
    np.testing.assert_array_equal(one.cluster_centers_, other.cluster_centers_)


def test_initial_centers_are_far_from_each_other(blobs):
    X, groups = blobs
    for seed in range(5):
        model = SoftDTWKMeans(3, gamma=0.1, random_state=seed, max_iter=1)
        with mock.patch.object(
            _lloyd, "minimize", lambda o, init, stopping: (init, None)
        ):
            model.fit(X)
        own = [
            groups[abs(X - z).sum(axis=(1, 2)).argmin()]
            for z in model.cluster_centers_
        ]
        assert sorted(own) == [0, 1, 2]


def test_given_centers(blobs):
    X, groups = blobs
    init = np.array([X[groups == k][0] for k in range(3)])
    # Another length is theirs, as is another type of numbers.
    model = SoftDTWKMeans(3, init=init[:, ::2].astype("f")).fit(X)
    assert model.cluster_centers_.shape == (3, 10, 1)
    assert model.cluster_centers_.dtype == np.float64
    np.testing.assert_array_equal(model.labels_, groups)
    flat = SoftDTWKMeans(3, init=init[:, :, 0]).fit(X[:, :, 0])
    deep = SoftDTWKMeans(3, init=init).fit(X)
    np.testing.assert_array_equal(flat.cluster_centers_, deep.cluster_centers_)
    assert not np.array_equal(init, deep.cluster_centers_)


def test_an_empty_cluster_gets_the_farthest_series(blobs):
    X, groups = blobs
    init = np.array([X[groups == 0][0], X[groups == 1][0], X[0] + 1e3])
    model = SoftDTWKMeans(3, gamma=0.1, init=init).fit(X)
    np.testing.assert_array_equal(np.bincount(model.labels_), [10, 9, 8])
    check_state(model, X)


def test_duplicates(blobs):
    X = np.repeat(blobs[0][:2], 3, axis=0)
    model = SoftDTWKMeans(4, loss="divergence", random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"clusters \(2\) found"):
        model.fit(X)
    assert len(set(model.labels_)) == 2


def test_as_many_clusters_as_series(blobs):
    X = blobs[0][:3]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SoftDTWKMeans(3, loss="divergence", random_state=0).fit(X)
    assert sorted(model.labels_) == [0, 1, 2]
    assert abs(model.inertia_) < 1e-6


@pytest.mark.parametrize("n_init", [1, 2])
def test_interrupted_it_keeps_what_is_complete(blobs, monkeypatch, n_init):
    X, _ = blobs
    options = {"init": "random", "n_init": n_init, "random_state": 5}
    calls = []
    search = _lloyd.minimize

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return search(*args, **kwargs)

    monkeypatch.setattr(_lloyd, "minimize", interrupted)
    model = SoftDTWKMeans(3, tol=0, **options)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert model.n_iter_ == 2
    check_state(model, X)
    monkeypatch.undo()
    two = SoftDTWKMeans(3, tol=0, max_iter=2, **{**options, "n_init": 1})
    np.testing.assert_array_equal(
        two.fit(X).cluster_centers_, model.cluster_centers_
    )


def test_interrupted_at_once_it_is_not_fitted(blobs, monkeypatch):
    monkeypatch.setattr(
        _lloyd, "minimize", mock.Mock(side_effect=KeyboardInterrupt)
    )
    model = SoftDTWKMeans(3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(blobs[0])
    with pytest.raises(NotFittedError):
        model.predict(blobs[0])


def test_float32_stays(blobs):
    X = blobs[0].astype(np.float32)
    model = SoftDTWKMeans(3, random_state=0).fit(X)
    assert model.cluster_centers_.dtype == np.float32
    assert model.transform(X).dtype == np.float32
    double = SoftDTWKMeans(3, random_state=0).fit(X.astype(np.float64))
    np.testing.assert_allclose(model.inertia_, double.inertia_, rtol=1e-3)


def test_options_reach_the_loss(blobs):
    X, _ = blobs
    options = {"gamma": 0.2, "cost": "manhattan", "bandwidth": 3}
    model = SoftDTWKMeans(3, random_state=0, **options).fit(X)
    np.testing.assert_allclose(
        model.transform(X),
        pairwise_soft_dtw(X, model.cluster_centers_, **options),
    )


def test_series_of_another_length(blobs):
    X, _ = blobs
    model = SoftDTWKMeans(3, random_state=0).fit(X[:, :, 0])
    shorter = model.predict(X[:, ::2])
    losses = pairwise_soft_dtw(X[:, ::2], model.cluster_centers_)
    np.testing.assert_array_equal(shorter, losses.argmin(axis=1))
    np.testing.assert_array_equal(model.predict(list(X[:, ::2, 0])), shorter)
    with pytest.raises(ValueError, match=r"list of series, or X\[:, :, None"):
        model.predict(X[:, ::2, 0])


def test_pickles_clones_and_pipelines(blobs):
    X, groups = blobs
    model = SoftDTWKMeans(3, gamma=0.1, random_state=0).fit(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.labels_)
    np.testing.assert_array_equal(
        clone(model).fit(X).cluster_centers_, model.cluster_centers_
    )
    scaled = make_pipeline(FunctionTransformer(np.negative), clone(model))
    labels = scaled.fit_predict(X[:, :, 0])
    assert adjusted_rand_score(groups, labels) == 1
    names = model.get_feature_names_out()
    assert list(names) == [f"softdtwkmeans{k}" for k in range(3)]


def test_grid_search(blobs):
    grid = {"n_clusters": [1, 3]}
    model = SoftDTWKMeans(gamma=0.1, random_state=0)
    found = GridSearchCV(model, grid, cv=2).fit(blobs[0])
    assert found.best_params_ == {"n_clusters": 3}


def test_threads(blobs, monkeypatch):
    seen = []
    search = _lloyd.minimize

    def spy(*args, **kwargs):
        seen.append(sdtw_cpu.get_num_threads())
        return search(*args, **kwargs)

    monkeypatch.setattr(_lloyd, "minimize", spy)
    before = sdtw_cpu.get_num_threads()
    sdtw_cpu.set_num_threads(2)
    try:
        for n_jobs, expected in ((None, 2), (1, 1), (3, 3)):
            seen.clear()
            SoftDTWKMeans(2, max_iter=1, n_jobs=n_jobs).fit(blobs[0])
            assert seen == [expected]
            assert sdtw_cpu.get_num_threads() == 2
    finally:
        sdtw_cpu.set_num_threads(before)


def test_verbose(blobs, capsys):
    pytest.importorskip("tqdm")
    SoftDTWKMeans(2, random_state=0).fit(blobs[0])
    assert capsys.readouterr() == ("", "")
    options = {"verbose": True, "random_state": 0}
    model = SoftDTWKMeans(2, **options).fit(blobs[0])
    bar = capsys.readouterr().err.split("\r")[-1]
    assert model.n_iter_ < 50
    assert "k-means: 100%" in bar
    assert f"{model.n_iter_}/{model.n_iter_}" in bar
    assert f"{model.inertia_:.6g}, converged]" in bar
    SoftDTWKMeans(2, max_iter=2, tol=0, **options).fit(blobs[0])
    bar = capsys.readouterr().err.split("\r")[-1]
    assert "k-means: 100%" in bar
    assert "2/2" in bar
    assert "converged" not in bar


def test_verbose_of_several_starts(blobs, capsys, monkeypatch):
    pytest.importorskip("tqdm")
    counts = []
    run = _lloyd.LloydSearch.run

    def spy(search, centers, bar):
        before = bar.n
        run(search, centers, bar)
        counts.append(bar.n - before)

    monkeypatch.setattr(_lloyd.LloydSearch, "run", spy)
    SoftDTWKMeans(3, n_init=3, random_state=0, verbose=True).fit(blobs[0])
    bar = capsys.readouterr().err.split("\r")[-1]
    assert len(counts) == 3
    assert "100%" in bar
    assert f"{sum(counts)}/{sum(counts)}" in bar


def test_a_device_of_the_host(blobs):
    model = SoftDTWKMeans(2, random_state=0, device="@numpy").fit(blobs[0])
    check_state(model, blobs[0])


X = np.zeros((4, 5, 2))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_clusters": 5}, ValueError, "n_samples=4 should be >= n_clusters"),
        ({"n_clusters": 0}, ValueError, "n_clusters must be >= 1"),
        ({"n_clusters": 2.5}, TypeError, "n_clusters must be an integer"),
        ({"n_init": 0}, ValueError, "n_init must be >= 1"),
        ({"max_iter": 0}, ValueError, "max_iter must be >= 1"),
        ({"max_iter_barycenter": 0}, ValueError, "max_iter_barycenter must"),
        ({"length": 0}, ValueError, "length must be >= 1"),
        ({"tol": -1}, ValueError, "tol must be >= 0"),
        ({"tol_barycenter": -1}, ValueError, "tol_barycenter must be >= 0"),
        ({"gamma": -1}, ValueError, "gamma must be >= 0"),
        ({"loss": "dtw"}, ValueError, "loss must be one of"),
        ({"bandwidth": -1}, ValueError, "bandwidth must be >= 0"),
        ({"init": "best"}, ValueError, "init must be 'k-means"),
        ({"init": X}, ValueError, r"shape \(2, length, 2\), got"),
        ({"init": X[:2], "length": 3}, ValueError, r"shape \(2, 3, 2\), got"),
        ({"init": X[:2] * np.nan}, ValueError, "init contains NaN"),
    ],
)
def test_errors(options, error, message):
    with pytest.raises(error, match=message):
        SoftDTWKMeans(**{"n_clusters": 2, **options}).fit(X)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_a_number(bad):
    series = [np.zeros(3), np.array([0, bad]), np.zeros(4)]
    with pytest.raises(ValueError, match=r"X\[1\] contains NaN"):
        SoftDTWKMeans(2).fit(series)
    model = SoftDTWKMeans(1).fit(series[::2])
    with pytest.raises(ValueError, match=r"X\[1\] contains NaN"):
        model.predict(series)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        model.fit(np.full((4, 5, 2), bad))


def test_other_features():
    model = SoftDTWKMeans(2).fit(np.random.default_rng(0).random((4, 5, 2)))
    with pytest.raises(ValueError, match="X has 3 features"):
        model.predict(np.zeros((4, 5, 3)))


@pytest.mark.parametrize("weights", [-np.ones(4), np.zeros(4), -1, 0])
def test_weights_out_of_range(weights):
    with pytest.raises(ValueError, match=r"must be >= 0|must not all be zero"):
        SoftDTWKMeans(2).fit(X, sample_weight=weights)


@attr.gpu
@pytest.mark.parametrize("loss", ["soft_dtw", "sharp_divergence"])
def test_on_a_gpu(ragged_blobs, loss):
    import cupy

    X, _ = ragged_blobs
    options = {"gamma": 0.1, "loss": loss, "random_state": 0}
    host = SoftDTWKMeans(3, **options).fit(X)
    model = SoftDTWKMeans(3, device="@cupy:0", **options).fit(X)
    assert isinstance(model.cluster_centers_, np.ndarray)
    np.testing.assert_array_equal(model.labels_, host.labels_)
    np.testing.assert_allclose(model.inertia_, host.inertia_, rtol=1e-5)
    np.testing.assert_array_equal(model.predict(X), host.labels_)
    there = SoftDTWKMeans(3, **options).fit([cupy.asarray(x) for x in X])
    np.testing.assert_array_equal(there.labels_, host.labels_)
