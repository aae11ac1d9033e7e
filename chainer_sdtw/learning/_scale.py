"""The scale of series, in which the search for barycenters measures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainer_sdtw._engine import costs
from chainer_sdtw._engine.losses import Loss
from sdtw_cpu.search import Units, power_of_two


class Scale(NamedTuple):
    """What tells the units of ``K`` barycenters, each ``(K,)`` in float64.

    Of parts of the series it is merged by the formulas of T. F. Chan, G. H.
    Golub and R. J. LeVeque, Algorithms for Computing the Sample Variance, The
    American Statistician 1983.
    """

    weight: np.ndarray  # the largest of the series
    elements: np.ndarray  # how many elements the series have
    mean: np.ndarray  # of the elements; 0 where an offset counts
    squares: np.ndarray  # the sum of the squared deviations from the mean
    costs: np.ndarray  # the number of finite costs of a caller's cost
    size: np.ndarray  # the mean of their absolute values

    def merged(self, other: Scale) -> Scale:
        """Return the scale of these series and of others."""
        elements, costs = self.elements + other.elements, self.costs
        costs = costs + other.costs
        share = other.elements / np.maximum(elements, 1)
        costs_share = other.costs / np.maximum(costs, 1)
        apart = other.mean - self.mean
        return Scale(
            weight=np.maximum(self.weight, other.weight),
            elements=elements,
            mean=self.mean + share * apart,
            squares=self.squares
            + other.squares
            + self.elements * share * apart**2,
            costs=costs,
            size=self.size + costs_share * (other.size - self.size),
        )

    def part(self, indexes: list[int]) -> Scale:
        """Return the scale of some of the barycenters."""
        return Scale(*(a[indexes] for a in self))

    def units(self, loss: Loss) -> list[Units]:
        """Return the units of the search for each of the barycenters."""
        units = []
        for k, elements in enumerate(self.elements):
            if elements == 0:
                units.append(Units(1.0, 1.0))
                continue
            variance = self.squares[k] / elements
            deviation = power_of_two(float(np.sqrt(variance)))
            if callable(loss.cost):
                objective = power_of_two(float(self.size[k]))
            else:
                objective = costs.scale(loss.cost, deviation)
            weight = float(self.weight[k]) or 1.0
            units.append(Units(deviation, objective * weight))
        return units


def scale_of(
    weights: np.ndarray, elements: Any, centered: bool, matrices: Any
) -> tuple:
    """Return the entries of :class:`Scale` for one barycenter.

    Args:
        weights: ``(N,)``, of its series.
        elements: ``(n, d)``, theirs.
        centered: Whether deviations are those from the mean, not from 0.
        matrices: The matrices of a caller's cost between them and the
            barycenter; None for another cost.
    """
    if not len(weights):
        return (0.0,) * 6
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(elements.mean(dtype=np.float64)) if centered else 0.0
        squares = float(((elements.astype(np.float64) - mean) ** 2).sum())
    count, size = 0, 0.0
    if matrices is not None:
        sizes = abs(matrices).astype(np.float64)
        sizes = sizes[sizes < np.inf]
        count = sizes.size
        size = float(sizes.mean()) if count else 0.0
    return weights.max(), elements.size, mean, squares, count, size
