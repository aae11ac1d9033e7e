"""Checks of arguments that the CPU and the GPU have in common.

Functions ``as_...`` return an argument in the form in which it is used;
``check_...`` only look at it, most of them on any device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from sdtw_cpu import costs
from sdtw_cpu._numbers import (
    as_array,
    as_integer,
    as_nonnegative,
    as_number,
    check_kind,
    check_unmasked,
    read_array,
)
from sdtw_cpu.types import DeviceArray, Real

__all__ = [
    "COSTS",
    "as_array",
    "as_band",
    "as_integer",
    "as_lengths",
    "as_nonnegative",
    "as_number",
    "as_weights",
    "check_array",
    "check_cost",
    "check_direction",
    "check_gamma",
    "check_grad_shape",
    "check_kind",
    "check_lengths_form",
    "check_series",
    "check_tape",
    "check_unmasked",
    "check_weights_shape",
    "read_array",
]

# Sweeps count rows and columns, and strides between them, in 32-bit integers.
_MAX_LENGTH = 2**30

# The largest gamma for which the sweeps have a cost of forbidden cells.
_MAX_GAMMA = 1e290

#: Names of the costs of two series that the sweeps have.
COSTS = tuple(costs.COSTS)


def check_gamma(gamma: Real) -> float:
    """Return gamma as a float.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is negative, NaN, infinite or above 1e290.
    """
    number = as_nonnegative("gamma", gamma)
    if number > _MAX_GAMMA:
        raise ValueError(f"gamma must be at most {_MAX_GAMMA}, got {number!r}")
    # Costs over less than this exceed every float64: the minimum is hard.
    return 0.0 if number < 1e-290 else number


def check_cost(cost: object) -> costs.CostName:
    """Return the name of a cost.

    Raises:
        ValueError: If it is none of ``COSTS``.
    """
    if not isinstance(cost, str) or cost not in COSTS:
        names = ", ".join(map(repr, COSTS))
        raise ValueError(f"cost must be one of {names}, got {cost!r}")
    return costs.COSTS[cost].name


def check_array(name: str, a: DeviceArray) -> None:
    """Check the type and the three axes of a batch, on any device.

    Raises:
        TypeError: If the type is not float32 or float64.
        ValueError: If the shape is wrong or has a zero.
    """
    if a.dtype.char not in "fd":
        raise TypeError(f"{name} must be float32 or float64, got {a.dtype}")
    shape = a.shape
    if len(shape) != 3:
        raise ValueError(f"{name} must have 3 dimensions, got shape {shape}")
    if 0 in shape:
        raise ValueError(f"{name} must not be empty, got shape {shape}")
    if max(shape[1:]) > _MAX_LENGTH:
        raise ValueError(
            f"{name} must have at most 2**30 elements in each of the last "
            f"two dimensions, got shape {shape}"
        )


def check_series(x: DeviceArray, y: DeviceArray) -> None:
    """Check two batches of series, on any device.

    Raises:
        TypeError: If the types are not float32 or float64, or differ.
        ValueError: If a shape is wrong or they do not fit each other.
    """
    check_array("x", x)
    check_array("y", y)
    if x.dtype != y.dtype:
        raise TypeError(
            f"x and y must have the same dtype, got {x.dtype} and {y.dtype}"
        )
    x_shape, y_shape = x.shape, y.shape
    if x_shape[0] != y_shape[0]:
        raise ValueError(
            "x and y must have the same batch size, got shapes "
            f"{x_shape} and {y_shape}"
        )
    if x_shape[2] != y_shape[2]:
        raise ValueError(
            "x and y must have the same number of features (last axis), got "
            f"shapes {x_shape} and {y_shape}"
        )


def check_lengths_form(name: str, lengths: DeviceArray, batch: int) -> None:
    """Check the type and the shape of lengths, on any device.

    Raises:
        TypeError: If they are not integers.
        ValueError: If the shape is not ``(batch,)``.
    """
    check_kind(name, lengths, "iu", "integers")
    if lengths.shape != (batch,):
        raise ValueError(
            f"{name} must have shape {(batch,)}, got {lengths.shape}"
        )


def as_lengths(
    name: str, lengths: object, batch: int | None, longest: int
) -> np.ndarray | None:
    """Return lengths as a contiguous array of int64, or None for None.

    There may be any number of them if ``batch`` is None.

    Raises:
        TypeError: If they are not integers.
        ValueError: If the shape is wrong or one is not in [1, longest].
    """
    if lengths is None:
        return None
    a = as_array(name, lengths, "iu", "integers")
    check_lengths_form(name, a, a.size if batch is None else batch)
    if a.size == 0:
        raise ValueError(f"{name} must not be empty")
    if a.min() < 1 or a.max() > longest:
        bad = int(np.flatnonzero((a < 1) | (a > longest))[0])
        raise ValueError(
            f"{name} must be from 1 to {longest}, got {a[bad]} at {bad}"
        )
    return np.ascontiguousarray(a, dtype=np.int64)


def as_band(
    band: object, shape: tuple[int, ...], x_length: np.ndarray | None = None
) -> np.ndarray | None:
    """Return a band as a contiguous array of int32, or None for None.

    The shape is that of the costs, ``(B, m, n)``. Rows beyond ``x_length``
    may hold anything.

    Raises:
        TypeError: If it is not made of integers.
        ValueError: If the shape is wrong, a row has no columns or columns
            that the table has not, or a bound goes back from a row to the
            next.
    """
    if band is None:
        return None
    batch, m, n = shape
    a = as_array("band", band, "iu", "integers")
    if a.shape not in ((batch, m, 2), (1, m, 2)):
        raise ValueError(
            f"band must have shape {(batch, m, 2)} or {(1, m, 2)}, got "
            f"{a.shape}"
        )
    # Where no bound goes back, the outer rows have the extremes.
    begin, end = a[..., 0], a[..., 1]
    valid = not ((begin >= end).any() or (a[:, 1:] < a[:, :-1]).any())
    if not valid or begin[:, 0].min() < 0 or end[:, -1].max() > n:
        _check_rows(a, n, x_length)
    return np.ascontiguousarray(a, dtype=np.int32)


def _check_rows(a: np.ndarray, n: int, x_length: np.ndarray | None) -> None:
    """Refuse a band with an invalid row that is not beyond the lengths."""
    begin, end = a[..., 0], a[..., 1]
    bad = (begin < 0) | (begin >= end) | (end > n)
    back = (a[:, 1:] < a[:, :-1]).any(axis=2)
    if x_length is not None:
        m = a.shape[1]
        rows = x_length if len(a) > 1 else x_length.max(keepdims=True)
        beyond = np.arange(m) >= rows[:, None]
        bad &= ~beyond
        back &= ~beyond[:, 1:]
    if bad.any():
        b, i = np.argwhere(bad)[0]
        raise ValueError(
            f"band must have 0 <= first < stop <= {n} in every row, got "
            f"{a[b, i].tolist()} in row {i} of pair {b}"
        )
    if back.any():
        b, i = np.argwhere(back)[0]
        raise ValueError(
            "band must not go back from a row to the next, got "
            f"{a[b, i].tolist()} and {a[b, i + 1].tolist()} in rows {i} and "
            f"{i + 1} of pair {b}"
        )


def check_grad_shape(
    grad: DeviceArray, batch: int, name: str = "grad"
) -> None:
    """Check the shape of the gradient with respect to the values.

    Raises:
        ValueError: If it is not ``(batch,)``.
    """
    if grad.shape != (batch,):
        raise ValueError(
            f"{name} must have shape {(batch,)}, got {grad.shape}"
        )


def check_tape(tape: object, kind: type, *, tangent: bool) -> None:
    """Check that a tape is one of a device, and of the right sweep.

    Args:
        tape: Any object.
        kind: The class of the tapes of this device.
        tangent: Whether it must be of a tangent sweep, not of a value sweep.

    Raises:
        TypeError: If it is no such tape.
        ValueError: If it is of the other sweep.
    """
    if not isinstance(tape, kind):
        raise TypeError(
            f"tape must be what a sweep with tape=True returned, got {tape!r}"
        )
    dual: bool = cast(Any, tape)._dual
    if dual and not tangent:
        raise ValueError("tape is of a tangent sweep: use adjoint_tangent")
    if tangent and not dual:
        raise ValueError("tape is of a value sweep: use adjoint")


def check_direction(
    direction: object,
    like: Sequence[DeviceArray],
    shape: tuple[int, ...],
) -> None:
    """Check a direction of a tangent sweep, on any device.

    Args:
        direction: ``"cost"``, an array that can be broadcast to ``shape``,
            or a pair of arrays, or None, of the shapes of ``like``.
        like: The arrays ``x`` and ``y``, or one of costs.
        shape: ``(B, m, n)``.

    Raises:
        TypeError: If the type is not that of the arrays.
        ValueError: If it is another string or a shape is wrong.
    """
    if isinstance(direction, str):
        if direction != "cost":
            raise ValueError(
                "direction must be an array, a pair of arrays or 'cost', got "
                f"{direction!r}"
            )
        return
    if isinstance(direction, tuple) and len(direction) == len(like) == 2:
        for name, part, series in zip(("dx", "dy"), direction, like):
            if part is None:
                continue
            if part.shape != series.shape:
                raise ValueError(
                    f"{name} in direction must have shape {series.shape}, "
                    f"got {part.shape}"
                )
            _check_same_dtype(part, series)
        return
    if (
        not hasattr(direction, "dtype")
        or not hasattr(direction, "shape")
        or not hasattr(direction, "__array__")  # as variables have not
    ):
        raise TypeError(
            "direction must be an array"
            + (", a pair of arrays" if len(like) == 2 else "")
            + f" or 'cost', got {type(direction).__name__}"
        )
    array: DeviceArray = direction
    _check_same_dtype(array, like[0])
    fits = len(array.shape) == 3 and all(
        size in (1, whole) for size, whole in zip(array.shape, shape)
    )
    if not fits:
        raise ValueError(
            f"direction must have shape {shape}, or 1 in the place of some of "
            f"it, got {array.shape}"
        )


def _check_same_dtype(direction: DeviceArray, series: DeviceArray) -> None:
    if direction.dtype != series.dtype:
        raise TypeError(
            f"direction must be {series.dtype} as the rest, got "
            f"{direction.dtype}"
        )


def as_weights(
    name: str, weights: object, size: int, *, nonzero: bool = False
) -> np.ndarray:
    """Return the weights ``(size,)`` of series as float64, 1 for None.

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If the shape is wrong or one is negative, NaN or infinite;
            with ``nonzero``, if all are 0.
    """
    if weights is None:
        return np.ones(size)
    a = as_array(name, weights)
    check_weights_shape(name, a, size)
    a = a.astype(np.float64)
    bad = ~(np.isfinite(a) & (a >= 0))
    if bad.any():
        i = int(bad.argmax())
        raise ValueError(f"{name} must be >= 0 and finite, got {a[i]} at {i}")
    if nonzero and not a.any():
        raise ValueError(f"{name} must not all be zero")
    return a


def check_weights_shape(name: str, weights: DeviceArray, size: int) -> None:
    """Check the shape of weights, on any device.

    Raises:
        ValueError: If it is not ``(size,)``.
    """
    if weights.shape != (size,):
        raise ValueError(
            f"{name} must have shape {(size,)}, one for each series, got "
            f"{weights.shape}"
        )
