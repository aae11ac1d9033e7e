"""Checks of arguments that the CPU and the GPU have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

# Sweeps count rows and columns, and strides between them, in 32-bit integers.
_MAX_LENGTH = 2**30

# What sweeps compute from series themselves.
COSTS = ("sqeuclidean", "euclidean", "manhattan")


def check_gamma(gamma: Any) -> float:
    """Return gamma as a float.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is negative, NaN or infinite.
    """
    try:
        number = float(gamma)
    except (TypeError, ValueError):
        raise TypeError(f"gamma must be a number, got {gamma!r}") from None
    if not 0 <= number <= 1e100:
        raise ValueError(f"gamma must be >= 0 and finite, got {gamma!r}")
    # Costs over less than this exceed every float64: the minimum is hard.
    return 0.0 if number < 1e-290 else number


def check_cost(cost: Any) -> str:
    """Return the name of a cost.

    Raises:
        ValueError: If it is not one of :data:`COSTS`.
    """
    if cost not in COSTS:
        names = ", ".join(map(repr, COSTS))
        raise ValueError(f"cost must be one of {names}, got {cost!r}")
    return str(cost)


def check_array(name: str, a: Any) -> None:
    """Check the type and the three axes of a batch, on any device.

    Raises:
        TypeError: If the type is not float32 or float64.
        ValueError: If the shape is wrong or has a zero.
    """
    if a.dtype.kind != "f" or a.dtype.itemsize not in (4, 8):
        raise TypeError(f"{name} must be float32 or float64, got {a.dtype}")
    if a.ndim != 3:
        raise ValueError(f"{name} must have 3 dimensions, got shape {a.shape}")
    if 0 in a.shape:
        raise ValueError(f"{name} must not be empty, got shape {a.shape}")
    if max(a.shape[1:]) > _MAX_LENGTH:
        raise ValueError(f"{name} is too long: shape {a.shape}")


def check_series(x: Any, y: Any) -> None:
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
    if x.shape[0] != y.shape[0]:
        raise ValueError(
            "x and y must have the same batch size, got shapes "
            f"{x.shape} and {y.shape}"
        )
    if x.shape[2] != y.shape[2]:
        raise ValueError(
            "x and y must have the same number of features (last axis), got "
            f"shapes {x.shape} and {y.shape}"
        )


def check_lengths_form(name: str, lengths: Any, batch: int) -> None:
    """Check the type and the shape of lengths, on any device.

    Raises:
        TypeError: If they are not integers.
        ValueError: If the shape is not ``(batch,)``.
    """
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {lengths.dtype}")
    if lengths.shape != (batch,):
        raise ValueError(
            f"{name} must have shape {(batch,)}, got {lengths.shape}"
        )


def as_lengths(
    name: str, lengths: Any, batch: int, longest: int
) -> np.ndarray | None:
    """Return lengths as a contiguous array of int64, or None for None.

    Raises:
        TypeError: If they are not integers.
        ValueError: If the shape is wrong or one is not in [1, longest].
    """
    if lengths is None:
        return None
    a = np.asarray(lengths)
    check_lengths_form(name, a, batch)
    if a.min() < 1 or a.max() > longest:
        bad = int(np.flatnonzero((a < 1) | (a > longest))[0])
        raise ValueError(
            f"{name} must be from 1 to {longest}, got {a[bad]} at {bad}"
        )
    return np.ascontiguousarray(a, dtype=np.int64)


def check_grad_shape(grad: Any, batch: int) -> None:
    """Check the shape of the gradient with respect to the values.

    Raises:
        ValueError: If it is not ``(batch,)``.
    """
    if grad.shape != (batch,):
        raise ValueError(f"grad must have shape {(batch,)}, got {grad.shape}")
