"""Sets of series in blocks, each loaded only where it is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Callable, TypeVar

import numpy as np
from numpy.typing import NDArray

from chainer_sdtw._engine.optional import import_error
from chainer_sdtw._engine.series_set import (
    SeriesSet,
    as_series_set,
    check_finite,
    computed_dtype,
)
from sdtw_cpu._settings import one_thread
from sdtw_cpu.types import FloatArray

__all__ = ["Blocks"]

Result = TypeVar("Result")
Item = TypeVar("Item", bound=np.generic)


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


def dask_array() -> Any:
    """Import Dask's arrays."""
    import_dask()
    import dask.array

    return dask.array


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
        da = dask_array()
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
        array = block.array.astype(computed_dtype(self.dtype), copy=False)
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
