"""The costs between elements of series, one class each.

A cost adds up a term for each feature of the difference ``d`` of two elements
and finishes the sum ::

    c = finish(sum of term(d[k]))

Its derivative with respect to ``d[k]`` is ``slope(d[k])`` times a factor that
depends on ``c`` alone, by which ``scaled`` multiplies. Slopes are 0 where
there is no derivative.

All methods work on arrays and take the namespace of their functions, ``xp``:
NumPy or CuPy. Of variables of Chainer, ``term`` and ``finish`` make a graph:
then it has functions of the same names that differentiate, as in
``chainer.functions``.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from types import ModuleType
from typing import ClassVar, Literal

import numpy as np

from sdtw_cpu.types import FloatArray

__all__ = [
    "COSTS",
    "Cost",
    "CostName",
    "Euclidean",
    "Huber",
    "Manhattan",
    "SqEuclidean",
]

#: The names of costs.
CostName = Literal["sqeuclidean", "euclidean", "manhattan", "huber"]


class Cost(metaclass=abc.ABCMeta):
    """A cost between elements of series.

    Attributes:
        name: The name that functions take.
        degree: The cost grows as this power of the series; 0 if as none.
        by_cost: Whether the factor of the derivative depends on the cost.
        curved: Whether a slope changes with the difference.
    """

    name: ClassVar[CostName]
    degree: ClassVar[int] = 0
    by_cost: ClassVar[bool] = False
    curved: ClassVar[bool] = True

    @abc.abstractmethod
    def term(self, difference: FloatArray, xp: ModuleType) -> FloatArray:
        """Return what one feature adds."""

    def finish(self, total: FloatArray, xp: ModuleType) -> FloatArray:
        """Return the cost, of a sum of terms."""
        return total

    @abc.abstractmethod
    def slope(self, difference: FloatArray, xp: ModuleType) -> FloatArray:
        """Return the derivative with respect to a feature, but for a factor.

        This may be the array of the difference itself.
        """

    @abc.abstractmethod
    def bend(
        self, difference: FloatArray, direction: FloatArray, xp: ModuleType
    ) -> FloatArray:
        """Return the derivative of the slope along a direction."""

    def scaled(
        self, weight: FloatArray, cost: FloatArray | None, xp: ModuleType
    ) -> FloatArray:
        """Return weights times the factor of the derivative.

        The cost may be None unless it is needed, which ``by_cost`` says.
        """
        return weight

    def scaled_tangent(
        self,
        weight: FloatArray,
        cost: FloatArray,
        direction: FloatArray,
        xp: ModuleType,
    ) -> FloatArray:
        """Return the derivative of the same along a direction of the cost.

        It is 0 unless ``by_cost`` is true.
        """
        tangent: FloatArray = xp.zeros_like(weight)
        return tangent

    # As in compiled sweeps, what is beyond the range is infinite, or NaN.
    @np.errstate(over="ignore", invalid="ignore")
    def matrix(
        self, x: FloatArray, y: FloatArray, xp: ModuleType = np
    ) -> FloatArray:
        """Return the costs ``(B, m, n)`` of batches of series.

        Args:
            x: ``(B, m, d)``.
            y: ``(B, n, d)``, of the same type.
            xp: The module of the arrays.
        """
        total = xp.zeros((len(x), x.shape[1], y.shape[1]), x.dtype)
        for _, difference in _differences(x, y, xp):
            total += self.term(difference, xp)
        return self.finish(total, xp)

    @np.errstate(over="ignore", invalid="ignore")
    def gradients(
        self,
        x: FloatArray,
        y: FloatArray,
        weight: FloatArray,
        xp: ModuleType = np,
    ) -> tuple[FloatArray, FloatArray]:
        """Return the gradients of a weighted sum of costs for both batches.

        Args:
            x: ``(B, m, d)``.
            y: ``(B, n, d)``, of the same type.
            weight: ``(B, m, n)``.
            xp: The module of the arrays.
        """
        cost = self.matrix(x, y, xp) if self.by_cost else None
        weight = self.scaled(weight, cost, xp)
        gx, gy = xp.empty_like(x), xp.empty_like(y)
        for k, difference in _differences(x, y, xp):
            g = self.slope(difference, xp)
            g *= weight
            gx[..., k] = g.sum(axis=2)
            gy[..., k] = -g.sum(axis=1)
        return gx, gy


def _differences(
    x: FloatArray, y: FloatArray, xp: ModuleType
) -> Iterator[tuple[int, FloatArray]]:
    """Yield all differences ``(B, m, n)`` of each feature, in one array."""
    difference = xp.empty((len(x), x.shape[1], y.shape[1]), x.dtype)
    for k in range(x.shape[2]):
        xp.subtract(x[:, :, None, k], y[:, None, :, k], out=difference)
        yield k, difference


class SqEuclidean(Cost):
    """The squared Euclidean distance, the sum of ``d[k] ** 2``."""

    name: ClassVar[CostName] = "sqeuclidean"
    degree = 2

    def term(self, difference: FloatArray, xp: ModuleType) -> FloatArray:
        term: FloatArray = xp.square(difference)
        return term

    def slope(self, difference: FloatArray, xp: ModuleType) -> FloatArray:
        return difference

    def bend(
        self, difference: FloatArray, direction: FloatArray, xp: ModuleType
    ) -> FloatArray:
        return direction

    def scaled(
        self, weight: FloatArray, cost: FloatArray | None, xp: ModuleType
    ) -> FloatArray:
        return 2 * weight


class Euclidean(SqEuclidean):
    """The Euclidean distance, the square root of the former."""

    name: ClassVar[CostName] = "euclidean"
    degree = 1
    by_cost = True

    def finish(self, total: FloatArray, xp: ModuleType) -> FloatArray:
        root: FloatArray = xp.sqrt(total)
        return root

    def scaled(
        self, weight: FloatArray, cost: FloatArray | None, xp: ModuleType
    ) -> FloatArray:
        same = cost == 0
        scaled: FloatArray
        scaled = xp.where(same, 0, weight / xp.where(same, 1, cost))
        return scaled

    def scaled_tangent(
        self,
        weight: FloatArray,
        cost: FloatArray,
        direction: FloatArray,
        xp: ModuleType,
    ) -> FloatArray:
        twice = self.scaled(self.scaled(weight, cost, xp), cost, xp)
        return -twice * direction


class Manhattan(Cost):
    """The sum of the absolute values of ``d[k]``."""

    name: ClassVar[CostName] = "manhattan"
    degree = 1
    curved = False

    def term(self, difference: FloatArray, xp: ModuleType) -> FloatArray:
        term: FloatArray = xp.absolute(difference)
        return term

    def slope(self, difference: FloatArray, xp: ModuleType) -> FloatArray:
        slope: FloatArray = xp.sign(difference)
        return slope

    def bend(
        self, difference: FloatArray, direction: FloatArray, xp: ModuleType
    ) -> FloatArray:
        bend: FloatArray = xp.zeros_like(direction)
        return bend


class Huber(Cost):
    """The sum of ``d[k] ** 2 / 2`` up to 1 and of ``|d[k]| - 1 / 2`` beyond.

    Both are ``s * (d[k] - s / 2)`` with ``s``, the slope, from -1 to 1.
    """

    name: ClassVar[CostName] = "huber"

    def term(self, difference: FloatArray, xp: ModuleType) -> FloatArray:
        slope = self.slope(difference, xp)
        term: FloatArray = slope * (difference - slope / 2)
        return term

    def slope(self, difference: FloatArray, xp: ModuleType) -> FloatArray:
        slope: FloatArray = xp.clip(difference, -1.0, 1.0)
        return slope

    def bend(
        self, difference: FloatArray, direction: FloatArray, xp: ModuleType
    ) -> FloatArray:
        bend: FloatArray = xp.where(xp.absolute(difference) <= 1, direction, 0)
        return bend


#: The costs that the sweeps compute, by name.
COSTS: dict[str, Cost] = {
    cost.name: cost
    for cost in (SqEuclidean(), Euclidean(), Manhattan(), Huber())
}
