"""Sets of series in blocks, each loaded only where it is computed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Callable, TypeVar

import numpy as np
from numpy.typing import NDArray

from chainer_sdtw._engine.optional import import_error
from chainer_sdtw._engine.series_set import (
    SeriesSet,
    as_series_set,
    check_finite,
)
from sdtw_cpu._settings import one_thread
from sdtw_cpu.types import FloatArray

__all__ = ["Blocks", "as_blocks", "is_collection"]

Result = TypeVar("Result")
Item = TypeVar("Item", bound=np.generic)

MAX_BYTES = 2**26
"""The largest block that an array is cut into."""


def import_dask() -> Any:
    """Import Dask.

    Raises:
        ImportError: If it is not installed, or cannot be imported.
    """
    try:
        import dask
    except ImportError as error:
        raise import_error(
            "a collection of series", "dask", "dask", "dask", error
        ) from error
    return dask


@dataclass(frozen=True, eq=False)
class Blocks:
    """A set of series in blocks.

    Made by :func:`as_blocks` or :func:`read_parquet`. Only :meth:`map` and
    :meth:`gather` load series, in tasks of Dask, so that its scheduler says
    where they are loaded and computed, one after the other on as many workers
    as there are.

    Attributes:
        name (str): What messages call the series.
        tasks (tuple): A Dask ``Delayed`` for each block, whose value are the
            block's series in any of the forms of
            :func:`~chainer_sdtw.pairwise_soft_dtw`.
        sizes (tuple of int): How many series each block has.
        features (int): The number of features of every series.
        univariate (bool): Whether series have no axis for features.
        dtype (numpy.dtype): The type of their elements.
        length (int): The length of all series, None where these differ.

    """

    name: str
    tasks: tuple[object, ...]
    sizes: tuple[int, ...]
    features: int
    univariate: bool
    dtype: np.dtype[Any]
    length: int | None
    starts: tuple[int, ...]  # of each block among all series

    def __len__(self) -> int:
        return sum(self.sizes)

    def map(
        self,
        function: Callable[..., Result],
        *shared: object,
        each: Sequence[tuple[object, ...]] | None = None,
    ) -> list[Result]:
        """Return the results of a function for all blocks, in their order.

        On a CPU, the losses of a block are computed by the one thread that
        runs its task.

        Args:
            function (callable): Called as ``function(series, *each[i],
                *shared)`` with the ``SeriesSet`` of a block. What is computed
                of the same arguments must be the same, as Dask may call it
                again where a worker is lost.
            shared: Further arguments, the same for all blocks. They are sent
                once to each worker.
            each (list of tuple): Further arguments of each block.

        Raises:
            TypeError: If the series of a block are not real numbers.
            ValueError: If a block does not fit the others, or a series has a
                NaN or an infinity.

        """
        return list(
            import_dask().compute(*self.delayed(function, *shared, each=each))
        )

    def delayed(
        self,
        function: Callable[..., object],
        *shared: object,
        each: Sequence[tuple[object, ...]] | None = None,
    ) -> list[object]:
        """Return the same as Dask's ``Delayed``, which are not computed yet.

        Args:
            function (callable): As for :meth:`map`.
            shared: As for :meth:`map`.
            each (list of tuple): As for :meth:`map`.

        """
        dask = import_dask()
        common = dask.delayed(shared, traverse=False, pure=False)
        run = dask.delayed(_run, pure=False, traverse=False)
        return [
            run(
                task, self._block(i), function, each[i] if each else (), common
            )
            for i, task in enumerate(self.tasks)
        ]

    def array(
        self,
        function: Callable[..., object],
        *shared: object,
        dtype: np.dtype[Any],
        shape: tuple[int, ...] = (),
    ) -> object:
        """Return arrays with an entry for each series, as one Dask array.

        Args:
            function (callable): As for :meth:`map`; returns ``(n, *shape)``.
            shared: As for :meth:`map`.
            dtype (numpy.dtype): Its type.
            shape (tuple of int): The shape of an entry.

        """
        da = _dask_array()
        parts = zip(self.sizes, self.delayed(function, *shared))
        return da.concatenate(
            [da.from_delayed(part, (n, *shape), dtype) for n, part in parts]
        )

    def take(self, indexes: Sequence[int]) -> Blocks:
        """Return some of the blocks, as a set of their series."""
        return replace(
            self,
            tasks=tuple(self.tasks[i] for i in indexes),
            sizes=tuple(self.sizes[i] for i in indexes),
            starts=tuple(self.starts[i] for i in indexes),
        )

    def split(self, values: NDArray[Item]) -> list[NDArray[Item]]:
        """Cut an array with one entry for each series into those of blocks."""
        return np.split(values, list(accumulate(self.sizes))[:-1])

    def gather(self, indexes: Sequence[int]) -> list[FloatArray]:
        """Load some of the series.

        Args:
            indexes (list of int): Which ones, counted over all blocks.

        Returns:
            list: Arrays ``(length, features)``, in the order of the indexes.

        Raises:
            IndexError: If an index is negative or too large.

        """
        places = np.asarray(indexes)
        outside = places[(places < 0) | (places >= len(self))]
        if len(outside):
            raise IndexError(
                f"indexes must be >= 0 and < {len(self)}, got {outside[0]}"
            )
        ends = np.cumsum(self.sizes)
        block = np.searchsorted(ends, places, side="right")
        rows = places - (ends - self.sizes)[block]
        needed = np.unique(block).tolist()
        parts = self.take(needed).map(
            _rows, each=[(rows[block == i],) for i in needed]
        )
        gathered: list[Any] = [None] * len(places)
        for i, part in zip(needed, parts):
            for place, series in zip(np.flatnonzero(block == i), part):
                gathered[place] = series
        return gathered

    def _block(self, i: int) -> _Expected:
        return _Expected(
            self.name,
            self.starts[i],
            self.sizes[i],
            self.features,
            self.dtype,
        )


@dataclass(frozen=True)
class _Expected:
    """What a block must be, once it is loaded."""

    name: str
    start: int
    size: int
    features: int
    dtype: np.dtype[Any]

    @property
    def label(self) -> str:
        """What messages call the block."""
        return f"{self.name}[{self.start}:{self.start + self.size}]"

    def check(self, series: Any) -> SeriesSet:
        """Return the series of a block in their one form, if it fits."""
        block = as_series_set(self.label, series)
        for what, value, expected in (
            ("series", len(block), self.size),
            ("features", block.features, self.features),
        ):
            if value != expected:
                raise ValueError(
                    f"{self.label} must have {expected} {what} as was said "
                    f"before it was loaded, got {value}"
                )
        # All blocks have the type of the widest.
        dtype = np.promote_types(self.dtype, np.float32)
        array = block.array.astype(dtype, copy=False)
        return replace(block, array=array, dtype=self.dtype)

    def check_finite(self, series: Any) -> SeriesSet:
        """The same, if the series have neither a NaN nor an infinity."""
        block = self.check(series)
        check_finite(self.label, block)
        return block


def _rows(series: SeriesSet, rows: np.ndarray) -> list[np.ndarray]:
    lengths = series.lengths
    return [series.array[row, : lengths[row]].copy() for row in rows]


def _run(
    series: Any,
    expected: _Expected,
    function: Callable[..., Any],
    each: tuple[Any, ...],
    shared: tuple[Any, ...],
) -> Any:
    # There are as many tasks at once as threads.
    with one_thread():
        return function(expected.check_finite(series), *each, *shared)


def series_sets(blocks: Blocks) -> list[Any]:
    """Return the ``SeriesSet`` of each block, as Dask's ``Delayed``.

    Their elements need not be finite.
    """
    load = import_dask().delayed(_Expected.check, pure=True)
    return [
        load(blocks._block(i), task) for i, task in enumerate(blocks.tasks)
    ]


def is_collection(X: object) -> bool:
    """Return whether series are such that :func:`as_blocks` takes them.

    Those are a :class:`Blocks`, a Dask array or bag, a Zarr array, a path, and
    a list of Dask's ``Delayed``.

    Args:
        X: Anything.

    """
    if isinstance(X, (Blocks, str, os.PathLike)):
        return True
    if isinstance(X, (list, tuple)):
        return bool(X) and all(map(_is_delayed, X))
    return is_dask(X) or _is_zarr(X)


def is_dask(X: Any) -> bool:
    """Return whether it is a collection of Dask."""
    return hasattr(X, "__dask_graph__") and not _is_delayed(X)


def _is_delayed(X: Any) -> bool:
    # A Delayed has any attribute that it is asked for.
    module = sys.modules.get("dask.delayed")
    return module is not None and isinstance(X, module.Delayed)


def _is_zarr(X: Any) -> bool:
    package = type(X).__module__.partition(".")[0]
    return package == "zarr" and hasattr(X, "chunks")


def as_blocks(X: object, name: str = "X") -> Blocks:
    """Return a collection of series as blocks of them.

    Args:
        X: One of

            - a Dask or a Zarr array ``(N, L, d)``, or ``(N, L)`` for
              univariate series. Its chunks along the first axis are the
              blocks, those of more than 64 MB cut;
            - the path of a Zarr array, or of a Parquet file or folder, which
              is read by :func:`read_parquet`;
            - a list of Dask's ``Delayed``, each of them one block of series
              as an array ``(n, L, d)`` or ``(n, L)``, or as a list of arrays
              ``(length, d)`` or ``(length,)``. They are loaded once to learn
              how many there are;
            - a Dask bag of series, one an item, whose partitions are the
              blocks.
        name (str): What messages call the series.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ImportError: If what the collection needs is not installed.
        TypeError: If it is no collection, or not of real numbers.
        ValueError: If a shape is wrong, or there are no series.

    """
    if isinstance(X, Blocks):
        return replace(X, name=name)
    if isinstance(X, (str, os.PathLike)):
        return _from_path(Path(X), name)
    if isinstance(X, (list, tuple)) and X and all(map(_is_delayed, X)):
        return from_delayed(X, name)
    if _is_zarr(X):
        return _from_array(_dask_array().from_zarr(X), name)
    if is_dask(X):
        if hasattr(X, "chunks"):
            return _from_array(X, name)
        if hasattr(X, "map_partitions") and hasattr(X, "to_delayed"):
            return from_delayed(X.to_delayed(), name)
    raise TypeError(
        f"{name} must be a Dask array or bag, a list of Dask's Delayed, a "
        f"Zarr array or a path, got {type(X).__name__}"
    )


def _dask_array() -> Any:
    import_dask()
    import dask.array

    return dask.array


def _from_path(path: Path, name: str) -> Blocks:
    from chainer_sdtw.distributed.parquet import read_parquet

    if not path.exists():
        raise FileNotFoundError(f"{name}: there is nothing at {path}")
    metadata = ".zarray", ".zgroup", "zarr.json"
    if any((path / file).exists() for file in metadata):
        return _from_array(_dask_array().from_zarr(_opened(path, name)), name)
    return read_parquet(path, name=name)


def _opened(path: Path, name: str) -> Any:
    """Open a Zarr array."""
    try:
        import zarr
    except ImportError as error:
        raise import_error(
            "reading Zarr", "zarr", "zarr", "dask", error
        ) from error
    array = zarr.open(str(path), mode="r")
    if not _is_zarr(array):
        raise ValueError(
            f"{name}: {path} is a group of Zarr arrays; give the path of one "
            "of them"
        )
    return array


def _from_array(array: Any, name: str) -> Blocks:
    """Return the blocks of a Dask array, along its first axis."""
    if array.dtype.kind not in "iufb":
        raise TypeError(f"{name} must be real numbers, got {array.dtype}")
    if np.isnan(array.shape).any() and array.ndim in (2, 3):
        array = array.compute_chunk_sizes()
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(
            f"{name} must be series of shape (N, length, features) or (N, "
            f"length), not empty; got shape {array.shape}"
        )
    rest = dict.fromkeys(range(1, array.ndim), -1)
    per_series = int(np.prod(array.shape[1:])) * array.dtype.itemsize
    most = max(1, MAX_BYTES // per_series)
    rows = tuple(
        part for size in array.chunks[0] if size for part in _cut(size, most)
    )
    array = array.rechunk({0: rows, **rest})
    dtype = np.dtype("f8")
    if array.dtype.kind == "f":
        dtype = array.dtype.newbyteorder("=")
    return Blocks(
        name=name,
        tasks=tuple(array.to_delayed().ravel()),
        sizes=rows,
        features=array.shape[2] if array.ndim == 3 else 1,
        univariate=array.ndim == 2,
        dtype=dtype,
        length=array.shape[1],
        starts=_starts(rows),
    )


def _cut(size: int, most: int) -> list[int]:
    """Cut a number of rows into nearly equal numbers of at most so many."""
    count = -(-size // most)
    return [(i + 1) * size // count - i * size // count for i in range(count)]


def _starts(sizes: Sequence[int]) -> tuple[int, ...]:
    return tuple(accumulate(sizes, initial=0))[:-1]


def from_delayed(tasks: Sequence[Any], name: str) -> Blocks:
    """Return the blocks that tasks load, after a look at each of them."""
    dask = import_dask()
    look = dask.delayed(_look, pure=False)
    starts = [f"block {i} of {name}" for i in range(len(tasks))]
    looks = dask.compute(*map(look, tasks, starts))
    pairs = [(task, found) for task, found in zip(tasks, looks) if found[0]]
    if not pairs:
        raise ValueError(f"{name} must have at least one series")
    _, features, univariate, _, _ = first = pairs[0][1]
    for i, found in enumerate(looks):
        if found[0] and found[1:3] != first[1:3]:
            raise ValueError(
                f"block {i} of {name} must be like the first, with series "
                f"{_shape(first)}, got {_shape(found)}"
            )
    sizes = tuple(size for _, (size, *_) in pairs)
    lengths = {found[3] for _, found in pairs}
    return Blocks(
        name=name,
        tasks=tuple(task for task, _ in pairs),
        sizes=sizes,
        features=features,
        univariate=univariate,
        dtype=np.result_type(*(found[4] for _, found in pairs)),
        length=lengths.pop() if len(lengths) == 1 else None,
        starts=_starts(sizes),
    )


def _look(series: Any, name: str) -> tuple[int, int, bool, Any, Any]:
    """Return the size, features, form, length and type of a block."""
    if len(series) == 0:
        return 0, 0, False, None, None
    block = as_series_set(name, series)
    length = None if block.length is not None else block.array.shape[1]
    return len(block), block.features, block.univariate, length, block.dtype


def _shape(found: tuple[int, int, bool, Any, Any]) -> str:
    return "(length,)" if found[2] else f"(length, {found[1]})"
