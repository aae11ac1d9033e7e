"""Valid arguments of the losses and the sweeps."""

import reference

GAMMAS = (0.0, 1e-300, 1e-12, 1e-3, 0.1, 1.0, 1.0, 1.0, 10.0, 1e6, 1e280)
COSTS = ("sqeuclidean", "sqeuclidean", "euclidean", "manhattan", "huber")
LENGTHS = (1, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 16, 17, 33)


def series_pair(draw, types=("f8", "f8", "f4", "f2")):
    """Two batches ``(B, m, d)`` and ``(B, n, d)``."""
    size, features = draw.integer(1, 3), draw.integer(1, 3)
    dtype = draw.one(types)
    x, y = (
        reference.walks(draw.rng, size, draw.one(LENGTHS), features)
        for _ in range(2)
    )
    scale = draw.one((1.0, 1.0, 10.0, 1e-3, 30.0))
    return {"x": (scale * x).astype(dtype), "y": (scale * y).astype(dtype)}


def lengths(draw, size, longest):
    """``(B,)`` lengths, or None."""
    if draw.chance(0.6):
        return None
    return draw.rng.integers(1, longest + 1, size)


def limits(draw, shape):
    """Lengths of both series."""
    size, m, n = shape
    return {
        "x_length": lengths(draw, size, m),
        "y_length": lengths(draw, size, n),
    }


def bandwidth(draw, size):
    if draw.chance(0.6):
        return None
    if draw.chance(0.5):
        return draw.integer(0, 10)
    return draw.rng.integers(0, 10, size)


def mask(draw, shape):
    """Booleans ``(m, n)`` or ``(B, m, n)``, most with a path, or None."""
    if draw.chance(0.6):
        return None
    size, m, n = shape
    whole = draw.chance(0.5)
    made = draw.rng.random(shape if whole else (m, n)) < draw.one((0.5, 0.9))
    band = reference.random_band(draw.rng, size if whole else 1, m, n, 1)
    path = reference.inside(band, n)
    if draw.chance(0.1):
        return made
    return made | (path if whole else path[0])


def smoothing(draw):
    return draw.one(GAMMAS)


def shape_of(x, y):
    return len(x), x.shape[1], y.shape[1]


def loss(draw, *, masked=False, gamma=True, y_term=False, more=()):
    """The arguments of a loss between batches of series."""
    made = series_pair(draw)
    shape = shape_of(**made)
    one = draw.chance(0.15)
    if one:
        # A pair without an axis for a batch.
        shape = 1, *shape[1:]
        made = {name: a[0] for name, a in made.items()}
        made["x_length"] = made["y_length"] = made["bandwidth"] = None
    else:
        made.update(limits(draw, shape))
        made["bandwidth"] = bandwidth(draw, shape[0])
    if gamma:
        made["gamma"] = smoothing(draw)
    if masked:
        made["mask"] = mask(draw, shape)
        if one and made["mask"] is not None and made["mask"].ndim == 3:
            made["mask"] = made["mask"][0]
    made["cost"] = draw.one((*COSTS, "cosine"))
    if "reduce" in more:
        made["reduce"] = draw.one(("mean", "sum", "no"))
    if "alpha" in more:
        made["alpha"] = draw.one((0.0, 0.5, 1.0, 0.25))
    if y_term:
        made["y_term"] = draw.one((None, None, "skip"))
    return made


def from_cost(draw):
    """The arguments of the loss of cost matrices."""
    made = {"cost": cost_matrices(draw), "gamma": smoothing(draw)}
    shape = made["cost"].shape
    made.update(limits(draw, shape))
    made["bandwidth"] = bandwidth(draw, shape[0])
    made["mask"] = mask(draw, shape)
    made["reduce"] = draw.one(("mean", "sum", "no"))
    return made


def cost_matrices(draw, types=("f8", "f8", "f4", "f2")):
    shape = draw.integer(1, 3), draw.one(LENGTHS), draw.one(LENGTHS)
    return (3 * draw.rng.random(shape)).astype(draw.one(types))


def sweep(draw, *, explicit=False, tangent=False):
    """The arguments of the sweeps of ``sdtw_cpu`` and of the way back."""
    if explicit:
        made = {"cost": cost_matrices(draw, ("f8", "f4"))}
        shape = made["cost"].shape
        dtype = made["cost"].dtype
    else:
        made = series_pair(draw, ("f8", "f4"))
        shape, dtype = shape_of(**made), made["x"].dtype
        made["cost"] = draw.one(COSTS)
    if tangent:
        made["direction"] = draw.rng.standard_normal(shape).astype(dtype)
        made["grad_tangent"] = draw.rng.standard_normal(shape[0])
    made["gamma"] = smoothing(draw)
    made.update(limits(draw, shape))
    made["grad"] = draw.rng.standard_normal(shape[0])
    made["band"] = None
    if draw.chance(0.4):
        made["band"] = reference.random_band(
            draw.rng,
            *shape,
            draw.integer(0, 4),
            made["x_length"],
            made["y_length"],
        )
    return made


def series_set(draw, types=("f8", "f8", "f4", "f2"), size=None):
    """A set ``(N, L)`` or ``(N, L, d)``."""
    size = size or draw.integer(1, 6)
    shape = size, draw.one((2, 3, 5, 9)), draw.integer(1, 2)
    a = reference.walks(draw.rng, *shape).astype(draw.one(types))
    return a[:, :, 0].copy() if draw.chance(0.5) else a


def of_set(draw):
    """What all that takes a set of series has."""
    return {
        "gamma": draw.one((0.0, 1e-3, 0.1, 1.0, 1.0, 10.0)),
        "loss": draw.one(("soft_dtw", "divergence", "sharp", "mean_cost")),
        "cost": draw.one(COSTS),
        "bandwidth": draw.one((None, 0, 1, 5)),
    }


def weights(draw, size):
    return draw.rng.random(size) if draw.chance(0.5) else None


def walks_like(draw, a):
    """A set of other series with as many features, of the same type."""
    shape = draw.integer(1, 4), draw.one((2, 4, 6)), *a.shape[2:]
    return reference.walks(draw.rng, *shape).astype(a.dtype)
