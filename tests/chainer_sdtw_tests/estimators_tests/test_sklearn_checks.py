"""scikit-learn's own checks of estimators, on rows as univariate series."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn")

import numpy as np
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainer_sdtw.estimators import (
    SoftDTWKMeans,
    SoftDTWKNeighborsClassifier,
    SoftDTWMiniBatchKMeans,
    SoftDTWNearestCentroid,
)

ESTIMATORS = [
    SoftDTWKMeans(n_clusters=2, max_iter=5),
    SoftDTWMiniBatchKMeans(n_clusters=2, max_iter=5),
    SoftDTWNearestCentroid(),
    SoftDTWKNeighborsClassifier(),
]

_SEEDING = (
    "k-means++ draws a number of random numbers that depends on how many "
    "series there are, as in scikit-learn's own k-means"
)

# All that is not as the checks want it: of which estimator, and why.
EXCLUDED = {
    "SoftDTWKMeans": {
        # The names are those of scikit-learn before 1.6, and since.
        "check_sample_weights_invariance(kind=zeros)": _SEEDING,
        "check_sample_weight_equivalence_on_dense_data": _SEEDING,
    },
    "SoftDTWMiniBatchKMeans": {
        "check_sample_weights_invariance(kind=zeros)": _SEEDING,
        "check_sample_weight_equivalence_on_dense_data": _SEEDING,
    },
    "SoftDTWNearestCentroid": {
        "check_non_transformer_estimators_n_iter": (
            "each class' search ends after a number of iterations of its own"
        ),
    },
    "SoftDTWKNeighborsClassifier": {},
}


@parametrize_with_checks(ESTIMATORS)
def test_checks(estimator, check):
    name = getattr(check, "func", check).__name__
    options = getattr(check, "keywords", {})
    if options:
        name += "(" + ", ".join(f"{k}={v}" for k, v in options.items()) + ")"
    if name not in EXCLUDED[type(estimator).__name__]:
        check(estimator)
        return
    # What is excluded must need it.
    with pytest.raises((AssertionError, AttributeError)):
        check(estimator)


@pytest.mark.parametrize(
    "estimator", ESTIMATORS, ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, list])
@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 2)])
def test_nan_padding(estimator, form, shape):
    """The message is on series, not on tables with missing values."""
    X, y = np.random.default_rng(0).standard_normal(shape), [0, 1] * 3
    padded = X.copy()
    padded[4, 5:] = np.nan
    message = (
        r"^X\[4\] contains NaN or infinity: its steps from 5 on are NaN. "
        "Series of different lengths are given as a list of arrays, without "
        "padding$"
    )
    model = clone(estimator)
    if hasattr(model, "n_neighbors"):
        model.n_neighbors = 1
    with pytest.raises(ValueError, match=message):
        model.fit(form(padded), y)
    model.fit(form(X), y)
    with pytest.raises(ValueError, match=message):
        model.predict(form(padded))
    series = [x[~np.isnan(x).reshape(8, -1).any(axis=1)] for x in padded]
    assert len(model.fit(series, y).predict(series)) == 6
