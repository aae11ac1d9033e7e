"""Sets of series in parts, as tasks of Dask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from dask.delayed import delayed

from chainer_sdtw._engine.series_set import SeriesSet, as_series_set
from chainer_sdtw.distributed.blocks import Blocks, series_sets
from chainer_sdtw.distributed.sources import as_blocks, is_collection
from chainer_sdtw.learning._stored import part


def as_set(name: str, series: Any) -> SeriesSet | Blocks:
    """Return a set of series, which is loaded if it is no collection."""
    if is_collection(series):
        return as_blocks(series, name)
    return as_series_set(name, series)


@dataclass(frozen=True, eq=False)
class Parts:
    """A set of series in parts, each of which a task computes or holds."""

    values: list[Any]  # delayed or futures, of a SeriesSet each
    sizes: tuple[int, ...]

    @property
    def rows(self) -> list[slice]:
        """The place of each part in the set."""
        edges = np.cumsum((0, *self.sizes)).tolist()
        return [slice(a, b) for a, b in zip(edges, edges[1:])]


def parts_of(
    series: SeriesSet | Blocks, step: int | None = None, client: Any = None
) -> Parts:
    """Return a set in parts.

    Args:
        series: The set.
        step: Series of a part; None for the blocks of a collection.
        client: Of the cluster that gets the series of a set in memory. Each
            part is the result of a task there: it is sent to a worker when
            that needs it for the first time, and not lost with the worker.
    """
    if step is None:
        sizes = getattr(series, "sizes", (len(series),))
    else:
        starts = range(0, len(series), step)
        sizes = tuple(min(step, len(series) - start) for start in starts)
    parts = Parts([], sizes)
    if isinstance(series, Blocks):
        parts.values.extend(_regrouped(series, parts.rows))
    elif client is None:
        same = delayed(_same, pure=True)
        parts.values.extend(same(part(series, at)) for at in parts.rows)
    else:
        parts.values.extend(
            client.submit(_same, part(series, at)) for at in parts.rows
        )
    return parts


def _same(series: SeriesSet) -> SeriesSet:
    return series


def _regrouped(series: Blocks, wanted: list[slice]) -> Iterator[Any]:
    """Yield tasks with the series of slices, whatever the blocks are."""
    join = delayed(_joined, pure=True)
    blocks = [
        (rows.start, rows.stop, block)
        for rows, block in zip(
            Parts([], series.sizes).rows, series_sets(series)
        )
    ]
    first = 0
    for at in wanted:
        while blocks[first][1] <= at.start:
            first += 1
        pieces, rows = [], []
        for start, stop, block in blocks[first:]:
            if start >= at.stop:
                break
            pieces.append(block)
            rows.append(
                (max(at.start, start) - start, min(at.stop, stop) - start)
            )
        whole = rows == [(0, blocks[first][1] - blocks[first][0])]
        yield pieces[0] if whole else join(pieces, rows)


def _joined(blocks: list[SeriesSet], rows: list[tuple[int, int]]) -> SeriesSet:
    """Return the series of these rows of blocks as one set."""
    parts = [part(b, slice(*at)) for b, at in zip(blocks, rows)]
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([one.lengths for one in parts])
    array = np.zeros(
        (len(lengths), int(lengths.max()), parts[0].features),
        np.result_type(*(one.array.dtype for one in parts)),
    )
    start = 0
    for one in parts:
        array[start : start + len(one), : one.array.shape[1]] = one.array
        start += len(one)
    same = (lengths == lengths[0]).all()
    dtype = np.result_type(*(one.dtype for one in parts))
    return SeriesSet(
        array, None if same else lengths, parts[0].univariate, dtype
    )
