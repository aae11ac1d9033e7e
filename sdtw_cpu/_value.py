"""The value sweep."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from sdtw_cpu import _kernels
from sdtw_cpu._arrays import as_limits, as_native
from sdtw_cpu._tape import CostTape, SeriesTape, make_tape
from sdtw_cpu.checks import check_array, check_cost, check_gamma, check_series
from sdtw_cpu.costs import CostName
from sdtw_cpu.types import FloatArray, Integers, Real, Reals


@overload
def value(
    x: Reals,
    y: Reals,
    gamma: Real = 1.0,
    *,
    cost: CostName = "sqeuclidean",
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: Literal[False] = False,
) -> FloatArray: ...
@overload
def value(
    x: Reals,
    y: Reals,
    gamma: Real = 1.0,
    *,
    cost: CostName = "sqeuclidean",
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: Literal[True],
) -> tuple[FloatArray, SeriesTape]: ...
@overload
def value(
    x: Reals,
    y: Reals,
    gamma: Real = 1.0,
    *,
    cost: CostName = "sqeuclidean",
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
) -> FloatArray | tuple[FloatArray, SeriesTape]: ...
def value(
    x: Any,
    y: Any,
    gamma: Real = 1.0,
    *,
    cost: str = "sqeuclidean",
    x_length: Any = None,
    y_length: Any = None,
    band: Any = None,
    tape: bool = False,
) -> Any:
    """Compute soft-DTW between batches of series.

    ``R[m, n]`` of ``R[i,j] = C[i,j] + softmin_gamma(R[i-1,j-1], R[i-1,j],
    R[i,j-1])`` with ``C[i,j]`` the cost of ``x[i]`` and ``y[j]`` (Cuturi and
    Blondel, ICML 2017, Algorithm 1). The cost matrix is never stored.

    Args:
        x: ``(B, m, d)`` float32 or float64, any strides, not copied if it is
            aligned and in the machine's byte order.
        y: ``(B, n, d)``, same type.
        gamma: Smoothing, >= 0, in units of the cost; 0 is DTW itself.
        cost: ``"sqeuclidean"``, ``||x[i] - y[j]||^2``; ``"euclidean"``, the
            root of that; ``"manhattan"``, the sum of ``|x[i] - y[j]|``; or
            ``"huber"``, the sum of ``(x[i] - y[j])**2 / 2``, or of
            ``|x[i] - y[j]| - 1/2`` where the difference is beyond 1. Where
            elements coincide, the derivatives of the Euclidean and the
            Manhattan cost are taken to be 0.
        x_length: ``(B,)`` integers, the valid length of each padded series
            in ``x``, from 1 to ``m``; None means ``m``.
        y_length: The same for ``y``.
        band: The columns that each row may use: ``(B, m, 2)`` integers, or
            ``(1, m, 2)`` for all pairs, the first and the one after the last.
            Neither may go back from a row to the next. Rows beyond
            ``x_length`` and columns beyond ``y_length`` are ignored. Time and
            tape are those of the band, not of the whole table. See
            :func:`sdtw_cpu.sakoe_chiba_band`.
        tape: Whether to keep what :func:`adjoint` needs: for long series
            about ``3/4 B m n`` bytes in float64, half of that in float32.

    Returns:
        ``(B,)`` values of the arrays' type, in units of the cost; with
        ``tape``, a pair of these and a :class:`Tape`. A pair of series with
        a NaN or an infinity in it has the value NaN, any other one that the
        band leaves no path ``+inf``.

    Raises:
        TypeError: If the types are not float32 or float64, or differ, or
            lengths or the band are not integers.
        ValueError: If a shape, a length, gamma or a row of the band is out of
            range, or the cost is unknown.
    """
    x, y = as_native("x", x), as_native("y", y)
    check_series(x, y)
    limits = as_limits(x, y, x_length, y_length, band)
    return _value(x, y, check_cost(cost), gamma, limits, tape)


@overload
def value_from_cost(
    cost: Reals,
    gamma: Real = 1.0,
    *,
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: Literal[False] = False,
) -> FloatArray: ...
@overload
def value_from_cost(
    cost: Reals,
    gamma: Real = 1.0,
    *,
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: Literal[True],
) -> tuple[FloatArray, CostTape]: ...
@overload
def value_from_cost(
    cost: Reals,
    gamma: Real = 1.0,
    *,
    x_length: Integers | None = None,
    y_length: Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
) -> FloatArray | tuple[FloatArray, CostTape]: ...
def value_from_cost(
    cost: Any,
    gamma: Real = 1.0,
    *,
    x_length: Any = None,
    y_length: Any = None,
    band: Any = None,
    tape: bool = False,
) -> Any:
    """Compute soft-DTW from cost matrices.

    Args:
        cost: ``(B, m, n)`` float32 or float64, any strides. ``+inf`` forbids
            a cell.
        gamma: Smoothing, >= 0, in units of the cost; 0 is DTW itself.
        x_length: ``(B,)`` integers, the number of valid rows per matrix.
        y_length: ``(B,)`` integers, the number of valid columns per matrix.
        band: As for :func:`value`; costs outside of it are not read.
        tape: Whether to keep what :func:`adjoint` needs.

    Returns:
        As :func:`value`; ``+inf`` where forbidden cells leave no path, NaN
        where the valid part of a matrix has a NaN or ``-inf``.

    Raises:
        TypeError: If the type is not float32 or float64, or lengths or the
            band are not integers.
        ValueError: If the shape, a length, gamma or a row of the band is out
            of range.
    """
    cost = as_native("cost", cost)
    check_array("cost", cost)
    limits = as_limits(cost, None, x_length, y_length, band)
    return _value(cost, None, None, gamma, limits, tape)


def _value(
    x: np.ndarray,
    y: np.ndarray | None,
    cost: str | None,
    gamma: Real,
    limits: tuple[Any, Any, Any],
    tape: bool,
) -> Any:
    gamma = check_gamma(gamma)
    sweep = _kernels.Sweep(x, y, cost, gamma, *limits, tape)
    values = np.empty(x.shape[0], x.dtype)
    sweep.value(values)
    return (values, make_tape(sweep)) if tape else values
