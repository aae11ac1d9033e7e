"""Random problems whose largest costs exceed everything."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from large_cost_solver import STEPS

from sdtw_cpu import checks

# Bits of exponent, cost / (gamma ln 2), that the costs of a path may add up
# to where mantissas and exponents are computed with in float64.
BITS = 2.0**47
COSTS = ("explicit", *checks.COSTS)


@dataclass
class Problem:
    """A batch of cost matrices, or of series, and how it is to be swept.

    Attributes:
        name: What it is, for messages.
        cost: One of ``COSTS``.
        arrays: Cost matrices ``(B, m, n)``, or series ``(B, m, d)`` and
            ``(B, n, d)``.
        gamma: Smoothing, > 0.
        lengths: Valid rows and columns of each pair.
        band: ``(1, m, 2)`` or None.
        direction: Of tangents: as ``arrays``.
    """

    name: str
    cost: str
    arrays: tuple[np.ndarray, ...]
    gamma: float
    lengths: tuple[np.ndarray, np.ndarray]
    band: np.ndarray | None
    direction: tuple[np.ndarray, ...]

    @property
    def dtype(self):
        return self.arrays[0].dtype.type

    @property
    def options(self):
        """Keywords of the sweeps."""
        found = dict(zip(("x_length", "y_length"), self.lengths))
        found["band"] = self.band
        if self.cost != "explicit":
            found["cost"] = self.cost
        return found


def problem(index, seed=0):
    """One of any number of problems; the same for the same numbers."""
    rng = np.random.default_rng([seed, index])
    cost = COSTS[0]
    if index % 2:
        cost = COSTS[1 + index // 2 % (len(COSTS) - 1)]
    dtype = (np.float64, np.float32)[index // 6 % 2]
    size = int(rng.integers(1, 4))
    longest = 37 if index % 20 == 19 else 13
    m, n = (int(v) for v in rng.integers(2, longest + 1, 2))
    lengths = np.full(size, m), np.full(size, n)
    inside, band = np.ones((m, n), bool), None
    if abs(m - n) < 5 and rng.random() < 0.2:
        # Around the diagonal, and wide enough for its ends.
        width = abs(m - n) + int(rng.integers(2, 5))
        i, j = np.arange(m), np.arange(n)
        band = np.stack([i - width, i + width + 1], axis=1).clip(0, n)[None]
        inside = abs(i[:, None] - j) <= width
    elif rng.random() < 0.3:
        lengths = rng.integers(2, m + 1, size), rng.integers(2, n + 1, size)
    if cost == "explicit":
        name, arrays, gamma = _make_costs(rng, dtype, lengths, inside)
    else:
        name, arrays, gamma = _make_series(rng, cost, dtype, lengths, inside)
    direction = tuple(
        rng.standard_normal(a.shape).astype(dtype) for a in arrays
    )
    name = f"problem({index}, {seed}): {cost}, {np.dtype(dtype)}, {name}"
    return Problem(name, cost, arrays, gamma, lengths, band, direction)


def clear_path(rng, inside):
    """The cells of a random path."""
    m, n = inside.shape
    found = np.zeros((m, n), bool)
    i = j = 0
    while True:
        found[i, j] = True
        steps = [(i + a, j + b) for a, b in STEPS if i + a < m and j + b < n]
        steps = [at for at in steps if inside[at]]
        if not steps:
            return found
        i, j = steps[rng.integers(len(steps))]


PATTERNS = (
    "scattered",
    "border",
    "off a band",
    "wall",
    "walls",
    "integers",
    "signed integers",
    "negative",
)


def _make_costs(rng, dtype, lengths, inside):
    """Cost matrices, each with a pattern of large cells."""
    m, n = inside.shape
    gamma = float(rng.choice([1e-3, 0.01, 0.1, 1.0, 10.0]))
    most = 37 if dtype == np.float32 else 300
    # What no path in range costs.
    enough = BITS * gamma * math.log(2)
    unit = 2.0 ** math.ceil(math.log2(enough))
    names, found = [], []
    for rows, columns in zip(*lengths):
        c = rng.standard_normal((m, n)) ** 2
        if rng.random() < 0.3:
            c = rng.integers(0, 4, (m, n)).astype(float)
        clear = np.ones((m, n), bool)
        clear[:rows, :columns] = clear_path(rng, inside[:rows, :columns])
        off = ~clear & (rng.random((m, n)) < rng.uniform(0.1, 0.9))
        large = 10.0 ** rng.uniform(math.log10(enough), most, (m, n))
        if rng.random() < 0.3:
            large[:] = large[0, 0]
        else:
            large[rng.random((m, n)) < 0.2] = np.inf
        name = PATTERNS[rng.integers(len(PATTERNS))]
        if name == "border":
            # On both sides of what the range ends with.
            large = enough * 2.0 ** rng.uniform(-4, 6, (m, n))
        elif name == "off a band":
            i, j = np.arange(m)[:, None] * columns, np.arange(n) * rows
            off = ~clear & (abs(i - j) > rng.integers(0, 4) * max(m, n))
            large[:] = rng.choice([1e14, 1e20, 1e30, np.inf])
        elif name == "wall":
            # In the way of all paths.
            level = 10.0 ** rng.uniform(math.log10(enough), most - 2)
            spread = rng.choice([0, 1e-3, 1, np.inf])
            c[rng.integers(rows)] = level * (1 + spread * rng.random(n))
            large[:] = np.inf
        elif name == "walls":
            level = enough * 2.0 ** rng.uniform(-3, 20)
            spread = rng.choice([0, 1])
            for row in rng.integers(rows, size=3):
                c[row] = level * (1 + spread * rng.random(n))
            large[:] = np.inf
        elif name.endswith("integers"):
            # Ties of sums that take more than the digits of one number.
            low = -2 if name.startswith("signed") else 0
            c = unit * rng.integers(low, 3, (m, n))
            small = 2.0 ** math.ceil(math.log2(gamma))
            if rng.random() < 0.7:
                c[c == 0] = small * rng.integers(0, 4, (c == 0).sum())
            large[:] = np.inf
        elif name == "negative":
            c -= rng.choice([2.0, 1e3, enough / (m + n) / 4, enough])
        found.append(np.where(off, large, c))
        names.append(name)
    arrays = (np.array(found).astype(dtype),)
    return f"gamma={gamma}, {', '.join(names)}", arrays, gamma


CODES = (-99999, 1e7, 1e10, -1e10, 1e15, 1e30, 1e37, 1e120, 1e160, 1e300)


def _make_series(rng, cost, dtype, lengths, inside):
    """Series with spikes, or codes of missing values."""
    m, n = inside.shape
    size = len(lengths[0])
    d = int(rng.integers(1, 4))
    code = float(rng.choice(CODES[:7] if dtype == np.float32 else CODES))
    power = 2 if cost == "sqeuclidean" else 1
    # Spikes that the other series has too may be as large as they like; of
    # others, costs in float64 must tell which element is the nearest.
    matched = abs(code) > 1e10 or rng.random() < 0.5
    matched |= cost == "euclidean" and d > 1
    largest = min(abs(code), 1e120) ** power
    gamma = min(1.0, largest / BITS * rng.choice([0.01, 0.3, 3]))
    x, y = rng.standard_normal((size, m, d)), rng.standard_normal((size, n, d))
    if power == 1:
        # Differences from a spike have no rounding.
        x, y = np.round(x * 8) / 8, np.round(y * 8) / 8
    for b, (rows, columns) in enumerate(zip(*lengths)):
        if matched:
            for i, j in _meetings(rng, inside[:rows, :columns]):
                x[b, i] = y[b, j] = code * rng.choice([-1, 1])
        elif rng.random() < 0.8:
            x[b, rng.integers(rows, size=rng.integers(1, 3))] = code
        else:
            y[b, rng.integers(columns)] = code
    arrays = x.astype(dtype), y.astype(dtype)
    name = "spikes in both" if matched else "spikes in one"
    return f"gamma={gamma}, {name} of {code:g}", arrays, gamma


def _meetings(rng, inside):
    """Cells, one after the other, that a path can come to and leave alone."""
    i = j = 0
    found = []
    for _ in range(rng.integers(0, 4)):
        i, j = i + int(rng.integers(1, 5)), j + int(rng.integers(1, 5))
        if i + 1 >= inside.shape[0] or j + 1 >= inside.shape[1]:
            break
        if not inside[i, j]:
            break
        found.append((i, j))
        i, j = i + 1, j + 1
    return found
