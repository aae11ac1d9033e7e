"""The series that k-means begins with as centers."""

from __future__ import annotations

from typing import Any

import numpy as np
from chainer.backends import cuda

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw.learning._matrix import matrix, self_terms


def any_series(
    weights: np.ndarray, count: int, rng: np.random.RandomState
) -> Any:
    """Draw indexes of different series, by their weights if these suffice."""
    enough = np.count_nonzero(weights) >= count
    shares = weights / weights.sum() if enough else None
    return rng.choice(len(weights), count, False, shares)


def a_sample(
    weights: np.ndarray, size: int, rng: np.random.RandomState
) -> np.ndarray:
    """Draw indexes of different series, in order, with weights if possible."""
    weighted = np.flatnonzero(weights > 0)
    among = weighted if len(weighted) >= size else np.arange(len(weights))
    return np.sort(rng.choice(among, size, False))


def far_apart(
    series: SeriesSet,
    loss: Loss,
    terms: Any,
    weights: np.ndarray,
    count: int,
    rng: np.random.RandomState,
) -> list[int]:
    """Choose series by k-means++, each the best of a few draws.

    Args:
        series: ``N`` series.
        loss: Its divergence is how far series are from each other.
        terms: The loss ``(N,)`` of series with themselves; None if it has not
            been computed.
        weights: ``(N,)``, >= 0.
        count: How many to choose.
        rng: What draws.

    Returns:
        Their indexes.

    Raises:
        FloatingPointError: If series are too far from each other.
    """
    loss = loss.divergence
    if terms is None:
        terms = self_terms(series, loss)

    def distances(indexes: np.ndarray) -> np.ndarray:
        losses = matrix(
            series,
            series.take(indexes),
            loss,
            x_term=terms,
            y_term=terms[series.xp.asarray(indexes)],
        )
        return np.maximum(cuda.to_cpu(losses).astype(np.float64), 0)

    draws = 2 + int(np.log(count))
    chosen = [int(rng.choice(len(series), p=weights / weights.sum()))]
    closest = distances(np.array(chosen))[:, 0]
    while len(chosen) < count:
        chances = weights * closest
        chances[chosen] = 0
        if not np.isfinite(chances.sum()):
            raise FloatingPointError(
                "losses are not finite: the costs are beyond the range of "
                f"{series.array.dtype}"
            )
        if not chances.sum() > 0:
            # All others are equal to one that has been chosen.
            others = np.setdiff1d(np.arange(len(series)), chosen)
            chosen.append(int(rng.choice(others)))
            continue
        candidates = np.unique(
            rng.choice(len(series), draws, p=chances / chances.sum())
        )
        closest_with = np.minimum(closest[:, None], distances(candidates))
        k = int((weights @ closest_with).argmin())
        chosen.append(int(candidates[k]))
        closest = closest_with[:, k]
    return chosen
