"""Soft-DTW for Chainer.

Importing this package first makes Chainer 7.8.1 work on a current Python and
NumPy (see :mod:`chainer_sdtw.compat`).
"""

import warnings

from chainer_sdtw import compat  # noqa: F401  (must come before chainer)
from sdtw_cpu._version import __version__

with warnings.catch_warnings():
    # Chainer asks it for versions; with setuptools 80 it warns of its end.
    warnings.filterwarnings("ignore", "pkg_resources is deprecated")
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
    from chainer_sdtw import links, training  # isort: skip
    from chainer_sdtw.averaging import barycenter
    from chainer_sdtw.pairwise import pairwise_soft_dtw
    from chainer_sdtw.visualization import plot_alignment

__all__ = [
    "__version__",
    "alignment_path",
    "barycenter",
    "cost_matrix",
    "diagonal_prior",
    "dilate_loss",
    "itakura_mask",
    "links",
    "mean_cost",
    "mean_cost_divergence",
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
