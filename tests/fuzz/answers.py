"""Right answers, by ``reference`` and by formulas written out here.

Each function takes the arguments as plain arrays and the results as a flat
list of arrays, and raises ``Wrong`` where one is not near what it should be.
What no formula in float64 can tell, as where a cost is beyond its range, is
not compared.
"""

import itertools

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


def of_loss(name):
    """The check of a loss between series."""

    def check(a, results):
        pairs = Pairs(a)
        if name == "alignment_path":
            return _paths(pairs, results)
        _check_types(pairs, a, results)
        if name == "soft_alignment":
            return _alignments(pairs, a, results[0])
        if not _in_range(pairs):
            return None
        gamma = 1e285 if name.startswith("mean") else a.get("gamma", 0.0)
        if name.startswith("mean") and pairs.cost == "cosine":
            gamma = 1e280
        found = _losses(name, pairs, gamma, a)
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


def _in_range(pairs):
    """Whether no series has elements that its type hardly has."""
    every = np.concatenate([s.ravel() for s in (*pairs.x, *pairs.y)])
    size = abs(every[np.isfinite(every)])
    limit = np.finfo(np.promote_types(pairs.dtype, "f4"))
    low = size[size > 0].min(initial=1)
    return size.max(initial=0) < limit.max**0.3 and low > limit.tiny**0.3


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


def _losses(name, pairs, gamma, a):
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
    if name == "soft_dtw" and _in_range(pairs):
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
        if not np.isfinite(c[pairs.allowed[b]]).all() or not _in_range(pairs):
            continue
        check_alignment(own, has_path(pairs.allowed[b]), pairs.dtype)
        found = solved(c, a["gamma"])
        if found and found[3] and a["gamma"] > 0:
            scale = 1 + found[2] / a["gamma"]
            near("an alignment", own, found[1], scale, pairs.dtype)


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


def _paths(pairs, results):
    for b, (c, path) in enumerate(zip(pairs.each(), results)):
        reached = c is not None and has_path(pairs.allowed[b])
        if not reached:
            demand(len(path) == 0, "there is a path through forbidden cells")
            continue
        if not np.isfinite(c[pairs.allowed[b]]).all() or not _in_range(pairs):
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
            if factor == 0 or not np.isfinite(factor):
                continue
            e = np.asarray(gradients[0][b], np.float64) * share / factor
            e = e[: rows[b], : columns[b]]
            if factor == 1:
                reached = np.isfinite(found[0])
                check_alignment(e, reached, cost.dtype)
    if reduce != "no" and scales.max() > np.finfo(cost.dtype).max / 1e3:
        known = False  # of what is beyond the range
    if known:
        expected = _reduced(values, scales, reduce, True)
        near("the value", value, *expected, cost.dtype)


def of_cost_matrix(a, results):
    pairs = Pairs(a)
    if not pairs.batched or not _in_range(pairs):
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
        if not _in_range(pairs):
            return
        found = _losses("soft_dtw", pairs, a["gamma"], a)
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


def prior(a, results):
    made = results[0]
    demand(((made >= 0) & (made <= 1)).all(), "a prior is not from 0 to 1")
    m, n = a["m"], a["n"]
    demand(made.shape[-2:] == (m, n), f"a prior has shape {made.shape}")
    demand(made[..., 0, 0].max() <= 1e-12, "the first cell has a penalty")


def itakura(a, results):
    made = results[0]
    demand(made.shape == (a["m"], a["n"]), f"a mask of {made.shape}")
    demand(has_path(made), "a mask has no path")


def sakoe_chiba(a, results):
    band = results[0]
    rows = full(a["x_length"], a["m"], len(band))
    columns = full(a["y_length"], a["n"], len(band))
    for b in range(len(band)):
        made = reference.inside(band[b, : rows[b]], columns[b])
        right = allowed({"bandwidth": a["bandwidth"]}, b, rows[b], columns[b])
        demand((made == right).all(), f"the band of pair {b} is another one")


def band_of_mask(a, results):
    """A path is in the band if and only if it is in the mask."""
    mask = np.asarray(a["mask"])
    if not results:
        return
    band = results[0]
    rows = full(a["x_length"], mask.shape[1], len(band))
    columns = full(a["y_length"], mask.shape[2], len(band))
    for b in range(len(band)):
        own = mask[b if len(mask) > 1 else 0][: rows[b], : columns[b]]
        made = reference.inside(band[b, : rows[b]], columns[b])
        rng = np.random.default_rng(0)
        cost = rng.random(own.shape)
        right, other = (
            reference.soft_dtw(np.where(cells, cost, np.inf), 1.0)[0]
            for cells in (own, made)
        )
        near("the value in a band", other, right, 1 + abs(right), np.float64)


def old_interface(a, results):
    c = np.asarray(a["D"], np.float64)
    if np.isfinite(c).all() and abs(c).max() < 1e100:
        value, _, scale, _ = solved(c, a["gamma"])
        near("the value", results[0], value, scale, np.float64)


def barycenter(a, results):
    """It is finite, and between what the series have."""
    made = np.asarray(results[0], np.float64)
    series = np.asarray(a["series"], np.float64)
    demand(results[0].dtype == a["series"].dtype, "a barycenter's type")
    demand(made.shape[1:] == series.shape[2:], "a barycenter's shape")
    if abs(series).max() < 1e4:
        demand(np.isfinite(made).all(), "a barycenter is not finite")


def _matrix(a):
    """Losses between all series of two sets; None if out of reach."""
    x = np.asarray(a["X"])
    y = x if a["Y"] is None else np.asarray(a["Y"])
    if a["loss"] != "soft_dtw" or a["cost"] == "cosine":
        return None
    made, scales = np.zeros((2, len(x), len(y)))
    for i, j in itertools.product(range(len(x)), range(len(y))):
        pair = {**a, "x": x[i], "y": y[j], "Y": None}
        if not _in_range(Pairs(pair)):
            return None
        found = _losses("soft_dtw", Pairs(pair), a["gamma"], pair)
        if found is None:
            return None
        made[i, j], scales[i, j] = found[0][0], found[1][0]
    return made, scales


def pairwise(a, results):
    found = _matrix(a)
    y = a["X"] if a["Y"] is None else a["Y"]
    wider = np.result_type(a["X"], y)
    demand(results[0].dtype == wider, f"losses are {results[0].dtype}")
    if found is not None:
        dtype = min(a["X"].dtype, y.dtype)
        near("a loss", results[0], found[0], found[1], dtype)


def neighbors(a, results):
    found = _matrix(a)
    if found is None:
        return
    matrix, scales = found
    if a["Y"] is None:
        np.fill_diagonal(matrix, np.inf)
    dtype = a["X"].dtype if a["Y"] is None else min(a["X"].dtype, a["Y"].dtype)
    losses = np.sort(matrix, axis=1)[:, : a["n_neighbors"]]
    near("a loss", results[0], losses, scales.max(), dtype)
    chosen = np.take_along_axis(matrix, results[1], axis=1)
    near("the loss of a neighbor", chosen, losses, scales.max(), dtype)
