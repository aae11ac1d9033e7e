"""The adjoint sweeps of values and of tangents."""

from __future__ import annotations

from typing import Any, Literal, Optional, overload

import numpy as np

from sdtw_cpu import _kernels
from sdtw_cpu._tape import CostTape, SeriesTape, Tape
from sdtw_cpu.checks import as_array, check_grad_shape, check_tape
from sdtw_cpu.types import FloatArray, Reals

Gradients = tuple[Optional[FloatArray], Optional[FloatArray]]


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
    check_tape(tape, Tape, tangent=False)
    sweep = tape._sweep
    grad = _as_grad("grad", grad, sweep.x.shape[0], 1.0)
    return _adjoint(sweep, grad, None, x, y)


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
    check_tape(tape, Tape, tangent=True)
    sweep = tape._sweep
    batch = sweep.x.shape[0]
    grad = _as_grad("grad", grad, batch, 1.0)
    grad_tangent = _as_grad("grad_tangent", grad_tangent, batch, 0.0)
    return _adjoint(sweep, grad, grad_tangent, x, y)


def _as_grad(name: str, grad: Any, batch: int, default: float) -> np.ndarray:
    if grad is None:
        array = np.empty(batch)
        array.fill(default)
        return array
    array = np.array(as_array(name, grad), dtype=np.float64, order="C")
    check_grad_shape(array, batch, name)
    return array


def _adjoint(
    sweep: _kernels.Sweep,
    grad: np.ndarray,
    grad_tangent: np.ndarray | None,
    x: bool,
    y: bool,
) -> np.ndarray | Gradients:
    dtype = sweep.x.dtype
    if sweep.y is None:
        alignment = np.zeros(sweep.x.shape, dtype)
        sweep.adjoint(grad, grad_tangent, None, None, alignment)
        return alignment
    gx = np.zeros(sweep.x.shape, dtype) if x else None
    gy = np.zeros(sweep.y.shape, dtype) if y else None
    if x or y:
        sweep.adjoint(grad, grad_tangent, gx, gy, None)
    return gx, gy
