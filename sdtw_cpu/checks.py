"""Checks of arguments that the CPU and the GPU have in common."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from sdtw_cpu.types import Real

# Sweeps count rows and columns, and strides between them, in 32-bit integers.
_MAX_LENGTH = 2**30

# The largest gamma for which the sweeps have a cost of forbidden cells.
_MAX_GAMMA = 1e290

# The costs of two series that the sweeps have: ||x - y||^2, ||x - y|| and
# sum |x - y|. Slopes where elements coincide are 0.
COSTS = ("sqeuclidean", "euclidean", "manhattan")


def check_unmasked(name: str, a: Any) -> None:
    """Refuse masked arrays of which something is masked, in lists too.

    Raises:
        ValueError: If an element is masked.
    """
    if isinstance(a, (list, tuple)):
        for i, part in enumerate(a):
            check_unmasked(f"{name}[{i}]", part)
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
    name: str, a: Any, kinds: str = "iufb", what: str = "real numbers"
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
    try:
        array = np.asarray(a)
    except (RuntimeError, TypeError, ValueError) as e:
        raise TypeError(
            f"{name} must be {what}, got {type(a).__name__}: {e}"
        ) from None
    if array.dtype.kind == "O":
        _check_size(name, array)
    check_kind(name, array, kinds, what)
    return array


def _check_size(name: str, array: np.ndarray) -> None:
    """Refuse integers of Python for which NumPy has no type."""
    for value in array.flat:
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise ValueError(
                f"{name} has an integer too large for 64 bits: {value}"
            )


def check_kind(name: str, a: Any, kinds: str, what: str) -> None:
    """Check the kind of an array's type, on any device.

    Raises:
        TypeError: If it is not one of ``kinds``.
    """
    if a.dtype.kind not in kinds:
        raise TypeError(f"{name} must be {what}, got {a.dtype}")


def as_number(name: str, value: Any) -> float:
    """Return a real number as a float, infinite beyond the range of floats.

    Raises:
        TypeError: If it is not a real number. Arrays without axes are.
        ValueError: If it is masked.
    """
    check_unmasked(name, value)
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    one = getattr(value, "shape", ()) == () and kind in "iufb"
    try:
        if not one or isinstance(value, (str, bytes, bytearray)):
            raise TypeError
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, got {value!r}") from None


def as_integer(
    name: str, value: Any, least: int | None, most: int | None = None
) -> int:
    """Return an integer of Python.

    Raises:
        TypeError: If it is not an integer. Arrays without axes can be.
        ValueError: If it is masked, less than ``least`` or more than
            ``most``, where these are not None.
    """
    check_unmasked(name, value)
    wanted = f" >= {least}" if most is None else f" from {least} to {most}"
    wanted = "" if least is None else wanted
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer{wanted}, got {value!r}"
        ) from None
    below = least is not None and number < least
    if below or (most is not None and number > most):
        raise ValueError(f"{name} must be{wanted}, got {value!r}")
    return number


def as_weights(
    name: str, weights: Any, size: int, *, some: bool = False
) -> np.ndarray:
    """Return the weights ``(size,)`` of series as float64, 1 for None.

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If the shape is wrong or one is negative, NaN or infinite;
            with ``some``, if all are 0.
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
    if some and not a.any():
        raise ValueError(f"{name} must not all be zero")
    return a


def as_nonnegative(name: str, value: Any) -> float:
    """Return a number as a float.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is negative, NaN or infinite.
    """
    number = as_number(name, value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} must be >= 0 and finite, got {number!r}")
    return number


def check_weights_shape(name: str, weights: Any, size: int) -> None:
    """Check the shape of weights, on any device.

    Raises:
        ValueError: If it is not ``(size,)``.
    """
    if weights.shape != (size,):
        raise ValueError(
            f"{name} must have shape {(size,)}, one for each series, got "
            f"{weights.shape}"
        )


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


def check_cost(cost: Any) -> str:
    """Return the name of a cost.

    Raises:
        ValueError: If it is none of ``COSTS``.
    """
    if not isinstance(cost, str) or cost not in COSTS:
        names = ", ".join(map(repr, COSTS))
        raise ValueError(f"cost must be one of {names}, got {cost!r}")
    return cost


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
    check_kind(name, lengths, "iu", "integers")
    if lengths.shape != (batch,):
        raise ValueError(
            f"{name} must have shape {(batch,)}, got {lengths.shape}"
        )


def as_lengths(
    name: str, lengths: Any, batch: int | None, longest: int
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
    if a.min() < 1 or a.max() > longest:
        bad = int(np.flatnonzero((a < 1) | (a > longest))[0])
        raise ValueError(
            f"{name} must be from 1 to {longest}, got {a[bad]} at {bad}"
        )
    return np.ascontiguousarray(a, dtype=np.int64)


def as_band(
    band: Any, shape: tuple[int, ...], x_length: np.ndarray | None = None
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
    # A whole band that never goes back has its extremes in its outer rows.
    first, stop = a[..., 0], a[..., 1]
    valid = not ((first >= stop).any() or (a[:, 1:] < a[:, :-1]).any())
    if not valid or first[:, 0].min() < 0 or stop[:, -1].max() > n:
        _check_rows(a, n, x_length)
    return np.ascontiguousarray(a, dtype=np.int32)


def _check_rows(a: np.ndarray, n: int, x_length: np.ndarray | None) -> None:
    """Look for the row that makes a band invalid, not beyond the lengths."""
    first, stop = a[..., 0], a[..., 1]
    bad = (first < 0) | (first >= stop) | (stop > n)
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


def check_grad_shape(grad: Any, batch: int, name: str = "grad") -> None:
    """Check the shape of the gradient with respect to the values.

    Raises:
        ValueError: If it is not ``(batch,)``.
    """
    if grad.shape != (batch,):
        raise ValueError(
            f"{name} must have shape {(batch,)}, got {grad.shape}"
        )


def check_direction(direction: Any, like: tuple, shape: tuple) -> None:
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
    if not hasattr(direction, "dtype"):
        raise TypeError(
            "direction must be an array"
            + (", a pair of arrays" if len(like) == 2 else "")
            + f" or 'cost', got {type(direction).__name__}"
        )
    _check_same_dtype(direction, like[0])
    fits = len(direction.shape) == 3 and all(
        a in (1, b) for a, b in zip(direction.shape, shape)
    )
    if not fits:
        raise ValueError(
            f"direction must have shape {shape}, or 1 in the place of some of "
            f"it, got {direction.shape}"
        )


def _check_same_dtype(direction: Any, series: Any) -> None:
    if direction.dtype != series.dtype:
        raise TypeError(
            f"direction must be {series.dtype} as the rest, got "
            f"{direction.dtype}"
        )
