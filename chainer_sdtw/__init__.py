"""Soft-DTW for Chainer.

Importing this package first makes Chainer 7.8.1 work on a current Python and
NumPy (see :mod:`chainer_sdtw.compat`). The subpackages ``cuda``, ``datasets``
and ``estimators`` are imported when they are first used.
"""

import importlib
import importlib.util
import typing

# Of these compat is first, as it must come before Chainer.
from chainer_sdtw import compat, links, training
from chainer_sdtw.functions import (
    alignment_path,
    cost_matrix,
    diagonal_prior,
    dilate_loss,
    itakura_mask,
    mean_cost,
    mean_cost_divergence,
    sharp_soft_dtw,
    sharp_soft_dtw_divergence,
    soft_alignment,
    soft_dtw,
    soft_dtw_divergence,
    soft_dtw_from_cost,
    temporal_distortion_index,
)
from chainer_sdtw.learning.barycenter import barycenter
from chainer_sdtw.learning.neighbors import nearest_neighbors
from chainer_sdtw.learning.pairwise import pairwise_soft_dtw
from chainer_sdtw.visualization import plot_alignment
from sdtw_cpu import __version__

_LAZY = ("cuda", "datasets", "estimators")

if typing.TYPE_CHECKING:
    # With __getattr__ type checkers would take any name for a module.
    from chainer_sdtw import cuda, datasets
    from chainer_sdtw import estimators as estimators
else:

    def __getattr__(name: str) -> object:
        if name not in _LAZY:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}"
            )
        return importlib.import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    names = {*globals(), *_LAZY}
    if importlib.util.find_spec("sklearn") is None:
        names -= {"estimators"}  # for those who get all attributes
    return sorted(names)


# Without estimators, for which not everyone has scikit-learn.
__all__ = [
    "__version__",
    "alignment_path",
    "barycenter",
    "compat",
    "cost_matrix",
    "cuda",
    "datasets",
    "diagonal_prior",
    "dilate_loss",
    "itakura_mask",
    "links",
    "mean_cost",
    "mean_cost_divergence",
    "nearest_neighbors",
    "pairwise_soft_dtw",
    "plot_alignment",
    "sharp_soft_dtw",
    "sharp_soft_dtw_divergence",
    "soft_alignment",
    "soft_dtw",
    "soft_dtw_divergence",
    "soft_dtw_from_cost",
    "temporal_distortion_index",
    "training",
]
