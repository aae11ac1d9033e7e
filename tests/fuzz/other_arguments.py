"""Valid arguments of what is not a loss of pairs of series."""

import numpy as np

from fuzz import problems


def cost_matrix(draw):
    made = problems.series_pair(draw)
    return {**made, "cost": draw.one((*problems.COSTS, "cosine"))}


def sizes(draw):
    m, n = draw.one(problems.LENGTHS), draw.one(problems.LENGTHS)
    return {"m": m, "n": n}


def prior(draw):
    made = sizes(draw)
    made["nu"] = draw.one((0.5, 10.0, 1e3))
    shape = draw.integer(1, 3), made["m"], made["n"]
    return {**made, **problems.limits(draw, shape)}


def band(draw):
    made = sizes(draw)
    shape = draw.integer(1, 3), made["m"], made["n"]
    radius = problems.bandwidth(draw, shape[0])
    made["bandwidth"] = 3 if radius is None else radius
    return {**made, **problems.limits(draw, shape)}


def band_of_mask(draw):
    shape = draw.integer(1, 3), *sizes(draw).values()
    mask = problems.mask(draw, shape)
    if mask is None or mask.ndim == 2:
        mask = np.ones(shape, bool)
    return {"mask": mask, **problems.limits(draw, shape)}


def a_set(draw):
    series = problems.series_set(draw)
    made = {"series": series, **problems.of_set(draw)}
    made["weights"] = problems.weights(draw, len(series))
    made["max_iter"] = draw.integer(1, 3)
    made["tol"] = draw.one((0.0, 1e-5))
    made["optimizer"] = draw.one(("l-bfgs", "cg"))
    made["init"] = draw.one(("mean", "medoid", "random", None))
    made["random_state"] = draw.integer(0, 9)
    made["length"] = draw.one((None, 1, 4))
    if draw.chance(0.3):
        made["init"] = series[0].astype(np.float64)
        made["length"] = None
    return made


def two_sets(draw):
    x = problems.series_set(draw)
    y = problems.walks_like(draw, x) if draw.chance(0.7) else None
    made = {"X": x, "Y": y, **problems.of_set(draw)}
    made["max_bytes"] = draw.one((1, 100, 2**25))
    return made


def neighbors(draw):
    made = two_sets(draw)
    most = len(made["X"]) - 1 if made["Y"] is None else len(made["Y"])
    if most < 1:
        made["Y"], most = made["X"].copy(), 1
    return {**made, "n_neighbors": draw.integer(1, most)}


def plot(draw):
    x, y = draw.rng.standard_normal((2, draw.one((2, 5))))
    return {
        "x": x,
        "y": y,
        "alignment": draw.rng.random((len(x), len(y))),
        "path": draw.rng.integers(0, len(x), (3, 2)),
    }


def loss_link(draw):
    made = problems.loss(draw)
    made["prior"] = draw.one((0.0, 0.0, 2.0))
    made["nu"] = draw.one((0.5, 100.0))
    made["loss"] = draw.one(("soft_dtw", "divergence", "sharp", "mean_cost"))
    return made


def barycenter_link(draw):
    series = problems.series_set(draw)
    made = {"init": series[0].copy(), "series": series}
    made["weights"] = problems.weights(draw, len(series))
    return {**made, **problems.of_set(draw)}


def clusters(draw, **more):
    series = problems.series_set(draw, ("f8", "f4"), size=6)
    made = {"X": series, **problems.of_set(draw), "n_clusters": 2}
    made["gamma"] = draw.one((0.1, 1.0, 10.0))
    made["max_iter"] = draw.integer(1, 2)
    made["max_iter_barycenter"] = 2
    made["tol_barycenter"] = 1e-3
    made["init"] = draw.one(("k-means++", "random"))
    made["length"] = draw.one((None, 4))
    made["random_state"] = draw.integer(0, 9)
    made["n_jobs"] = draw.one((None, 1))
    made["init_size"] = draw.one((None, 4))
    made["sample_weight"] = problems.weights(draw, len(series))
    return {**made, **more}


def k_means(draw):
    return clusters(draw, n_init=1, tol=1e-4)


def batches(draw):
    made = clusters(draw)
    del made["max_iter"]
    return made


def mini_batches(draw):
    return clusters(draw, batch_size=3, max_no_improvement=2)


def classes(draw):
    series = problems.series_set(draw, ("f8", "f4"), size=6)
    made = {"X": series, **problems.of_set(draw)}
    made["y"] = draw.rng.permutation([0, 0, 0, 1, 1, 1])
    made["n_jobs"] = draw.one((None, 1))
    return made


def centroids(draw):
    made = {**classes(draw), "max_iter": 2, "tol": 1e-4}
    return {**made, "length": draw.one((None, 4))}


def vote(draw):
    made = {**classes(draw), "n_neighbors": draw.integer(1, 5)}
    return {**made, "weights": "uniform"}


def square(draw):
    x, y = draw.rng.standard_normal((2, 4, 2))
    return {"X": x, "Y": y, "E": draw.rng.random((4, 4))}


def old_barycenter(draw):
    x = problems.series_set(draw)
    x = x[..., None] if x.ndim == 2 else x
    return {
        "X": x.astype(np.float64),
        "barycenter_init": x[0].astype(np.float64),
        "gamma": draw.one((0.1, 1.0)),
        "weights": problems.weights(draw, len(x)),
        "tol": 1e-3,
        "max_iter": 2,
        "method": "L-BFGS-B",
    }
