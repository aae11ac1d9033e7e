"""The objective of barycenters, of one or several at once."""

from __future__ import annotations

import math
from typing import Any, Callable, Literal

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_sdtw._engine import costs
from chainer_sdtw._engine.bound_problem import BoundProblem
from chainer_sdtw._engine.losses import Loss, less_half, paired
from chainer_sdtw._engine.problem import Problem
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw._engine.types import Variable
from sdtw_cpu.search import Units, power_of_two


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
        self._weights = series.xp.asarray(weights.astype(series.array.dtype))
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
        x, y, y_length = self._pairs(barycenters)
        if self._problem is None:
            bound = self.loss.problem(paired(x, y, None, y_length))
            by_sweeps = bound.fused and self.loss.kind.value in _SWEEPS
            self._problem = bound.problem if by_sweeps else False
        if self._problem:
            sweep = _SWEEPS[self.loss.kind.value]
            (value, gx), gy = sweep(self._problem, (x, y)), None
        else:
            value, gx, gy = self._by_graph(x, y, y_length)
        value, size = as_float64(value), len(self.series)
        weighted = self.weights * value[:size]
        values = np.array([weighted[part].sum() for part in self._slices])
        # Not by BLAS: its threads go on spinning and slow down the sweeps.
        xp = self.series.xp
        gradient = xp.stack(
            [
                xp.einsum("i,ijk->jk", self._weights[part], gx[:size][part])
                for part in self._slices
            ]
        )
        if self.loss.kind.is_divergence:
            weights = [self.weights[part].sum() for part in self._slices]
            values = less_half(values, weights * value[size:])
            # The gradients with respect to both series of such a pair are
            # equal, unless a caller's cost is not symmetric.
            gx = gx[size:]
            gy = gx if gy is None else gy[size:, : gx.shape[1]]
            weight = xp.asarray(np.array(weights, gradient.dtype))
            gradient = less_half(gradient, weight[:, None, None] * (gx + gy))
        return values, gradient

    def on_host(self, barycenters: np.ndarray) -> tuple:
        """The same for barycenters on the host, all of it in float64 there."""
        series = self.series
        z = series.xp.asarray(barycenters, series.array.dtype)
        values, gradient = self(z)
        return values, as_float64(gradient)

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
