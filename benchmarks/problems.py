"""The series that the benchmarks take, made or resampled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

KINDS = ("walk", "normalized", "noise")


def make_series(kind, random, shape):
    """Return random series ``(batch, length, d)`` in float64.

    Args:
        kind: ``'noise'`` (normally distributed), ``'walk'`` (its sums) or
            ``'normalized'`` (walks of mean 0 and variance 1, as the UCR
            archive has them).
        random: NumPy's generator.
        shape: Of the result.
    """
    series = random.standard_normal(shape)
    if kind != "noise":
        series = series.cumsum(axis=1)
    if kind == "normalized":
        series -= series.mean(axis=1, keepdims=True)
        scale = series.std(axis=1, keepdims=True)
        series /= np.where(scale > 0, scale, 1)
    return series


@dataclass(frozen=True)
class Problem:
    """One size of the problem: shapes, dtype and gamma.

    ``data`` is a kind of ``make_series``.
    """

    batch: int
    m: int
    n: int
    d: int = 1
    dtype: str = "float64"
    gamma: float = 1.0
    data: str = "normalized"

    @classmethod
    def parse(cls, text):
        """Read ``B,m,n,d[,dtype[,gamma]]``."""
        parts = text.split(",")
        if not 4 <= len(parts) <= 6:
            raise ValueError(f"not B,m,n,d[,dtype[,gamma]]: {text!r}")
        sizes = [int(part) for part in parts[:4]]
        if min(sizes) < 1:
            raise ValueError(f"sizes must be positive: {text!r}")
        dtype = parts[4] if len(parts) > 4 else "float64"
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be float32 or float64: {text!r}")
        gamma = float(parts[5]) if len(parts) > 5 else 1.0
        if not 0 < gamma < math.inf:
            raise ValueError(f"gamma must be positive: {text!r}")
        return cls(*sizes, dtype, gamma)

    @property
    def sizes(self):
        """The sizes in parentheses."""
        return f"({self.batch}, {self.m}, {self.n}, d={self.d})"

    def __str__(self):
        return f"{self.sizes} {self.dtype} gamma={self.gamma:g}"

    @property
    def cells(self):
        """Cells of all the alignment matrices together."""
        return self.batch * self.m * self.n

    def arrays(self, seed=0):
        """Return ``x`` of shape (B, m, d) and ``y`` of shape (B, n, d)."""
        random = np.random.default_rng(seed)
        return tuple(
            make_series(
                self.data, random, (self.batch, length, self.d)
            ).astype(self.dtype)
            for length in (self.m, self.n)
        )


def usual_length(series):
    """Return the mean length of series, rounded."""
    return int(np.rint(np.mean([len(s) for s in series])))


def resampled(series, length):
    """Return series (N, length, d), by linear interpolation.

    Args:
        series: ``N`` series ``(length, d)`` of any lengths.
        length: That of all in the result.
    """
    steps = np.linspace(0, 1, length)
    return np.array(
        [
            np.stack(
                [np.interp(steps, np.linspace(0, 1, len(s)), f) for f in s.T],
                axis=1,
            )
            for s in series
        ]
    )
