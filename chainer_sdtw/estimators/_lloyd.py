"""Lloyd's algorithm, which k-means of time series follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from chainer.backends import cuda

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import Batch
from chainer_sdtw.learning._matrix import fill, self_terms
from chainer_sdtw.learning._objective import Objective
from chainer_sdtw.learning._resampling import resampled
from chainer_sdtw.learning._search import minimize
from sdtw_cpu.checks import as_integer, as_nonnegative

if TYPE_CHECKING:
    from chainer_sdtw.estimators.k_means import SoftDTWKMeans

# The tolerance of the last barycenters in terms of that before.
_FINER = 1e-7


class Limits(NamedTuple):
    """How many clusters to look for, and how long, in types of Python."""

    n_clusters: int
    max_iter: int
    tol: float
    max_iter_barycenter: int
    tol_barycenter: float

    @classmethod
    def of(cls, model: SoftDTWKMeans) -> Limits:
        """Those of a model, checked."""
        checked: dict[str, Any] = {}
        for name in cls._fields:
            value = getattr(model, name)
            if name.startswith("tol"):
                checked[name] = as_nonnegative(name, value)
            else:
                checked[name] = as_integer(name, value, 1)
        return cls(**checked)


class State(NamedTuple):
    """Centers, and what becomes of the series with them."""

    inertia: float
    centers: Any  # (K, length, d), on the device
    labels: np.ndarray
    iterations: int


class Search:
    """Lloyd's algorithm from one start after the other."""

    def __init__(
        self,
        model: SoftDTWKMeans,
        limits: Limits,
        batch: Batch,
        loss: Loss,
        weights: np.ndarray,
        length: int,
    ) -> None:
        self.model = model
        self.limits = limits
        self.batch = batch
        self.loss = loss
        self.weights = weights
        self.length = length
        self.best: State | None = None
        self._term = (
            self_terms(batch, loss) if loss.kind.is_divergence else None
        )
        self._as_centers: Any = None
        self._labels: np.ndarray | None = None  # of the last update

    def run(self, centers: Any, bar: Any) -> None:
        """Improve centers until they stay; keep them if they are the best."""
        limits = self.limits
        state, settled = self._assigned(centers, 0), False
        self._labels = None
        for i in range(1, limits.max_iter + 1):
            labels, centers = self._without_empty(state)
            centers = self._updated(centers, labels, settled)
            before, state = state, self._assigned(centers, i)
            if self.best is None or state.inertia < self.best.inertia:
                self.best = state
            bar.set_postfix_str(f"{state.inertia:.6g}", refresh=False)
            bar.update()
            same = np.array_equal(before.labels, state.labels)
            gain = before.inertia - state.inertia
            small = gain <= limits.tol * abs(state.inertia)
            if settled and same and small:
                break
            settled = same

    def seeds(self, how: Any, rng: np.random.RandomState) -> Any:
        """Series as centers ``(K, length, d)``."""
        size, count = len(self.batch), self.limits.n_clusters
        if how == "random":
            share = self.weights / self.weights.sum()
            some = np.count_nonzero(share) >= count
            share = share if some else None
            return self._resampled(rng.choice(size, count, False, share))
        return self._resampled(self._far_apart(count, rng))

    def _far_apart(self, count: int, rng: np.random.RandomState) -> list[int]:
        """The indexes that k-means++ chooses, the best of some draws each."""
        batch, weights, loss = self.batch, self.weights, self.loss.divergence
        term = self._term
        if term is None:
            term = self_terms(batch, loss)

        def distances(indexes: np.ndarray) -> np.ndarray:
            out = batch.xp.empty((len(batch), len(indexes)), term.dtype)
            some = batch.take(indexes)
            some_term = term[batch.xp.asarray(indexes)]
            fill(out, batch, some, loss, x_term=term, y_term=some_term)
            return np.maximum(cuda.to_cpu(out).astype(np.float64), 0)

        draws = 2 + int(np.log(count))
        chosen = [int(rng.choice(len(batch), p=weights / weights.sum()))]
        closest = distances(np.array(chosen))[:, 0]
        while len(chosen) < count:
            share = weights * closest
            share[chosen] = 0
            if not share.sum() > 0:
                # Nothing is away from what has been chosen.
                left = np.setdiff1d(np.arange(len(batch)), chosen)
                chosen.append(int(rng.choice(left)))
                continue
            some = rng.choice(len(batch), draws, p=share / share.sum())
            some = np.unique(some)
            then = np.minimum(closest[:, None], distances(some))
            k = int((weights @ then).argmin())
            chosen.append(int(some[k]))
            closest = then[:, k]
        return chosen

    def _resampled(self, indexes: Any) -> Any:
        if self._as_centers is None:
            series = resampled(self.batch, self.length)
            self._as_centers = series
        return self._as_centers[self.batch.xp.asarray(indexes)]

    def _assigned(self, centers: Any, iterations: int) -> State:
        some = Batch(centers, None, False, centers.dtype)
        values = self.model._losses(self.batch, some, x_term=self._term)
        labels = values.argmin(axis=1)
        least = values.min(axis=1).astype(np.float64)
        if not np.isfinite(least).all():
            raise FloatingPointError(
                "losses are not finite: the costs are beyond the range of "
                f"{centers.dtype}"
            )
        self._least = least
        return State(float(self.weights @ least), centers, labels, iterations)

    def _without_empty(self, state: State) -> tuple[np.ndarray, Any]:
        """Labels and centers such that each center has a series."""
        labels, centers = state.labels, state.centers
        sizes = np.bincount(labels, minlength=len(centers))
        empty = np.flatnonzero(sizes == 0)
        if not len(empty):
            return labels, centers
        labels, centers = labels.copy(), centers.copy()
        badness = np.where(self.weights > 0, self._least, -np.inf)
        farthest = iter(np.argsort(-badness, kind="stable"))
        for k in empty:
            i = next(i for i in farthest if sizes[labels[i]] > 1)
            sizes[labels[i]] -= 1
            labels[i] = k
            centers[k] = self._resampled([i])[0]
        return labels, centers

    def _updated(self, centers: Any, labels: np.ndarray, settled: bool) -> Any:
        """Move centers to the barycenters of their series.

        Until labels have settled, only those whose series have changed.
        """
        limits = self.limits
        objective = Objective(
            self.batch, self.loss, self.weights, labels, len(centers)
        )
        tol, members = limits.tol_barycenter, list(range(len(centers)))
        if settled:
            tol *= _FINER
        elif self._labels is not None:
            moved = labels != self._labels
            members = np.union1d(labels[moved], self._labels[moved]).tolist()
        self._labels = labels
        if not members:
            return centers
        found, _ = minimize(
            objective.part(members),
            centers[members],
            tol=tol,
            max_iter=limits.max_iter_barycenter,
        )
        centers = centers.copy()
        centers[members] = found
        return centers
