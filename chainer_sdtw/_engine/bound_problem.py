"""Problems bound to the variables that they are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import chainer
import numpy as np
from chainer import functions as F
from chainer.backend import get_array_module

import sdtw_cpu
from chainer_sdtw._engine import costs, graph, nodes
from chainer_sdtw._engine.problem import Problem
from chainer_sdtw._engine.series import Pairs, on_host, reduced
from chainer_sdtw._engine.types import Cost, Counts, Mask, Variable
from sdtw_cpu.checks import as_array

_COSINE_GAMMA = 5e289
"""The largest gamma of which the sweeps take twice as much."""


@dataclass(frozen=True, eq=False)
class BoundProblem:
    """A problem bound to its variables.

    The costs of the loss are ``scale`` times those of the problem.
    """

    problem: Problem
    inputs: tuple[Variable, ...]
    scale: float = 1.0

    @property
    def fused(self) -> bool:
        """Whether the variables are series whose costs the sweeps compute.

        They are not for matrices of costs, nor for the cosine cost, whose
        variables are unit vectors with another scale.
        """
        return self.problem.cost is not None and self.scale == 1

    def values(self, reduce: str = "no") -> Variable:
        """Soft-DTW of every pair, or the mean or the sum of them."""
        node = nodes.Value(self.problem, self._needs_tape(), reduce)
        return self._scaled(node.apply(self.inputs)[0])

    def tangents(self, direction: Any) -> tuple[Any, Any]:
        """Soft-DTW, and the expected sum of a constant along alignments."""
        value, tangent = self._tangent(direction)
        return self._scaled(value), tangent

    def expected_costs(self, reduce: str = "no") -> Variable:
        """The expected cost of the alignments of every pair, or the same."""
        return reduced(self._scaled(self._tangent("cost")[1]), reduce)

    def alignments(self) -> Variable:
        """The gradient with respect to the matrices of an explicit cost."""
        (cost,) = self.inputs
        node = nodes.Gradient(self.problem, (0,), None)
        with chainer.using_device(cost.device):
            xp = get_array_module(cost.array)
            grad_value = xp.ones(len(cost), cost.dtype)
        return node.apply((cost, grad_value))[0]

    def _tangent(self, direction: Any) -> tuple[Variable, Variable]:
        node = nodes.Tangent(self.problem, direction, self._needs_tape())
        value, tangent = node.apply(self.inputs)
        if self.problem.cost is None:
            # Only here there may be no alignment at all.
            with chainer.using_device(value.device):
                none = value.array == np.inf
                tangent = F.where(none, value.array, tangent)
        return value, tangent

    def _scaled(self, value: Any) -> Any:
        return value if self.scale == 1 else self.scale * value

    def _needs_tape(self) -> bool:
        needed = any(v.requires_grad for v in self.inputs)
        return chainer.config.enable_backprop and needed


def bind_series(
    label: str,
    pairs: Pairs,
    gamma: float,
    cost: Cost = "sqeuclidean",
    bandwidth: Counts | None = None,
    mask: Mask | None = None,
    *,
    symmetric: bool = False,
    explicit: bool = False,
) -> BoundProblem:
    """Bind the problem that pairs of series pose.

    Args:
        label: The loss, for messages and pictures of graphs.
        pairs: The series.
        gamma: Smoothing, checked.
        cost: A name or a function. One that depends on lengths has a method
            ``for_lengths``, which takes them and returns a function.
        bandwidth: As the losses take it.
        mask: As the losses take it.
        symmetric: Whether the pairs are of series with themselves.
        explicit: Whether a matrix of costs is wanted in any case.
    """
    costs.check_cost(cost)
    x, y, x_length, y_length = pairs[:4]
    lengths = x_length, y_length
    shape = len(x), x.shape[1], y.shape[1]
    band, mask = _band(shape, bandwidth, mask, *lengths)
    explicit |= cost == "cosine" and gamma > _COSINE_GAMMA
    if explicit or mask is not None or callable(cost):
        for_lengths = getattr(cost, "for_lengths", None)
        if for_lengths is not None:
            cost = for_lengths(x_length, y_length)
        with chainer.using_device(x.device):
            x = graph.without_padding(x, x_length)
            y = graph.without_padding(y, y_length)
            matrices = _masked(costs.matrix(x, y, cost), mask)
            if not callable(cost):
                matrices = _nan_where_infinite(matrices, x, y)
        problem = Problem(label, gamma, None, *lengths, band)
        return BoundProblem(problem, (matrices,))
    scale = 1.0
    if cost == "cosine":
        # Half the squared Euclidean cost of unit vectors.
        cost, gamma, scale = "sqeuclidean", 2 * gamma, 0.5
        with chainer.using_device(x.device):
            x = graph.without_padding(x, x_length)
            y = x if symmetric else graph.without_padding(y, y_length)
            series = (x,) if symmetric else (x, y)
            units = costs.unit_vectors(*series)
        x, y = units[0], units[-1]
    problem = Problem(label, gamma, cost, *lengths, band, symmetric)
    return BoundProblem(problem, (x,) if symmetric else (x, y), scale)


def bind_costs(
    label: str,
    cost: Variable,
    gamma: float,
    bandwidth: Counts | None = None,
    mask: Mask | None = None,
    x_length: Any = None,
    y_length: Any = None,
) -> BoundProblem:
    """Bind the problem that cost matrices pose."""
    band, mask = _band(cost.shape, bandwidth, mask, x_length, y_length)
    problem = Problem(label, gamma, None, x_length, y_length, band)
    with chainer.using_device(cost.device):
        return BoundProblem(problem, (_masked(cost, mask),))


def _band(
    shape: tuple, bandwidth: Any, mask: Any, x_length: Any, y_length: Any
) -> tuple:
    """Return a band, and the mask if it is not the same as the band."""
    if bandwidth is None and mask is None:
        return None, None
    size, m, n = shape
    lengths = on_host(x_length), on_host(y_length)
    band = None
    if bandwidth is not None:
        radius = as_array("bandwidth", on_host(bandwidth), "iu", "integers")
        if radius.ndim == 1 and radius.size not in (1, size):
            raise ValueError(
                f"bandwidth must be one number or {(size,)} of them, got "
                f"shape {radius.shape}"
            )
        band = sdtw_cpu.sakoe_chiba_band(m, n, radius, *lengths)
    if mask is None:
        return band, None
    array = as_array("mask", on_host(mask), "b", "booleans")
    allowed = array[None] if array.ndim == 2 else array
    if allowed.shape not in (shape, (1, m, n)):
        raise ValueError(
            f"mask must have shape {(m, n)} or {shape}, got {array.shape}"
        )
    if band is not None:
        allowed = allowed & graph.inside(band, n)
    band = sdtw_cpu.band_from_mask(allowed, *lengths)
    return band, allowed if band is None else None


def _nan_where_infinite(cost: Variable, x: Variable, y: Variable) -> Variable:
    """Return costs that are NaN for pairs with an infinity.

    Infinite costs would forbid cells.
    """
    xp = get_array_module(cost.array)
    finite = [xp.isfinite(a.array).all(axis=(1, 2)) for a in (x, y)]
    bad = ~(finite[0] & finite[1])
    if isinstance(bad, np.ndarray) and not bad.any():
        return cost  # on a GPU, to know that means to wait for it
    nan = xp.where(bad, cost.dtype.type(np.nan), cost.dtype.type(0))
    return cost + xp.broadcast_to(nan[:, None, None], cost.shape)


def _masked(cost: Variable, mask: Any) -> Variable:
    if mask is None:
        return cost
    xp = get_array_module(cost.array)
    return F.where(xp.asarray(mask), cost, xp.array(np.inf, cost.dtype))
