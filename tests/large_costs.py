"""Random problems whose largest costs exceed everything, and their solutions.

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
# Bits of exponent, cost / (gamma ln 2), that the costs of a path may add up
# to where mantissas and exponents are computed with in float64.
BITS = 2.0**47
COSTS = ("explicit", "sqeuclidean", "euclidean", "manhattan")


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
    squares = (a * a).sum(axis=2)
    if cost == "sqeuclidean":
        return squares, 2 * power, 2 * differences, differences
    digits = 128
    roots = np.empty(squares.shape, object)
    lengths = np.ones(squares.shape, Long)
    for at, square in np.ndenumerate(squares):
        roots[at] = math.isqrt(square << 2 * digits)
        if square:
            lengths[at] = as_long(roots[at], power - digits)
    slopes = differences / lengths[..., None]
    return roots, power - digits, slopes, differences


# --- Problems ---


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
    cost = COSTS[(0, 1, 0, 2, 0, 3)[index % 6]]
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


def _clear_path(rng, inside):
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
        clear[:rows, :columns] = _clear_path(rng, inside[:rows, :columns])
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


# --- Comparison ---


@dataclass
class Expected:
    """What the sweeps should return, and how large it is.

    Attributes:
        value: ``(B,)``.
        tangent: ``(B,)``.
        gradients: As the arrays.
        changes: As the arrays: what adjoint_tangent returns.
        scales: Of what the values, the tangents, the gradients and the
            changes are sums.
    """

    value: np.ndarray
    tangent: np.ndarray
    gradients: tuple[np.ndarray, ...]
    changes: tuple[np.ndarray, ...]
    scales: dict


def expected(given):
    """Solve all pairs of a problem."""
    size = len(given.arrays[0])
    value, tangent, reach = np.zeros((3, size))
    sums = [[np.zeros(a.shape) for a in given.arrays] for _ in range(4)]
    gradients, changes, gradient_scales, change_scales = sums
    for b in range(size):
        rows, columns = given.lengths[0][b], given.lengths[1][b]
        ends = (rows, columns)
        inside = np.ones((rows, columns), bool)
        if given.band is not None:
            j = np.arange(columns)
            bounds = given.band[0, :rows]
            inside = (bounds[:, :1] <= j) & (j < bounds[:, 1:])
        if given.cost == "explicit":
            own = given.arrays[0][b, :rows, :columns]
            cost, power = as_integers(np.where(inside, own, np.inf))
            z = given.direction[0][b, :rows, :columns]
        else:
            pair = [a[b, :k] for a, k in zip(given.arrays, ends)]
            moves = [a[b, :k] for a, k in zip(given.direction, ends)]
            cost, power, slopes, _ = costs_of_series(*pair, given.cost)
            cost = np.where(inside, cost, None)
            moves = Long(moves[0])[:, None] - Long(moves[1])[None]
            z = (slopes * moves).sum(axis=2)
        found = solve(cost, power, given.gamma, z)
        value[b], tangent[b] = found.value, found.tangent
        e, change = found.alignment, found.change
        # Cells that alignments come to, and what they would change by.
        met = e > 1e-25
        reach[b] = float(abs(np.where(met, z, 0)).max(initial=0))
        steep = 1 + reach[b] * (rows + columns) / given.gamma
        if given.cost == "explicit":
            gradients[0][b, :rows, :columns] = e
            changes[0][b, :rows, :columns] = change
            gradient_scales[0][b] = 1
            change_scales[0][b] = steep
            continue
        bends = _bends(given.cost, cost, power, slopes, moves, z)
        first = e[..., None] * slopes
        second = change[..., None] * slopes + e[..., None] * bends
        size_of = np.where(met[..., None], abs(slopes), 0)
        size_of_bends = np.where(met[..., None], abs(bends), 0)
        for k, axis in enumerate((1, 0)):
            sign = 1 - 2 * k
            at = b, slice(ends[k])
            gradients[k][at] = sign * first.sum(axis=axis)
            changes[k][at] = sign * second.sum(axis=axis)
            sums = (e[..., None] * abs(slopes)).sum(axis=axis)
            gradient_scales[k][b] = 1e-30 + float(sums.max())
            change_scales[k][b] = float(
                size_of_bends.max() + steep * size_of.max()
            )
    many = given.gamma * sum(given.arrays[0].shape[1:2])
    scales = {
        "value": np.maximum(np.nan_to_num(abs(value), posinf=0), many),
        "tangent": 1 + reach * (given.lengths[0] + given.lengths[1]),
        "gradients": gradient_scales,
        "changes": change_scales,
    }
    return Expected(value, tangent, tuple(gradients), tuple(changes), scales)


def _bends(cost, integers, power, slopes, moves, z):
    """The derivatives of slopes along a direction."""
    if cost == "sqeuclidean":
        return 2 * moves
    if cost == "manhattan":
        return 0 * moves
    lengths = np.full(integers.shape, np.inf, Long)
    for at, root in np.ndenumerate(integers):
        if root:
            lengths[at] = as_long(root, power)
    return (moves - slopes * z[..., None]) / lengths[..., None]


def swept(given, sweeps, **more):
    """Values, gradients, tangents and changes by ``sdtw_cpu`` or its twin."""
    explicit = given.cost == "explicit"
    options = {**given.options, **more}
    name = "value_from_cost" if explicit else "value"
    value, tape = getattr(sweeps, name)(
        *given.arrays, given.gamma, tape=True, **options
    )
    gradients = sweeps.adjoint(tape)
    name = "tangent_from_cost" if explicit else "tangent"
    direction = given.direction[0] if explicit else given.direction
    again, tangent, tape = getattr(sweeps, name)(
        *given.arrays, direction, given.gamma, tape=True, **options
    )
    changes = sweeps.adjoint_tangent(tape)
    if explicit:
        gradients, changes = (gradients,), (changes,)
    return value, gradients, again, tangent, changes


def check(given, sweeps, **more):
    """Compare sweeps of a problem with its solution.

    Values to 1e-12, all else to 1e-7. In float32, to a rounding more, or a few
    where sums over a series are made in it.
    """
    right = expected(given)
    with np.errstate(over="ignore"):
        found = swept(given, sweeps, **more)
    value, gradients, again, tangent, changes = found
    scales = right.scales
    parts = [
        ("value", value, right.value, scales["value"], 1e-12),
        ("value", again, right.value, scales["value"], 1e-12),
        ("tangent", tangent, right.tangent, scales["tangent"], 1e-7),
    ]
    for what, found in (("gradients", gradients), ("changes", changes)):
        for of_one in zip(found, getattr(right, what), scales[what]):
            parts.append((what, *of_one, 1e-7))
    roundings = 2 if given.cost == "explicit" else 8
    for what, actual, exact, scale, tolerance in parts:
        assert actual.dtype == given.dtype, (given.name, what)
        if given.dtype == np.float32:
            tolerance += roundings * np.finfo(np.float32).eps
        with np.errstate(over="ignore", invalid="ignore"):
            same = actual == exact.astype(given.dtype)
            error = abs(actual.astype(np.float64) - exact) / scale
        error = np.where(same, 0, np.nan_to_num(error, nan=np.inf))
        at = np.unravel_index(np.argmax(error), error.shape)
        assert error[at] <= tolerance, (
            f"{given.name}\n{what}: {actual[at]!r} at {at} is not "
            f"{exact[at]!r}; the error is {error[at]:g}"
        )


def check_sums_beside_large_cells(sweeps, **more):
    """<E, C> does not lose the digits that large cells have before them."""
    rng = np.random.default_rng(2)
    cost = rng.random((40, 8, 8))
    for c in cost:
        off = ~_clear_path(rng, np.ones(c.shape, bool))
        c[off & (rng.random(c.shape) < 0.5)] = 1e12
    forbidden = np.where(cost == 1e12, np.inf, cost)
    _, found = sweeps.tangent_from_cost(cost, "cost", 1.0, **more)
    _, right = sweeps.tangent_from_cost(forbidden, "cost", 1.0, **more)
    np.testing.assert_allclose(found, right, 1e-14)
