"""Itakura's parallelogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sdtw_cpu.checks import as_integer, as_number
from sdtw_cpu.types import Integer, Real


def itakura_mask(
    m: Integer, n: Integer, max_slope: Real = 2.0
) -> NDArray[np.bool_]:
    """Itakura's parallelogram, as a mask for the losses.

    The cells from which the first and the last one are in reach with slopes
    between ``1 / max_slope`` and ``max_slope``, where the diagonal of the
    table has slope 1 whatever its shape; besides them the cells next to that
    diagonal, so that there always is a path.

    See: F. Itakura, `Minimum prediction residual principle applied to speech
    recognition <https://doi.org/10.1109/TASSP.1975.1162641>`_, IEEE
    Transactions on Acoustics, Speech, and Signal Processing 23(1), 1975.

    Args:
        m (int): Rows, the length of ``x``.
        n (int): Columns, the length of ``y``.
        max_slope (float): The largest slope, >= 1; with infinity all cells
            are allowed.

    Returns:
        numpy.ndarray: ``(m, n)`` booleans, true for allowed cells.

    Raises:
        TypeError: If a length is not an integer or the slope not a number.
        ValueError: If a length is less than 1 or the slope is.

    .. admonition:: Example

        >>> chainer_sdtw.itakura_mask(5, 5).astype(int)
        array([[1, 0, 0, 0, 0],
               [0, 1, 1, 0, 0],
               [0, 1, 1, 1, 0],
               [0, 0, 1, 1, 0],
               [0, 0, 0, 0, 1]])

    """
    m, n = as_integer("m", m, 1), as_integer("n", n, 1)
    max_slope = as_number("max_slope", max_slope)
    if not max_slope >= 1:
        raise ValueError(f"max_slope must be >= 1, got {max_slope!r}")
    if 1 in (m, n) or max_slope == np.inf:
        return np.ones((m, n), dtype=bool)
    # Positions from 0 to (m - 1) (n - 1) along both axes.
    i = np.arange(m)[:, None] * float(n - 1)
    j = np.arange(n) * float(m - 1)
    tolerance = 1e-9 * max(m, n) ** 2
    max_slope = min(max_slope, 1e200)  # as good as any beyond
    allowed = abs(i - j) <= max(m - 1, n - 1) / 2
    inside = np.ones((m, n), dtype=bool)
    for a, b in ((i, j), (i[-1] - i, j[-1] - j)):
        inside &= (b <= max_slope * a + tolerance) & (
            a <= max_slope * b + tolerance
        )
    return allowed | inside
