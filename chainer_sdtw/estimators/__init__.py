"""Clustering and classification of time series, as scikit-learn does it.

Needs scikit-learn: ``pip install scikit-learn``.
"""

import chainer_sdtw  # noqa: F401  (makes Chainer work)
from chainer_sdtw._engine.optional import import_error

try:
    import sklearn  # noqa: F401
except Exception as e:
    raise import_error(
        "chainer_sdtw.estimators", "scikit-learn", "sklearn", "learn", e
    ) from e

from chainer_sdtw.estimators.k_means import SoftDTWKMeans
from chainer_sdtw.estimators.k_neighbors import SoftDTWKNeighborsClassifier
from chainer_sdtw.estimators.mini_batch_k_means import SoftDTWMiniBatchKMeans
from chainer_sdtw.estimators.nearest_centroid import SoftDTWNearestCentroid

__all__ = [
    "SoftDTWKMeans",
    "SoftDTWKNeighborsClassifier",
    "SoftDTWMiniBatchKMeans",
    "SoftDTWNearestCentroid",
]
