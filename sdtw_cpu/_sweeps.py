"""The four sweeps on batches."""

from __future__ import annotations

from typing import Any, Literal, Optional, overload

import numpy as np

from sdtw_cpu import _kernels
from sdtw_cpu.checks import (
    as_array,
    as_band,
    as_lengths,
    check_array,
    check_cost,
    check_direction,
    check_gamma,
    check_grad_shape,
    check_series,
    check_unmasked,
)
from sdtw_cpu.types import (
    CostName,
    Direction,
    FloatArray,
    Integers,
    Real,
    Reals,
)

Gradients = tuple[Optional[FloatArray], Optional[FloatArray]]


class Tape:
    """What a value or tangent sweep keeps for its adjoint. Opaque.

    It refers to the arrays that it was made from, which must not change
    before :func:`adjoint` or :func:`adjoint_tangent` has been called.
    """

    def __init__(self, sweep: _kernels.Sweep) -> None:
        self._sweep = sweep

    def __repr__(self) -> str:
        return f"{type(self).__name__}(nbytes={self.nbytes})"

    @property
    def nbytes(self) -> int:
        """Bytes kept besides the input arrays."""
        return self._sweep.tape_bytes


class SeriesTape(Tape):
    """A tape of series, whose gradients are a pair."""


class CostTape(Tape):
    """A tape of cost matrices, which have one gradient."""


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
            root of that; or ``"manhattan"``, the sum of ``|x[i] - y[j]|``.
            Where elements coincide, the derivative of the last two is taken
            to be 0.
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
    x, y = _native("x", x), _native("y", y)
    check_series(x, y)
    limits = _limits(x, y, x_length, y_length, band)
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
    cost = _native("cost", cost)
    check_array("cost", cost)
    limits = _limits(cost, None, x_length, y_length, band)
    return _value(cost, None, None, gamma, limits, tape)


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
    x, y = _native("x", x), _native("y", y)
    check_series(x, y)
    limits = _limits(x, y, x_length, y_length, band)
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
    cost = _native("cost", cost)
    check_array("cost", cost)
    limits = _limits(cost, None, x_length, y_length, band)
    direction = _direction(direction, (cost,), cost.shape)
    return _tangent(cost, None, None, gamma, limits, direction, tape)


@overload
def adjoint(
    tape: SeriesTape,
    grad: Reals | None = None,
    *,
    x: Literal[True] = True,
    y: Literal[True] = True,
) -> tuple[FloatArray, FloatArray]: ...
@overload
def adjoint(
    tape: SeriesTape,
    grad: Reals | None = None,
    *,
    x: Literal[True] = True,
    y: Literal[False],
) -> tuple[FloatArray, None]: ...
@overload
def adjoint(
    tape: SeriesTape,
    grad: Reals | None = None,
    *,
    x: Literal[False],
    y: Literal[True] = True,
) -> tuple[None, FloatArray]: ...
@overload
def adjoint(
    tape: SeriesTape,
    grad: Reals | None = None,
    *,
    x: bool = True,
    y: bool = True,
) -> Gradients: ...
@overload
def adjoint(
    tape: CostTape,
    grad: Reals | None = None,
    *,
    x: bool = True,
    y: bool = True,
) -> FloatArray: ...
@overload
def adjoint(
    tape: Tape,
    grad: Reals | None = None,
    *,
    x: bool = True,
    y: bool = True,
) -> FloatArray | Gradients: ...
def adjoint(
    tape: Tape, grad: Any = None, *, x: bool = True, y: bool = True
) -> np.ndarray | Gradients:
    """Compute the gradient of the values that made a tape.

    Each cell hands its mass to its predecessors in proportion to the
    softmin's weights (Cuturi and Blondel, ICML 2017, Algorithm 2); mass
    starts as 1 in the last cell. For gamma 0 the mass follows one optimal
    path: of equal predecessors the diagonal one is taken, then the one above.

    Args:
        tape: From :func:`value` or :func:`value_from_cost`.
        grad: ``(B,)``, the gradient with respect to the values; None means 1.
        x: Whether the gradient with respect to ``x`` is wanted.
        y: Whether the gradient with respect to ``y`` is wanted.

    Returns:
        For a tape of :func:`value`, the pair of gradients ``(B, m, d)`` and
        ``(B, n, d)``, None where not wanted. For a tape of
        :func:`value_from_cost`, the gradient ``(B, m, n)`` with respect to
        the cost: the expected alignment times ``grad``. Zero beyond the
        lengths and outside of the band, and everywhere for a pair that has
        no path.

    Raises:
        TypeError: If the tape is not one or ``grad`` not real numbers.
        ValueError: If ``grad`` has the wrong shape.
    """
    sweep = _sweep_of(tape)
    if sweep.direction is not None:
        raise ValueError("tape is of a tangent sweep: use adjoint_tangent")
    return _adjoint(sweep, _seed(sweep, "grad", grad, 1), None, x, y)


@overload
def adjoint_tangent(
    tape: SeriesTape,
    grad: Reals | None = None,
    grad_tangent: Reals | None = None,
    *,
    x: Literal[True] = True,
    y: Literal[True] = True,
) -> tuple[FloatArray, FloatArray]: ...
@overload
def adjoint_tangent(
    tape: SeriesTape,
    grad: Reals | None = None,
    grad_tangent: Reals | None = None,
    *,
    x: Literal[True] = True,
    y: Literal[False],
) -> tuple[FloatArray, None]: ...
@overload
def adjoint_tangent(
    tape: SeriesTape,
    grad: Reals | None = None,
    grad_tangent: Reals | None = None,
    *,
    x: Literal[False],
    y: Literal[True] = True,
) -> tuple[None, FloatArray]: ...
@overload
def adjoint_tangent(
    tape: SeriesTape,
    grad: Reals | None = None,
    grad_tangent: Reals | None = None,
    *,
    x: bool = True,
    y: bool = True,
) -> Gradients: ...
@overload
def adjoint_tangent(
    tape: CostTape,
    grad: Reals | None = None,
    grad_tangent: Reals | None = None,
    *,
    x: bool = True,
    y: bool = True,
) -> FloatArray: ...
@overload
def adjoint_tangent(
    tape: Tape,
    grad: Reals | None = None,
    grad_tangent: Reals | None = None,
    *,
    x: bool = True,
    y: bool = True,
) -> FloatArray | Gradients: ...
def adjoint_tangent(
    tape: Tape,
    grad: Any = None,
    grad_tangent: Any = None,
    *,
    x: bool = True,
    y: bool = True,
) -> np.ndarray | Gradients:
    """Compute the tangent of the gradient of the values.

    The derivative of what :func:`adjoint` returns, along the direction of the
    tangent sweep: the product of the Hessian with the direction. The tangent
    of the softmin's weight ``w_p`` is ``-w_p / gamma`` times how far its
    predecessor's tangent is from their mean, and masses follow (Mensch and
    Blondel, ICML 2018, Algorithm 2). For gamma 0 weights do not change.

    Args:
        tape: From :func:`tangent` or :func:`tangent_from_cost`.
        grad: ``(B,)``, the gradient with respect to the values; None means 1.
        grad_tangent: ``(B,)``, how that changes along the direction, which
            adds its product with the gradient; None means 0.
        x: Whether the tangent of the gradient for ``x`` is wanted.
        y: Whether the tangent of the gradient for ``y`` is wanted.

    Returns:
        For a tape of :func:`tangent`, a pair of ``(B, m, d)`` and
        ``(B, n, d)``, None where not wanted. How the derivatives of the costs
        themselves change along ``(dx, dy)`` or ``"cost"`` is in it. For a
        tape of :func:`tangent_from_cost`, ``(B, m, n)``, the tangent of the
        expected alignment times ``grad``.

    Raises:
        TypeError: If the tape is not one, or a gradient not real numbers.
        ValueError: If ``grad`` or ``grad_tangent`` has the wrong shape.
    """
    sweep = _sweep_of(tape)
    if sweep.direction is None:
        raise ValueError("tape is of a value sweep: use adjoint")
    seed = _seed(sweep, "grad", grad, 1)
    seed_tangent = _seed(sweep, "grad_tangent", grad_tangent, 0)
    return _adjoint(sweep, seed, seed_tangent, x, y)


def _sweep_of(tape: Any) -> _kernels.Sweep:
    if not isinstance(tape, Tape):
        raise TypeError(
            f"tape must be what a sweep with tape=True returned, got {tape!r}"
        )
    return tape._sweep


def _seed(
    sweep: _kernels.Sweep, name: str, grad: Any, default: float
) -> np.ndarray:
    batch = sweep.x.shape[0]
    if grad is None:
        return np.full(batch, float(default))
    seed = np.array(as_array(name, grad), dtype=np.float64, order="C")
    check_grad_shape(seed, batch, name)
    return seed


def _adjoint(
    sweep: _kernels.Sweep,
    seed: np.ndarray,
    seed_tangent: np.ndarray | None,
    x: bool,
    y: bool,
) -> np.ndarray | Gradients:
    dtype = sweep.x.dtype
    if not sweep.fused:
        e = np.zeros(sweep.x.shape, dtype)
        sweep.adjoint(seed, seed_tangent, None, None, e)
        return e
    gx = np.zeros(sweep.x.shape, dtype) if x else None
    gy = np.zeros_like(sweep.y, order="C", subok=False) if y else None
    if x or y:
        sweep.adjoint(seed, seed_tangent, gx, gy, None)
    return gx, gy


def _limits(
    x: Any, y: Any, x_length: Any, y_length: Any, band: Any
) -> tuple[Any, Any, Any]:
    """The lengths and the band, checked."""
    batch, m = x.shape[:2]
    n = x.shape[2] if y is None else y.shape[1]
    x_length = as_lengths("x_length", x_length, batch, m)
    y_length = as_lengths("y_length", y_length, batch, n)
    return x_length, y_length, as_band(band, (batch, m, n), x_length)


def _direction(direction: Any, like: tuple, shape: tuple) -> Any:
    if isinstance(direction, tuple):
        direction = tuple(
            a if a is None else _native("direction", a) for a in direction
        )
    elif hasattr(direction, "__array__"):
        direction = _native("direction", direction)
    check_direction(direction, like, shape)
    if isinstance(direction, np.ndarray):
        return np.broadcast_to(direction, shape)
    return direction


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
    out = np.empty(x.shape[0])
    sweep.value(out)
    value = _rounded(out, x.dtype)
    return (value, _tape(sweep)) if tape else value


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
    out, change = np.empty((2, x.shape[0]))
    sweep.value(out, change)
    values = _rounded(out, x.dtype), _rounded(change, x.dtype)
    return (*values, _tape(sweep)) if tape else values


def _tape(sweep: _kernels.Sweep) -> Tape:
    return SeriesTape(sweep) if sweep.fused else CostTape(sweep)


def _rounded(a: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore"):  # beyond float32: inf
        return a.astype(dtype, copy=False)


def _native(name: str, a: Any) -> np.ndarray:
    check_unmasked(name, a)
    a = np.asarray(a)
    if not (a.flags.aligned and a.dtype.isnative):
        a = a.astype(a.dtype.newbyteorder("="))
    return a
