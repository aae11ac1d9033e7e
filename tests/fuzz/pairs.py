"""Pairs of series and tables of costs, and what is demanded of results.

What no formula in float64 can tell, as where a cost is beyond its range, is
not compared.
"""

import numpy as np
import reference

EPS = {2: 2e-3, 4: 3e-5, 8: 1e-9}


class Wrong(Exception):
    """A result is not what it should be."""


def demand(condition, message):
    if not condition:
        raise Wrong(message)


def near(what, actual, expected, scale, dtype):
    """Demand equality to a part of a scale; NaN and inf in their places."""
    actual = np.asarray(actual, np.float64)
    expected = np.asarray(expected, np.float64)
    demand(
        actual.shape == expected.shape,
        f"{what} has shape {actual.shape}, not {expected.shape}",
    )
    limit = np.finfo(dtype).max
    # Beyond the range of the type, or nearly so.
    huge = (abs(expected) > limit / 4) | (np.asarray(scale) > limit / 1e3)
    finite = np.isfinite(expected) & ~huge
    with np.errstate(all="ignore"):
        error = abs(actual - expected) / np.maximum(scale, 1e-300)
        tiny = np.finfo(dtype).tiny
        close = abs(actual - expected) <= 4 * tiny
    tolerance = EPS[np.dtype(dtype).itemsize]
    same = (error <= tolerance) | close
    same |= (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    bad = ~same & (finite | ~np.isfinite(expected))
    demand(
        not bad.any(),
        f"{what} is {actual[bad].ravel()[:3]} where it should be "
        f"{expected[bad].ravel()[:3]}, to {tolerance:g} of {scale}",
    )


class Pairs:
    """The series of a loss as lists of pairs, and the cells they may use."""

    def __init__(self, a):
        x, y = np.asarray(a["x"]), np.asarray(a["y"])
        self.dtype = x.dtype
        self.batched = x.ndim == 3
        if not self.batched:
            x, y = (s.reshape(1, len(s), -1) for s in (x, y))
        self.size, m = x.shape[:2]
        n = y.shape[1]
        self.cost = a.get("cost", "sqeuclidean")
        rows = full(a.get("x_length"), m, self.size)
        columns = full(a.get("y_length"), n, self.size)
        self.x = [s[:k].astype(np.float64) for s, k in zip(x, rows)]
        self.y = [s[:k].astype(np.float64) for s, k in zip(y, columns)]
        self.allowed = [
            allowed(a, b, *ends, (m, n))
            for b, ends in enumerate(zip(rows, columns))
        ]
        self.bandwidth = a.get("bandwidth")

    def own(self, name):
        """The pairs of each series with itself, without a mask."""
        made = object.__new__(Pairs)
        made.__dict__.update(self.__dict__)
        series = getattr(self, name)
        made.x = made.y = series
        made.allowed = [
            allowed({"bandwidth": self.bandwidth}, b, len(s), len(s))
            for b, s in enumerate(series)
        ]
        return made

    def each(self):
        """A cost matrix of each pair: forbidden cells are inf; None of bad
        series."""
        for x, y, inside in zip(self.x, self.y, self.allowed):
            if not (np.isfinite(x).all() and np.isfinite(y).all()):
                yield None
                continue
            yield np.where(inside, cost_of(x, y, self.cost), np.inf)


def full(length, longest, size):
    if length is None:
        return np.full(size, longest)
    return np.broadcast_to(np.asarray(length, np.int64), (size,))


def allowed(a, b, rows, columns, shape=None):
    """The cells ``(rows, columns)`` that a pair may use."""
    inside = np.ones((rows, columns), bool)
    if a.get("bandwidth") is not None:
        radius = np.asarray(a["bandwidth"], np.int64).ravel()
        radius = int(radius[b if len(radius) > 1 else 0])
        step = np.arange(columns) - np.arange(rows)[:, None]
        excess = columns - rows
        inside &= step >= min(excess, 0) - radius
        inside &= step <= max(excess, 0) + radius
    if a.get("mask") is not None:
        mask = np.asarray(a["mask"])
        mask = mask if mask.ndim == 2 else mask[b if len(mask) > 1 else 0]
        inside &= mask[:rows, :columns]
    if a.get("band") is not None:
        band = np.asarray(a["band"], np.int64)
        band = band[b if len(band) > 1 else 0][:rows]
        inside &= reference.inside(band, columns)
    return inside


def cost_of(x, y, cost):
    with np.errstate(all="ignore"):
        if cost != "cosine":
            return reference.cost_and_slopes(x, y, cost)[0]
        lengths = [np.linalg.norm(s, axis=1) for s in (x, y)]
        units = [
            s / np.where(size == 0, 1, size)[:, None]
            for s, size in zip((x, y), lengths)
        ]
        c = 1 - units[0] @ units[1].T
        both = (lengths[0] == 0)[:, None] & (lengths[1] == 0)
        return np.where(both, 0, c)


def solved(c, gamma):
    """Value, alignment and scale of a matrix; None if out of reach."""
    finite = c[np.isfinite(c)]
    top = abs(finite).max(initial=0)
    steps = sum(c.shape)
    scale = steps * (top + gamma * np.log(3))
    if not scale < 1e300:
        return None
    value, e = reference.soft_dtw(c, gamma)
    exact = gamma == 0 or top * steps / gamma < 1e4
    return value, e, scale, exact


def in_range(pairs):
    """Whether no series has elements that its type hardly has."""
    every = np.concatenate([s.ravel() for s in (*pairs.x, *pairs.y)])
    size = abs(every[np.isfinite(every)])
    limit = np.finfo(np.promote_types(pairs.dtype, "f4"))
    low = size[size > 0].min(initial=1)
    return size.max(initial=0) < limit.max**0.3 and low > limit.tiny**0.3


def has_path(inside):
    value, _ = reference.soft_dtw(np.where(inside, 0.0, np.inf), 0)
    return np.isfinite(value)


def check_alignment(e, reached, dtype):
    """What every expected alignment is."""
    tolerance = 10 * EPS[np.dtype(dtype).itemsize]
    demand(np.isfinite(e).all(), "an alignment is not finite")
    demand(
        (e >= 0).all() and (e <= 1 + tolerance).all(),
        f"an alignment goes from {e.min()} to {e.max()}",
    )
    if not reached:
        demand(not e.any(), "there is an alignment without a path")
        return
    least = min(*e.sum(axis=0), *e.sum(axis=1))
    demand(least >= 1 - tolerance, f"a row of an alignment adds up to {least}")
    ends = e[0, 0], e[-1, -1]
    demand(
        all(abs(end - 1) <= tolerance for end in ends),
        f"an alignment begins and ends with {ends}",
    )
