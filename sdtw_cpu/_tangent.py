"""The tangent sweep."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from sdtw_cpu import _kernels
from sdtw_cpu._arrays import as_limits, as_native
from sdtw_cpu._tape import CostTape, SeriesTape, make_tape
from sdtw_cpu.checks import (
    check_array,
    check_cost,
    check_direction,
    check_gamma,
    check_series,
)
from sdtw_cpu.costs import CostName
from sdtw_cpu.types import (
    Direction,
    FloatArray,
    Integers,
    Real,
    Reals,
)


@overload
def tangent(
    x: Reals,
    y: Reals,
    direction: Direction,
    gamma: Real = 1.0,
    *,
    cost: CostName = "sqeuclidean",
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: Literal[False] = False,
) -> tuple[FloatArray, FloatArray]: ...
@overload
def tangent(
    x: Reals,
    y: Reals,
    direction: Direction,
    gamma: Real = 1.0,
    *,
    cost: CostName = "sqeuclidean",
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: Literal[True],
) -> tuple[FloatArray, FloatArray, SeriesTape]: ...
@overload
def tangent(
    x: Reals,
    y: Reals,
    direction: Direction,
    gamma: Real = 1.0,
    *,
    cost: CostName = "sqeuclidean",
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
) -> (
    tuple[FloatArray, FloatArray] | tuple[FloatArray, FloatArray, SeriesTape]
): ...
def tangent(
    x: Any,
    y: Any,
    direction: Any,
    gamma: Real = 1.0,
    *,
    cost: str = "sqeuclidean",
    x_length: Any = None,
    y_length: Any = None,
    band: Any = None,
    tape: bool = False,
) -> Any:
    """Compute soft-DTW and its derivative along a direction.

    With ``Z`` the derivative of the costs, the tangent of ``R`` is ``Z[i,j]``
    plus the mean of its predecessors' tangents under the softmin's weights;
    in the last cell it is ``<E, Z>``, ``E`` being the expected alignment
    (Mensch and Blondel, ICML 2018, Algorithm 2).

    Args:
        x: ``(B, m, d)``, as for :func:`value`.
        y: ``(B, n, d)``.
        direction: What the derivative is along:

            - a pair ``(dx, dy)`` of the shapes of ``x`` and ``y``, either of
              which may be None, zero: the series change;
            - ``"cost"``: the costs grow in proportion, ``Z = C``, so that the
              tangent is ``<E, C>``;
            - an array ``Z`` of shape ``(B, m, n)``, or with 1 for some of it:
              the costs change by given amounts.

            Of the type of ``x``. What a direction has beyond the lengths and
            outside of the band is ignored.
        gamma: Smoothing, >= 0, in units of the cost.
        cost: As for :func:`value`.
        x_length: ``(B,)`` integers, as for :func:`value`.
        y_length: The same for ``y``.
        band: Columns that each row may use, as for :func:`value`.
        tape: Whether to keep what :func:`adjoint_tangent` needs, half as much
            again as for :func:`value`.

    Returns:
        ``(B,)`` values and ``(B,)`` tangents of the arrays' type; with
        ``tape``, a :class:`Tape` as well. Both are NaN for a pair of series
        with a NaN or an infinity in it.

    Raises:
        TypeError: If the types are not float32 or float64, or differ.
        ValueError: If a shape, a length, gamma, the band or a name is wrong.
    """
    x, y = as_native("x", x), as_native("y", y)
    check_series(x, y)
    limits = as_limits(x, y, x_length, y_length, band)
    direction = _direction(direction, (x, y), (*x.shape[:2], y.shape[1]))
    return _tangent(x, y, check_cost(cost), gamma, limits, direction, tape)


@overload
def tangent_from_cost(
    cost: Reals,
    direction: Direction,
    gamma: Real = 1.0,
    *,
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: Literal[False] = False,
) -> tuple[FloatArray, FloatArray]: ...
@overload
def tangent_from_cost(
    cost: Reals,
    direction: Direction,
    gamma: Real = 1.0,
    *,
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: Literal[True],
) -> tuple[FloatArray, FloatArray, CostTape]: ...
@overload
def tangent_from_cost(
    cost: Reals,
    direction: Direction,
    gamma: Real = 1.0,
    *,
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
) -> (
    tuple[FloatArray, FloatArray] | tuple[FloatArray, FloatArray, CostTape]
): ...
def tangent_from_cost(
    cost: Any,
    direction: Any,
    gamma: Real = 1.0,
    *,
    x_length: Any = None,
    y_length: Any = None,
    band: Any = None,
    tape: bool = False,
) -> Any:
    """Compute soft-DTW of cost matrices and its derivative along a direction.

    Args:
        cost: ``(B, m, n)``, as for :func:`value_from_cost`.
        direction: ``Z`` of shape ``(B, m, n)``, or with 1 for some of it, or
            ``"cost"`` for the costs themselves. What it has in forbidden
            cells, outside of the band and beyond the lengths is ignored.
        gamma: Smoothing, >= 0, in units of the cost.
        x_length: ``(B,)`` integers, the number of valid rows per matrix.
        y_length: ``(B,)`` integers, the number of valid columns per matrix.
        band: Columns that each row may use, as for :func:`value`.
        tape: Whether to keep what :func:`adjoint_tangent` needs.

    Returns:
        As :func:`tangent`; where forbidden cells leave no path the value is
        ``+inf`` and the tangent 0.

    Raises:
        TypeError: If the types are not float32 or float64, or differ.
        ValueError: If a shape, a length, gamma or the band is out of range.
    """
    cost = as_native("cost", cost)
    check_array("cost", cost)
    limits = as_limits(cost, None, x_length, y_length, band)
    direction = _direction(direction, (cost,), cost.shape)
    return _tangent(cost, None, None, gamma, limits, direction, tape)


def _direction(direction: Any, like: tuple, shape: tuple) -> Any:
    """Return a direction in the form that sweeps read."""
    if isinstance(direction, tuple):
        direction = tuple(
            a if a is None else as_native("direction", a) for a in direction
        )
    elif hasattr(direction, "__array__"):
        direction = as_native("direction", direction)
    check_direction(direction, like, shape)
    if isinstance(direction, np.ndarray):
        return np.broadcast_to(direction, shape)
    return direction


def _tangent(
    x: np.ndarray,
    y: np.ndarray | None,
    cost: str | None,
    gamma: Real,
    limits: tuple[Any, Any, Any],
    direction: Any,
    tape: bool,
) -> Any:
    gamma = check_gamma(gamma)
    sweep = _kernels.Sweep(x, y, cost, gamma, *limits, tape, direction)
    values, tangents = np.empty((2, x.shape[0]), x.dtype)
    sweep.value(values, tangents)
    results = values, tangents
    return (*results, make_tape(sweep)) if tape else results
