"""The objective of barycenters, of one or several at once."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import chainer
import numpy as np
from chainer.backend import get_array_module

from chainer_sdtw._engine.losses import Loss, less_half, paired
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw.learning._pair_gradients import PairGradients, as_float64
from chainer_sdtw.learning._scale import Scale, scale_of
from chainer_sdtw.learning._sums import add_doubles, double_sum
from sdtw_cpu.search import Units


class AnyObjective(Protocol):
    """What the search needs of an objective of ``K`` barycenters."""

    @property
    def count(self) -> int:
        """The number of barycenters."""

    def part(self, indexes: list[int]) -> AnyObjective:
        """Return the objective of some of the barycenters, in their order."""

    def units(self, barycenters: Any) -> list[Units]:
        """Return the units of the search for each of the barycenters."""

    def __call__(self, barycenters: Any) -> tuple[np.ndarray, Any]:
        """Evaluate the objectives and their gradients.

        Args:
            barycenters: ``(K, length, d)``, where the series are.

        Returns:
            Objectives ``(K,)`` in float64 and gradients ``(K, length, d)``.
        """

    def on_host(self, barycenters: np.ndarray) -> tuple:
        """The same for barycenters on the host, all of it in float64 there."""


class Sums(NamedTuple):
    """Weighted sums over the series of each barycenter.

    Each is the sum of two numbers, as of
    :func:`~chainer_sdtw.learning._sums.double_sum`.
    """

    weights: Any  # (2, K)
    values: Any  # (2, K)
    gradients: Any  # (2, K, length, d), on the device of the series

    @classmethod
    def added(cls, sums: list[Sums]) -> Sums:
        """Add the sums of parts of the series, in their order."""
        return cls(*(add_doubles(list(terms)) for terms in zip(*sums)))


class Objective:
    """Weighted sums of a loss between series and their barycenters.

    One call is one sweep over a batch of all series and back, whatever the
    number of barycenters. The divergences' terms of series with themselves
    are constants and left out.

    Args:
        series: ``N`` series.
        loss: The loss.
        weights: ``(N,)``, >= 0, on the host; None means 1.
        labels: ``(N,)`` integers on the host, the barycenter of each series;
            None means that there is one.
        count: The number ``K`` of barycenters.
    """

    def __init__(
        self,
        series: SeriesSet,
        loss: Loss,
        weights: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        count: int = 1,
    ) -> None:
        if labels is None:
            labels = np.zeros(len(series), int)
        if weights is None:
            weights = np.ones(len(series))
        if count > 1:
            # Sorted, the series of one barycenter are a slice.
            order = np.argsort(labels, kind="stable")
            series, labels = series.take(order), labels[order]
            weights = weights[order]
        self.series = series
        self.loss = loss
        self.weights = weights
        bounds = np.searchsorted(labels, np.arange(count + 1))
        self._slices = [slice(*ends) for ends in zip(bounds, bounds[1:])]
        self._labels = series.xp.asarray(labels)
        self._weights = series.xp.asarray(weights)
        self._totals = np.stack(
            [double_sum(weights[part]) for part in self._slices], 1
        )
        self._gradients = PairGradients(loss)

    @property
    def count(self) -> int:
        """The number of barycenters."""
        return len(self._slices)

    def scale(self, barycenters: Any) -> Scale:
        """Return what the units of the search are computed from."""
        matrices = None
        if callable(self.loss.cost):
            x, y, y_length = self._pairs(barycenters)
            with chainer.no_backprop_mode():
                problem = self.loss.problem(paired(x, y, None, y_length))
            matrices = problem.inputs[0].array
        scales = []
        for part in self._slices:
            series = self.series
            if self.count > 1 and part.stop > part.start:
                series = series.take(np.arange(part.start, part.stop))
            scales.append(
                scale_of(
                    self.weights[part],
                    series.elements(),
                    # An offset changes it, so it is part of the scale.
                    centered=self.loss.cost != "cosine",
                    matrices=None if matrices is None else matrices[part],
                )
            )
        return Scale(*np.array(scales, np.float64).T)

    def units(self, barycenters: Any) -> list[Units]:
        """Return the units of the search for each of the barycenters."""
        return self.scale(barycenters).units(self.loss)

    def part(self, indexes: list[int]) -> Objective:
        """Return the objective of some of the barycenters, in their order."""
        if len(indexes) == self.count:
            return self
        slices = [self._slices[k] for k in indexes]
        rows = np.concatenate([np.arange(s.start, s.stop) for s in slices])
        sizes = [s.stop - s.start for s in slices]
        return Objective(
            series=self.series.take(rows),
            loss=self.loss,
            weights=self.weights[rows],
            labels=np.repeat(np.arange(len(indexes)), sizes),
            count=len(indexes),
        )

    def __call__(self, barycenters: Any) -> tuple[np.ndarray, Any]:
        """Evaluate the objectives and their gradients.

        Args:
            barycenters: ``(K, length, d)``, where the series are.

        Returns:
            Objectives ``(K,)`` in float64 and gradients ``(K, length, d)``.
        """
        values, gx, gy = self._gradients(*self._pairs(barycenters))
        size = len(self.series)
        sums = self._sums(values[:size], gx[:size])
        if not self.loss.kind.is_divergence:
            return total(sums, barycenters.dtype)
        # The gradients with respect to both series of such a pair are equal,
        # unless a caller's cost is not symmetric.
        gy = gx if gy is None else gy
        themselves = values[size:], gx[size:] + gy[size:, : gx.shape[1]]
        return total(sums, barycenters.dtype, themselves)

    def sums(self, barycenters: Any) -> Sums:
        """The same sums, without the terms of barycenters with themselves."""
        series = self.series
        values, gx, _ = self._gradients(
            barycenters[self._labels], series.array, series.length
        )
        return self._sums(values, gx)

    def on_host(self, barycenters: np.ndarray) -> tuple:
        """The same for barycenters on the host, all of it in float64 there."""
        series = self.series
        z = series.xp.asarray(barycenters, series.array.dtype)
        values, gradient = self(z)
        return values, as_float64(gradient)

    def _sums(self, values: np.ndarray, gx: Any) -> Sums:
        xp, weights = self.series.xp, self._weights[:, None, None]
        terms = self.weights * values
        return Sums(
            self._totals,
            np.stack([double_sum(terms[s]) for s in self._slices], 1),
            xp.stack(
                [double_sum(weights[s] * gx[s]) for s in self._slices], 1
            ),
        )

    def _pairs(self, z: Any) -> tuple:
        """Barycenters, series and the lengths of these, for each pair.

        For a divergence, pairs of each barycenter with itself follow.
        """
        xp, series = self.series.xp, self.series
        y, y_length = series.array, series.length
        with_themselves = self.loss.kind.is_divergence
        if with_themselves:
            longest = max(y.shape[1], z.shape[1])
            y = xp.zeros((len(series) + len(z), longest, z.shape[2]), z.dtype)
            y[: len(series), : series.array.shape[1]] = series.array
            y[len(series) :, : z.shape[1]] = z
            z_length = np.full(len(z), z.shape[1])
            y_length = np.concatenate([series.lengths, z_length])
        if len(z) == 1:
            x = xp.broadcast_to(z, (len(y), *z.shape[1:]))
        elif with_themselves:
            x = xp.concatenate([z[self._labels], z])
        else:
            x = z[self._labels]
        return x, y, y_length


def total(sums: Sums, dtype: Any, themselves: Any = None) -> tuple:
    """Return objectives and gradients of the sums over series.

    Args:
        sums: What all series make up.
        dtype: The type of the gradients.
        themselves: For a divergence, the losses ``(K,)`` of the barycenters
            with themselves, and the gradients ``(K, length, d)`` of these.

    Returns:
        Objectives ``(K,)`` in float64 and gradients ``(K, length, d)``.
    """
    weights, values, gradients = (terms.sum(axis=0) for terms in sums)
    if themselves is not None:
        xp = get_array_module(gradients)
        values = less_half(values, weights * themselves[0])
        weights = xp.asarray(weights)[:, None, None]
        gradients = less_half(gradients, weights * themselves[1])
    return values, gradients.astype(dtype)
