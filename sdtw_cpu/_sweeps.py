"""The value and adjoint sweeps on batches."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from sdtw_cpu import _kernels
from sdtw_cpu._arguments import (
    as_band,
    as_lengths,
    check_array,
    check_gamma,
    check_grad_shape,
    check_series,
)

Gradients = tuple[Optional[np.ndarray], Optional[np.ndarray]]


class Tape:
    """What a value sweep keeps for its adjoint sweep. Opaque.

    It refers to the arrays that it was made from, which must not change
    before :func:`adjoint` has been called.
    """

    def __init__(self, sweep: _kernels.Sweep) -> None:
        self._sweep = sweep

    @property
    def nbytes(self) -> int:
        """Bytes kept besides the input arrays."""
        return self._sweep.tape_bytes


def value(
    x: Any,
    y: Any,
    gamma: float = 1.0,
    *,
    x_length: Any = None,
    y_length: Any = None,
    band: Any = None,
    tape: bool = False,
) -> Any:
    """Compute soft-DTW under the squared Euclidean cost.

    ``R[m, n]`` of ``R[i,j] = C[i,j] + softmin_gamma(R[i-1,j-1], R[i-1,j],
    R[i,j-1])`` with ``C[i,j] = ||x[i] - y[j]||^2`` (Cuturi and Blondel, ICML
    2017, Algorithm 1). The cost matrix is never stored.

    Args:
        x: ``(B, m, d)`` float32 or float64, any strides, not copied if it is
            aligned and in the machine's byte order.
        y: ``(B, n, d)``, same type.
        gamma: Smoothing, >= 0, in units of the cost; 0 is DTW itself.
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
            range.
    """
    x, y = _native(x), _native(y)
    check_series(x, y)
    x_length = as_lengths("x_length", x_length, x.shape[0], x.shape[1])
    y_length = as_lengths("y_length", y_length, y.shape[0], y.shape[1])
    band = as_band(band, (*x.shape[:2], y.shape[1]), x_length)
    return _value(x, y, gamma, x_length, y_length, band, tape)


def value_from_cost(
    cost: Any,
    gamma: float = 1.0,
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
    cost = _native(cost)
    check_array("cost", cost)
    x_length = as_lengths("x_length", x_length, *cost.shape[:2])
    y_length = as_lengths("y_length", y_length, *cost.shape[::2])
    band = as_band(band, cost.shape, x_length)
    return _value(cost, None, gamma, x_length, y_length, band, tape)


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
        ValueError: If ``grad`` has the wrong shape.
    """
    sweep = tape._sweep
    batch = sweep.x.shape[0]
    dtype = sweep.x.dtype
    if grad is None:
        seed = np.ones(batch)
    else:
        seed = np.array(grad, dtype=np.float64, order="C")
        check_grad_shape(seed, batch)
    if not sweep.fused:
        e = np.zeros(sweep.x.shape, dtype)
        sweep.adjoint(seed, None, None, e)
        return e
    gx = np.zeros(sweep.x.shape, dtype) if x else None
    gy = np.zeros_like(sweep.y, order="C", subok=False) if y else None
    if x or y:
        sweep.adjoint(seed, gx, gy, None)
    return gx, gy


def _value(
    x: np.ndarray,
    y: np.ndarray | None,
    gamma: float,
    x_length: np.ndarray | None,
    y_length: np.ndarray | None,
    band: np.ndarray | None,
    tape: bool,
) -> Any:
    sweep = _kernels.Sweep(
        x, y, check_gamma(gamma), x_length, y_length, band, tape
    )
    out = np.empty(x.shape[0])
    sweep.value(out)
    with np.errstate(over="ignore"):  # beyond float32: inf
        out = out.astype(x.dtype, copy=False)
    return (out, Tape(sweep)) if tape else out


def _native(a: Any) -> np.ndarray:
    a = np.asarray(a)
    if not (a.flags.aligned and a.dtype.isnative):
        a = a.astype(a.dtype.newbyteorder("="))
    return a
