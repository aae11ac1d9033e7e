"""Clustering and classification of time series, as scikit-learn does it.

Needs scikit-learn, which ``pip install 'chainer-sdtw[learn]'`` installs.
"""

try:
    import sklearn  # noqa: F401
except ImportError as e:
    raise ImportError(
        "chainer_sdtw.estimators needs scikit-learn, an optional dependency: "
        "pip install 'chainer-sdtw[learn]'"
    ) from e

import chainer_sdtw  # noqa: F401  (makes Chainer work)
from chainer_sdtw.estimators.k_means import SoftDTWKMeans
from chainer_sdtw.estimators.k_neighbors import SoftDTWKNeighborsClassifier
from chainer_sdtw.estimators.nearest_centroid import SoftDTWNearestCentroid

__all__ = [
    "SoftDTWKMeans",
    "SoftDTWKNeighborsClassifier",
    "SoftDTWNearestCentroid",
]
