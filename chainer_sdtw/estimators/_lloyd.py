"""Lloyd's algorithm, which k-means of time series follows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainer_sdtw.estimators._training_series import TrainingSeries
from chainer_sdtw.learning._search import minimize
from chainer_sdtw.learning._stopping import Stopping
from chainer_sdtw.learning._sums import double_sum

# The tolerance of the last barycenters, relative to that of those before.
_FINER = 1e-7


class Limits(NamedTuple):
    """How long to search."""

    iterations: Stopping  # of k-means
    barycenters: Stopping  # of the search for them in one iteration


class State(NamedTuple):
    """Centers, and what they are for the series."""

    inertia: float
    centers: Any  # (K, length, d), on the device
    labels: np.ndarray  # (N,)
    losses: np.ndarray  # (N,), of series and their centers
    iterations: int


class LloydSearch:
    """Lloyd's algorithm from one start after the other.

    Args:
        series: The series.
        limits: When to stop.

    Attributes:
        best: The best state of all iterations so far, None before the first.
    """

    def __init__(self, series: TrainingSeries, limits: Limits) -> None:
        self.series = series
        self.limits = limits
        self.best: State | None = None
        self._labels: np.ndarray | None = None  # of the last update

    def run(self, centers: Any, bar: Any) -> None:
        """Improve centers until they stay; keep them if they are the best."""
        tol, max_iter = self.limits.iterations
        state, settled = self._assigned(centers, 0), False
        self._labels = None
        for i in range(1, max_iter + 1):
            labels, centers = self._without_empty(state)
            centers = self._updated(centers, labels, settled)
            before, state = state, self._assigned(centers, i)
            if self.best is None or state.inertia < self.best.inertia:
                self.best = state
            bar.set_postfix_str(f"{state.inertia:.6g}", refresh=False)
            bar.update()
            same = np.array_equal(before.labels, state.labels)
            gain = before.inertia - state.inertia
            small = gain <= tol * abs(state.inertia)
            if settled and same and small:
                break
            settled = same

    def _assigned(self, centers: Any, iterations: int) -> State:
        """Assign each series to its closest center."""
        labels, least = self.series.closest(centers)
        if not np.isfinite(least).all():
            raise FloatingPointError(
                "losses are not finite: the costs are beyond the range of "
                f"{centers.dtype}"
            )
        inertia = float(double_sum(self.series.weights * least).sum())
        return State(inertia, centers, labels, least, iterations)

    def _without_empty(self, state: State) -> tuple[np.ndarray, Any]:
        """Labels and centers such that each center has a series."""
        labels, centers = state.labels, state.centers
        sizes = np.bincount(labels, minlength=len(centers))
        empty = np.flatnonzero(sizes == 0)
        if not len(empty):
            return labels, centers
        labels, centers = labels.copy(), centers.copy()
        distances = np.where(self.series.weights > 0, state.losses, -np.inf)
        farthest = iter(np.argsort(-distances, kind="stable"))
        for k in empty:
            i = next(i for i in farthest if sizes[labels[i]] > 1)
            sizes[labels[i]] -= 1
            labels[i] = k
            centers[k] = self.series.as_centers([i])[0]
        return labels, centers

    def _updated(self, centers: Any, labels: np.ndarray, settled: bool) -> Any:
        """Move centers to the barycenters of their series.

        Until labels have settled, only those whose series have changed.
        """
        objective = self.series.objective(labels, len(centers))
        stopping, indexes = self.limits.barycenters, list(range(len(centers)))
        if settled:
            stopping = stopping._replace(tol=stopping.tol * _FINER)
        elif self._labels is not None:
            changed = labels != self._labels
            indexes = np.union1d(
                labels[changed], self._labels[changed]
            ).tolist()
        self._labels = labels
        if not indexes:
            return centers
        barycenters, _ = minimize(
            objective.part(indexes), centers[indexes], stopping
        )
        centers = centers.copy()
        centers[indexes] = barycenters
        return centers
