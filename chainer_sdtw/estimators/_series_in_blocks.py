"""The series that k-means is fitted to, in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import chainer
import numpy as np
from chainer.backend import get_device_from_array
from chainer.backends import cuda

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import (
    SeriesSet,
    as_series_set,
    computed_dtype,
    on_device,
)
from chainer_sdtw.distributed._objective import (
    BlocksObjective,
    Evaluation,
    evaluation,
)
from chainer_sdtw.distributed.blocks import Blocks
from chainer_sdtw.estimators._initial_centers import a_sample
from chainer_sdtw.estimators._training_series import (
    Batch,
    SeriesInMemory,
    closest,
)
from chainer_sdtw.learning._matrix import self_terms
from chainer_sdtw.learning._objective import Objective
from chainer_sdtw.learning._resampling import resampled

# How many series k-means++ chooses among, if nothing else is said.
_INIT_SIZE = 3000
_INIT_SIZE_PER_CENTER = 30

# Bytes of the series of mini-batches that one pass brings.
_BATCH_BYTES = 2**26


class SeriesInBlocks:
    """Series in blocks, of which each is loaded where it is computed.

    Args:
        blocks: ``N`` series.
        loss: The loss.
        weights: ``(N,)``, >= 0, on the host.
        length: The length of centers.
        device: Where blocks are computed, None for where they are loaded.
    """

    def __init__(
        self,
        blocks: Blocks,
        loss: Loss,
        weights: np.ndarray,
        length: int,
        device: Any,
    ) -> None:
        self.weights = weights
        self._blocks = blocks
        self._loss = loss
        self._length = length
        self._device = device
        itemsize = computed_dtype(blocks.dtype).itemsize
        size = length * blocks.features * itemsize
        self._at_once = max(1, _BATCH_BYTES // size)
        self._terms: np.ndarray | None = None
        self._last: tuple[np.ndarray, Evaluation] | None = None

    def as_centers(self, indexes: Any) -> np.ndarray:
        return resampled(self._loaded(indexes), self._length)

    def _loaded(self, indexes: Any) -> SeriesSet:
        """Load some of the series."""
        return as_series_set("X", self._blocks.gather(indexes))

    def far_apart(
        self, count: int, size: int | None, rng: np.random.RandomState
    ) -> np.ndarray:
        if size is None:
            size = max(_INIT_SIZE, _INIT_SIZE_PER_CENTER * count)
        sample, size = np.arange(len(self.weights)), max(size, count)
        if size < len(sample):
            sample = a_sample(self.weights, size, rng)
        in_memory = SeriesInMemory(
            self._loaded(sample),
            self._loss,
            self.weights[sample],
            self._length,
        )
        return in_memory.far_apart(count, None, rng)

    def batches(self, batches: Iterable[np.ndarray]) -> Iterator[Batch]:
        """Yield batches of series, many of them from one pass."""
        group: list[np.ndarray] = []
        for rows in batches:
            size = len(rows)
            group.append(rows)
            if len(group) * size >= self._at_once:
                yield from self._together(group)
                group = []
        if group:
            yield from self._together(group)

    def _together(self, batches: list[np.ndarray]) -> Iterator[Batch]:
        """Yield batches that are loaded in one pass."""
        rows, places = np.unique(np.concatenate(batches), return_inverse=True)
        series = self._loaded(rows)
        ends = np.cumsum([len(batch) for batch in batches])
        for end, batch in zip(ends, batches):
            places_of_batch = places[end - len(batch) : end]
            yield Batch(series.take(places_of_batch), self.weights[batch])

    def closest(self, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each series' closest center and its loss to this.

        The same pass evaluates the objective from which the next search
        begins.
        """
        terms = None
        if self._loss.kind.is_divergence:
            as_series = SeriesSet(centers, None, False, centers.dtype)
            terms = self_terms(as_series, self._loss)
        weights = self._blocks.split(self.weights)
        own_terms: Any = [None] * len(weights)
        if self._terms is not None:
            own_terms = self._blocks.split(self._terms)
        parts = self._blocks.map(
            _block_assigned,
            self._loss,
            centers,
            terms,
            self._device,
            each=list(zip(weights, own_terms)),
        )
        labels, losses = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("labels", "losses")
        )
        if terms is not None and self._terms is None:
            self._terms = np.concatenate([part.terms for part in parts])
        evaluations = [part.evaluation for part in parts]
        self._last = labels, Evaluation.added(centers, evaluations)
        return labels, losses

    def objective(self, labels: np.ndarray, count: int) -> BlocksObjective:
        known = None
        if self._last is not None and np.array_equal(labels, self._last[0]):
            known = self._last[1]
        return BlocksObjective(
            self._blocks,
            self._loss,
            self.weights,
            labels,
            count,
            self._device,
            known,
        )


class _Assigned(NamedTuple):
    """What a pass over a block returns."""

    labels: np.ndarray  # (n,)
    losses: np.ndarray  # (n,)
    terms: np.ndarray | None  # (n,), the losses of series with themselves
    evaluation: Evaluation


def _block_assigned(
    series: SeriesSet,
    weights: np.ndarray,
    own_terms: np.ndarray | None,
    loss: Loss,
    centers: np.ndarray,
    center_terms: np.ndarray | None,
    device: Any,
) -> _Assigned:
    """Assign the series of a block, and evaluate what they make up."""
    series = on_device(series, device)
    xp = series.xp
    with chainer.using_device(get_device_from_array(series.array)):
        if center_terms is not None and own_terms is None:
            own_terms = cuda.to_cpu(self_terms(series, loss))
        terms = {}
        if center_terms is not None:
            terms["x_term"] = xp.asarray(own_terms)
            terms["y_term"] = xp.asarray(center_terms)
        labels, losses = closest(series, loss, xp.asarray(centers), **terms)
        objective = Objective(series, loss, weights, labels, len(centers))
        return _Assigned(
            labels, losses, own_terms, evaluation(objective, centers)
        )


def usual_length_of_blocks(blocks: Blocks) -> int:
    """Return the mean length of the series, rounded."""
    if blocks.length is not None:
        return blocks.length
    return int(np.rint(sum(blocks.map(_steps)) / len(blocks)))


def _steps(series: SeriesSet) -> int:
    return int(series.lengths.sum())
