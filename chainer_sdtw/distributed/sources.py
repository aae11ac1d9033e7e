"""The collections that are seen as blocks of series."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from chainer_sdtw._engine.optional import import_error
from chainer_sdtw._engine.series_set import as_series_set
from chainer_sdtw.distributed.blocks import Blocks, dask_array, import_dask

__all__ = ["as_blocks", "is_collection"]

MAX_BYTES = 2**26
"""The largest block that an array is cut into."""


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
        return _from_array(dask_array().from_zarr(X), name)
    if is_dask(X):
        if hasattr(X, "chunks"):
            return _from_array(X, name)
        if hasattr(X, "map_partitions") and hasattr(X, "to_delayed"):
            return from_delayed(X.to_delayed(), name)
    raise TypeError(
        f"{name} must be a Dask array or bag, a list of Dask's Delayed, a "
        f"Zarr array or a path, got {type(X).__name__}"
    )


def _from_path(path: Path, name: str) -> Blocks:
    from chainer_sdtw.distributed.parquet import read_parquet

    if not path.exists():
        raise FileNotFoundError(f"{name}: there is nothing at {path}")
    metadata = ".zarray", ".zgroup", "zarr.json"
    if any((path / file).exists() for file in metadata):
        return _from_array(dask_array().from_zarr(_opened(path, name)), name)
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
