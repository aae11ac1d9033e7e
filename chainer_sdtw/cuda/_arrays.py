"""Arguments in the form in which kernels take them, on the device."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import numpy as np

from chainer_sdtw._engine.types import GpuArray
from chainer_sdtw.cuda._modules import Device
from sdtw_cpu import checks


class Limits(NamedTuple):
    """The parts of the tables that pairs use.

    Attributes:
        x_length: ``(B,)`` on the device, or None for all rows.
        y_length: ``(B,)`` on the device, or None for all columns.
        band: ``(B, m, 2)`` or ``(1, m, 2)`` on the host, or None.
        rows: ``x_length`` on the host, one for all pairs if it is None; None
            if only the device knows it.
        columns: The same of ``y_length``.
    """

    x_length: GpuArray | None = None
    y_length: GpuArray | None = None
    band: np.ndarray | None = None
    rows: np.ndarray | None = None
    columns: np.ndarray | None = None

    def of(self, pairs: slice) -> Limits:
        """Return the limits of some of the pairs."""

        def part(a: Any) -> Any:
            return a if a is None or len(a) == 1 else a[pairs]

        return Limits(*map(part, self))


def as_limits(
    device: Device,
    like: Any,
    shape: tuple[int, ...],
    x_length: Any,
    y_length: Any,
    band: Any,
) -> Limits:
    """Check lengths and a band, and bring the lengths to the device.

    Args:
        device: Where the kernels run.
        like: An array on the device on which the lengths must be.
        shape: ``(B, m, n)``.
        x_length: As for :func:`value`.
        y_length: The same.
        band: The same.
    """
    _, m, n = shape
    x_length, rows = _lengths(device, like, "x_length", x_length, m)
    y_length, columns = _lengths(device, like, "y_length", y_length, n)
    band = checks.as_band(band, shape, rows)
    return Limits(x_length, y_length, band, rows, columns)


def _lengths(
    device: Device, like: Any, name: str, lengths: Any, longest: int
) -> tuple[Any, np.ndarray | None]:
    """Return lengths on the device, and those that the host knows."""
    xp = device.xp
    if lengths is None:
        return None, np.array([longest])
    if hasattr(lengths, "device") and not isinstance(lengths, np.ndarray):
        checks.check_lengths_form(name, lengths, len(like))
        check_same_device(x=like, **{name: lengths})
        wide = lengths.astype(np.int64)
        return xp.clip(wide, -1, 2**30 + 1).astype(np.int32), None
    checked = checks.as_lengths(name, lengths, len(like), longest)
    return xp.asarray(checked, dtype=np.int32), checked


def as_grad(xp: Any, name: str, grad: Any, like: Any) -> Any:
    """Return an incoming gradient, a number for each pair of ``like``."""
    if grad is None:
        return None
    if hasattr(grad, "shape"):
        checks.check_kind(name, grad, "iufb", "real numbers")
    else:
        grad = xp.asarray(checks.as_array(name, grad))
    checks.check_grad_shape(grad, len(like), name)
    check_same_device(x=like, **{name: grad})
    return xp.ascontiguousarray(grad, like.dtype)


def masked(xp: Any, a: Any, lengths: Any) -> Any:
    """Return zeros beyond lengths, but all of a series of an invalid one."""
    if lengths is None:
        return a
    inside = xp.arange(a.shape[1]) < lengths[:, None]
    inside |= lengths[:, None] < 1
    return xp.where(inside[..., None], a, a.dtype.type(0))


def current(a: Any) -> Any:
    """Return a context in which the device of an array is the current one."""
    device = getattr(a, "device", None)
    if hasattr(device, "__enter__"):
        return device
    return contextlib.nullcontext()


def check_same_device(**arrays: Any) -> None:
    """Check that two arrays are on one device."""
    (first, a), (second, b) = arrays.items()
    places = [getattr(v, "device", None) for v in (a, b)]
    if places[0] != places[1]:
        raise ValueError(
            f"{first} and {second} must be on one device, got "
            f"{places[0]} and {places[1]}"
        )
