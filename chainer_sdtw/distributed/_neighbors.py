"""Nearest neighbors of and among series that are loaded block by block."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw.distributed.blocks import Blocks
from chainer_sdtw.learning._nearest import Best, Nearest

Found = tuple[np.ndarray, np.ndarray]


def find(x: SeriesSet | Blocks, y: SeriesSet | Blocks, *search: Any) -> Found:
    """Return losses and indexes ``(N, count)``.

    Each task compares one block with all series of the other set. If both are
    in blocks, those of ``x`` are loaded one after the other, so that ``y`` is
    read once for each of them.

    Args:
        x: ``N`` series.
        y: Series, at least ``count``.
        search: The loss, ``count``, the type of the losses, and the bytes of
            the series in one sweep.
    """
    if isinstance(x, Blocks):
        parts: list[Found]
        if isinstance(y, SeriesSet):
            if y.xp is not np:
                raise TypeError(
                    "Y must be in main memory where X is a collection"
                )
            parts = x.map(_search, y, *search)
        else:
            each = (x.take([i]).map(_itself)[0] for i in range(len(x.sizes)))
            parts = [find(block, y, *search) for block in each]
        all_losses, all_indexes = zip(*parts)
        return np.concatenate(all_losses), np.concatenate(all_indexes)
    if isinstance(y, SeriesSet):
        return _search(x, y, *search)
    if x.xp is not np:
        raise TypeError("X must be in main memory where Y is a collection")
    _, count, dtype, _ = search
    best = Best(len(x), count, dtype)
    start = 0
    found = y.map(_among, x, *search)
    for size, (losses, indexes) in zip(y.sizes, found):
        at = np.repeat(np.arange(len(x)), losses.shape[1])
        best.add(at, start + indexes.ravel(), losses.ravel())
        start += size
    return best.losses, best.indexes


def _search(
    x: SeriesSet,
    y: SeriesSet,
    loss: Loss,
    count: int,
    dtype: Any,
    max_bytes: int,
) -> Found:
    count = min(count, len(y))
    return Nearest(x, y, loss, count, dtype=dtype, max_bytes=max_bytes).find()


def _among(y: SeriesSet, x: SeriesSet, *search: Any) -> Found:
    return _search(x, y, *search)


def _itself(series: SeriesSet) -> SeriesSet:
    return series
