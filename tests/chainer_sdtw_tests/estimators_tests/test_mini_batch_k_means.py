"""K-means of series by small batches."""

import chainer_sdtw  # isort: skip

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn")

from sklearn.metrics import adjusted_rand_score
from waves import waves

from chainer_sdtw import barycenter, pairwise_soft_dtw
from chainer_sdtw.estimators import SoftDTWKMeans, SoftDTWMiniBatchKMeans


def many(rng, lengths=(18, 20), d=2):
    return waves(rng, (80, 70, 60), lengths, d)


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence", "sharp"])
def test_waves_get_separated(rng, loss):
    X, groups = many(rng)
    options = {"gamma": 0.1, "loss": loss, "random_state": 0}
    model = SoftDTWMiniBatchKMeans(3, batch_size=40, **options)
    labels = model.fit_predict(X)
    assert adjusted_rand_score(groups, labels) == 1
    assert 1 <= model.n_steps_ <= 6 * model.n_iter_
    losses = pairwise_soft_dtw(X, model.cluster_centers_, 0.1, loss=loss)
    np.testing.assert_array_equal(labels, losses.argmin(axis=1))
    np.testing.assert_allclose(model.inertia_, losses.min(axis=1).sum())


def test_as_good_as_all_series_at_once(rng):
    X, _ = many(rng)

    def inertia(model):
        fits = (model.set_params(random_state=i).fit(X) for i in range(4))
        return np.mean([fit.inertia_ for fit in fits])

    batches = inertia(SoftDTWMiniBatchKMeans(3, gamma=0.1, batch_size=40))
    assert batches < 1.05 * inertia(SoftDTWKMeans(3, gamma=0.1))


def test_first_step_is_the_barycenter(rng):
    X = rng.standard_normal((12, 15)).cumsum(axis=1)
    init, weights = X[:1], rng.random(12)
    model = SoftDTWMiniBatchKMeans(1, init=init, tol_barycenter=1e-6)
    model.partial_fit(X, sample_weight=weights)
    expected = barycenter(X, init=init[0], weights=weights, tol=1e-6)
    np.testing.assert_allclose(
        model.cluster_centers_[0, :, 0], expected, rtol=1e-3, atol=1e-3
    )


def test_next_step_moves_by_the_share(rng):
    X = rng.standard_normal((12, 15)).cumsum(axis=1)
    first = np.zeros((1, 15))
    options = {"init": first, "tol_barycenter": 1e-9, "batch_size": 6}
    model = SoftDTWMiniBatchKMeans(1, max_iter_barycenter=200, **options)
    before = model.partial_fit(X[:9]).cluster_centers_[0, :, 0]
    after = model.partial_fit(X[9:]).cluster_centers_[0, :, 0]
    batch = barycenter(X[9:], init=before, tol=1e-9, max_iter=200)
    np.testing.assert_allclose(
        after, before + 3 / 12 * (batch - before), rtol=1e-4, atol=1e-4
    )
    assert model.n_steps_ == 2
    assert len(model.labels_) == 3


def test_center_without_series_gets_the_farthest(rng):
    X = np.concatenate(
        [rng.standard_normal((20, 10)) * 0.1, np.full((1, 10), 9.0)]
    )
    init = np.stack([np.zeros(10), np.full(10, 1e3)])
    model = SoftDTWMiniBatchKMeans(2, init=init).partial_fit(X)
    np.testing.assert_array_equal(model.labels_, [0] * 20 + [1])
    np.testing.assert_allclose(
        model.cluster_centers_[1, :, 0], X[20], atol=0.5
    )


def test_weights(rng):
    X, _ = many(rng, [20], 1)
    X = np.array(X)[:, :, 0]
    weights = rng.integers(0, 3, len(X))
    model = SoftDTWMiniBatchKMeans(
        3, batch_size=50, random_state=0, max_no_improvement=None, max_iter=3
    )
    model.fit(X, sample_weight=weights)
    assert (model.n_iter_, model.n_steps_) == (3, 15)
    losses = model.transform(X).min(axis=1)
    np.testing.assert_allclose(model.inertia_, weights @ losses)
    scaled = model.fit(X, sample_weight=weights * 4.0).inertia_
    np.testing.assert_allclose(scaled, 4 * (weights @ losses))


def test_same_seed_same_result(rng):
    X, _ = many(rng)
    results = [
        SoftDTWMiniBatchKMeans(4, batch_size=30, random_state=seed).fit(X)
        for seed in (0, 0, 1)
    ]
    first, second, third = (model.cluster_centers_ for model in results)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_interrupted_fit_keeps_its_centers(rng, monkeypatch):
    X, _ = many(rng)
    step = chainer_sdtw.estimators._mini_batch.MiniBatchSearch.step
    steps = []

    def interrupted(*arguments):
        if len(steps) == 2:
            raise KeyboardInterrupt
        steps.append(None)
        return step(*arguments)

    monkeypatch.setattr(
        chainer_sdtw.estimators._mini_batch.MiniBatchSearch,
        "step",
        interrupted,
    )
    model = SoftDTWMiniBatchKMeans(3, batch_size=30, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert model.n_steps_ == 2
    assert model.predict(X).shape == (210,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be >= 1"),
        ({"max_no_improvement": 0}, "max_no_improvement must be >= 1"),
        ({"init_size": 0}, "init_size must be >= 1"),
        ({"n_clusters": 300}, "n_samples=210 should be >= n_clusters=300"),
    ],
)
def test_wrong_options(rng, options, message):
    X, _ = many(rng)
    with pytest.raises(ValueError, match=message):
        SoftDTWMiniBatchKMeans(**options).fit(X)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e30, 1e300])
def test_units_of_weights(rng, scale):
    X, _ = many(rng)
    X = [x.astype(np.float32) for x in X]
    weights = rng.random(len(X))
    weights /= weights.max()
    one, other = (
        SoftDTWMiniBatchKMeans(3, random_state=0).partial_fit(
            X, sample_weight=w
        )
        for w in (weights, weights * scale)
    )
    np.testing.assert_allclose(
        one.cluster_centers_, other.cluster_centers_, rtol=1e-5
    )


@pytest.mark.parametrize("batch_size", [np.nan, np.array([2, 3]), "3"])
def test_batch_size_of_the_initial_centers(rng, batch_size):
    X, _ = many(rng)
    model = SoftDTWMiniBatchKMeans(2, batch_size=batch_size)
    with pytest.raises(TypeError, match="batch_size must be an integer >= 1"):
        model.partial_fit(X)
