"""Bands: the columns that each row of a table may use.

A band is an integer array ``(B, m, 2)``, or ``(1, m, 2)`` for all pairs: row
``i`` of pair ``b`` has the columns from ``band[b, i, 0]`` to before
``band[b, i, 1]``. Neither bound ever goes back from a row to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def sakoe_chiba_band(
    m: int,
    n: int,
    bandwidth: Any,
    x_length: np.ndarray | None = None,
    y_length: np.ndarray | None = None,
) -> np.ndarray:
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
        TypeError: If the bandwidth is not made of integers.
        ValueError: If it is negative or there are not as many as pairs.
    """
    radius = np.asarray(bandwidth)
    if radius.dtype.kind not in "iu":
        raise TypeError(f"bandwidth must be integers, got {radius.tolist()}")
    if radius.ndim > 1:
        raise ValueError(
            "bandwidth must be a number or have shape (B,), got shape "
            f"{radius.shape}"
        )
    if radius.size == 0 or radius.min() < 0:
        raise ValueError(f"bandwidth must be >= 0, got {radius.tolist()}")
    # More than the table has is no different from all of it.
    radius = np.minimum(radius, m + n).astype(np.int64)
    rows = np.asarray(m if x_length is None else x_length, dtype=np.int64)
    columns = np.asarray(n if y_length is None else y_length, dtype=np.int64)
    sizes = {a.shape[0] for a in (radius, rows, columns) if a.ndim}
    if len(sizes) > 1:
        raise ValueError(
            f"bandwidth must be one number per pair, got {radius.size} for "
            f"{max(rows.size, columns.size)} pairs"
        )
    radius, rows, columns = (
        np.atleast_1d(a)[:, None] for a in (radius, rows, columns)
    )
    more = columns - rows
    i = np.minimum(np.arange(m), rows - 1)
    first = np.maximum(i - radius + np.minimum(more, 0), 0)
    stop = np.minimum(i + radius + np.maximum(more, 0) + 1, columns)
    return np.stack(np.broadcast_arrays(first, stop), -1).astype(np.int32)


def band_from_mask(
    mask: np.ndarray,
    x_length: np.ndarray | None = None,
    y_length: np.ndarray | None = None,
) -> np.ndarray | None:
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
    """
    mask = np.array(mask, dtype=bool)
    size = max(a.shape[0] for a in (mask, x_length, y_length) if a is not None)
    if x_length is not None or y_length is not None:
        mask = np.array(np.broadcast_to(mask, (size, *mask.shape[1:])))
    _, m, n = mask.shape
    rows = np.full(len(mask), m) if x_length is None else np.array(x_length)
    columns = np.full(len(mask), n) if y_length is None else np.array(y_length)
    mask &= np.arange(n) < columns[:, None, None]
    beyond = np.arange(m) >= rows[:, None]
    mask[beyond] = True
    if not mask.any(2).all():
        return None
    first = mask.argmax(2)
    stop = n - mask[:, :, ::-1].argmax(2)
    # Rows beyond the last neither begin nor end anything.
    first[beyond] = 0
    first = np.maximum.accumulate(first, 1)
    stop[beyond] = n
    stop = np.minimum.accumulate(stop[:, ::-1], 1)[:, ::-1]
    last = np.arange(len(mask)), rows - 1
    if (first[:, 0] > 0).any() or (stop[last] < columns).any():
        return None
    stop = np.minimum(stop, columns[:, None])
    if (stop <= first).any() or (first[:, 1:] >= stop[:, :-1] + 1).any():
        return None
    j = np.arange(n)
    inside = (first[..., None] <= j) & (j < stop[..., None])
    if not (mask | ~inside | beyond[..., None]).all():
        return None
    return np.stack([first, stop], -1).astype(np.int32)
