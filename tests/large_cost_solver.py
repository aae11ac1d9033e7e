"""Soft-DTW of costs of any size, with integers and long doubles.

Sums of costs are integers here, times a power of two, so that no cost is too
large for the recursion; what the soft minimum takes from them is a long
double beside that. A cell that costs +inf is on no path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

Long = np.longdouble


# --- Exact numbers ---


def as_integers(*arrays):
    """Integers and the power of two that they are to be multiplied with.

    Arrays of Python's integers, of arrays of finite numbers; None for +inf.
    """
    pairs = [
        [
            (None, 1) if a == np.inf else float(a).as_integer_ratio()
            for a in array.ravel()
        ]
        for array in arrays
    ]
    least = max(q for found in pairs for _, q in found)
    integers = []
    for array, found in zip(arrays, pairs):
        scaled = [None if p is None else p * (least // q) for p, q in found]
        made = np.empty(len(scaled), object)
        made[:] = scaled
        integers.append(made.reshape(array.shape))
    return (*integers, 1 - least.bit_length())


def as_long(integer, power):
    """An integer times a power of two as a long double."""
    size = abs(int(integer))
    shift = max(size.bit_length() - 64, 0)
    size >>= shift
    high, low = size >> 32, size & 0xFFFFFFFF
    number = np.ldexp(Long(high), 32) + Long(low)
    return np.ldexp(number if integer >= 0 else -number, shift + power)


def as_float(fraction):
    """The nearest number of float64, which may be infinite."""
    try:
        return float(fraction)
    except OverflowError:
        return math.inf if fraction > 0 else -math.inf


# --- The recursions ---


@dataclass
class Solution:
    """Value, tangent, alignment and its change, of one table."""

    value: float
    tangent: float
    alignment: np.ndarray
    change: np.ndarray


STEPS = ((1, 1), (1, 0), (0, 1))  # diagonal, above, left


def solve(cost, power, gamma, direction=None):
    """Sweep a table of integers, None where forbidden; gamma > 0."""
    m, n = cost.shape
    z = np.zeros((m, n), Long) if direction is None else Long(direction)
    # What paths to a cell cost at least is `least` times a power of two, and
    # `rest` times gamma; its derivative.
    least = np.full((m + 1, n + 1), None, object)
    rest, along = np.zeros((2, m + 1, n + 1), Long)
    shares, means = np.zeros((m, n, 3), Long), np.zeros((m, n), Long)
    least[0, 0] = 0
    for i in range(m):
        for j in range(n):
            before = [(i + 1 - a, j + 1 - b) for a, b in STEPS]
            open_ones = [p for p in before if least[p] is not None]
            if cost[i, j] is None or not open_ones:
                continue
            base = min(least[p] for p in open_ones)
            weights = np.zeros(3, Long)
            gaps = {
                p: as_long(least[p] - base, power) / Long(gamma) + rest[p]
                for p in open_ones
            }
            lowest = min(gaps.values())
            for k, p in enumerate(before):
                if p in gaps:
                    weights[k] = np.exp(lowest - gaps[p])
            total = weights.sum()
            shares[i, j] = weights / total
            means[i, j] = sum(
                s * along[p] for s, p in zip(shares[i, j], before)
            )
            least[i + 1, j + 1] = base + cost[i, j]
            rest[i + 1, j + 1] = lowest - np.log(total)
            along[i + 1, j + 1] = means[i, j] + z[i, j]
    e, change = np.zeros((2, m + 1, n + 1), Long)
    if least[m, n] is None:
        return Solution(math.inf, 0.0, e[1:, 1:], change[1:, 1:])
    e[m, n] = 1
    for i in reversed(range(m)):
        for j in reversed(range(n)):
            mass, moved = e[i + 1, j + 1], change[i + 1, j + 1]
            for s, (a, b) in zip(shares[i, j], STEPS):
                p = i + 1 - a, j + 1 - b
                bend = s * (means[i, j] - along[p]) / Long(gamma)
                e[p] += s * mass
                change[p] += bend * mass + s * moved
    lowest, below = rest[m, n].as_integer_ratio()
    value = Fraction(least[m, n]) * Fraction(2) ** power
    value += Fraction(gamma) * Fraction(lowest, below)
    return Solution(
        as_float(value), float(along[m, n]), e[1:, 1:], change[1:, 1:]
    )


def costs_of_series(x, y, cost):
    """Integers (m, n), their power of two, slopes and differences (m, n, d).

    Of series (m, d) and (n, d). Slopes are the cost's gradients for x.
    """
    xs, ys, power = as_integers(x, y)
    a = xs[:, None] - ys[None]
    differences = np.array([as_long(v, power) for v in a.ravel()])
    differences = differences.reshape(a.shape)
    if cost == "manhattan":
        return abs(a).sum(axis=2), power, np.sign(differences), differences
    if cost == "huber":
        one = 1 << -power
        slopes = a.clip(-one, one)
        terms = slopes * (2 * a - slopes)
        slopes = differences.clip(-1, 1)
        return terms.sum(axis=2), 2 * power - 1, slopes, differences
    squares = (a * a).sum(axis=2)
    if cost == "sqeuclidean":
        return squares, 2 * power, 2 * differences, differences
    assert cost == "euclidean", f"there are no formulas of {cost} here"
    digits = 128
    roots = np.empty(squares.shape, object)
    lengths = np.ones(squares.shape, Long)
    for at, square in np.ndenumerate(squares):
        roots[at] = math.isqrt(square << 2 * digits)
        if square:
            lengths[at] = as_long(roots[at], power - digits)
    slopes = differences / lengths[..., None]
    return roots, power - digits, slopes, differences
