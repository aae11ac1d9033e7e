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
    check_same_device,
    current,
    known_lengths,
    lengths_of,
    make_seed,
)
from chainer_sdtw.cuda._launch import (
    EXPLICIT,
    Batch,
    Tape,
    sweep_back,
    sweep_values,
)
from chainer_sdtw.cuda._modules import Device, cupy_device
from chainer_sdtw.cuda._sweeps import Gradients
from sdtw_cpu import checks
from sdtw_cpu.types import CostName, Integers, Real, Reals

Direction = Union[
    GpuArray,
    Literal["cost"],
    tuple[Optional[GpuArray], Optional[GpuArray]],
]

# Bytes for the cost matrices of series and all that is made of them: as many
# pairs at a time as fit in, but one at least.
PORTION_BYTES = 512 << 20
_CELL_BYTES = 96  # of a pair, about


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
    tangents, these form cost matrices: of as many pairs at a time as 512 MiB
    have room for, of one pair at least.

    Args:
        x: ``(B, m, d)`` float32 or float64.
        y: ``(B, n, d)``, same type, on the same device.
        direction: What changes, and how: a pair of arrays like ``x`` and
            ``y``, or None for one that does not change; or ``'cost'`` for the
            costs themselves; or a matrix for each pair or for all, ``(B, m,
            n)`` or ``(1, m, n)``, for the costs to change by.
        gamma: Smoothing, >= 0, in units of the cost.
        cost: ``'sqeuclidean'``, ``'euclidean'`` or ``'manhattan'``.
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
    with current(x):
        made = _series_tape(
            device, x, y, direction, gamma, cost, x_length, y_length, band
        )
        found = made.sweep()
        return (*found, made) if tape else found


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
    with current(cost):
        _, m, n = cost.shape
        c = device.xp.ascontiguousarray(cost)
        z = c
        if not _is_cost(direction):
            z = _matrices(device.xp, direction, cost, cost.shape, cost.dtype)
        given = c, None, gamma, m, n, x_length, y_length, band, z
        batch = Batch(device, EXPLICIT, *given)
        return sweep_values(batch, tape)


def adjoint_tangent(
    tape: Tape | SeriesTape,
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
        TypeError: If the tape has no tangent.
        ValueError: If a gradient has the wrong shape or is on another device.
    """
    if isinstance(tape, Tape):
        batch = tape._batch
        if batch.direction is None:
            raise TypeError("the tape is of a value: use adjoint")
        with current(batch.x):
            xp = batch.device.xp
            seeds = _seeds(xp, grad, grad_tangent, batch.x)
            change = xp.zeros(batch.x.shape, batch.x.dtype)
            sweep_back(tape, seeds[0], change, None, seeds[1])
            return change
    with current(tape.x):
        seeds = _seeds(tape.device.xp, grad, grad_tangent, tape.x)
        return tape.sweep_back(*seeds, x, y)


@dataclass
class SeriesTape:
    """The arguments of :func:`tangent`. Opaque.

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
    x_length: Any
    y_length: Any
    band: np.ndarray | None

    @property
    def nbytes(self) -> int:
        """Bytes kept."""
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
        self, seed: Any, seed_tangent: Any, x: bool, y: bool
    ) -> tuple[Any, Any]:
        """The changes of both gradients, or None for those not wanted."""
        xp = self.device.xp
        gx = xp.zeros(self.x.shape, self.dtype) if x else None
        gy = xp.zeros(self.y.shape, self.dtype) if y else None
        if self.direction is None:
            # The cost's own gradient changes by itself.
            seed_tangent = seed_tangent + seed
        for part in self._portions() if x or y else ():
            batch = self._batch(part)
            change = xp.zeros(batch.x.shape, batch.x.dtype)
            alignment = None
            if isinstance(self.direction, tuple) and self.cost != "manhattan":
                alignment = xp.zeros_like(change)
            tape = sweep_values(batch, True)[-1]
            seeds = seed[part], seed_tangent[part]
            sweep_back(tape, seeds[0], change, None, seeds[1], alignment)
            del tape
            along, across = self._factors(batch, change, alignment)
            for k, a, change_of_a in self._differences(part):
                each = along * self._slope(a)
                if across is not None:
                    each += across * change_of_a
                if gx is not None:
                    gx[part, :, k] = each.sum(axis=2)
                if gy is not None:
                    gy[part, :, k] = -each.sum(axis=1)
        if gx is not None:
            gx = _masked(xp, gx, self.x_length)
        if gy is not None:
            gy = _masked(xp, gy, self.y_length)
        return gx, gy

    def _portions(self) -> Iterator[slice]:
        size, m, _ = self.x.shape
        cells = m * self.y.shape[1]
        pairs = max(1, PORTION_BYTES // (_CELL_BYTES * cells))
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

    def _slope(self, a: Any) -> Any:
        """The part of the cost's gradient that depends on one difference."""
        return self.device.xp.sign(a) if self.cost == "manhattan" else a

    def _batch(self, part: slice) -> Batch:
        """The cost matrices of some pairs, and their directions."""
        xp = self.device.xp
        shape = part.stop - part.start, self.x.shape[1], self.y.shape[1]
        c, z = xp.zeros(shape), xp.zeros(shape)
        for _, a, change in self._differences(part):
            c += abs(a) if self.cost == "manhattan" else a * a
            if change is not None:
                z += self._slope(a) * change
        if self.cost == "euclidean":
            xp.sqrt(c, out=c)
            z *= self._inverse(c)
        elif self.cost == "sqeuclidean":
            z *= 2
        if self.direction is None:
            z = c
        elif not isinstance(self.direction, tuple):
            z = self.direction
            z = (z if len(z) == 1 else z[part]).astype(np.float64)
        lengths = [
            None if a is None else a[part]
            for a in (self.x_length, self.y_length)
        ]
        _, m, n = shape
        band = self.band
        if band is not None and len(band) > 1:
            band = band[part]
        given = c, None, self.gamma, m, n, *lengths, band, z
        return Batch(self.device, EXPLICIT, *given)

    def _factors(self, batch: Batch, change: Any, e: Any) -> tuple[Any, Any]:
        """What differences and what their changes are multiplied with."""
        if self.cost == "sqeuclidean":
            return 2 * change, None if e is None else 2 * e
        if self.cost == "manhattan":
            return change, None
        inverse = self._inverse(batch.x)
        if e is None:
            return inverse * change, None
        e *= inverse
        # The cost's own change is in the direction.
        return inverse * (change - e * batch.direction), e

    def _inverse(self, c: Any) -> Any:
        """The inverses of distances, 0 of 0."""
        return 1 / self.device.xp.where(c > 0, c, np.inf)


def _series_tape(
    device: Device,
    x: Any,
    y: Any,
    direction: Any,
    gamma: float,
    cost: str,
    x_length: Any,
    y_length: Any,
    band: Any,
) -> SeriesTape:
    xp = device.xp
    shape = *x.shape[:2], y.shape[1]
    known = known_lengths(x_length, x.shape[1])
    x_length = lengths_of(device, x, "x_length", x_length, x.shape[1])
    y_length = lengths_of(device, y, "y_length", y_length, y.shape[1])

    def wide(a: Any, lengths: Any) -> Any:
        a = xp.array(a, np.float64)
        a += 0 * a  # NaN for an infinity
        return _masked(xp, a, lengths)

    if _is_cost(direction):
        direction = None
    elif isinstance(direction, (tuple, list)):
        dx, dy = direction
        direction = (
            wide(_series(xp, "x", dx, x), x_length),
            wide(_series(xp, "y", dy, y), y_length),
        )
    else:
        direction = _matrices(xp, direction, x, shape, direction.dtype)
    x_wide, y_wide = wide(x, x_length), wide(y, y_length)
    band = checks.as_band(band, shape, known)
    if band is not None and known is not None:
        band = _without_padding(band, known)
    given = direction, gamma, cost, x_length, y_length, band
    return SeriesTape(device, x.dtype, x_wide, y_wide, *given)


def _without_padding(band: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """A band whose rows beyond a pair's last repeat it."""
    if len(band) == 1:
        rows = rows.max(keepdims=True)
    i = np.minimum(np.arange(band.shape[1]), rows[:, None] - 1)
    return np.take_along_axis(band, i[..., None], 1)


def _is_cost(direction: Any) -> bool:
    if not isinstance(direction, str):
        return False
    if direction != "cost":
        raise ValueError(f"direction must not be {direction!r}, but 'cost'")
    return True


def _series(xp: Any, name: str, direction: Any, series: Any) -> Any:
    """The direction of series; zeros for None."""
    if direction is None:
        return xp.zeros_like(series)
    if direction.shape != series.shape:
        raise ValueError(
            f"direction of {name} must have shape {series.shape}, got "
            f"{direction.shape}"
        )
    check_same_device(**{name: series}, direction=direction)
    return direction


def _matrices(
    xp: Any, direction: Any, like: Any, shape: tuple[int, ...], dtype: np.dtype
) -> Any:
    """Matrices of directions: as many as pairs, or one."""
    check_same_device(arrays=like, direction=direction)
    try:
        fits = np.broadcast_shapes(direction.shape, shape) == tuple(shape)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"direction must have shape {tuple(shape)}, got {direction.shape}"
        )
    all_of_them = xp.broadcast_to(direction, shape)
    if all_of_them.strides[0] == 0:
        all_of_them = all_of_them[:1]
    return xp.ascontiguousarray(all_of_them, dtype)


def _masked(xp: Any, a: Any, lengths: Any) -> Any:
    """Zeros beyond the lengths; all of a series whose length is not valid."""
    if lengths is None:
        return a
    inside = xp.arange(a.shape[1]) < lengths[:, None]
    inside |= lengths[:, None] < 1
    return xp.where(inside[..., None], a, a.dtype.type(0))


def _seeds(
    xp: Any, grad: Any, grad_tangent: Any, like: Any
) -> tuple[Any, Any]:
    return make_seed(xp, grad, like, 1), make_seed(xp, grad_tangent, like, 0)
