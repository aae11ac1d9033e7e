"""The search for the series of the least losses."""

from __future__ import annotations

from collections import Counter
from typing import Any

import chainer
import numpy as np
from chainer import backend
from chainer.backends import cuda

from chainer_sdtw._engine.losses import Loss, less_half
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw.learning._lower_bounds import LowerBounds, has_bounds
from chainer_sdtw.learning._matrix import (
    MAX_BYTES,
    as_type,
    between,
    is_symmetric,
    pairs_per_slab,
    self_terms,
)
from sdtw_cpu.types import Integer

# Pairs of which bounds or losses are kept at a time.
_PAIRS = 2**21


class Nearest:
    """The ``count`` series of ``y`` with the least losses, for each of ``x``.

    Losses are those of :func:`~chainer_sdtw.pairwise_soft_dtw` to the last
    bit; of equal ones the first in ``y`` is taken, and what is not a number
    comes last.

    Args:
        x: ``N`` series.
        y: ``M`` series on the same device, None for those of ``x``, none of
            which is then its own neighbor.
        loss: The loss.
        count: At most ``M``, and less than that if ``y`` is None.
        dtype: In which losses are returned.
        max_bytes: Bytes of the series in one sweep.

    Attributes:
        pairs: How many pairs were ``'computed'``, and how many each method of
            ``LowerBounds`` excluded, by its name.
    """

    def __init__(
        self,
        x: SeriesSet,
        y: SeriesSet | None,
        loss: Loss,
        count: int,
        *,
        dtype: Any,
        max_bytes: Integer = MAX_BYTES,
    ) -> None:
        self.pairs: Counter[str] = Counter()
        self._same = y is None  # pairs of the same series are left out
        self._symmetric = is_symmetric(y, loss)
        y = x if y is None else y
        common = np.result_type(x.array.dtype, y.array.dtype)
        self._x, self._y = as_type(x, common), as_type(y, common)
        self._loss, self._count = loss, count
        self._dtype, self._max_bytes = dtype, max_bytes
        self._x_term: Any = None  # of a divergence, (N,)
        self._y_term: Any = None

    def find(self, bar: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and indexes ``(N, count)`` on the host.

        Args:
            bar: Told the number of pairs done.
        """
        x, y, loss = self._x, self._y, self._loss
        with chainer.using_device(backend.get_device_from_array(x.array)):
            if loss.kind.is_divergence:
                self._y_term = self._self_terms(y)
                self._x_term = (
                    self._y_term if self._same else self._self_terms(x)
                )
            bounds = None
            if has_bounds(x, loss):
                terms = self._x_term, self._y_term
                bounds = LowerBounds(x, y, loss, *terms, self._dtype)
            size = max(1, _PAIRS // len(y))
            parts = []
            for start in range(0, len(x), size):
                rows = np.arange(start, min(start + size, len(x)))
                if bounds is None:
                    parts.append(self._all(rows))
                else:
                    parts.append(self._pruned(rows, bounds))
                if bar is not None:
                    bar.update(len(rows) * len(y))
        losses, indexes = zip(*parts)
        return np.concatenate(losses), np.concatenate(indexes)

    def _all(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute all losses of some of ``x``."""
        columns = np.arange(len(self._y))
        i, j = np.repeat(rows, len(columns)), np.tile(columns, len(rows))
        losses = self._losses(i, j).reshape(len(rows), -1)
        order = np.argsort(losses, axis=1, kind="stable")
        if self._same:
            other = order != rows[:, None]
            order = order[other].reshape(len(rows), -1)
        order = order[:, : self._count]
        self.pairs["computed"] += losses.size
        return np.take_along_axis(losses, order, axis=1), order

    def _pruned(
        self, rows: np.ndarray, bounds: LowerBounds
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute those whose bounds are not above the losses found.

        Each round has as many more of those with the least bounds, of all of
        ``rows`` in one sweep, as there were in all rounds before.
        """
        first = bounds.first(rows)
        lower = bounds.of_loss(rows[:, None], np.arange(len(self._y)), first)
        size, count = len(rows), self._count
        left = np.ones(lower.shape, bool)
        if self._same:
            left[np.arange(size), rows] = False
            lower[np.arange(size), rows] = np.nan  # comes last
        j = np.argpartition(lower, count - 1, axis=1)[:, :count].ravel()
        at = np.repeat(np.arange(size), count)
        left[at, j] = False
        best = Best(size, count, self._dtype)
        best.add(at, j, self._losses(rows[at], j))
        computed = len(at)
        left &= ~(lower > best.worst[:, None])
        at, j = np.nonzero(left)
        entered = computed + len(at)
        lower = lower[at, j]
        order = np.lexsort((lower, at))
        at, j, lower = at[order], j[order], lower[order]
        rank = np.arange(len(at)) - np.searchsorted(at, at)
        stop = count
        while len(at):
            part = rank < stop
            some = self._refined(bounds, rows, best, at[part], j[part], first)
            best.add(*some, self._losses(rows[some[0]], some[1]))
            computed += len(some[0])
            later = ~(part | (lower > best.worst[at]))
            self.pairs["first"] += int((~(part | later)).sum())
            at, j, lower, rank = at[later], j[later], lower[later], rank[later]
            stop *= 2
        self.pairs["computed"] += computed
        self.pairs["first"] += size * (len(self._y) - self._same) - entered
        return best.losses, best.indexes

    def _refined(
        self,
        bounds: LowerBounds,
        rows: np.ndarray,
        best: Best,
        at: np.ndarray,
        j: np.ndarray,
        first: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs that further bounds leave.

        Args:
            bounds: The bounds.
            rows: Indexes of some of ``x``.
            best: What has been found of these.
            at: Of each pair, the place in ``rows``.
            j: Of each pair, the index of ``y``.
            first: The first bound, for all ``rows`` and ``y``.
        """
        for name in ("swapped", "improved"):
            bound = getattr(bounds, name)(rows[at], j, first[at, j])
            lower = bounds.of_loss(rows[at], j, bound)
            left = ~(lower > best.worst[at])
            self.pairs[name] += int((~left).sum())
            at, j = at[left], j[left]
        return at, j

    def _losses(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the losses of pairs of series."""
        if self._symmetric:
            i, j = np.minimum(i, j), np.maximum(i, j)
        x, y, loss = self._x, self._y, self._loss
        losses = np.empty(len(i), self._dtype)
        size = pairs_per_slab(x, y, loss, self._max_bytes)
        for start in range(0, len(i), size):
            part = slice(start, start + size)
            value = cuda.to_cpu(between(x, i[part], y, j[part], loss))
            if loss.kind.is_divergence:
                terms = self._x_term[i[part]] + self._y_term[j[part]]
                value = less_half(value, terms)
            losses[part] = value
        return losses

    def _self_terms(self, series: SeriesSet) -> np.ndarray:
        terms = self_terms(series, self._loss, self._max_bytes)
        on_host: np.ndarray = cuda.to_cpu(terms)
        return on_host


class Best:
    """The least losses that have been found, ``(N, count)``, and where."""

    def __init__(self, size: int, count: int, dtype: Any) -> None:
        # What is not found yet comes after all that is.
        self.losses = np.full((size, count), np.nan, dtype)
        self.indexes = np.full((size, count), np.iinfo(np.int64).max)

    @property
    def worst(self) -> np.ndarray:
        """The largest of each row, ``(N,)``, NaN while some are missing."""
        return self.losses[:, -1].astype(np.float64)

    def add(self, at: np.ndarray, j: np.ndarray, losses: np.ndarray) -> None:
        """Keep the best of these and of those before.

        Args:
            at: Rows.
            j: Indexes.
            losses: The loss of each.
        """
        size, count = self.losses.shape
        at = np.concatenate([np.repeat(np.arange(size), count), at])
        j = np.concatenate([self.indexes.ravel(), j])
        losses = np.concatenate([self.losses.ravel(), losses])
        order = np.lexsort((j, losses, at))
        first = np.searchsorted(at[order], np.arange(size))
        order = order[first[:, None] + np.arange(count)]
        self.losses, self.indexes = losses[order], j[order]
