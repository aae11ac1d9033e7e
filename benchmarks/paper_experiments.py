"""The experiments of the paper: data, methods and what is computed."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import shutil
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any, NamedTuple

import numpy as np
from prediction import SCRIPT
from problems import resampled, usual_length

import chainer_sdtw
from chainer_sdtw.datasets import get_ucr

EXPERIMENTS = ("barycenters", "kmeans", "centroid", "prediction")
GAMMAS = (1.0, 0.1, 0.01, 0.001)
INITS = {"random": "random", "mean": "Euclidean mean"}
METHODS = {
    "dba": "DBA",
    "subgradient": "subgradient",
    "mean": "Euclidean mean",
    "mse": "MSE",
}
SERIES = 10
"""At most so many series have one barycenter."""

TOL, KMEANS_TOL = 1e-5, 1e-4


class Limits(NamedTuple):
    """What a set is given, by the length of its longest series."""

    length: float
    repeats: int  # of barycenters
    kmeans_repeats: int
    max_outer: int  # iterations of k-means
    max_inner: int  # those of a barycenter in each
    seeds: int  # of prediction


LIMITS = (
    Limits(300, 10, 3, 30, 10, 2),
    Limits(1000, 10, 1, 15, 10, 1),
    Limits(float("inf"), 3, 1, 5, 5, 1),
)

VALUES = {
    "barycenters": ("dtw", "initial_dtw", "series", "length"),
    "kmeans": ("dtw", "initial_dtw", "iterations"),
    "centroid": ("accuracy",),
    "prediction": ("dtw", "mse"),
}


@dataclass(frozen=True)
class Case:
    """One thing to compute; ``gamma`` is None without soft-DTW."""

    dataset: str
    repeat: int
    init: str
    method: str
    gamma: float | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies it in a file."""
        return tuple("" if v is None else f"{v}" for v in astuple(self))

    def __str__(self) -> str:
        name = METHODS.get(self.method) or f"gamma {self.gamma:g}"
        return f"{self.dataset} {self.repeat} {self.init} {name}".replace(
            "  ", " "
        )


class Shape(NamedTuple):
    """What is known of a set before anything is computed."""

    length: int
    equal: bool


@functools.lru_cache(maxsize=2)
def load(name: str, root: str | None) -> tuple:
    """Series ``(length, d)`` and labels of both halves, in float64.

    Every feature is shifted and scaled by its mean and standard deviation in
    the training set, which leaves sets that come z-normalized as they are,
    so that a gamma means about the same for all.
    """
    halves = get_ucr(name, root, dtype=np.float64)
    values = np.concatenate(list(halves[0].series))
    mean, std = values.mean(axis=0), values.std(axis=0)
    std[std == 0] = 1
    return tuple(
        ([(s - mean) / std for s in half.series], np.asarray(half.labels))
        for half in halves
    )


def describe(name: str, root: str | None) -> Shape:
    """Load a set and say what it is like."""
    lengths = {len(s) for half in load(name, root) for s in half[0]}
    return Shape(max(lengths), len(lengths) == 1)


def dtw(series: list, centers: Any) -> np.ndarray:
    """DTW costs ``(N, K)`` under the squared Euclidean cost."""
    return chainer_sdtw.pairwise_soft_dtw(series, list(centers), gamma=0)


def generator(case: Case, args: argparse.Namespace) -> np.random.Generator:
    """The same random numbers for all methods."""
    name = zlib.crc32(case.dataset.encode())
    return np.random.default_rng([args.seed, name, case.repeat])


# Methods


def average(
    series: list, init: np.ndarray, case: Case, max_iter: int
) -> np.ndarray:
    """A barycenter by one of the methods."""
    if case.method == "soft_dtw":
        return chainer_sdtw.barycenter(
            series, case.gamma, init=init, tol=TOL, max_iter=max_iter
        )
    method, more = _library(case.method)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return method(
            series, init_barycenter=init, tol=TOL, max_iter=max_iter, **more
        )


@functools.cache
def _library(name: str) -> tuple:
    """A method of tslearn, compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # h5py, which is not needed
        from tslearn import barycenters

    if name == "dba":
        method, more = barycenters.dtw_barycenter_averaging, {}
    else:
        method = barycenters.dtw_barycenter_averaging_subgradient
        more = {"random_state": 0}
    tiny = np.zeros((2, 3, 1))
    method(tiny, init_barycenter=tiny[0], max_iter=1, **more)
    return method, more


def run_barycenters(case: Case, args: argparse.Namespace) -> dict:
    """DTW loss of a barycenter of some series of one class."""
    rng = generator(case, args)
    series, labels = load(case.dataset, args.root)[0]
    label = rng.choice(np.unique(labels))
    members = np.flatnonzero(labels == label)
    size = min(SERIES, len(members))
    chosen = [series[i] for i in rng.choice(members, size, replace=False)]
    length = usual_length(chosen)
    if case.init == "mean":
        init = resampled(chosen, length).mean(axis=0)
    else:
        values = np.concatenate(chosen)
        noise = rng.standard_normal((length, values.shape[1]))
        init = values.mean(axis=0) + values.std(axis=0) * noise
    with stopwatch(case) as watch:
        z = average(chosen, init, case, args.max_iter)
    return {
        "dtw": dtw(chosen, [z]).sum(),
        "initial_dtw": dtw(chosen, [init]).sum(),
        "series": size,
        "length": length,
        **watch,
    }


def run_kmeans(case: Case, args: argparse.Namespace) -> dict:
    """DTW loss of the training set to the closest centers of k-means."""
    rng = generator(case, args)
    series, labels = load(case.dataset, args.root)[0]
    count = len(np.unique(labels))
    all_series = resampled(series, usual_length(series))
    if case.init == "random":
        init = all_series[rng.choice(len(series), count, replace=False)]
    else:
        parts = np.array_split(rng.permutation(len(series)), count)
        init = np.array([all_series[part].mean(axis=0) for part in parts])
    limits = limits_for(max(map(len, series)))
    outer = args.max_outer or limits.max_outer
    inner = args.max_inner or limits.max_inner
    with stopwatch(case) as watch:
        if case.method == "soft_dtw":
            from chainer_sdtw.estimators import SoftDTWKMeans

            model = SoftDTWKMeans(
                count,
                gamma=case.gamma,
                init=init,
                max_iter=outer,
                tol=KMEANS_TOL,
                max_iter_barycenter=inner,
                tol_barycenter=TOL,
            ).fit(series)
            centers, iterations = model.cluster_centers_, model.n_iter_
        else:
            centers, iterations = lloyd(
                series, all_series, init, case, outer, inner
            )
    return {
        "dtw": dtw(series, centers).min(axis=1).sum(),
        "initial_dtw": dtw(series, init).min(axis=1).sum(),
        "iterations": iterations,
        **watch,
    }


def lloyd(
    series: list,
    all_series: np.ndarray,
    centers: np.ndarray,
    case: Case,
    max_outer: int,
    max_inner: int,
) -> tuple[np.ndarray, int]:
    """K-means under DTW, with centers by one of the methods.

    It ends when no label changes and the loss decreases by less than a share
    of KMEANS_TOL. A center without series becomes the one that is the
    farthest from its own.

    Args:
        series: ``N`` series.
        all_series: The same ``(N, length, d)``.
        centers: ``(K, length, d)`` to begin with.
        case: Says which method.
        max_outer: The largest number of iterations.
        max_inner: The same, of a barycenter in each of these.

    Returns:
        The best centers and the number of iterations.
    """
    centers = centers.copy()
    costs = dtw(series, centers)
    best, least = centers, np.inf
    iterations, before = 0, np.inf
    while iterations < max_outer:
        iterations += 1
        labels = costs.argmin(axis=1)
        far = list(np.argsort(costs.min(axis=1)))
        updated = centers.copy()
        for k in range(len(centers)):
            members = [series[i] for i in np.flatnonzero(labels == k)]
            if members:
                updated[k] = average(members, centers[k], case, max_inner)
            else:
                updated[k] = all_series[far.pop()]
        centers = updated
        costs = dtw(series, centers)
        loss = costs.min(axis=1).sum()
        if loss < least:
            best, least = centers, loss
        same = np.array_equal(labels, costs.argmin(axis=1))
        if same and before - loss <= KMEANS_TOL * loss:
            break
        before = loss
    return best, iterations


def run_centroid(case: Case, args: argparse.Namespace) -> dict:
    """Accuracy of the nearest centroid on the test set."""
    (series, labels), (test, truth) = load(case.dataset, args.root)
    with stopwatch(case) as watch:
        if case.method == "soft_dtw":
            from chainer_sdtw.estimators import SoftDTWNearestCentroid

            model = SoftDTWNearestCentroid(
                gamma=case.gamma, tol=TOL, max_iter=args.max_iter
            ).fit(series, labels)
            predicted = model.predict(test)
        else:
            all_series = resampled(series, usual_length(series))
            classes = np.unique(labels)
            centers = []
            for label in classes:
                members = np.flatnonzero(labels == label)
                center = all_series[members].mean(axis=0)
                if case.method != "mean":
                    chosen = [series[i] for i in members]
                    center = average(chosen, center, case, args.max_iter)
                centers.append(center)
            predicted = classes[dtw(test, centers).argmin(axis=1)]
    return {"accuracy": np.mean(predicted == truth), **watch}


def run_prediction(case: Case, args: argparse.Namespace) -> dict:
    """Test metrics of the example's model, trained with one loss."""
    import chainer

    sys.path.insert(0, str(SCRIPT.parent))
    train = importlib.import_module(SCRIPT.stem)
    sys.path.pop(0)
    folder = args.out / "unfinished" / "-".join(case.key)
    arguments = [
        "--dataset",
        case.dataset,
        "--seed",
        str(args.seed + case.repeat),
        "--epoch",
        str(args.epoch),
        "--out",
        str(folder),
        "--autoload",
        "--frequency",
        str(max(1, args.epoch // 4)),
        "--loss",
        case.method,
        "--gamma",
        f"{case.gamma or 1:g}",
        *(["--root", args.root] if args.root else []),
    ]
    with stopwatch(case) as watch:
        settings = train.parse_args(arguments)
        device = chainer.get_device(settings.device)
        data, test, _ = train.load(case.dataset, args.root)
        model = train.train_model(settings, case.method, data, test, device)
        metrics, _ = train.evaluate(model, test, settings, device)
    shutil.rmtree(folder)
    return {"dtw": metrics["dtw"], "mse": metrics["mse"], **watch}


@contextlib.contextmanager
def stopwatch(case: Case) -> Iterator[dict]:
    """Time what is inside, after what it needs is compiled."""
    if case.method in ("dba", "subgradient"):
        _library(case.method)
    watch: dict[str, float] = {}
    # Of the processor: others may use it, too.
    start = time.process_time()
    yield watch
    watch["seconds"] = time.process_time() - start


def limits_for(length: int) -> Limits:
    """The limits of a set by the length of its series."""
    return next(limits for limits in LIMITS if length <= limits.length)


def plan(
    experiment: str, name: str, shape: Shape, args: argparse.Namespace
) -> list[Case]:
    """All cases of an experiment with one set."""
    soft = [("soft_dtw", gamma) for gamma in args.gamma]
    limits = limits_for(shape.length)
    repeats, inits, others = {
        "barycenters": (limits.repeats, INITS, ("dba", "subgradient")),
        "kmeans": (limits.kmeans_repeats, INITS, ("dba", "subgradient")),
        "centroid": (1, ("mean",), ("dba", "mean")),
        "prediction": (limits.seeds, ("random",), ("mse",)),
    }[experiment]
    if args.repeats and experiment != "centroid":
        repeats = args.repeats
    if experiment == "prediction" and not shape.equal:
        repeats = 0
    methods = [*soft, *((other, None) for other in others)]
    return [
        Case(name, repeat, init, method, gamma)
        for repeat in range(repeats)
        for init in inits
        for method, gamma in methods
    ]


def compute(experiment: str, case: Case, args: argparse.Namespace) -> dict:
    """Compute a case."""
    return globals()[f"run_{experiment}"](case, args)
