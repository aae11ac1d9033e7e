"""Bands: the columns that each row of a table may use.

A band is an integer array ``(B, m, 2)``, or ``(1, m, 2)`` for all pairs: row
``i`` of pair ``b`` has the columns from ``band[b, i, 0]`` to before
``band[b, i, 1]``. Neither bound ever goes back from a row to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdtw_cpu.checks import as_array, as_integer, as_lengths
from sdtw_cpu.types import Integer, Integers


def sakoe_chiba_band(
    m: Integer,
    n: Integer,
    bandwidth: Integer | Integers,
    x_length: Integers | None = None,
    y_length: Integers | None = None,
) -> NDArray[np.int32]:
    """Make the band of Sakoe and Chiba.

    For equal lengths the cells with ``|i - j| <= bandwidth``. For others the
    difference of the lengths is added on the longer side, ``-bandwidth <= j -
    i <= n - m + bandwidth`` for ``n >= m``, so that there always is a path.

    See: H. Sakoe and S. Chiba, Dynamic programming algorithm optimization for
    spoken word recognition, IEEE Transactions on Acoustics, Speech, and
    Signal Processing 26(1), 1978.

    Args:
        m: Rows of the longest pair.
        n: Columns of the longest pair.
        bandwidth: The radius in elements, an integer >= 0, or ``(B,)`` of
            them.
        x_length: ``(B,)`` integers, each pair's rows; None means ``m``.
        y_length: ``(B,)`` integers, each pair's columns; None means ``n``.

    Returns:
        ``(B, m, 2)`` int32, or ``(1, m, 2)`` where all pairs are alike. Rows
        beyond a pair's last repeat it.

    Raises:
        TypeError: If an argument is not made of integers.
        ValueError: If one is out of range or there are not as many as pairs.
    """
    m, n = as_integer("m", m, 1), as_integer("n", n, 1)
    radius = as_array("bandwidth", bandwidth, "iu", "integers")
    if radius.ndim > 1:
        raise ValueError(
            "bandwidth must be a number or have shape (B,), got shape "
            f"{radius.shape}"
        )
    if radius.size == 0 or radius.min() < 0:
        raise ValueError(f"bandwidth must be >= 0, got {radius.tolist()}")
    # A radius beyond the table has the same effect as one of its size.
    radius = np.minimum(radius.astype(np.uint64), np.uint64(m + n))
    radius = radius.astype(np.int64)
    rows = _lengths("x_length", x_length, m)
    columns = _lengths("y_length", y_length, n)
    sizes = {a.shape[0] for a in (radius, rows, columns) if a.ndim}
    if len(sizes) > 1:
        raise ValueError(
            f"bandwidth must be one number per pair, got {radius.size} for "
            f"{max(rows.size, columns.size)} pairs"
        )
    radius, rows, columns = (
        np.atleast_1d(a)[:, None] for a in (radius, rows, columns)
    )
    excess = columns - rows
    i = np.minimum(np.arange(m), rows - 1)
    band = np.empty((max(map(len, (radius, rows, columns))), m, 2), np.int32)
    lower = np.minimum(excess, 0) - radius
    upper = np.maximum(excess, 0) + radius + 1
    band[..., 0] = np.maximum(i + lower, 0)
    band[..., 1] = np.minimum(i + upper, columns)
    return band


def band_from_mask(
    mask: Integers,
    x_length: Integers | None = None,
    y_length: Integers | None = None,
) -> NDArray[np.int32] | None:
    """Make the band with the cells of a mask that a path can use.

    Cells that no path reaches for another reason than the mask's holes are
    left out: those left of where a row above begins, and those right of where
    a row below ends.

    Args:
        mask: ``(B, m, n)`` or ``(1, m, n)`` booleans, True for allowed cells.
        x_length: ``(B,)`` integers, each pair's rows; None means ``m``.
        y_length: ``(B,)`` integers, each pair's columns; None means ``n``.

    Returns:
        ``(B, m, 2)`` int32; None if what remains has a hole in a row, or if
        a pair has no path.

    Raises:
        TypeError: If the mask is not made of booleans, or lengths not of
            integers.
        ValueError: If a shape or a length is wrong.
    """
    mask = as_array("mask", mask, "b", "booleans")
    if mask.ndim != 3 or 0 in mask.shape:
        raise ValueError(
            f"mask must have shape (B, m, n), not empty, got {mask.shape}"
        )
    _, m, n = mask.shape
    rows = _lengths("x_length", x_length, m)
    columns = _lengths("y_length", y_length, n)
    sizes = {a.size for a in (rows, columns) if a.ndim} | {len(mask)}
    size = max(sizes)
    if not sizes <= {1, size}:
        raise ValueError(
            "mask, x_length and y_length must be for as many pairs, got "
            f"{sorted(sizes)}"
        )
    mask = np.array(np.broadcast_to(mask, (size, m, n)))
    rows, columns = (np.broadcast_to(a, size) for a in (rows, columns))
    mask &= np.arange(n) < columns[:, None, None]
    beyond = np.arange(m) >= rows[:, None]
    mask[beyond] = True
    if not mask.any(2).all():
        return None
    begin = mask.argmax(2)
    end = n - mask[:, :, ::-1].argmax(2)
    # Rows beyond the last bound no others.
    begin[beyond] = 0
    begin = np.maximum.accumulate(begin, 1)
    end[beyond] = n
    end = np.minimum.accumulate(end[:, ::-1], 1)[:, ::-1]
    last = np.arange(len(mask)), rows - 1
    if (begin[:, 0] > 0).any() or (end[last] < columns).any():
        return None
    end = np.minimum(end, columns[:, None])
    if (end <= begin).any() or (begin[:, 1:] >= end[:, :-1] + 1).any():
        return None
    j = np.arange(n)
    inside = (begin[..., None] <= j) & (j < end[..., None])
    if not (mask | ~inside | beyond[..., None]).all():
        return None
    return np.stack([begin, end], -1).astype(np.int32)


def _lengths(name: str, lengths: Any, longest: int) -> np.ndarray:
    """Return lengths ``(B,)``, or for None the longest, of shape ``()``."""
    checked = as_lengths(name, lengths, None, longest)
    return np.array(longest, np.int64) if checked is None else checked
