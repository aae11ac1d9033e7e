"""Right answers of what is not a loss of pairs, as ``answers`` has them."""

import itertools

import numpy as np
import reference

from fuzz.answers import losses_of
from fuzz.pairs import (
    Pairs,
    allowed,
    demand,
    full,
    has_path,
    in_range,
    near,
    solved,
)


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
    first = a["init"] if isinstance(a["init"], np.ndarray) else series
    if max(abs(series).max(), abs(first).max()) < 1e4:
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
        if not in_range(Pairs(pair)):
            return None
        found = losses_of("soft_dtw", Pairs(pair), a["gamma"], pair)
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
