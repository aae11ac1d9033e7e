"""Plain NumPy twins of what is tested, in float64."""

from pathlib import Path

import numpy as np

GAMMAS = (1e-3, 0.01, 0.1, 1.0, 10.0, 1e3)
DATA = Path(__file__).parent / "data" / "reference.npz"


def cases():
    """The reference cases: name -> {x, y, gamma, value, gx[, E]}."""
    found = {}
    with np.load(DATA) as file:
        for key in file.files:
            name, field = key.split("/")
            found.setdefault(name, {})[field] = file[key]
    return found


def error(actual, expected):
    """Norm-wise relative error."""
    expected = np.asarray(expected, np.float64)
    distance = np.linalg.norm((actual - expected).ravel())
    return distance / max(np.linalg.norm(expected.ravel()), 1e-300)


def walks(rng, *shape, dtype=np.float64):
    """Random walks (B, length, d) whose steps have deviation 0.1."""
    return (0.1 * rng.standard_normal(shape)).cumsum(axis=1).astype(dtype)


def squared_euclidean(x, y):
    """Cost matrices (..., m, n) of series (..., m, d) and (..., n, d)."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return ((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(axis=-1)


def inside(band, n):
    """The mask (B, m, n) of a band."""
    j = np.arange(n)
    return (band[..., :1] <= j) & (j < band[..., 1:])


def differences(x, y):
    """(..., m, n, d) of series (..., m, d) and (..., n, d)."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return x[..., :, None, :] - y[..., None, :, :]


def cost_and_slopes(x, y, cost):
    """Cost matrices by name, and their gradients (..., m, n, d) for x.

    These are 0 where a distance has none.
    """
    a = differences(x, y)
    if cost == "sqeuclidean":
        return (a**2).sum(axis=-1), 2 * a
    if cost == "manhattan":
        return abs(a).sum(axis=-1), np.sign(a)
    if cost == "huber":
        small, size = abs(a) <= 1, abs(a)
        term = np.where(small, a**2 / 2, size - 0.5)
        return term.sum(axis=-1), np.where(small, a, np.sign(a))
    assert cost == "euclidean", f"there are no formulas of {cost} here"
    c = np.sqrt((a**2).sum(axis=-1))
    return c, a / np.where(c == 0, 1, c)[..., None]


def make(rng, kind, batch, m, n, d, dtype):
    """Series, or the costs between them."""
    x = walks(rng, batch, m, d, dtype=dtype)
    y = walks(rng, batch, n, d, dtype=dtype)
    if kind == "explicit":
        return (squared_euclidean(x, y).astype(dtype),)
    return x, y


def random_band(rng, batch, m, n, margin, x_length=None, y_length=None):
    """Bands (B, m, 2) around random paths."""
    rows = np.broadcast_to(m if x_length is None else x_length, batch)
    columns = np.broadcast_to(n if y_length is None else y_length, batch)
    band = np.zeros((batch, m, 2), np.int32)
    for b in range(batch):
        # Where a path that takes random steps enters and leaves each row.
        ends = np.sort(rng.integers(0, columns[b], rows[b]))
        ends[-1] = columns[b] - 1
        starts = np.append(0, ends[:-1])
        starts += (starts < ends) & (rng.random(rows[b]) < 0.5)
        starts[0] = 0
        starts = starts - rng.integers(0, margin + 1, rows[b])
        ends += rng.integers(0, margin + 1, rows[b])
        starts = np.maximum.accumulate(np.maximum(starts, 0))
        ends = np.minimum(ends + 1, columns[b])
        ends = np.minimum.accumulate(ends[::-1])[::-1]
        band[b, : rows[b], 0], band[b, : rows[b], 1] = starts, ends
        band[b, rows[b] :] = -1  # is ignored
    return band


def alignments(m, n):
    """Every monotonic alignment of m with n elements, as a 0-1 matrix."""
    paths = [[(0, 0)]]
    while paths:
        path = paths.pop()
        i, j = path[-1]
        if (i, j) == (m - 1, n - 1):
            matrix = np.zeros((m, n))
            matrix[tuple(zip(*path))] = 1
            yield matrix
        steps = ((i + 1, j + 1), (i + 1, j), (i, j + 1))
        paths += [[*path, (a, b)] for a, b in steps if a < m and b < n]


def brute_force(cost, gamma):
    """Value and expected alignment from all alignments; gamma > 0."""
    paths = np.array(list(alignments(*cost.shape)))
    scores = -(paths * cost).sum(axis=(1, 2)) / gamma
    top = scores.max()
    weights = np.exp(scores - top)
    value = -gamma * (top + np.log(weights.sum()))
    return value, np.tensordot(weights / weights.sum(), paths, 1)


def soft_dtw(cost, gamma, x_length=None, y_length=None):
    """Values and expected alignments by recursion in log space.

    Of cost matrices (B, m, n) with lengths, or of one, (m, n). For gamma 0
    one optimal path: the diagonal first, then the cell above.
    """
    cost = np.asarray(cost, np.float64)
    if cost.ndim == 2:
        value, e = soft_dtw(cost[None], gamma)
        return value[0], e[0]
    size, m, n = cost.shape
    width = n + 2
    c = np.pad(cost, ((0, 0), (1, 1), (1, 1)), constant_values=np.inf)
    c = c.reshape(size, -1).T.copy()  # cells first, batch last
    r = np.full(c.shape, np.inf)
    r[0] = 0
    weights = np.zeros((3, *c.shape))
    back = np.array([width + 1, width, 1])[:, None]  # diagonal, above, left
    diagonals = []
    for k in range(2, m + n + 1):
        i = np.arange(max(1, k - n), min(m, k - 1) + 1)
        diagonals.append(i * width + k - i)
    with np.errstate(all="ignore"):
        for at in diagonals:
            before = r[at - back]
            least = before.min(axis=0)
            gap = np.nan_to_num(before - least, nan=0.0, posinf=np.inf)
            if gamma == 0:
                w = np.arange(3)[:, None, None] == gap.argmin(axis=0)
                total = 1.0
            else:
                w = np.exp(-gap / gamma)
                total = w.sum(axis=0)
            r[at] = c[at] + least - gamma * np.log(total)
            weights[:, at] = w / total
    rows = np.full(size, m) if x_length is None else np.array(x_length, int)
    columns = np.full(size, n) if y_length is None else np.array(y_length, int)
    last = rows * width + columns, np.arange(size)
    values = r[last]
    e = np.zeros(c.shape)
    e[last] = np.isfinite(values)
    for at in reversed(diagonals):
        for w, step in zip(weights, back[:, 0]):
            e[at - step] += w[at] * e[at]
    e = e.T.reshape(size, m + 2, width)[:, 1:-1, 1:-1]
    return values, np.ascontiguousarray(e)


def batch(x, y, gamma, x_length=None, y_length=None):
    """Values and gradients under the squared Euclidean cost."""
    x, y = masked(x, x_length), masked(y, y_length)
    values, e = soft_dtw(squared_euclidean(x, y), gamma, x_length, y_length)
    return (values, *gradients(x, y, e))


def batch_of_cost(x, y, gamma, cost, x_length=None, y_length=None):
    """Values and gradients under a cost by name."""
    x, y = masked(x, x_length), masked(y, y_length)
    c, slopes = cost_and_slopes(x, y, cost)
    values, e = soft_dtw(c, gamma, x_length, y_length)
    each = e[..., None] * slopes
    return values, each.sum(axis=-2), -each.sum(axis=-3)


def gradients(x, y, e):
    """Gradients for both series of sum_ij e[..., i, j] |x_i - y_j|^2."""
    return (
        2 * (e.sum(axis=-1)[..., None] * x - e @ y),
        2 * (e.sum(axis=-2)[..., None] * y - e.swapaxes(-1, -2) @ x),
    )


def masked(a, lengths):
    """A float64 copy with zeros beyond the lengths."""
    a = np.array(a, np.float64)
    if lengths is not None:
        a[np.arange(a.shape[1]) >= np.array(lengths)[:, None]] = 0
    return a


def tangent(
    cost,
    direction,
    gamma,
    x_length=None,
    y_length=None,
    grad=1.0,
    grad_tangent=0.0,
):
    """Values, tangents along directions, and tangents of the adjoint.

    Of cost matrices (B, m, n), which may hold inf; directions count as 0
    there. By the recursions themselves, cell by cell.
    """
    cost = np.asarray(cost, np.float64)
    direction = np.broadcast_to(direction, cost.shape)
    size, m, n = cost.shape
    rows = np.broadcast_to(m if x_length is None else x_length, size)
    columns = np.broadcast_to(n if y_length is None else y_length, size)
    grad = np.broadcast_to(grad, size)
    grad_tangent = np.broadcast_to(grad_tangent, size)
    values, tangents = np.zeros(size), np.zeros(size)
    et = np.zeros(cost.shape)
    for b in range(size):
        values[b], tangents[b], e, change = _tangent(
            cost[b, : rows[b], : columns[b]],
            direction[b, : rows[b], : columns[b]],
            gamma,
        )
        et[b, : rows[b], : columns[b]] = grad[b] * change + grad_tangent[b] * e
    return values, tangents, et


def _tangent(c, z, gamma):
    """The four sweeps of one matrix: value, tangent, E and H z."""
    z = np.where(np.isinf(c), 0, z)
    m, n = c.shape
    r = np.full((m + 1, n + 1), np.inf)
    r[0, 0] = 0
    rt = np.zeros((m + 1, n + 1))
    w, wt = np.zeros((2, m, n, 3))
    steps = ((1, 1), (1, 0), (0, 1))  # diagonal, above, left
    with np.errstate(all="ignore"):
        for i in range(m):
            for j in range(n):
                at = [(i + 1 - a, j + 1 - b) for a, b in steps]
                before = np.array([r[p] for p in at])
                least = before.min()
                gap = np.nan_to_num(before - least, nan=0.0, posinf=np.inf)
                if gamma == 0:
                    p = (np.arange(3) == gap.argmin()).astype(float)
                    least_soft = least
                else:
                    p = np.exp(-gap / gamma)
                    least_soft = least - gamma * np.log(p.sum())
                    p /= p.sum()
                d = np.array([rt[q] for q in at])
                mean = p @ d
                w[i, j] = p
                if gamma > 0:
                    wt[i, j] = -p * (d - mean) / gamma
                r[i + 1, j + 1] = c[i, j] + least_soft
                rt[i + 1, j + 1] = z[i, j] + mean
    e, et = np.zeros((2, m + 1, n + 1))
    reached = np.isfinite(r[m, n])
    e[m, n] = reached
    for i in reversed(range(m)):
        for j in reversed(range(n)):
            for k, (a, b) in enumerate(steps):
                p = i + 1 - a, j + 1 - b
                e[p] += w[i, j, k] * e[i + 1, j + 1]
                et[p] += (
                    wt[i, j, k] * e[i + 1, j + 1]
                    + w[i, j, k] * et[i + 1, j + 1]
                )
    t = rt[m, n] if reached else 0.0
    return r[m, n], t, e[1:, 1:], et[1:, 1:]


def tangents(
    x,
    y,
    direction,
    gamma,
    cost,
    x_length=None,
    y_length=None,
    grad=1.0,
    grad_tangent=0.0,
):
    """Values, tangents, and tangents of both gradients, under a cost by name.

    Along a pair of series, ``'cost'``, or matrices.
    """
    x, y = masked(x, x_length), masked(y, y_length)
    c, slopes = cost_and_slopes(x, y, cost)
    grad = np.reshape(grad, (-1, 1, 1))
    _, e = soft_dtw(c, gamma, x_length, y_length)
    changes = 0
    if isinstance(direction, tuple):
        dx, dy = (
            np.zeros_like(like) if a is None else masked(a, lengths)
            for a, like, lengths in zip(
                direction, (x, y), (x_length, y_length)
            )
        )
        moves = differences(dx, dy)
        z = (slopes * moves).sum(axis=-1)
        bends = {
            "sqeuclidean": 2 * moves,
            "euclidean": (moves - slopes * z[..., None])
            / np.where(c == 0, np.inf, c)[..., None],
            "manhattan": 0 * moves,
            "huber": np.where(abs(differences(x, y)) <= 1, moves, 0),
        }
        changes = bends[cost] * (grad * e)[..., None]
    elif isinstance(direction, str):
        z = c
        changes = slopes * (grad * e)[..., None]
    else:
        z = direction
    value, t, et = tangent(
        c, z, gamma, x_length, y_length, grad.ravel(), grad_tangent
    )
    each = et[..., None] * slopes + changes
    return value, t, each.sum(axis=-2), -each.sum(axis=-3)
