"""The tangent sweep and the tangent of the adjoint sweep, on a GPU.

The kernels of the other sweeps, on dual numbers, from cost matrices and
matrices of their directions. Those of series are formed here, a few pairs at
a time, in float64: what rounding takes from a cost is magnified by 1 / gamma.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Optional, Union

import numpy as np

from chainer_sdtw._engine.types import GpuArray
from chainer_sdtw.cuda._arrays import (
    Limits,
    as_grad,
    as_limits,
    check_same_device,
    current,
    masked,
)
from chainer_sdtw.cuda._batch import DeviceBatch
from chainer_sdtw.cuda._launch import SweepTape, Tape, sweep_values
from chainer_sdtw.cuda._memory import limit_for
from chainer_sdtw.cuda._modules import Device, cupy_device
from chainer_sdtw.cuda._sweeps import Gradients
from chainer_sdtw.cuda._variants import EXPLICIT
from sdtw_cpu import checks
from sdtw_cpu.costs import COSTS, CostName
from sdtw_cpu.types import Integers, Real, Reals

Direction = Union[
    GpuArray,
    Literal["cost"],
    tuple[Optional[GpuArray], Optional[GpuArray]],
]

# Bytes of each cell of a pair for the cost matrices of series and all that is
# made of them, about.
_CELL_BYTES = 96


def tangent(
    x: GpuArray,
    y: GpuArray,
    direction: Direction,
    gamma: Real = 1.0,
    *,
    cost: CostName = "sqeuclidean",
    x_length: GpuArray | Integers | None = None,
    y_length: GpuArray | Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
    device: Device | None = None,
) -> tuple[GpuArray, GpuArray] | tuple[GpuArray, GpuArray, SeriesTape]:
    """Compute soft-DTW between series and its derivative along a direction.

    As :func:`sdtw_cpu.tangent`, for arrays of CuPy. Unlike the sweeps without
    tangents, these form cost matrices, for which they need about 96 bytes a
    cell: of as many pairs at a time as :func:`set_memory_limit` leaves room
    for, of one pair at least.

    Args:
        x: ``(B, m, d)`` float32 or float64.
        y: ``(B, n, d)``, same type, on the same device.
        direction: What changes, and how: a pair of arrays like ``x`` and
            ``y``, or None for one that does not change; or ``'cost'`` for the
            costs themselves; or a matrix for each pair or for all, ``(B, m,
            n)`` or ``(1, m, n)``, for the costs to change by.
        gamma: Smoothing, >= 0, in units of the cost.
        cost: One of :data:`sdtw_cpu.costs.COSTS`.
        x_length: ``(B,)`` integers, as for :func:`value`.
        y_length: The same for ``y``.
        band: As for :func:`value`.
        tape: Whether to keep what :func:`adjoint_tangent` needs: the
            arguments, the series in float64, from which it starts anew.
        device: Where to run instead of on a GPU, for tests.

    Returns:
        ``(B,)`` values and ``(B,)`` tangents; with ``tape``, also that. Both
        are NaN for a pair with a NaN or an infinity in its series; the
        tangent also is for one with a NaN in its direction.

    Raises:
        TypeError: If the types are not float32 or float64, or differ, or
            lengths or the band are not integers.
        ValueError: If a shape, a length, the band, gamma, the cost, the
            direction or the device is wrong.
    """
    device = device or cupy_device()
    checks.check_series(x, y)
    gamma = checks.check_gamma(gamma)
    checks.check_cost(cost)
    check_same_device(x=x, y=y)
    shape = x.shape[0], x.shape[1], y.shape[1]
    checks.check_direction(direction, (x, y), shape)
    with current(x):
        limits = as_limits(device, x, shape, x_length, y_length, band)
        series_tape = _series_tape(
            device, x, y, direction, gamma, cost, limits
        )
        values = series_tape.sweep()
        return (*values, series_tape) if tape else values


def tangent_from_cost(
    cost: GpuArray,
    direction: GpuArray | Literal["cost"],
    gamma: Real = 1.0,
    *,
    x_length: GpuArray | Integers | None = None,
    y_length: GpuArray | Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
    device: Device | None = None,
) -> tuple[GpuArray, GpuArray] | tuple[GpuArray, GpuArray, Tape]:
    """Compute soft-DTW from cost matrices, and its derivative along others.

    As :func:`sdtw_cpu.tangent_from_cost`, for arrays of CuPy.

    Args:
        cost: ``(B, m, n)`` float32 or float64. ``+inf`` forbids a cell.
        direction: A matrix for each pair or for all, ``(B, m, n)`` or ``(1,
            m, n)``, or ``'cost'`` for the costs themselves. Counts as 0 where
            a cell is forbidden.
        gamma: Smoothing, >= 0, in units of the cost.
        x_length: ``(B,)`` integers, the number of valid rows per matrix.
        y_length: ``(B,)`` integers, the number of valid columns per matrix.
        band: As for :func:`value_from_cost`.
        tape: Whether to keep what :func:`adjoint_tangent` needs: twice what
            :func:`value_from_cost` keeps.
        device: Where to run instead of on a GPU, for tests.

    Returns:
        As :func:`tangent`; tangents are 0 where no path is left.

    Raises:
        TypeError: If the type is not float32 or float64, or lengths or the
            band are not integers.
        ValueError: If a shape, a length, the band, gamma or the device is
            wrong.
    """
    device = device or cupy_device()
    checks.check_array("cost", cost)
    gamma = checks.check_gamma(gamma)
    checks.check_direction(direction, (cost,), cost.shape)
    with current(cost):
        limits = as_limits(device, cost, cost.shape, x_length, y_length, band)
        cost = device.xp.ascontiguousarray(cost)
        z = cost
        if not isinstance(direction, str):
            z = _matrices(device.xp, direction, cost, cost.shape)
        batch = DeviceBatch(device, EXPLICIT, cost, None, gamma, limits, z)
        return sweep_values(batch, tape)


def adjoint_tangent(
    tape: Tape,
    grad: GpuArray | Reals | None = None,
    grad_tangent: GpuArray | Reals | None = None,
    *,
    x: bool = True,
    y: bool = True,
) -> GpuArray | Gradients:
    """Compute the derivative of a gradient along a direction.

    As :func:`sdtw_cpu.adjoint_tangent`. Two calls with the same arguments
    give the same bits.

    Args:
        tape: From :func:`tangent` or :func:`tangent_from_cost`.
        grad: ``(B,)``, the gradient with respect to the values; None means 1.
        grad_tangent: ``(B,)``, the derivative of ``grad``; None means 0.
        x: Whether the derivative of the gradient for ``x`` is wanted.
        y: Whether that of the gradient for ``y`` is wanted.

    Returns:
        What :func:`adjoint` returns, differentiated along the direction: the
        Hessian of the value times the direction, times ``grad``, plus the
        gradient of the value times ``grad_tangent``.

    Raises:
        TypeError: If the tape is not one or a gradient not real numbers.
        ValueError: If the tape is of a value, or a gradient has the wrong
            shape or is on another device.
    """
    checks.check_tape(tape, Tape, tangent=True)
    if isinstance(tape, SeriesTape):
        device, like = tape.device, tape.x
    else:
        assert isinstance(tape, SweepTape)
        device, like = tape.batch.device, tape.batch.x
    with current(like):
        grad = as_grad(device.xp, "grad", grad, like)
        grad_tangent = as_grad(device.xp, "grad_tangent", grad_tangent, like)
        if isinstance(tape, SeriesTape):
            return tape.sweep_back(grad, grad_tangent, x, y)
        change = tape.new_gradient(like)
        tape.sweep_back(grad, change, None, grad_tangent)
        return change


@dataclass(repr=False)
class SeriesTape(Tape):
    """The arguments of :func:`tangent`.

    Series are in float64, 0 beyond their lengths; ``direction`` is a pair of
    series, matrices, or None for the cost.
    """

    device: Device
    dtype: np.dtype
    x: Any
    y: Any
    direction: Any
    gamma: float
    cost: str
    limits: Limits
    _dual = True

    @property
    def nbytes(self) -> int:
        arrays = [self.x, self.y]
        if isinstance(self.direction, tuple):
            arrays += self.direction
        elif self.direction is not None:
            arrays.append(self.direction)
        return sum(a.nbytes for a in arrays)

    def sweep(self) -> tuple[Any, Any]:
        """Values and tangents."""
        xp = self.device.xp
        value = xp.empty(len(self.x), self.dtype)
        tangent = xp.empty_like(value)
        for part in self._portions():
            batch = self._batch(part)
            value[part], tangent[part] = sweep_values(batch, False)
        return value, tangent

    def sweep_back(
        self, grad: Any, grad_tangent: Any, x: bool, y: bool
    ) -> tuple[Any, Any]:
        """The changes of both gradients, or None for those not wanted."""
        xp = self.device.xp
        gx = xp.zeros(self.x.shape, self.dtype) if x else None
        gy = xp.zeros(self.y.shape, self.dtype) if y else None
        if self.direction is None:
            # The cost's own gradient changes by itself.
            grad_tangent = (0 if grad_tangent is None else grad_tangent) + (
                xp.ones(len(self.x), self.x.dtype) if grad is None else grad
            )
        kind = COSTS[self.cost]
        moves = isinstance(self.direction, tuple)
        needs_alignment = moves and (kind.by_cost or kind.curved)
        for part in self._portions() if x or y else ():
            batch = self._batch(part)
            tape = sweep_values(batch, True)[-1]
            change = tape.new_gradient(batch.x)
            alignment: Any = None
            if needs_alignment:
                alignment = tape.new_gradient(batch.x)
            tape.sweep_back(
                None if grad is None else grad[part],
                change,
                None,
                None if grad_tangent is None else grad_tangent[part],
                alignment,
            )
            del tape
            # The cost's own change is in the direction.
            c, direction = batch.x, batch.direction
            change = kind.scaled(change, c, xp)
            if needs_alignment and kind.by_cost:
                change += kind.scaled_tangent(alignment, c, direction, xp)
            if needs_alignment:
                alignment = kind.scaled(alignment, c, xp)
            for k, a, change_of_a in self._differences(part):
                each = change * kind.slope(a, xp)
                if moves and kind.curved:
                    each += alignment * kind.bend(a, change_of_a, xp)
                if gx is not None:
                    gx[part, :, k] = each.sum(axis=2)
                if gy is not None:
                    gy[part, :, k] = -each.sum(axis=1)
        if gx is not None:
            gx = masked(xp, gx, self.limits.x_length)
        if gy is not None:
            gy = masked(xp, gy, self.limits.y_length)
        return gx, gy

    def _portions(self) -> Iterator[slice]:
        size, m, _ = self.x.shape
        pair = _CELL_BYTES * m * self.y.shape[1]
        limit = limit_for(self.device, size * pair)
        pairs = size if limit is None else max(1, limit // pair)
        for first in range(0, size, pairs):
            yield slice(first, min(size, first + pairs))

    def _differences(self, part: slice) -> Iterator[tuple[int, Any, Any]]:
        """Feature by feature, all x - y of pairs, and their changes."""
        moves = isinstance(self.direction, tuple)
        for k in range(self.x.shape[2]):
            found = [
                a[part, :, None, k] - b[part, None, :, k]
                for a, b in ((self.x, self.y), self.direction)[: 1 + moves]
            ]
            yield k, found[0], found[1] if moves else None

    def _batch(self, part: slice) -> DeviceBatch:
        """The cost matrices of some pairs, and their directions."""
        xp = self.device.xp
        shape = part.stop - part.start, self.x.shape[1], self.y.shape[1]
        kind = COSTS[self.cost]
        c, z = xp.zeros(shape), xp.zeros(shape)
        for _, a, change in self._differences(part):
            c += kind.term(a, xp)
            if change is not None:
                z += kind.slope(a, xp) * change
        c = kind.finish(c, xp)
        if self.direction is None:
            z = c
        elif isinstance(self.direction, tuple):
            z = kind.scaled(z, c, xp)
        else:
            z = self.direction
            z = (z if len(z) == 1 else z[part]).astype(np.float64)
        limits = self.limits.of(part)
        return DeviceBatch(
            self.device, EXPLICIT, c, None, self.gamma, limits, z
        )


def _series_tape(
    device: Device,
    x: Any,
    y: Any,
    direction: Any,
    gamma: float,
    cost: str,
    limits: Limits,
) -> SeriesTape:
    xp = device.xp

    def wide(a: Any, lengths: Any) -> Any:
        a = xp.array(a, np.float64)
        a += 0 * a  # NaN for an infinity
        return masked(xp, a, lengths)

    if isinstance(direction, str):
        direction = None
    elif isinstance(direction, tuple):
        dx, dy = direction
        direction = (
            wide(_series(xp, dx, x), limits.x_length),
            wide(_series(xp, dy, y), limits.y_length),
        )
    else:
        shape = x.shape[0], x.shape[1], y.shape[1]
        direction = _matrices(xp, direction, x, shape)
    x_wide, y_wide = wide(x, limits.x_length), wide(y, limits.y_length)
    return SeriesTape(
        device, x.dtype, x_wide, y_wide, direction, gamma, cost, limits
    )


def _series(xp: Any, direction: Any, series: Any) -> Any:
    """Return the direction of series; zeros for None."""
    if direction is None:
        return xp.zeros_like(series)
    check_same_device(series=series, direction=direction)
    return direction


def _matrices(
    xp: Any, direction: Any, like: Any, shape: tuple[int, ...]
) -> Any:
    """Return matrices of directions: as many as pairs, or one."""
    check_same_device(arrays=like, direction=direction)
    matrices = xp.broadcast_to(direction, shape)
    if matrices.strides[0] == 0:
        matrices = matrices[:1]
    return xp.ascontiguousarray(matrices)
