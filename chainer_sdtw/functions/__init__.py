"""Losses, one file each."""

from chainer_sdtw.functions.soft_dtw import soft_dtw
from chainer_sdtw.functions.soft_dtw_from_cost import soft_dtw_from_cost

__all__ = ["soft_dtw", "soft_dtw_from_cost"]
