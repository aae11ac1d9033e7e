"""Mini-batch k-means of time series."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw.estimators._training_series import closest
from chainer_sdtw.learning._objective import Objective
from chainer_sdtw.learning._resampling import resampled
from chainer_sdtw.learning._search import minimize
from chainer_sdtw.learning._stopping import Stopping


class MiniBatchSearch:
    """Centers that move with each batch.

    Args:
        centers: ``(K, length, d)``, where batches are.
        counts: ``(K,)``, the weight of the series that each center has seen.
        loss: The loss.
        stopping: When the search for the barycenters of a batch ends.
    """

    def __init__(
        self, centers: Any, counts: np.ndarray, loss: Loss, stopping: Stopping
    ) -> None:
        self.centers = centers
        self.counts = counts
        self.loss = loss
        self._stopping = stopping

    def step(self, batch: SeriesSet, weights: np.ndarray) -> float:
        """Move the centers towards the barycenters of a batch's series.

        Args:
            batch: ``n`` series.
            weights: ``(n,)``, >= 0, on the host.

        Returns:
            The weighted mean of the losses to the closest center before, 0
            if no series has a weight.
        """
        labels, losses = closest(batch, self.loss, self.centers)
        if not np.isfinite(losses).all():
            raise FloatingPointError(
                "losses are not finite: the costs are beyond the range of "
                f"{self.centers.dtype}"
            )
        total = float(weights.sum())
        if total == 0:
            return 0.0
        labels = self._without_unused(
            batch, labels, np.where(weights > 0, losses, -np.inf)
        )
        count = len(self.centers)
        sizes = np.bincount(labels, weights, minlength=count)
        used = np.flatnonzero(sizes).tolist()
        # Of the weights only the ratios matter to barycenters.
        ratios = weights / weights.max()
        objective = Objective(batch, self.loss, ratios, labels, count)
        barycenters, _ = minimize(
            objective.part(used), self.centers[used], self._stopping
        )
        self.counts = self.counts + sizes
        xp = batch.xp
        share = xp.asarray(sizes[used] / self.counts[used])
        share = share.astype(barycenters.dtype)[:, None, None]
        centers = self.centers.copy()
        centers[used] += share * (barycenters - centers[used])
        self.centers = centers
        return float(weights @ losses) / total

    def _without_unused(
        self, batch: SeriesSet, labels: np.ndarray, losses: np.ndarray
    ) -> np.ndarray:
        """Give centers that no series has chosen yet the farthest ones."""
        sizes = np.bincount(labels, minlength=len(self.centers))
        unused = np.flatnonzero((self.counts == 0) & (sizes == 0))
        if not len(unused):
            return labels
        labels, centers = labels.copy(), self.centers.copy()
        for i in np.argsort(-losses, kind="stable"):
            if not len(unused):
                break
            if losses[i] > -np.inf and sizes[labels[i]] > 1:
                k, unused = unused[0], unused[1:]
                sizes[labels[i]] -= 1
                labels[i] = k
                one = batch.take(np.array([i]))
                centers[k] = resampled(one, centers.shape[1])[0]
        self.centers = centers
        return labels


class Improvement:
    """Tells when batches have stopped to improve.

    As scikit-learn's ``MiniBatchKMeans``, it smooths the batches' mean
    losses exponentially, over about as many batches as a pass has.

    Args:
        share: The size of a batch, as a share of all series.
        patience: How many batches may bring no improvement; None for any
            number.
    """

    def __init__(self, share: float, patience: int | None) -> None:
        self._rate = min(1.0, 2 * share)
        self._patience = patience
        self._smoothed: float | None = None
        self._least = np.inf
        self._without = 0

    def ended(self, mean_loss: float) -> bool:
        """Note a batch; return whether no more is to be expected."""
        if self._smoothed is None:
            self._smoothed = mean_loss
        else:
            self._smoothed += self._rate * (mean_loss - self._smoothed)
        self._without += 1
        if self._smoothed < self._least:
            self._least, self._without = self._smoothed, 0
        return self._patience is not None and self._without >= self._patience
