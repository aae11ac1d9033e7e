"""The objective of barycenters of series that are not in one memory."""

from __future__ import annotations

from functools import reduce
from typing import Any, NamedTuple

import chainer
import numpy as np
from chainer.backend import get_device_from_array
from chainer.backends import cuda

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import (
    SeriesSet,
    computed_dtype,
    on_device,
)
from chainer_sdtw.distributed.blocks import Blocks
from chainer_sdtw.learning._objective import Objective, Sums, total
from chainer_sdtw.learning._pair_gradients import PairGradients, as_float64
from chainer_sdtw.learning._scale import Scale
from sdtw_cpu.search import Units


class Evaluation(NamedTuple):
    """What the series make up at some barycenters, without self-terms."""

    barycenters: np.ndarray  # (K, length, d)
    sums: Sums
    scale: Scale | None  # what the units are computed from

    @classmethod
    def added(
        cls, barycenters: np.ndarray, parts: list[Evaluation]
    ) -> Evaluation:
        """Add what blocks make up, in their order."""
        scales = [part.scale for part in parts if part.scale is not None]
        return cls(
            barycenters,
            Sums.added([part.sums for part in parts]),
            reduce(Scale.merged, scales) if scales else None,
        )

    def part(self, indexes: list[int]) -> Evaluation:
        """Return the same of some of the barycenters."""
        sums = Sums(*(terms[:, indexes] for terms in self.sums))
        scale = None if self.scale is None else self.scale.part(indexes)
        return Evaluation(self.barycenters[indexes], sums, scale)


class BlocksObjective:
    """The objective of barycenters of series in blocks.

    It returns what :class:`~chainer_sdtw.learning._objective.Objective` of
    all the series returns. An evaluation is one pass over the blocks that
    have series of the barycenters: each block gets these, and returns sums of
    the size of the barycenters. The sums are added in the order of the
    blocks, and such that hardly a bit depends on how the series are cut.

    Args:
        blocks: ``N`` series.
        loss: The loss.
        weights: ``(N,)``, >= 0, on the host.
        labels: ``(N,)`` integers, the barycenter of each series, -1 for those
            of none.
        count: The number ``K`` of barycenters.
        device: Where blocks are computed, None for where they are loaded.
        known: What has been evaluated already.
    """

    def __init__(
        self,
        blocks: Blocks,
        loss: Loss,
        weights: np.ndarray,
        labels: np.ndarray,
        count: int,
        device: Any = None,
        known: Evaluation | None = None,
    ) -> None:
        self.count = count
        self._blocks = blocks
        self._loss = loss
        self._weights = weights
        self._labels = labels.astype(np.min_scalar_type(-count))
        self._device = device
        self._known = known
        self._gradients = PairGradients(loss)

    def part(self, indexes: list[int]) -> BlocksObjective:
        """Return the objective of some of the barycenters, in their order."""
        if len(indexes) == self.count:
            return self
        places = np.full(self.count + 1, -1)  # the last for no barycenter
        places[indexes] = np.arange(len(indexes))
        return BlocksObjective(
            self._blocks,
            self._loss,
            self._weights,
            places[self._labels],
            len(indexes),
            self._device,
            self._known and self._known.part(indexes),
        )

    def units(self, barycenters: Any) -> list[Units]:
        """Return the units of the search for each of the barycenters."""
        known = self._known or self._at(barycenters)
        assert known.scale is not None
        return known.scale.units(self._loss)

    def __call__(self, barycenters: Any) -> tuple[np.ndarray, Any]:
        """Evaluate the objectives and their gradients.

        Args:
            barycenters: ``(K, length, d)``.

        Returns:
            Objectives ``(K,)`` in float64 and gradients ``(K, length, d)``.
        """
        themselves = None
        if self._loss.kind.is_divergence:
            themselves = self._gradients.with_themselves(barycenters)
        sums = self._at(barycenters).sums
        return total(sums, barycenters.dtype, themselves)

    def on_host(self, barycenters: np.ndarray) -> tuple:
        """The same, all of it in float64."""
        values, gradient = self(
            barycenters.astype(computed_dtype(self._blocks.dtype))
        )
        return values, as_float64(gradient)

    def _at(self, barycenters: np.ndarray) -> Evaluation:
        """Evaluate, the first time with the scale."""
        known = self._known
        if known is None:
            known = self._known = self._pass(barycenters, with_scale=True)
        if np.array_equal(known.barycenters, barycenters):
            return known
        return self._pass(barycenters, with_scale=False)

    def _pass(self, barycenters: np.ndarray, with_scale: bool) -> Evaluation:
        """Pass over the blocks that have series of the barycenters."""
        labels = self._blocks.split(self._labels)
        needed = [i for i, part in enumerate(labels) if (part >= 0).any()]
        weights = self._blocks.split(self._weights)
        parts = self._blocks.take(needed).map(
            _block_evaluated,
            self._loss,
            barycenters,
            with_scale,
            self._device,
            each=[(labels[i], weights[i]) for i in needed],
        )
        return Evaluation.added(barycenters, parts)


def _block_evaluated(
    series: SeriesSet,
    labels: np.ndarray,
    weights: np.ndarray,
    loss: Loss,
    barycenters: np.ndarray,
    with_scale: bool,
    device: Any,
) -> Evaluation:
    """Evaluate what one block makes up."""
    rows = np.flatnonzero(labels >= 0)
    if len(rows) < len(series):
        series = series.take(rows)
    series = on_device(series, device)
    count = len(barycenters)
    with chainer.using_device(get_device_from_array(series.array)):
        objective = Objective(series, loss, weights[rows], labels[rows], count)
        return evaluation(objective, barycenters, with_scale)


def evaluation(
    objective: Objective, barycenters: np.ndarray, with_scale: bool = True
) -> Evaluation:
    """Return what the series of an objective make up, on the host.

    Args:
        objective: The objective of these series.
        barycenters: ``(K, length, d)``, on the host.
        with_scale: Whether the scale is needed.
    """
    z = objective.series.xp.asarray(barycenters)
    return Evaluation(
        barycenters,
        Sums(*map(cuda.to_cpu, objective.sums(z))),
        objective.scale(z) if with_scale else None,
    )
