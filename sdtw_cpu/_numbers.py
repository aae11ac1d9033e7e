"""Checks of numbers and of arrays of any shape."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from sdtw_cpu.types import DeviceArray

# As many axes as NumPy's arrays can have.
_MAX_DEPTH = 64


def check_unmasked(name: str, a: object) -> None:
    """Refuse arrays with masked elements, in lists too.

    Raises:
        ValueError: If an element is masked, or lists are nested more deeply
            than arrays have axes, as one that is within itself.
    """
    _check_unmasked(name, a, 0)


def _check_unmasked(name: str, a: object, depth: int) -> None:
    """Do the same of what is within as many lists."""
    if isinstance(a, (list, tuple)):
        if depth == _MAX_DEPTH:
            raise ValueError(
                f"{name.partition('[')[0]} must not have more than "
                f"{_MAX_DEPTH} lists within each other"
            )
        for i, part in enumerate(a):
            _check_unmasked(f"{name}[{i}]", part, depth + 1)
    if isinstance(a, np.ma.MaskedArray) and np.ma.is_masked(a):
        advice = "fill them, for example with np.ma.filled"
        if a.ndim > 1:  # so that it can be a padded batch
            advice += (
                ", and where they pad series, say how long these are "
                "(x_length, y_length or a list of series)"
            )
        raise ValueError(
            f"{name} has masked elements, which would be taken as if they "
            f"were valid: {advice}"
        )


def as_array(
    name: str, a: object, kinds: str = "iufb", what: str = "real numbers"
) -> np.ndarray:
    """Return what NumPy can read as a plain array, not copied if it is one.

    Args:
        name: The argument's name, for messages.
        a: An array, a number, nested lists and the like.
        kinds: The kinds of types that are allowed, as NumPy calls them.
        what: What messages call these kinds.

    Raises:
        TypeError: If it is of another kind.
        ValueError: If elements are masked, or integers too large for a type.
    """
    check_unmasked(name, a)
    if a is None:
        raise TypeError(f"{name} must be {what}, got None")
    array = read_array(name, a, what)
    if array.dtype.kind == "O":
        _check_size(name, array)
    check_kind(name, array, kinds, what)
    return array


def read_array(name: str, a: object, what: str = "real numbers") -> np.ndarray:
    """Return what NumPy can read as a plain array of any type.

    Raises:
        TypeError: If NumPy cannot read it.
    """
    try:
        return np.asarray(a)
    except (RuntimeError, TypeError, ValueError) as e:
        raise TypeError(
            f"{name} must be {what}, got {type(a).__name__}: {e}"
        ) from None


def _check_size(name: str, array: np.ndarray) -> None:
    """Refuse integers of Python for which NumPy has no type."""
    for value in array.flat:
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise ValueError(
                f"{name} has an integer too large for 64 bits: {value}"
            )


def check_kind(name: str, a: DeviceArray, kinds: str, what: str) -> None:
    """Check the kind of an array's type, on any device.

    Raises:
        TypeError: If it is not one of ``kinds``.
    """
    if a.dtype.kind not in kinds:
        raise TypeError(f"{name} must be {what}, got {a.dtype}")


def as_number(name: str, value: object) -> float:
    """Return a real number as a float, infinite beyond the range of floats.

    Raises:
        TypeError: If it is not a real number. Arrays without axes are.
        ValueError: If it is masked.
    """
    check_unmasked(name, value)
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    scalar = getattr(value, "shape", ()) == () and kind in "iufb"
    number: Any = value
    try:
        if not scalar or isinstance(value, (str, bytes, bytearray)):
            raise TypeError
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None


def as_nonnegative(name: str, value: object) -> float:
    """Return a number that is not negative as a float.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is negative, NaN or infinite.
    """
    number = as_number(name, value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} must be >= 0 and finite, got {number!r}")
    return number


def as_integer(
    name: str, value: object, minimum: int | None, maximum: int | None = None
) -> int:
    """Return an integer of Python.

    Raises:
        TypeError: If it is not an integer. Arrays without axes can be.
        ValueError: If it is masked, less than ``minimum`` or more than
            ``maximum``, where these are not None.
    """
    check_unmasked(name, value)
    bounds = "" if minimum is None else f" >= {minimum}"
    if maximum is not None:
        bounds = f" from {minimum} to {maximum}"
    index: Any = value
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(index)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer{bounds}, got {value!r}"
        ) from None
    below = minimum is not None and number < minimum
    if below or (maximum is not None and number > maximum):
        raise ValueError(f"{name} must be{bounds}, got {value!r}")
    return number
