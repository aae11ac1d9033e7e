"""Series that are larger than memory, and clusters of machines."""

from chainer_sdtw.distributed.blocks import Blocks
from chainer_sdtw.distributed.parquet import read_parquet
from chainer_sdtw.distributed.sources import as_blocks, is_collection

__all__ = ["Blocks", "as_blocks", "is_collection", "read_parquet"]
