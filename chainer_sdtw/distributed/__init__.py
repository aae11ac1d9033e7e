"""Series that are larger than memory, and clusters of machines."""

from chainer_sdtw.distributed.blocks import Blocks, as_blocks, is_collection
from chainer_sdtw.distributed.parquet import read_parquet

__all__ = ["Blocks", "as_blocks", "is_collection", "read_parquet"]
