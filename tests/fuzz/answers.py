"""Right answers of losses and sweeps, by ``reference``.

Each function takes the arguments as plain arrays and the results as a flat
list of arrays, and raises ``Wrong`` where one is not near what it should be.
"""

import numpy as np
import reference

from fuzz.pairs import (
    EPS,
    Pairs,
    allowed,
    check_alignment,
    demand,
    full,
    has_path,
    in_range,
    near,
    solved,
)


def of_loss(name):
    """The check of a loss between series."""

    def check(a, results):
        pairs = Pairs(a)
        if name == "alignment_path":
            return _paths(pairs, results)
        _check_types(pairs, a, results)
        if name == "soft_alignment":
            return _alignments(pairs, a, results[0])
        if not in_range(pairs):
            return None
        gamma = 1e285 if name.startswith("mean") else a.get("gamma", 0.0)
        if name.startswith("mean") and pairs.cost == "cosine":
            gamma = 1e280
        found = losses_of(name, pairs, gamma, a)
        if found is not None:
            _check_values(results[0], *found, a["reduce"], pairs)
        return _gradients(name, pairs, a, results)

    return check


def _check_types(pairs, a, results):
    """A loss has the type of the series, a gradient the shape too."""
    for result, like in zip(results[1:], (a["x"], a["y"])):
        demand(
            result.shape in (like.shape, (0,)),
            f"the gradient of an array {like.shape} has {result.shape}",
        )
    for result in results:
        demand(
            result.dtype == pairs.dtype or result.shape == (0,),
            f"a result is {result.dtype}, not {pairs.dtype}",
        )


def _one_loss(name, c, gamma, alpha):
    """A loss of one matrix, and its scale; None if out of reach."""
    found = solved(c, gamma)
    if found is None:
        return None
    value, e, scale, exact = found
    if np.isinf(value):
        return np.inf, 1.0
    if name.startswith("soft_dtw"):
        return value, scale
    finite = np.where(np.isfinite(c), c, 0)
    top = sum(c.shape) * abs(finite).max()
    if name.startswith(("sharp", "mean")):
        if gamma == 0:
            return value, scale
        return ((e * finite).sum(), top) if exact else None
    i, j = (np.arange(size) + 0.5 for size in c.shape)
    m, n = c.shape
    penalty = ((i / m)[:, None] - j / n) ** 2
    # Near ties, rounding decides what is optimal.
    if gamma == 0 or not exact:
        if alpha == 1:
            return value, scale
        return None
    time = (e * penalty).sum()
    return alpha * value + (1 - alpha) * time, alpha * scale + sum(c.shape)


def losses_of(name, pairs, gamma, a):
    """Values and scales of all pairs; None if one is out of reach."""
    alpha = a.get("alpha", 0.0)
    terms = [(pairs, 1.0)]
    if name.endswith("divergence"):
        terms.append((pairs.own("x"), -0.5))
        if a.get("y_term") is None:
            terms.append((pairs.own("y"), -0.5))
    values, scales = np.zeros((2, pairs.size))
    for some, sign in terms:
        for b, c in enumerate(some.each()):
            if c is None:
                values[b] = np.nan
                continue
            found = _one_loss(name, c, gamma, alpha)
            if found is None:
                return None
            values[b] += sign * found[0]
            scales[b] += found[1]
    if pairs.cost == "cosine":
        scales += sum(map(len, (pairs.x[0], pairs.y[0])))
    return values, scales


def _check_values(actual, value, scale, reduce, pairs):
    if reduce != "no" and scale.max() > np.finfo(pairs.dtype).max / 1e3:
        return  # what is beyond the range may be infinite of either sign
    right = _reduced(value, scale, reduce, pairs.batched)
    near("the value", actual, *right, pairs.dtype)


def _reduced(value, scale, reduce, batched):
    with np.errstate(all="ignore"):
        if reduce == "no":
            return (value, scale) if batched else (value[0], scale[0])
        how = np.mean if reduce == "mean" else np.sum
        return how(value), scale.max() * (1 if reduce == "mean" else 3)


def _gradients(name, pairs, a, results):
    """Padding has none, and a shift of both series changes no value."""
    if len(results) < 3 or not (results[1].size and results[2].size):
        return
    ends = a.get("x_length"), a.get("y_length")
    both = results[1:3]
    for which, g, length in zip("xy", both, ends):
        if length is not None:
            beyond = np.arange(g.shape[1]) >= np.asarray(length)[:, None]
            demand(not g[beyond].any(), f"padding of {which} has a gradient")
    if pairs.cost == "cosine" or not all(map(_finite, both)):
        return
    if a.get("y_term") == "skip":
        return
    axis = tuple(range(both[0].ndim - 1))
    total = sum(np.asarray(g, np.float64).sum(axis=axis) for g in both)
    size = sum(abs(np.asarray(g, np.float64)).sum() for g in both)
    roundings = 1e3 if name.startswith(("sharp", "dilate")) else 30
    tolerance = roundings * EPS[pairs.dtype.itemsize] * (size + 1e-30)
    demand(
        (abs(total) <= tolerance + 1e-35).all(),
        f"the gradients of both series add up to {total}, not to 0, beside "
        f"{size:g}",
    )
    if name == "soft_dtw" and in_range(pairs):
        _exact_gradients(pairs, a, both)


def _exact_gradients(pairs, a, both):
    share = len(pairs.x) if a["reduce"] == "mean" else 1
    gamma = a["gamma"]
    for b, c in enumerate(pairs.each()):
        found = None if c is None else solved(c, gamma)
        if found is None or not found[3] or gamma == 0:
            continue
        x, y = pairs.x[b], pairs.y[b]
        _, slopes = reference.cost_and_slopes(x, y, pairs.cost)
        each = found[1][..., None] * slopes / share
        scale = abs(each).sum() + 1e-30
        # What rounds in float32 is compared with gamma.
        scale *= 1 + found[2] / gamma
        if scale > 1e30 or not np.isfinite(scale):
            continue
        for which, g, s, e in zip(
            "xy", both, (x, y), (each.sum(axis=1), -each.sum(axis=0))
        ):
            g = g[b] if pairs.batched else g.reshape(len(s), -1)
            what = f"the gradient of {which}"
            near(what, g[: len(s)], e, scale, pairs.dtype)


def _finite(a):
    return np.isfinite(np.asarray(a, np.float64)).all()


def _alignments(pairs, a, e):
    e = np.asarray(e, np.float64)
    e = e if e.ndim == 3 else e[None]
    for b, c in enumerate(pairs.each()):
        rows, columns = pairs.allowed[b].shape
        own = e[b, :rows, :columns]
        demand(
            not np.delete(e[b], range(rows), 0)[:, :columns].any(),
            "an alignment goes beyond a length",
        )
        if c is None:
            demand(np.isnan(own).all(), "bad series have an alignment")
            continue
        if not np.isfinite(c[pairs.allowed[b]]).all() or not in_range(pairs):
            continue
        check_alignment(own, has_path(pairs.allowed[b]), pairs.dtype)
        found = solved(c, a["gamma"])
        if found and found[3] and a["gamma"] > 0:
            scale = 1 + found[2] / a["gamma"]
            near("an alignment", own, found[1], scale, pairs.dtype)


def _paths(pairs, results):
    for b, (c, path) in enumerate(zip(pairs.each(), results)):
        reached = c is not None and has_path(pairs.allowed[b])
        if not reached:
            demand(len(path) == 0, "there is a path through forbidden cells")
            continue
        if not np.isfinite(c[pairs.allowed[b]]).all() or not in_range(pairs):
            continue
        path = path.tolist()
        ends = [[0, 0], [s - 1 for s in c.shape]]
        demand([path[0], path[-1]] == ends, f"the ends of {path}")
        for step in np.diff(path, axis=0).tolist():
            demand(step in ([0, 1], [1, 0], [1, 1]), f"a step of {path}")
        value, _, scale, _ = solved(c, 0)
        total = sum(c[i, j] for i, j in path)
        near("the cost of a path", total, value, scale, pairs.dtype)


def of_cost_matrices(a, results):
    """The check of ``soft_dtw_from_cost``."""
    cost = np.asarray(a["cost"])
    if cost.ndim != 3:
        return
    _check_matrices(a, results[0], results[1:2], a["reduce"])


def _check_matrices(a, value, gradients, reduce, grad=None):
    cost = np.asarray(a["cost"])
    demand(value.dtype == cost.dtype, f"the value is {value.dtype}")
    gradients = [g for g in gradients if g.size]
    size, m, n = cost.shape
    rows = full(a.get("x_length"), m, size)
    columns = full(a.get("y_length"), n, size)
    values, scales = np.zeros((2, size))
    known = True
    for b in range(size):
        inside = allowed(a, b, rows[b], columns[b])
        c = cost[b, : rows[b], : columns[b]].astype(np.float64)
        c = np.where(inside, c, np.inf)
        if np.isnan(c).any() or np.isneginf(c).any():
            values[b] = np.nan
            continue
        top = abs(c[np.isfinite(c)]).max(initial=0)
        wide = np.finfo(np.promote_types(cost.dtype, "f4"))
        found = solved(c, a["gamma"])
        if found is None or top > wide.max / 1e6:
            known = False
            continue
        values[b], scales[b] = found[0], found[2]
        if gradients:
            share = size if reduce == "mean" else 1
            factor = 1.0 if grad is None else float(grad[b])
            if not 1e-3 < abs(factor) < 1e3:
                continue
            e = np.asarray(gradients[0][b], np.float64) * share / factor
            e = e[: rows[b], : columns[b]]
            check_alignment(e, np.isfinite(found[0]), cost.dtype)
    if reduce != "no" and scales.max() > np.finfo(cost.dtype).max / 1e3:
        known = False  # of what is beyond the range
    if known:
        expected = _reduced(values, scales, reduce, True)
        near("the value", value, *expected, cost.dtype)


def of_cost_matrix(a, results):
    pairs = Pairs(a)
    if not pairs.batched or not in_range(pairs):
        return
    for c, made in zip(pairs.each(), results[0]):
        if c is not None:
            scale = abs(c).max() + (pairs.cost == "cosine")
            near("the matrix", made, c, scale, pairs.dtype)


def of_sweep(a, results):
    """The check of the sweeps of ``sdtw_cpu``."""
    explicit = "x" not in a
    value = results[0]
    if explicit:
        last = results[-1:] if "direction" not in a else []
        _check_matrices(a, value, last, "no", np.asarray(a["grad"]))
    else:
        pairs = Pairs(a)
        demand(value.dtype == pairs.dtype, f"the value is {value.dtype}")
        if not in_range(pairs):
            return
        found = losses_of("soft_dtw", pairs, a["gamma"], a)
        if found is not None:
            near("the value", value, *found, pairs.dtype)
    if "direction" in a and isinstance(a["direction"], np.ndarray):
        _check_tangents(a, results[1], explicit)


def _check_tangents(a, tangent, explicit):
    if explicit:
        return
    pairs = Pairs(a)
    for b, c in enumerate(pairs.each()):
        found = None if c is None else solved(c, a["gamma"])
        if found is None or not found[3] or a["gamma"] == 0:
            continue
        z = np.asarray(a["direction"], np.float64)
        if z.ndim != 3:
            return
        z = np.broadcast_to(z, (pairs.size, *z.shape[1:]))[b]
        z = z[: c.shape[0], : c.shape[1]]
        if not np.isfinite(z).all() or abs(z).max() > 1e6:
            continue
        scale = sum(c.shape) * abs(z).max() * (1 + found[2] / a["gamma"])
        total = (found[1] * z).sum()
        near("a tangent", tangent[b], total, scale, pairs.dtype)
