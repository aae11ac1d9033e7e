"""The series that k-means is fitted to, and what it asks of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
from chainer.backends import cuda

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw.estimators._initial_centers import a_sample, far_apart
from chainer_sdtw.learning._matrix import matrix, self_terms
from chainer_sdtw.learning._objective import AnyObjective, Objective
from chainer_sdtw.learning._resampling import resampled


class Batch(NamedTuple):
    """Some of the series."""

    series: SeriesSet
    weights: np.ndarray  # (n,)


class TrainingSeries(Protocol):
    """``N`` series, wherever they are."""

    weights: np.ndarray  # (N,), >= 0, the largest 1

    def as_centers(self, indexes: Any) -> Any:
        """Return series of the length of centers ``(K, length, d)``."""

    def far_apart(
        self, count: int, size: int | None, rng: np.random.RandomState
    ) -> Any:
        """Return the same of series that k-means++ chooses.

        Args:
            count: How many to choose.
            size: Among how many, which are drawn; None for the usual number.
            rng: What draws.
        """

    def batches(self, batches: Iterable[np.ndarray]) -> Iterator[Batch]:
        """Yield batches of series, of which the indexes are given."""

    def closest(self, centers: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return each series' closest center and its loss to this, ``(N,)``.

        The losses are float64.
        """

    def objective(self, labels: np.ndarray, count: int) -> AnyObjective:
        """Return the objective of ``count`` barycenters."""


class SeriesInMemory:
    """Series in the memory of one process, or of its GPU.

    Args:
        series: ``N`` series.
        loss: The loss.
        weights: ``(N,)``, >= 0.
        length: The length of centers.
    """

    def __init__(
        self, series: SeriesSet, loss: Loss, weights: np.ndarray, length: int
    ) -> None:
        self.weights = weights
        self._series = series
        self._loss = loss
        self._length = length
        self._as_centers: Any = None

    def as_centers(self, indexes: Any) -> Any:
        if self._as_centers is None:
            self._as_centers = resampled(self._series, self._length)
        return self._as_centers[self._series.xp.asarray(indexes)]

    def far_apart(
        self, count: int, size: int | None, rng: np.random.RandomState
    ) -> Any:
        series, weights, terms = self._series, self.weights, self._terms
        rows = np.arange(len(series))
        if size is not None and size < len(series):
            rows = a_sample(weights, max(size, count), rng)
            series, weights = series.take(rows), weights[rows]
            terms = None if terms is None else terms[series.xp.asarray(rows)]
        chosen = far_apart(series, self._loss, terms, weights, count, rng)
        return self.as_centers(rows[chosen])

    def batches(self, batches: Iterable[np.ndarray]) -> Iterator[Batch]:
        for rows in batches:
            yield Batch(self._series.take(rows), self.weights[rows])

    @cached_property
    def _terms(self) -> Any:
        """A divergence's terms ``(N,)`` of series with themselves."""
        if not self._loss.kind.is_divergence:
            return None
        return self_terms(self._series, self._loss)

    def closest(self, centers: Any) -> tuple[np.ndarray, np.ndarray]:
        return closest(self._series, self._loss, centers, x_term=self._terms)

    def objective(self, labels: np.ndarray, count: int) -> Objective:
        return Objective(self._series, self._loss, self.weights, labels, count)


def closest(
    series: SeriesSet, loss: Loss, centers: Any, **terms: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return each series' closest center and its loss to this.

    Args:
        series: ``N`` series.
        loss: The loss.
        centers: ``(K, length, d)``, where the series are.
        terms: A divergence's terms of series or centers with themselves, as
            :func:`~chainer_sdtw.learning._matrix.fill` has them.

    Returns:
        Indexes ``(N,)`` and losses ``(N,)`` in float64.
    """
    as_series = SeriesSet(centers, None, False, centers.dtype)
    losses = cuda.to_cpu(matrix(series, as_series, loss, **terms))
    return losses.argmin(axis=1), losses.min(axis=1).astype(np.float64)
