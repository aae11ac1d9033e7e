"""What does not depend on the units of series or of weights."""

import chainer_sdtw  # isort: skip

import numpy as np
import pytest
import reference

from sdtw_cpu.barycenter import sdtw_barycenter
from sdtw_cpu.costs import COSTS

pytest.importorskip("sklearn")
estimators = chainer_sdtw.estimators

# Powers of two, by which scaling does not round.
SCALES = [2.0**-30, 2.0**-10, 2.0**20]


@pytest.fixture
def walks(rng):
    return reference.walks(rng, 6, 20, 1)


def assert_same(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("weight", [1e-300, 1e-6, 1e6, 1e300])
def test_only_ratios_of_weights_matter(walks, weight):
    share = np.array([1, 2, 0.5, 0, 1, 1])
    options = {"gamma": 0.5, "init": walks[0], "tol": 1e-9}
    expected = chainer_sdtw.barycenter(walks, weights=share, **options)
    assert abs(expected - walks[0]).max() > 0.1
    values = []
    actual = chainer_sdtw.barycenter(
        walks,
        weights=weight * share,
        callback=lambda z, value: values.append(value),
        **options,
    )
    assert_same(actual, expected)
    loss = chainer_sdtw.soft_dtw(
        np.broadcast_to(actual, walks.shape), walks, 0.5, reduce="no"
    )
    np.testing.assert_allclose(values[-1] / weight, share @ loss.array)
    mean = sdtw_barycenter(walks, walks[0], 0.5, weight * share, tol=1e-9)
    wanted = sdtw_barycenter(walks, walks[0], 0.5, share, tol=1e-9)
    assert_same(mean, wanted)
    models = [
        estimators.SoftDTWKMeans(2, init=walks[:2], gamma=0.5).fit(
            walks, sample_weight=w
        )
        for w in (share, weight * share)
    ]
    np.testing.assert_allclose(
        models[1].inertia_, models[0].inertia_ * weight, rtol=1e-9
    )
    assert_same(models[1].cluster_centers_, models[0].cluster_centers_)


def squared(x, y):
    """The squared Euclidean cost, as a function."""
    return chainer_sdtw.cost_matrix(x, y)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    ("cost", "power"),
    [
        *((name, kind.degree) for name, kind in COSTS.items() if kind.degree),
        (squared, 2),
    ],
)
def test_units_of_series_do_not_matter(walks, scale, cost, power):
    results = [
        chainer_sdtw.barycenter(
            s * walks, gamma=0.5 * s**power, init=s * walks[0], cost=cost
        )
        / s
        for s in (1.0, scale)
    ]
    assert abs(results[0] - walks[0]).max() > 0.1
    np.testing.assert_allclose(results[1], results[0], rtol=1e-6, atol=1e-6)


def test_small_and_large_series_under_the_huber_cost(walks):
    """Barycenters are those of the costs that it is alike."""
    for scale, cost, factor in (
        (2.0**-30, "sqeuclidean", 2.0),
        (2.0**20, "manhattan", 1.0),
    ):
        power = COSTS[cost].degree
        results = [
            chainer_sdtw.barycenter(
                scale * walks,
                gamma=gamma * scale**power,
                init=scale * walks[0],
                cost=name,
            )
            / scale
            for name, gamma in (("huber", 0.5), (cost, 0.5 * factor))
        ]
        assert abs(results[0] - walks[0]).max() > 0.1
        np.testing.assert_allclose(results[1], results[0], atol=1e-3)


@pytest.mark.parametrize("scale", SCALES)
def test_units_of_series_do_not_matter_elsewhere(walks, scale):
    gamma = 0.5 * scale**2
    unit = sdtw_barycenter(walks, walks[0], 0.5)
    mean = sdtw_barycenter(scale * walks, scale * walks[0], gamma) / scale
    np.testing.assert_allclose(mean, unit, rtol=1e-6, atol=1e-6)
    assert abs(mean - walks[0]).max() > 0.1
    labels = [0, 0, 0, 1, 1, 1]
    centers = [
        estimators.SoftDTWNearestCentroid(gamma=0.5 * s**2)
        .fit(s * walks, labels)
        .centroids_
        / s
        for s in (1.0, scale)
    ]
    np.testing.assert_allclose(centers[1], centers[0], rtol=1e-6, atol=1e-6)
    models = [
        estimators.SoftDTWKMeans(2, gamma=0.5 * s**2, init=s * walks[:2]).fit(
            s * walks
        )
        for s in (1.0, scale)
    ]
    np.testing.assert_array_equal(models[0].labels_, models[1].labels_)
    np.testing.assert_allclose(
        models[1].inertia_ / scale**2, models[0].inertia_, rtol=1e-6
    )
