"""Arguments in the form in which kernels take them, on the device."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from chainer_sdtw.cuda._modules import Device
from sdtw_cpu import checks


def lengths_of(
    device: Device, like: Any, name: str, lengths: Any, longest: int
) -> Any:
    """Return lengths as the kernels take them, or None for None."""
    xp = device.xp
    if lengths is None:
        return None
    if _on_device(lengths):
        checks.check_lengths_form(name, lengths, len(like))
        check_same_device(x=like, **{name: lengths})
        wide = lengths.astype(np.int64)
        return xp.clip(wide, -1, 2**30 + 1).astype(np.int32)
    checked = checks.as_lengths(name, lengths, len(like), longest)
    return xp.asarray(checked, dtype=np.int32)


def known_lengths(lengths: Any, longest: int) -> np.ndarray | None:
    """Return checked lengths as the host knows them, or None if it does not.

    One for all pairs if none are given.
    """
    if _on_device(lengths):
        return None
    given = longest if lengths is None else lengths
    return np.atleast_1d(np.asarray(given, dtype=np.int64))


def _on_device(lengths: Any) -> bool:
    return hasattr(lengths, "device") and not isinstance(lengths, np.ndarray)


def make_seed(xp: Any, grad: Any, like: Any, default: float) -> Any:
    """Return what an adjoint sweep starts with, as many as ``like`` has."""
    if grad is None:
        return xp.full(len(like), default, like.dtype)
    checks.check_grad_shape(grad, len(like))
    check_same_device(x=like, grad=grad)
    return xp.ascontiguousarray(grad, like.dtype)


def current(a: Any) -> Any:
    """A context in which the device of this array is the current one."""
    device = getattr(a, "device", None)
    if hasattr(device, "__enter__"):
        return device
    return contextlib.nullcontext()


def check_same_device(**arrays: Any) -> None:
    (first, a), (second, b) = arrays.items()
    places = [getattr(v, "device", None) for v in (a, b)]
    if places[0] != places[1]:
        raise ValueError(
            f"{first} and {second} must be on one device, got "
            f"{places[0]} and {places[1]}"
        )
