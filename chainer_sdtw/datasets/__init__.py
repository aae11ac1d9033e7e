from chainer_sdtw.datasets.ucr import UCRDataset, get_ucr

__all__ = ["UCRDataset", "get_ucr"]
