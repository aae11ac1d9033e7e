"""The value and adjoint sweeps on batches, on a GPU."""

from __future__ import annotations

from typing import Optional

from chainer_sdtw._engine.types import GpuArray
from chainer_sdtw.cuda._arrays import (
    as_grad,
    as_limits,
    check_same_device,
    current,
)
from chainer_sdtw.cuda._batch import DeviceBatch
from chainer_sdtw.cuda._launch import SweepTape, Tape, sweep_values
from chainer_sdtw.cuda._modules import Device, cupy_device
from chainer_sdtw.cuda._variants import EXPLICIT
from sdtw_cpu import checks
from sdtw_cpu.costs import CostName
from sdtw_cpu.types import Integers, Real, Reals

Gradients = tuple[Optional[GpuArray], Optional[GpuArray]]


def value(
    x: GpuArray,
    y: GpuArray,
    gamma: Real = 1.0,
    *,
    cost: CostName = "sqeuclidean",
    x_length: GpuArray | Integers | None = None,
    y_length: GpuArray | Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
    device: Device | None = None,
) -> GpuArray | tuple[GpuArray, Tape]:
    """Compute soft-DTW between series.

    As :func:`sdtw_cpu.value`, for arrays of CuPy, on the device that they are
    on and in the current stream, without waiting for the device. Some seven
    kernels are launched, whatever the length of the series, if memory
    suffices; those that compute in float64 what float32 cannot hold return at
    once if there is nothing to compute.

    Args:
        x: ``(B, m, d)`` float32 or float64; copied if not C-contiguous.
        y: ``(B, n, d)``, same type, on the same device.
        gamma: Smoothing, >= 0, in units of the cost; 0 is DTW itself.
        cost: One of :data:`sdtw_cpu.costs.COSTS`.
        x_length: ``(B,)`` integers, the valid length of each padded series
            in ``x``, from 1 to ``m``; None means ``m``. On the host they are
            checked. On the device they are not, as that would mean to wait:
            a pair with a length out of range has the value NaN.
        y_length: The same for ``y``.
        band: The columns that each row may use: ``(B, m, 2)`` integers on the
            host, or ``(1, m, 2)`` for all pairs, as for
            :func:`sdtw_cpu.value`. Time and tape are those of the band.
        tape: Whether to keep what :func:`adjoint` needs. Together with what
            the sweeps work with meanwhile, this takes about ``2 B m n`` bytes
            for univariate series and ``10 B m n`` for others; without a tape,
            a quarter of the former and nine tenths of the latter. Where that
            is more than may be taken, see :func:`set_memory_limit`, more is
            launched and computed again.
        device: Where to run instead of on a GPU, for tests.

    Returns:
        ``(B,)`` values of the arrays' type, in units of the cost; with
        ``tape``, a pair of these and a :class:`Tape`. A pair of series with
        a NaN or an infinity in it has the value NaN, any other one that the
        band leaves no path ``+inf``.

    Raises:
        TypeError: If the types are not float32 or float64, or differ, or
            lengths or the band are not integers.
        ValueError: If a shape, a length, the band, gamma, the cost or the
            device is wrong.
    """
    device = device or cupy_device()
    checks.check_series(x, y)
    gamma = checks.check_gamma(gamma)
    checks.check_cost(cost)
    check_same_device(x=x, y=y)
    with current(x):
        shape = x.shape[0], x.shape[1], y.shape[1]
        limits = as_limits(device, x, shape, x_length, y_length, band)
        batch = DeviceBatch(device, cost, x, y, gamma, limits)
        return sweep_values(batch, tape)


def value_from_cost(
    cost: GpuArray,
    gamma: Real = 1.0,
    *,
    x_length: GpuArray | Integers | None = None,
    y_length: GpuArray | Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
    device: Device | None = None,
) -> GpuArray | tuple[GpuArray, Tape]:
    """Compute soft-DTW from cost matrices.

    As :func:`sdtw_cpu.value_from_cost`, for arrays of CuPy.

    Args:
        cost: ``(B, m, n)`` float32 or float64; copied if not C-contiguous.
            ``+inf`` forbids a cell.
        gamma: Smoothing, >= 0, in units of the cost; 0 is DTW itself.
        x_length: ``(B,)`` integers, the number of valid rows per matrix, as
            for :func:`value`.
        y_length: ``(B,)`` integers, the number of valid columns per matrix.
        band: As for :func:`value`; costs outside of it are not looked at.
        tape: Whether to keep what :func:`adjoint` needs.
        device: Where to run instead of on a GPU, for tests.

    Returns:
        As :func:`value`; ``+inf`` where forbidden cells leave no path, NaN
        where the valid part of a matrix has a NaN or ``-inf``.

    Raises:
        TypeError: If the type is not float32 or float64, or lengths or the
            band are not integers.
        ValueError: If the shape, a length, gamma or the band is out of range.
    """
    device = device or cupy_device()
    checks.check_array("cost", cost)
    gamma = checks.check_gamma(gamma)
    with current(cost):
        limits = as_limits(device, cost, cost.shape, x_length, y_length, band)
        batch = DeviceBatch(device, EXPLICIT, cost, None, gamma, limits)
        return sweep_values(batch, tape)


def adjoint(
    tape: Tape,
    grad: GpuArray | Reals | None = None,
    *,
    x: bool = True,
    y: bool = True,
) -> GpuArray | Gradients:
    """Compute the gradient of the values that made a tape.

    As :func:`sdtw_cpu.adjoint`. Two calls with the same arguments give the
    same bits. The first for a tape gives back the memory of its cells.

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
        no path. Where a distance has no gradient, as elements (for Manhattan,
        features) coincide, it counts as zero.

    Raises:
        TypeError: If the tape is not one or ``grad`` not real numbers.
        ValueError: If the tape is of a tangent, or ``grad`` has the wrong
            shape or is on another device.
    """
    checks.check_tape(tape, Tape, tangent=False)
    assert isinstance(tape, SweepTape)
    batch = tape.batch
    with current(batch.x):
        grad = as_grad(batch.device.xp, "grad", grad, batch.x)
        if batch.y is None:
            e = tape.new_gradient(batch.x)
            tape.sweep_back(grad, e, None)
            return e
        gx = tape.new_gradient(batch.x) if x else None
        gy = tape.new_gradient(batch.y) if y else None
        if x or y:
            tape.sweep_back(grad, gx, gy)
        return gx, gy
