"""The arrays that sweeps read and return."""

from __future__ import annotations

from typing import Any

import numpy as np

from sdtw_cpu.checks import (
    as_band,
    as_lengths,
    check_unmasked,
    read_array,
)


def as_native(name: str, a: Any) -> np.ndarray:
    """Return an array that is aligned and in the machine's byte order."""
    check_unmasked(name, a)
    a = read_array(name, a, "float32 or float64")
    if not (a.flags.aligned and a.dtype.isnative):
        a = a.astype(a.dtype.newbyteorder("="))
    return a


def as_limits(
    x: Any, y: Any, x_length: Any, y_length: Any, band: Any
) -> tuple[Any, Any, Any]:
    """Return the lengths and the band in the form that sweeps read."""
    batch, m = x.shape[:2]
    n = x.shape[2] if y is None else y.shape[1]
    x_length = as_lengths("x_length", x_length, batch, m)
    y_length = as_lengths("y_length", y_length, batch, n)
    return x_length, y_length, as_band(band, (batch, m, n), x_length)
