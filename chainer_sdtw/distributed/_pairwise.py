"""Matrices of a loss, computed tile by tile as tasks of Dask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute
from dask.delayed import delayed
from dask.diagnostics.progress import ProgressBar

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import SeriesSet, computed_dtype
from chainer_sdtw.distributed._parts import Parts, parts_of
from chainer_sdtw.distributed.blocks import Blocks
from chainer_sdtw.learning._matrix import as_type, is_symmetric, self_terms
from chainer_sdtw.learning._progress import progress as progress_bar
from chainer_sdtw.learning._stored import (
    About,
    Tile,
    about,
    even_tile,
    open_store,
    pairs_per_tile,
    tile_values,
    write_tile,
)
from sdtw_cpu._settings import one_thread

_TILES_PER_THREAD = 8
"""How many tiles each thread of a cluster gets, so that all end at once."""

_MIN_PAIRS = 2**18
"""How many pairs a tile has where only one of its sides is given."""


@dataclass(frozen=True, eq=False)
class Plan:
    """The tasks of a matrix.

    Args:
        x: The series of the rows.
        y: Those of the columns, None for the same.
        loss: The loss.
        max_bytes: Bytes of the series of a sweep.
    """

    x: SeriesSet | Blocks
    y: SeriesSet | Blocks | None
    loss: Loss
    max_bytes: int

    def __post_init__(self) -> None:
        if self.x.features != self.columns.features:
            raise ValueError(
                "X and Y must have the same number of features, got "
                f"{self.x.features} and {self.columns.features}"
            )

    @property
    def columns(self) -> SeriesSet | Blocks:
        """The series of the columns."""
        return self.x if self.y is None else self.y

    @property
    def shape(self) -> tuple[int, int]:
        """Of the matrix."""
        return len(self.x), len(self.columns)

    @property
    def dtype(self) -> np.dtype:
        """Of the matrix."""
        return np.result_type(self.x.dtype, self.columns.dtype)

    @property
    def symmetric(self) -> bool:
        """Whether half of the matrix is computed."""
        return is_symmetric(self.y, self.loss)

    def tasks(
        self, x: Parts, y: Parts | None
    ) -> Iterator[tuple[int, int, Tile, tuple[Any, ...]]]:
        """Yield the tiles, row by row.

        Yields:
            The numbers of the two parts, the tile, and the arguments of
            :func:`_values` for it.
        """
        x_terms = self._terms(x)
        columns, y_terms = x, x_terms
        if y is not None:
            columns, y_terms = y, self._terms(y)
        edges = columns.rows
        for i, rows in enumerate(x.rows):
            for j in range(i if self.symmetric else 0, len(edges)):
                tile = Tile(rows, edges[j], self.symmetric and j > i)
                arguments = (
                    x.values[i],
                    columns.values[j],
                    self.loss,
                    self.symmetric and i == j,
                    self.dtype,
                    x_terms[i],
                    y_terms[j],
                    self.max_bytes,
                )
                yield i, j, tile, arguments

    def _terms(self, parts: Parts) -> list[Any]:
        """Return a divergence's terms of the series with themselves."""
        if not self.loss.kind.is_divergence:
            return [None] * len(parts.sizes)
        dtype = computed_dtype(self.dtype)
        terms = delayed(_self_terms, pure=True)
        return [
            terms(value, self.loss, dtype, self.max_bytes)
            for value in parts.values
        ]


def _self_terms(
    x: SeriesSet, loss: Loss, dtype: np.dtype, max_bytes: int
) -> Any:
    with one_thread():
        return self_terms(as_type(x, dtype), loss, max_bytes)


def _values(
    x: SeriesSet,
    y: SeriesSet,
    loss: Loss,
    diagonal: bool,
    dtype: np.dtype,
    x_term: Any,
    y_term: Any,
    max_bytes: int,
) -> np.ndarray:
    """Return a tile; Dask runs as many of these as there are processors."""
    with one_thread():
        return tile_values(
            x,
            y,
            loss,
            diagonal=diagonal,
            dtype=dtype,
            x_term=x_term,
            y_term=y_term,
            max_bytes=max_bytes,
        )


def _write(array: Any, tile: Tile, *arguments: Any) -> None:
    write_tile(array, tile, _values(*arguments))


def lazy_matrix(plan: Plan) -> Any:
    """Return the matrix as a Dask array, a chunk for each pair of chunks."""
    x = parts_of(plan.x, _step_beside(plan.x, plan.y))
    y = None
    if plan.y is not None:
        y = parts_of(plan.y, _step_beside(plan.y, plan.x))
    columns = x if y is None else y
    values = delayed(_values, pure=True)
    rows: list[list[Any]] = [[None] * len(columns.sizes) for _ in x.sizes]
    for i, j, tile, arguments in plan.tasks(x, y):
        shape = x.sizes[i], columns.sizes[j]
        task = values(*arguments)
        rows[i][j] = da.from_delayed(task, shape=shape, dtype=plan.dtype)
        if tile.mirrored:
            rows[j][i] = rows[i][j].T
    return da.block(rows)


def _step_beside(series: Any, other: Any) -> int | None:
    """Return the series of a part of a set beside a collection."""
    if isinstance(series, Blocks):
        return None  # its own blocks
    return max(1, _MIN_PAIRS // max(other.sizes))


def compute_matrix(
    plan: Plan, out: Any, *, client: Any, progress: bool
) -> None:
    """Compute the matrix on a cluster, and write it to an array in memory.

    Args:
        plan: Its tasks.
        out: ``(N, M)``; NaN where nothing is computed.
        client: Of the cluster.
        progress: Whether to show a progress bar.
    """
    sets: tuple[Any, Any] = plan.x, plan.columns
    lengths = sets[0].array.shape[1], sets[1].array.shape[1]
    threads = max(1, sum(client.nthreads().values()))
    count = min(
        pairs_per_tile(lengths, plan.dtype, plan.max_bytes),
        max(1, out.size // (threads * _TILES_PER_THREAD)),
    )
    height, width = even_tile(plan.shape, count, plan.symmetric)
    x = parts_of(plan.x, height, client)
    y = None if plan.y is None else parts_of(plan.y, width, client)
    out[...] = np.nan  # of which the parts are copies if it is a set
    values = delayed(_values, pure=True)
    tasks = [
        (tile, values(*arguments))
        for _, _, tile, arguments in plan.tasks(x, y)
    ]
    with progress_bar(
        progress, out.size, plan.loss.kind.name, unit="pair"
    ) as bar:
        for tile, block in _computed(tasks, client):
            out[tile.rows, tile.columns] = block
            if tile.mirrored:
                out[tile.columns, tile.rows] = block.T
            bar.update(tile.size)


def store_matrix(
    plan: Plan, out: Any, *, client: Any, resume: bool, progress: bool
) -> Any:
    """Compute what a store lacks of the matrix by tasks that write to it.

    Args:
        plan: The tasks of the matrix.
        out: As :func:`~chainer_sdtw.learning._stored.open_store` takes it.
        client: Of the cluster, None for the scheduler that Dask would use.
        resume: Whether to go on with a matrix that is there.
        progress: Whether to show a progress bar: Dask's without a client.

    Returns:
        The Zarr array.

    Raises:
        RuntimeError: If what workers write does not arrive.
    """
    store = open_store(
        out,
        _about(plan.x, client),
        None if plan.y is None else _about(plan.y, client),
        plan.loss,
        dtype=plan.dtype,
        max_bytes=plan.max_bytes,
        resume=resume,
    )
    height, width = store.step
    x = parts_of(plan.x, height, client)
    y = None if plan.y is None else parts_of(plan.y, width, client)
    write = delayed(_write, pure=False)
    tasks = [
        (tile, write(store.array, tile, *arguments))
        for _, _, tile, arguments in plan.tasks(x, y)
        if not (resume and store.has(tile))
    ]
    if client is None:
        with ProgressBar() if progress else nullcontext():
            compute(*(task for _, task in tasks))
        return store.array
    total = plan.shape[0] * plan.shape[1]
    with progress_bar(
        progress, total, plan.loss.kind.name, unit="pair"
    ) as bar:
        bar.update(total - sum(tile.size for tile, _ in tasks))
        for tile, _ in _computed(tasks, client):
            if tile is tasks[0][0] and not store.has(tile):
                raise RuntimeError(
                    "a tile that a worker has written is not in out, which "
                    "must be on storage that workers and client share"
                )
            bar.update(tile.size)
    return store.array


def _about(series: SeriesSet | Blocks, client: Any) -> About:
    """Return what a store needs to know; loads a collection once."""
    if isinstance(series, SeriesSet):
        return about(series)
    describe = delayed(about, pure=True)
    found = compute(
        *(describe(value) for value in parts_of(series).values),
        scheduler=None if client is None else client.get,
    )
    return About(
        np.concatenate([one.digests for one in found]),
        np.concatenate([one.finite for one in found]),
        max(one.length for one in found),
    )


def _computed(
    tasks: list[tuple[Tile, Any]], client: Any
) -> Iterator[tuple[Tile, Any]]:
    """Yield tiles and what their tasks return, as they are finished."""
    from distributed import as_completed

    futures = client.compute([task for _, task in tasks])
    tiles = {future.key: tile for future, (tile, _) in zip(futures, tasks)}
    try:
        for future, result in as_completed(futures, with_results=True):
            yield tiles[future.key], result
            future.release()
    finally:
        # Nothing goes on after an error or Ctrl-C.
        client.cancel(futures)
