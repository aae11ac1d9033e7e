"""The UCR/UEA time series classification archive."""

from chainer_sdtw.datasets._dataset import UCRDataset
from chainer_sdtw.datasets.ucr import get_ucr

__all__ = ["UCRDataset", "get_ucr"]
