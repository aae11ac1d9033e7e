"""Losses, one file each."""

from chainer_sdtw.functions.alignment_path import alignment_path
from chainer_sdtw.functions.cost_matrix import cost_matrix
from chainer_sdtw.functions.diagonal_prior import diagonal_prior
from chainer_sdtw.functions.dilate_loss import dilate_loss
from chainer_sdtw.functions.itakura_mask import itakura_mask
from chainer_sdtw.functions.mean_cost import mean_cost
from chainer_sdtw.functions.mean_cost_divergence import mean_cost_divergence
from chainer_sdtw.functions.sharp_soft_dtw import sharp_soft_dtw
from chainer_sdtw.functions.sharp_soft_dtw_divergence import (
    sharp_soft_dtw_divergence,
)
from chainer_sdtw.functions.soft_alignment import soft_alignment
from chainer_sdtw.functions.soft_dtw import soft_dtw
from chainer_sdtw.functions.soft_dtw_divergence import soft_dtw_divergence
from chainer_sdtw.functions.soft_dtw_from_cost import soft_dtw_from_cost
from chainer_sdtw.functions.temporal_distortion_index import (
    temporal_distortion_index,
)

__all__ = [
    "alignment_path",
    "cost_matrix",
    "diagonal_prior",
    "dilate_loss",
    "itakura_mask",
    "mean_cost",
    "mean_cost_divergence",
    "sharp_soft_dtw",
    "sharp_soft_dtw_divergence",
    "soft_alignment",
    "soft_dtw",
    "soft_dtw_divergence",
    "soft_dtw_from_cost",
    "temporal_distortion_index",
]
