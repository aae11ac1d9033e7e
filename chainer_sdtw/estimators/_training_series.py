"""The series that k-means is fitted to, and what it asks of them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from chainer.backends import cuda

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw.estimators._initial_centers import far_apart
from chainer_sdtw.learning._matrix import matrix, self_terms
from chainer_sdtw.learning._objective import AnyObjective, Objective
from chainer_sdtw.learning._resampling import resampled


class TrainingSeries(Protocol):
    """``N`` series, wherever they are."""

    weights: np.ndarray  # (N,), >= 0, the largest 1

    def as_centers(self, indexes: Any) -> Any:
        """Return series of the length of centers ``(K, length, d)``."""

    def far_apart(self, count: int, rng: np.random.RandomState) -> Any:
        """Return the same of series that k-means++ chooses."""

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
        divergence = loss.kind.is_divergence
        self._terms = self_terms(series, loss) if divergence else None
        self._as_centers: Any = None

    def as_centers(self, indexes: Any) -> Any:
        if self._as_centers is None:
            self._as_centers = resampled(self._series, self._length)
        return self._as_centers[self._series.xp.asarray(indexes)]

    def far_apart(self, count: int, rng: np.random.RandomState) -> Any:
        return self.as_centers(
            far_apart(
                self._series, self._loss, self._terms, self.weights, count, rng
            )
        )

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
