"""The objective of barycenters, of one or several at once."""

from __future__ import annotations

import math
from typing import Any, Callable, Literal, NamedTuple

import chainer
import numpy as np
from chainer.backend import get_array_module
from chainer.backends import cuda

from chainer_sdtw._engine import costs
from chainer_sdtw._engine.bound_problem import BoundProblem
from chainer_sdtw._engine.losses import Loss, less_half, paired
from chainer_sdtw._engine.problem import Problem
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw._engine.types import Variable
from chainer_sdtw.learning._sums import add_doubles, double_sum
from sdtw_cpu.search import Units, power_of_two


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
        # What the sweeps are told; False if they do not compute it alone.
        self._problem: Problem | Literal[False] | None = None

    @property
    def count(self) -> int:
        """The number of barycenters."""
        return len(self._slices)

    def units(self, barycenters: Any) -> list[Units]:
        """Return the units of the search for each of the barycenters."""
        matrices, cost = None, self.loss.cost
        if callable(cost):
            # The scale of a caller's cost is that of its values.
            x, y, y_length = self._pairs(barycenters)
            with chainer.no_backprop_mode():
                problem = self.loss.problem(paired(x, y, None, y_length))
            matrices = problem.inputs[0].array
        units = []
        for part in self._slices:
            if part.start == part.stop:
                units.append(Units(1.0, 1.0))
                continue
            deviation = self._deviation(part)
            if matrices is None:
                objective = costs.scale(cost, deviation)
            else:
                xp = self.series.xp
                sizes = xp.absolute(matrices[part])
                sizes = sizes[xp.isfinite(sizes)]
                objective = 1.0
                if sizes.size:
                    mean = float(sizes.mean(dtype=np.float64))
                    objective = power_of_two(mean)
            weight = float(self.weights[part].max()) or 1.0
            units.append(Units(deviation, objective * weight))
        return units

    def _deviation(self, part: slice) -> float:
        """The standard deviation of some series, as a power of two."""
        series, xp = self.series, self.series.xp
        if self.count > 1:
            series = series.take(np.arange(part.start, part.stop))
        elements = series.elements()
        if self.loss.cost == "cosine":
            # An offset changes it, so it is part of the scale.
            square = xp.square(elements, dtype=np.float64).mean()
        else:
            square = elements.var(dtype=np.float64)
        return power_of_two(math.sqrt(float(square)))

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
        values, gx, gy = self._swept(*self._pairs(barycenters))
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
        x = barycenters[self._labels]
        values, gx, _ = self._swept(x, series.array, series.length)
        return self._sums(values, gx)

    def on_host(self, barycenters: np.ndarray) -> tuple:
        """The same for barycenters on the host, all of it in float64 there."""
        series = self.series
        z = series.xp.asarray(barycenters, series.array.dtype)
        values, gradient = self(z)
        return values, as_float64(gradient)

    def _swept(self, x: Any, y: Any, y_length: Any) -> tuple:
        """Losses of the pairs, their gradients, or None for the second."""
        if self._problem is None:
            bound = self.loss.problem(paired(x, y, None, y_length))
            by_sweeps = bound.fused and self.loss.kind.value in _SWEEPS
            self._problem = bound.problem if by_sweeps else False
        if self._problem:
            sweep = _SWEEPS[self.loss.kind.value]
            (values, gx), gy = sweep(self._problem, (x, y)), None
        else:
            values, gx, gy = self._by_graph(x, y, y_length)
        return as_float64(values), gx, gy

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

    def _by_graph(self, x: Any, y: Any, y_length: Any) -> tuple:
        """The loss of the pairs and its gradients, by a graph of Chainer."""
        # A caller's cost need not be symmetric: see where it is used.
        needs_gy = self.loss.kind.is_divergence and callable(self.loss.cost)
        x, y = Variable(x), Variable(y, requires_grad=needs_gy)
        with chainer.using_config("enable_backprop", True):
            value: Any = self.loss.between(paired(x, y, None, y_length))
            value.grad = value.xp.ones_like(value.array)
            value.backward()
        return value.array, x.grad, y.grad

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


def _sweep_values(problem: Problem, arrays: tuple) -> tuple:
    """Soft-DTW of the pairs, and its gradient with respect to the first."""
    value, tape = problem.value(arrays, True)
    (gx,) = problem.adjoint(arrays, tape, indexes=(0,))
    return value, gx


def _sweep_expected_costs(problem: Problem, arrays: tuple) -> tuple:
    """Expected costs of the pairs, and the same gradient of them."""
    _, value, tape = problem.tangent(arrays, "cost", True)
    (gx,) = problem.adjoint_tangent(arrays, tape, indexes=(0,))
    return value, gx


# What is computed without a graph if the sweeps compute the costs.
_SWEEPS: dict[Callable, Callable[[Problem, tuple], tuple]] = {
    BoundProblem.values: _sweep_values,
    BoundProblem.expected_costs: _sweep_expected_costs,
}


def as_float64(a: Any) -> np.ndarray:
    """Return an array of any device in float64 on the host."""
    return cuda.to_cpu(a).astype(np.float64)
