"""The objective of barycenters, of one or several at once."""

from __future__ import annotations

import math
from typing import Any

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_sdtw._engine import nodes
from chainer_sdtw._engine.bound_problem import Table
from chainer_sdtw._engine.losses import Loss, less_half, paired
from chainer_sdtw._engine.series_set import Batch
from chainer_sdtw._engine.types import Variable
from sdtw_cpu.search import Units, power_of_two

# The costs grow as this power of the series.
_DEGREES = {"sqeuclidean": 2, "euclidean": 1, "manhattan": 1, "cosine": 0}


class Objective:
    """Weighted sums of a loss between series and their barycenters.

    One call is one sweep over a batch of all series and back, whatever the
    number of barycenters. The divergences' terms of series with themselves
    are constants and left out.

    Args:
        batch: ``N`` series.
        loss: The loss.
        weights: ``(N,)``, >= 0, on the host; None means 1.
        labels: ``(N,)`` integers on the host, the barycenter of each series;
            None means that there is one.
        count: The number ``K`` of barycenters.
    """

    def __init__(
        self,
        batch: Batch,
        loss: Loss,
        weights: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        count: int = 1,
    ) -> None:
        if labels is None:
            labels = np.zeros(len(batch), int)
        if weights is None:
            weights = np.ones(len(batch))
        if count > 1:
            # Those of one barycenter side by side.
            order = np.argsort(labels, kind="stable")
            batch, labels = batch.take(order), labels[order]
            weights = weights[order]
        self.batch = batch
        self.loss = loss
        self.weights = weights
        bounds = np.searchsorted(labels, np.arange(count + 1))
        self._slices = [slice(*ends) for ends in zip(bounds, bounds[1:])]
        self._labels = batch.xp.asarray(labels)
        self._weights = batch.xp.asarray(weights.astype(batch.array.dtype))
        self._problem: Any = None

    @property
    def count(self) -> int:
        """The number of barycenters."""
        return len(self._slices)

    def units(self, barycenters: Any) -> list[Units]:
        """What the search for each of the barycenters measures in."""
        matrices, cost = None, self.loss.cost
        if callable(cost):
            # How large its costs are, only the costs themselves can tell.
            x, y, y_length = self._pairs(barycenters)
            with chainer.no_backprop_mode():
                problem = self.loss.problem(paired(x, y, None, y_length))
            matrices = problem.inputs[0].array
        units = []
        for part in self._slices:
            if part.start == part.stop:
                units.append(Units(1.0, 1.0))
                continue
            series = self._deviation(part)
            if matrices is None:
                objective = series ** _DEGREES[cost]
            else:
                xp = self.batch.xp
                size = xp.absolute(matrices[part])
                size = size[xp.isfinite(size)]
                mean = float(size.mean(dtype=np.float64)) if size.size else 1.0
                objective = power_of_two(mean)
            weight = float(self.weights[part].max()) or 1.0
            units.append(Units(series, objective * weight))
        return units

    def _deviation(self, part: slice) -> float:
        """The standard deviation of some series, as a power of two."""
        batch, xp = self.batch, self.batch.xp
        if self.count > 1:
            batch = batch.take(np.arange(part.start, part.stop))
        elements = batch.elements()
        if self.loss.cost == "cosine":  # which does not forgive an offset
            square = xp.square(elements, dtype=np.float64).mean()
        else:
            square = elements.var(dtype=np.float64)
        return power_of_two(math.sqrt(float(square)))

    def part(self, members: list[int]) -> Objective:
        """The objective of some of the barycenters, in their order."""
        if len(members) == self.count:
            return self
        indexes = np.concatenate(
            [
                np.arange(*self._slices[k].indices(len(self.batch)))
                for k in members
            ]
        )
        sizes = [self._slices[k].stop - self._slices[k].start for k in members]
        labels = np.repeat(np.arange(len(members)), sizes)
        return Objective(
            *(self.batch.take(indexes), self.loss, self.weights[indexes]),
            *(labels, len(members)),
        )

    def __call__(self, barycenters: Any) -> tuple[np.ndarray, Any]:
        """Objectives ``(K,)`` in float64 and gradients ``(K, length, d)``.

        Args:
            barycenters: ``(K, length, d)``, where the series are.
        """
        x, y, y_length = self._pairs(barycenters)
        if self._problem is None:
            table = self.loss.problem(paired(x, y, None, y_length))
            # A cost that is not fused is in the way from series to sweeps.
            fused = table.inputs[0].array is x
            self._problem = table.problem if fused else False
        sweep = self._swept if self._problem else self._composed
        value, gx, gy = sweep(x, y, y_length)
        value, size = as_float64(value), len(self.batch)
        weighted = self.weights * value[:size]
        values = np.array([weighted[part].sum() for part in self._slices])
        # Not by BLAS, whose threads keep spinning where the sweeps' are.
        xp = self.batch.xp
        gradient = xp.stack(
            [
                xp.einsum("i,ijk->jk", self._weights[part], gx[:size][part])
                for part in self._slices
            ]
        )
        if self.loss.kind.is_divergence:
            weights = [self.weights[part].sum() for part in self._slices]
            values = less_half(values, weights * value[size:])
            # The other half of the gradient is the same, except with a
            # caller's cost, which need not be symmetric.
            own = gx[size:]
            other = own if gy is None else gy[size:, : own.shape[1]]
            weight = xp.asarray(np.array(weights, gradient.dtype))
            gradient = less_half(
                gradient, weight[:, None, None] * (own + other)
            )
        return values, gradient

    def on_host(self, barycenters: np.ndarray) -> tuple:
        """The same for barycenters on the host, all of it in float64 there."""
        batch = self.batch
        z = batch.xp.asarray(barycenters, batch.array.dtype)
        values, gradient = self(z)
        return values, as_float64(gradient)

    def _swept(self, x: Any, y: Any, y_length: Any) -> tuple:
        """The loss of the pairs and its gradient, by sweeps alone."""
        problem, sweeps = self._problem, nodes.sweeps_for((x,))
        if self.loss.kind.value is Table.expected_costs:
            _, value, tape = problem.tangent((x, y), "cost", True)
            adjoint = sweeps.adjoint_tangent
        else:
            value, tape = problem.value((x, y), True)
            adjoint = sweeps.adjoint
        (gx,) = problem.gradients(adjoint, tape, indexes=(0,))
        return value, gx, None

    def _composed(self, x: Any, y: Any, y_length: Any) -> tuple:
        """The same for costs that are not fused, by Chainer."""
        lopsided = self.loss.kind.is_divergence and callable(self.loss.cost)
        x, y = Variable(x), Variable(y, requires_grad=lopsided)
        with chainer.using_config("enable_backprop", True):
            value: Any = self.loss.between(paired(x, y, None, y_length))
            value.grad = value.xp.ones_like(value.array)
            value.backward()
        return value.array, x.grad, y.grad

    def _pairs(self, z: Any) -> tuple:
        xp, batch = self.batch.xp, self.batch
        more = z[:0]
        y, y_length = batch.array, batch.length
        if self.loss.kind.is_divergence:
            # The barycenters follow the series, to be paired with themselves.
            more = z
            longest = max(y.shape[1], z.shape[1])
            y = xp.zeros((len(batch) + len(z), longest, z.shape[2]), z.dtype)
            y[: len(batch), : batch.array.shape[1]] = batch.array
            y[len(batch) :, : z.shape[1]] = z
            own = np.full(len(z), z.shape[1])
            y_length = np.concatenate([batch.lengths, own])
        if len(z) == 1:
            x = xp.broadcast_to(z, (len(y), *z.shape[1:]))
        else:
            x = xp.concatenate([z[self._labels], more])
        return x, y, y_length


def as_float64(a: Any) -> np.ndarray:
    """Return an array of any device in float64 on the host."""
    return cuda.to_cpu(a).astype(np.float64)
