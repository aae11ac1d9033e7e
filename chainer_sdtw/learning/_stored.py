"""Matrices of a loss in a Zarr store, computed tile by tile.

What is not NaN in the store is finished, so that a call goes on where another
one has ended, however that was.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import chainer
import numpy as np
from chainer import backend
from chainer.backends import cuda

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.optional import import_error
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw.learning._matrix import (
    as_type,
    fill,
    is_symmetric,
    self_terms,
    tile_shape,
)

ATTRIBUTE = "chainer_sdtw"
"""The attribute of a Zarr array that tells what its matrix is of."""

# A tile is some seconds' work of two cores, which an interrupted call loses,
# but not so small that there would be too many files.
_MAX_CELLS = 2**33
_MIN_PAIRS = 2**16


@dataclass(frozen=True)
class Tile:
    """Rows and columns of a matrix that are computed and written at once."""

    rows: slice
    columns: slice
    mirrored: bool  # whether its transpose is written too

    @property
    def size(self) -> int:
        """Number of pairs."""
        height = self.rows.stop - self.rows.start
        width = self.columns.stop - self.columns.start
        return height * width * (1 + self.mirrored)


def tiles(
    shape: tuple[int, int], step: tuple[int, int], symmetric: bool
) -> Iterator[Tile]:
    """Yield the tiles of a matrix, or of half of a symmetric one."""
    (n, m), (height, width) = shape, step
    for top in range(0, n, height):
        rows = slice(top, min(top + height, n))
        for left in range(top if symmetric else 0, m, width):
            columns = slice(left, min(left + width, m))
            yield Tile(rows, columns, symmetric and left > top)


def pairs_per_tile(
    lengths: tuple[int, int], dtype: np.dtype, max_bytes: int
) -> int:
    """Return how many pairs a tile should have.

    Args:
        lengths: Of the longest series of either set.
        dtype: Of the matrix.
        max_bytes: Of the tile.
    """
    count = max(_MIN_PAIRS, _MAX_CELLS // math.prod(lengths))
    return max(1, min(count, max_bytes // dtype.itemsize))


def even_tile(
    shape: tuple[int, int], count: int, symmetric: bool
) -> tuple[int, int]:
    """Return rows and columns of tiles of nearly one size."""
    height, width = (
        -(-total // -(-total // side))
        for total, side in zip(shape, tile_shape(*shape, count, symmetric))
    )
    return height, width


@dataclass(frozen=True, eq=False)
class About:
    """What a store needs to know of a set of series."""

    digests: np.ndarray  # (N, 16) bytes: of each series and its type
    finite: np.ndarray  # (N,): which have neither a NaN nor an infinity
    length: int  # of the longest

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def digest(self) -> str:
        """One digest of all series, in whichever parts they came."""
        whole = np.ascontiguousarray(self.digests)
        return hashlib.blake2b(whole.data, digest_size=16).hexdigest()


def about(x: SeriesSet) -> About:
    """Return what a store needs to know of a set of series."""
    array = np.ascontiguousarray(cuda.to_cpu(x.array))
    kind = f"{x.dtype.str} {x.features}".encode()
    digests = [
        list(hashlib.blake2b(one[:n], digest_size=16, key=kind).digest())
        for one, n in zip(array, x.lengths)
    ]
    finite = np.isfinite(array).all(axis=(1, 2))
    return About(np.array(digests, np.uint8), finite, array.shape[1])


@dataclass(frozen=True, eq=False)
class Store:
    """A Zarr array that takes a matrix."""

    array: Any
    step: tuple[int, int]  # rows and columns of a tile
    symmetric: bool
    finite: tuple[np.ndarray, np.ndarray]  # of the rows and of the columns

    def tiles(self) -> Iterator[Tile]:
        """Yield all tiles."""
        return tiles(self.array.shape, self.step, self.symmetric)

    def has(self, tile: Tile) -> bool:
        """Return whether a tile is finished."""
        rows, columns = self.finite[0][tile.rows], self.finite[1][tile.columns]
        # The pairs of a series that is not finite are NaN.
        wanted = rows[:, None] & columns
        try:
            done = ~np.isnan(self.array[tile.rows, tile.columns])
            if tile.mirrored:
                mirror = self.array[tile.columns, tile.rows]
                done &= ~np.isnan(mirror.T)
        except Exception:
            # What a store raises of a chunk that was cut short depends on
            # its codecs. Such a chunk is computed again.
            return False
        return bool(done[wanted].all())


def write_tile(array: Any, tile: Tile, values: np.ndarray) -> None:
    """Write a tile, and its transpose where that is another one."""
    if tile.mirrored:
        array[tile.columns, tile.rows] = values.T
    array[tile.rows, tile.columns] = values


def is_store(out: Any) -> bool:
    """Return whether a matrix is to be written to a Zarr array."""
    if isinstance(out, (str, os.PathLike)):
        return True
    module = type(out).__module__.partition(".")[0]
    return module == "zarr" and hasattr(out, "chunks")


def check_apart(out: Any, **sets: Any) -> None:
    """Raise ``ValueError`` if the store has the series of one of the sets.

    Args:
        out: A Zarr array, or the path of one.
        sets: Series in any of their forms, by the names of the arguments.
    """
    for name, series in sets.items():
        if is_store(series) and _place(series) == _place(out):
            raise ValueError(
                f"out must not be {name}: its series would be overwritten"
            )


def _place(array: Any) -> tuple[Any, str]:
    """Return where a Zarr array is, or one that a path names."""
    if isinstance(array, (str, os.PathLike)):
        return os.path.realpath(array), ""
    store = array.store
    root = getattr(store, "root", None) or getattr(store, "path", None)
    if isinstance(root, (str, os.PathLike)):
        return os.path.realpath(os.path.join(root, array.path)), ""
    return id(store), array.path


def open_store(
    out: Any,
    x: About,
    y: About | None,
    loss: Loss,
    *,
    dtype: np.dtype,
    max_bytes: int,
    resume: bool,
) -> Store:
    """Return the store of a matrix, whose unfinished entries are NaN.

    Args:
        out: A Zarr array, or the path of one, which is made if there is none.
        x: What the series of the rows are.
        y: What those of the columns are, None for the same.
        loss: The loss.
        dtype: Of the matrix.
        max_bytes: Bytes that a tile may have.
        resume: Whether to go on with a matrix that is there.

    Raises:
        FileExistsError: If there is something at the path and ``resume`` is
            false.
        ValueError: If an array does not fit, or has another matrix.
    """
    symmetric = is_symmetric(y, loss)
    columns = x if y is None else y
    shape = len(x), len(columns)
    count = pairs_per_tile((x.length, columns.length), dtype, max_bytes)
    new = False
    if isinstance(out, (str, os.PathLike)):
        path = os.fspath(out)
        new = not os.path.exists(path)
        if not new and not resume:
            raise FileExistsError(
                f"out={path!r} exists: with resume=True its matrix is "
                "finished; to start anew, delete it"
            )
        new = new or _is_unmade(path)
        out = _opened(path, shape, dtype, symmetric, count, new)
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out must be {dtype} of shape {shape}, got {out.dtype} of shape "
            f"{out.shape}"
        )
    step = _step(out, symmetric, count, max_bytes)
    made_of = _origin(loss, x, y)
    present = out.attrs.get(ATTRIBUTE)
    if present is not None:
        _check_origin(present, made_of, resume)
    else:
        if not new:
            out[...] = np.nan
        out.attrs[ATTRIBUTE] = made_of
    return Store(out, step, symmetric, (x.finite, columns.finite))


def _is_unmade(path: str) -> bool:
    """Return whether a folder is what making an array leaves when killed.

    That is no file, or the first one when it is not complete.
    """
    return os.path.isdir(path) and all(
        name.endswith(".partial") for name in os.listdir(path)
    )


def _opened(
    path: str,
    shape: tuple[int, int],
    dtype: np.dtype,
    symmetric: bool,
    count: int,
    new: bool,
) -> Any:
    """Open the array at a path, or make it."""
    try:
        import zarr
    except Exception as e:
        raise import_error("out=PATH", "zarr", "zarr", "dask", e) from e
    if not new:
        try:
            return zarr.open_array(path, mode="r+")
        except Exception as e:
            # Of which type depends on Zarr's release.
            raise ValueError(
                f"out={path!r} exists, but is no Zarr array that can be "
                f"opened: {e}"
            ) from e
    return zarr.open_array(
        path,
        # What the process that was killed has left is replaced.
        mode="w" if os.path.isdir(path) else "w-",
        shape=shape,
        chunks=even_tile(shape, count, symmetric),
        dtype=dtype,
        fill_value=np.nan,
    )


def _step(
    array: Any, symmetric: bool, count: int, max_bytes: int
) -> tuple[int, int]:
    """Return rows and columns of a tile: whole chunks, or shards."""
    n, m = array.shape
    units = getattr(array, "shards", None) or array.chunks
    if symmetric:
        units = (math.lcm(*units),) * 2
    least = min(n, units[0]) * min(m, units[1]) * array.dtype.itemsize
    if least > max_bytes:
        raise ValueError(
            f"the chunks {units} of out take {least} bytes, more than "
            f"max_bytes={max_bytes}"
        )
    sides = tile_shape(n, m, count, symmetric)
    height, width = (
        unit * max(1, side // unit) for unit, side in zip(units, sides)
    )
    return height, width


def _check_origin(
    present: dict[str, Any], wanted: dict[str, Any], resume: bool
) -> None:
    other = [name for name in wanted if present.get(name) != wanted[name]]
    if other:
        raise ValueError(
            f"out has a matrix with other {', '.join(other)}: give another "
            f"one, or delete its attribute {ATTRIBUTE!r} to overwrite it"
        )
    if not resume:
        raise ValueError(
            "out has this matrix, or a part of it: with resume=True it is "
            f"finished; to start anew, delete its attribute {ATTRIBUTE!r}"
        )


def _origin(loss: Loss, x: About, y: About | None) -> dict[str, Any]:
    """Return what a matrix is of, in a form that JSON keeps."""
    cost = loss.cost
    if callable(cost):
        # What it computes cannot be told, only its name.
        name = getattr(cost, "__qualname__", type(cost).__qualname__)
        cost = f"{cost.__module__}.{name}"
    return {
        "loss": loss.kind.name,
        "gamma": loss.gamma,
        "cost": cost,
        "bandwidth": loss.bandwidth,
        "X": x.digest,
        "Y": None if y is None else y.digest,
    }


def fill_store(
    out: Any,
    x: SeriesSet,
    y: SeriesSet | None,
    loss: Loss,
    *,
    max_bytes: int,
    resume: bool,
    bar: Any,
) -> Any:
    """Compute what a store lacks of a matrix, and return its array.

    Args:
        out: As :func:`open_store` takes it.
        x: The series of the rows.
        y: Those of the columns, None for the same.
        loss: The loss.
        max_bytes: Bytes of a tile, and of the series of a sweep.
        resume: Whether to go on with a matrix that is there.
        bar: Told the number of pairs done.
    """
    columns = x if y is None else y
    dtype = np.result_type(x.dtype, columns.dtype)
    store = open_store(
        out,
        about(x),
        None if y is None else about(y),
        loss,
        dtype=dtype,
        max_bytes=max_bytes,
        resume=resume,
    )
    wide = np.result_type(x.array.dtype, columns.array.dtype)
    x, columns = as_type(x, wide), as_type(columns, wide)
    x_term = y_term = None
    if loss.kind.is_divergence:
        x_term = self_terms(x, loss, max_bytes)
        y_term = x_term if y is None else self_terms(columns, loss, max_bytes)
    for tile in store.tiles():
        if not (resume and store.has(tile)):
            values = tile_values(
                part(x, tile.rows),
                part(columns, tile.columns),
                loss,
                diagonal=store.symmetric and not tile.mirrored,
                dtype=dtype,
                x_term=None if x_term is None else x_term[tile.rows],
                y_term=None if y_term is None else y_term[tile.columns],
                max_bytes=max_bytes,
            )
            write_tile(store.array, tile, values)
        bar.update(tile.size)
    return store.array


def part(x: SeriesSet, rows: slice) -> SeriesSet:
    """Return neighbouring series of a set."""
    return x.take(np.arange(rows.start, rows.stop))


def tile_values(
    x: SeriesSet,
    y: SeriesSet,
    loss: Loss,
    *,
    diagonal: bool,
    dtype: np.dtype,
    max_bytes: int,
    x_term: Any = None,
    y_term: Any = None,
) -> np.ndarray:
    """Return the loss of all pairs of two parts, on the host.

    Args:
        x: The series of the rows.
        y: Those of the columns.
        loss: The loss.
        diagonal: Whether the two are the same and the loss is symmetric.
        dtype: Of the matrix.
        max_bytes: Bytes of the series of a sweep.
        x_term: As :func:`fill` takes it.
        y_term: As :func:`fill` takes it.
    """
    with chainer.using_device(backend.get_device_from_array(x.array)):
        values = x.xp.empty((len(x), len(y)), dtype)
    fill(
        values,
        x,
        None if diagonal else y,
        loss,
        x_term=x_term,
        y_term=y_term,
        max_bytes=max_bytes,
    )
    return cuda.to_cpu(values)
