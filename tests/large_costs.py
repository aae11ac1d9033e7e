"""Whether sweeps solve problems whose largest costs exceed everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from large_cost_problems import COSTS, Problem, clear_path, problem
from large_cost_solver import (
    Long,
    as_integers,
    as_long,
    costs_of_series,
    solve,
)

__all__ = [
    "COSTS",
    "Problem",
    "check",
    "check_sums_beside_large_cells",
    "expected",
    "problem",
]


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
            cost, power, slopes, apart = costs_of_series(*pair, given.cost)
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
        bends = _bends(given.cost, cost, power, slopes, apart, moves, z)
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


def _bends(cost, integers, power, slopes, differences, moves, z):
    """The derivatives of slopes along a direction."""
    if cost == "sqeuclidean":
        return 2 * moves
    if cost == "manhattan":
        return 0 * moves
    if cost == "huber":
        return np.where(abs(differences) <= 1, moves, 0)
    assert cost == "euclidean", f"there are no formulas of {cost} here"
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


def check(given, sweeps, *, right=None, **more):
    """Compare sweeps of a problem with its solution, or one found before.

    Values to 1e-12, all else to 1e-7. In float32, to a rounding more, or a few
    where sums over a series are made in it.
    """
    right = right or expected(given)
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
    # A mass is a product of two numbers, each with a rounding per cell.
    roundings = 8
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
        off = ~clear_path(rng, np.ones(c.shape, bool))
        c[off & (rng.random(c.shape) < 0.5)] = 1e12
    forbidden = np.where(cost == 1e12, np.inf, cost)
    _, found = sweeps.tangent_from_cost(cost, "cost", 1.0, **more)
    _, right = sweeps.tangent_from_cost(forbidden, "cost", 1.0, **more)
    np.testing.assert_allclose(found, right, 1e-14)
