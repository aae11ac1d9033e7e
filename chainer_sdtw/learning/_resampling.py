"""Series of one length, as barycenters are."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainer_sdtw._engine.series_set import SeriesSet
from sdtw_cpu.checks import as_integer


def resampled(series: SeriesSet, length: int) -> Any:
    """Return the series ``(N, length, d)``, interpolated linearly."""
    xp, last = series.xp, series.lengths - 1
    if series.length is None and length == series.array.shape[1]:
        return series.array
    time = last[:, None] * np.linspace(0, 1, length)
    before = np.minimum(time.astype(int), np.maximum(last - 1, 0)[:, None])
    after = np.minimum(before + 1, last[:, None])
    rows = xp.arange(len(series))[:, None]
    fraction = (time - before)[:, :, None].astype(series.array.dtype)
    low, high = (series.array[rows, xp.asarray(i)] for i in (before, after))
    return low + xp.asarray(fraction) * (high - low)


def checked_length(length: Any) -> int | None:
    """Check the length of barycenters, None for the usual one.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is not positive.
    """
    return None if length is None else as_integer("length", length, 1)


def usual_length(series: SeriesSet) -> int:
    """Return the mean length of the series, rounded."""
    return int(np.rint(series.lengths.mean()))
