#!/usr/bin/env python
"""The experiments of Cuturi and Blondel's paper on soft-DTW.

Barycenters, k-means, nearest centroids and prediction, on the data sets that
come with aeon or on a local copy of the archive. Every case is a line of a
CSV file as soon as it is finished, and is not computed again; the tables are
made of these files.

See: M. Cuturi and M. Blondel, Soft-DTW: a Differentiable Loss Function for
Time-Series, ICML 2017, section 4.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import csv
import functools
import importlib.util
import io
import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import typing as tp
import warnings
import zlib
from dataclasses import astuple, dataclass
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import prediction
from common import (
    available_cpus,
    check_folder,
    environment,
    positive,
    resampled,
    seed,
    usual_length,
    version,
)
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

import chainer_sdtw
import sdtw_cpu
from chainer_sdtw.datasets import get_ucr

# Those that come with aeon.
DATASETS = (
    "GunPoint",
    "ItalyPowerDemand",
    "ArrowHead",
    "OSULeaf",
    "ACSF1",
    "BasicMotions",
    "JapaneseVowels",
    "PickupGestureWiimoteZ",
)
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


class Limits(tp.NamedTuple):
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


class Shape(tp.NamedTuple):
    """What is known of a set before anything is computed."""

    length: int
    equal: bool


# Data


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


def dtw(series: list, centers: tp.Any) -> np.ndarray:
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

    spec = importlib.util.spec_from_file_location("train", prediction.SCRIPT)
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    folder = args.out / "unfinished" / "-".join(case.key)
    arguments = [
        *("--dataset", case.dataset, "--seed", str(args.seed + case.repeat)),
        *("--epoch", str(args.epoch), "--out", str(folder), "--autoload"),
        *("--frequency", str(max(1, args.epoch // 4))),
        *("--loss", case.method, "--gamma", f"{case.gamma or 1:g}"),
        *(["--root", args.root] if args.root else []),
    ]
    with stopwatch(case) as watch:
        settings = train.parse_args(arguments)
        device = chainer.get_device(settings.device)
        data, test, _, _ = train.load(settings)
        model = train.train_model(settings, case.method, data, test, device)
        metrics, _ = train.evaluate(model, test, settings, device)
    shutil.rmtree(folder)
    return {"dtw": metrics["dtw"], "mse": metrics["mse"], **watch}


@contextlib.contextmanager
def stopwatch(case: Case) -> tp.Iterator[dict]:
    """Time what is inside, after what it needs is compiled."""
    if case.method in ("dba", "subgradient"):
        _library(case.method)
    watch: dict[str, float] = {}
    # Of the processor: others may use it, too.
    start = time.process_time()
    yield watch
    watch["seconds"] = time.process_time() - start


# Files


def settings_of(experiment: str, args: argparse.Namespace) -> str:
    """What a figure depends on apart from its case."""
    settings: dict[str, tp.Any]
    if experiment == "kmeans":
        settings = {
            "max_outer": args.max_outer or [x.max_outer for x in LIMITS],
            "max_inner": args.max_inner or [x.max_inner for x in LIMITS],
        }
    elif experiment == "prediction":
        settings = {"epoch": args.epoch}
    else:
        settings = {"max_iter": args.max_iter}
    return json.dumps({"seed": args.seed, **settings}, sort_keys=True)


class Results:
    """The finished cases of one experiment, in a CSV file.

    Args:
        path: The file, which need not be there.
        experiment: Name of the experiment.
        settings: Cases with other ones are kept but do not count.
    """

    def __init__(self, path: Path, experiment: str, settings: str) -> None:
        self.path = path
        self.settings = settings
        self.columns = [
            *("dataset", "repeat", "init", "method", "gamma"),
            *VALUES[experiment],
            *("seconds", "settings"),
        ]
        self.rows: dict[tuple[str, ...], dict[str, str]] = {}
        self.other = 0
        with contextlib.suppress(FileNotFoundError):
            self._read()

    def _read(self) -> None:
        # What was being written when the process died has no end.
        text = self.path.read_bytes().decode(errors="replace")
        complete = text[: text.rfind("\n") + 1]
        reader = csv.DictReader(io.StringIO(complete, newline=""))
        if complete and reader.fieldnames != self.columns:
            sys.exit(
                f"{self.path}: not a file of this benchmark: its first line "
                f"should be {','.join(self.columns)}"
            )
        for row in reader:
            if None in row or None in row.values():
                sys.exit(
                    f"{self.path}, line {reader.line_num}: expected "
                    f"{len(self.columns)} values; delete the line"
                )
            if row["settings"] == self.settings:
                self.rows[tuple(row[c] for c in self.columns[:5])] = row
            else:
                self.other += 1

    def repair(self) -> None:
        """Cut a half-written last line off the file."""
        with (
            contextlib.suppress(FileNotFoundError),
            self.path.open("r+b") as f,
        ):
            f.truncate(f.read().rfind(b"\n") + 1)

    def add(self, case: Case, values: dict) -> None:
        """Append a case and see to it that it gets to the disk."""
        row = dict(zip(self.columns, case.key))
        row.update((k, f"{v:.10g}") for k, v in values.items())
        row["settings"] = self.settings
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())
        self.rows[case.key] = row

    def get(self, case: Case, column: str = "dtw") -> float | None:
        """A figure, None where there is none."""
        row = self.rows.get(case.key)
        return None if row is None else float(row[column])


# What is to be done


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


def limitations(
    shapes: dict[str, Shape], args: argparse.Namespace
) -> list[str]:
    """What is done less of than for other sets, in sentences."""
    lines = []
    if None in (args.repeats, args.max_outer, args.max_inner):
        for name, shape in shapes.items():
            limits = limits_for(shape.length)
            if limits is LIMITS[0]:
                continue
            lines.append(
                f"{name} has series of length {shape.length}: "
                f"{args.repeats or limits.repeats} repetitions of "
                f"barycenters, {args.repeats or limits.kmeans_repeats} of "
                f"k-means with at most {args.max_outer or limits.max_outer} "
                "iterations and "
                f"{args.max_inner or limits.max_inner} of a barycenter in "
                f"each, {args.repeats or limits.seeds} of prediction."
            )
    if "prediction" in args.experiment:
        lines += [
            f"{name} is left out of prediction: its series have different "
            "lengths, and the model takes one."
            for name, shape in shapes.items()
            if not shape.equal
        ]
    return lines


# Processes


def start_worker() -> None:
    """Leave Ctrl-C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The example prints.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sdtw_cpu.set_num_threads(1)
    sentinel = multiprocessing.parent_process().sentinel

    def watch() -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def compute(experiment: str, case: Case, args: argparse.Namespace) -> dict:
    """Compute a case, in a worker."""
    return globals()[f"run_{experiment}"](case, args)


def stop(*_: tp.Any) -> None:
    """End as by Ctrl-C."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def workers(jobs: int) -> tp.Iterator[concurrent.futures.Executor]:
    """Processes of one thread each, all ended in the end."""
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
    ):
        os.environ[name] = "1"
    pool = concurrent.futures.ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), start_worker
    )
    handler = signal.signal(signal.SIGTERM, stop)
    try:
        yield pool
    except BaseException:
        running = multiprocessing.active_children()
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        for process in running:
            process.join()
        raise
    finally:
        signal.signal(signal.SIGTERM, handler)
    pool.shutdown()


def look_at(args: argparse.Namespace) -> dict[str, Shape]:
    """Load all sets; leave out those that cannot be, unless asked for."""
    shapes = {}
    for name in args.dataset:
        try:
            shapes[name] = describe(name, args.root)
        except (OSError, ImportError, ValueError) as error:
            if not args.all_of_root:
                raise SystemExit(f"--dataset {name}: {error}") from None
            print(f"{name} is left out: {error}", file=sys.stderr)
    return shapes


def run_all(
    results: dict[str, Results],
    args: argparse.Namespace,
    pool: concurrent.futures.Executor,
    shapes: dict[str, Shape],
) -> int:
    """Compute what is not in the files; return how many cases failed."""
    waiting = {}
    finished = failed = 0
    # Those that take long first, so that no process has one at the end.
    for name in sorted(shapes, key=lambda name: -shapes[name].length):
        for experiment in args.experiment:
            for case in plan(experiment, name, shapes[name], args):
                if case.key in results[experiment].rows:
                    finished += 1
                    continue
                future = pool.submit(compute, experiment, case, args)
                waiting[future] = experiment, case
    total = finished + len(waiting)
    if finished:
        print(f"{finished} of {total} cases are finished.", file=sys.stderr)
    console = Console(stderr=True)
    columns = [
        *Progress.get_default_columns(),
        *(MofNCompleteColumn(), TimeElapsedColumn()),
    ]
    with Progress(
        *columns, console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("cases", total=total, completed=finished)
        for future in concurrent.futures.as_completed(waiting):
            experiment, case = waiting[future]
            try:
                values = future.result()
            except (Exception, SystemExit) as error:
                if isinstance(
                    error, concurrent.futures.process.BrokenProcessPool
                ):
                    raise
                failed += 1
                bar.console.print(
                    f"{experiment}, {case}: FAILED: "
                    f"{type(error).__name__}: {error}",
                    markup=False,
                )
                continue
            results[experiment].add(case, values)
            finished += 1
            bar.update(task, completed=finished, description=case.dataset)
            if not console.is_terminal:
                print(
                    f"{finished}/{total} {experiment}, {case}: "
                    f"{values['seconds']:.3g} s",
                    file=sys.stderr,
                    flush=True,
                )
    return failed


# Tables


def names_in(results: Results) -> list[str]:
    """The data sets there are figures of."""
    return list(dict.fromkeys(key[0] for key in sorted(results.rows)))


def repeats_in(results: Results, name: str) -> list[int]:
    """The repetitions there are figures of."""
    return sorted({int(key[1]) for key in results.rows if key[0] == name})


def methods_in(results: Results) -> list[tuple[str, float | None]]:
    """The methods there are figures of, soft-DTW's by gamma first."""
    found = {(key[3], key[4]) for key in results.rows}
    return sorted(
        ((method, float(gamma) if gamma else None) for method, gamma in found),
        key=lambda m: (m[1] is None, -(m[1] or 0), m[0]),
    )


def title_of(method: str, gamma: float | None) -> str:
    """A column's title."""
    return METHODS.get(method) or f"gamma {gamma:g}"


def lower(results: Results, init: str, other: str, gamma: float) -> dict:
    """How often soft-DTW's loss is lower, by cases and by sets.

    A set counts by the mean over its repetitions, of which only those with
    both figures are looked at.
    """
    cases = sets = all_cases = all_sets = 0
    for name in names_in(results):
        pairs = []
        for repeat in repeats_in(results, name):
            ours = results.get(Case(name, repeat, init, "soft_dtw", gamma))
            theirs = results.get(Case(name, repeat, init, other))
            if ours is not None and theirs is not None:
                # A NaN, of what diverged, is the highest.
                pairs.append(np.nan_to_num([ours, theirs], nan=np.inf))
        if not pairs:
            continue
        ours, theirs = np.mean(pairs, axis=0)
        cases += sum(a < b for a, b in pairs)
        sets += ours < theirs
        all_cases += len(pairs)
        all_sets += 1
    return {"cases": (cases, all_cases), "sets": (sets, all_sets)}


def share(counts: tuple[int, int]) -> str:
    """A percentage with what it is of."""
    part, total = counts
    return f"{100 * part / total:.0f} % ({part}/{total})" if total else "-"


def shares_table(results: Results) -> str:
    """How often soft-DTW is lower, by gamma."""
    gammas = [g for _, g in methods_in(results) if g is not None]
    rows = []
    for init, init_name in INITS.items():
        for other in ("dba", "subgradient"):
            found = {g: lower(results, init, other, g) for g in gammas}
            for unit in ("sets", "cases"):
                rows.append(
                    {
                        "initial guess": init_name,
                        "lower than": METHODS[other],
                        "of": unit,
                        **{
                            title_of("soft_dtw", g): share(found[g][unit])
                            for g in gammas
                        },
                    }
                )
    return prediction.to_markdown(rows)


def means_table(
    results: Results, column: str, inits: tp.Iterable[str], digits: str
) -> str:
    """The mean of a figure over the repetitions, by set and method."""
    rows = []
    for name in names_in(results):
        for init in inits:
            row = {"data set": name}
            if len(list(inits)) > 1:
                row["initial guess"] = INITS[init]
            repeats = repeats_in(results, name)
            row["repetitions"] = str(len(repeats))
            for method, gamma in methods_in(results):
                values = [
                    results.get(Case(name, r, init, method, gamma), column)
                    for r in repeats
                ]
                known = [v for v in values if v is not None]
                row[title_of(method, gamma)] = (
                    f"{np.mean(known):{digits}}" if known else "-"
                )
            rows.append(row)
    return prediction.to_markdown(rows)


def ranks_table(results: Results) -> str:
    """The mean rank of each loss, over sets and repetitions."""
    from scipy.stats import rankdata

    methods = methods_in(results)
    rows = []
    for column, title in prediction.METRICS.items():
        ranks = []
        for name in names_in(results):
            for repeat in repeats_in(results, name):
                values = [
                    results.get(Case(name, repeat, "random", *m), column)
                    for m in methods
                ]
                if None not in values:
                    ranks.append(rankdata(values))
        means = np.mean(ranks, axis=0) if ranks else [np.nan] * len(methods)
        rows.append(
            {
                "mean rank by": title,
                "of runs": str(len(ranks)),
                **{
                    title_of(*m): f"{mean:.2f}"
                    for m, mean in zip(methods, means)
                },
            }
        )
    return prediction.to_markdown(rows)


def seconds_table(results: Results) -> str:
    """Seconds of the processor, by method."""
    row = {}
    for method, gamma in methods_in(results):
        text = "" if gamma is None else f"{gamma}"
        seconds = sum(
            float(r["seconds"])
            for key, r in results.rows.items()
            if key[3:] == (method, text)
        )
        row[title_of(method, gamma)] = f"{seconds:.0f} s"
    return prediction.to_markdown([row])


def tables(
    results: dict[str, Results],
    shapes: dict[str, Shape],
    args: argparse.Namespace,
) -> str:
    """All tables, in Markdown."""
    machine = environment()
    versions = ", ".join(
        f"{name} {version(name)}"
        for name in ("chainer-sdtw", "numpy", "scipy", "tslearn", "aeon")
    )
    parts = [
        "# Experiments of the paper on soft-DTW",
        f"Written by `benchmarks/paper.py` on {machine['time'][:10]}: "
        f"{machine['cpu']}, instruction set {sdtw_cpu.isa()}, Python "
        f"{machine['python']}, {versions}; processes of one thread, as many "
        "as processors. Seconds are those of the processor, summed over the "
        "cases.",
    ]
    limited = limitations(shapes, args)
    if limited:
        parts.append("\n".join(f"- {line}" for line in limited))
    for experiment in args.experiment:
        found = results[experiment]
        if not found.rows:
            continue
        title, text = {
            "barycenters": (
                "Barycenters",
                f"DTW loss of barycenters of up to {SERIES} series of one "
                "class, drawn at random; at most "
                f"{args.max_iter} iterations, tolerance {TOL:g}.",
            ),
            "kmeans": (
                "K-means",
                "DTW loss of the training set to the closest of as many "
                "centers as there are classes; at most "
                f"{args.max_outer or LIMITS[0].max_outer} iterations of "
                f"k-means and {args.max_inner or LIMITS[0].max_inner} of a "
                "barycenter in each, or as said above.",
            ),
            "centroid": (
                "Nearest centroid",
                "Accuracy on the test set. With a gamma, centroids and "
                "classes are by soft-DTW; otherwise classes are by DTW. At "
                f"most {args.max_iter} iterations, from the Euclidean mean.",
            ),
            "prediction": (
                "Prediction",
                "The last 40 % of a series from the first 60 %, by a network "
                "with one hidden layer that is trained with soft-DTW or MSE "
                f"from random weights for {args.epoch} epochs.",
            ),
        }[experiment]
        parts += [f"## {title}", text]
        if experiment in ("barycenters", "kmeans"):
            parts += [
                "How often the DTW loss with soft-DTW is lower; a set counts "
                "by its mean over the repetitions:",
                shares_table(found),
                "Mean DTW loss:",
                means_table(found, "dtw", INITS, ".4g"),
            ]
        elif experiment == "centroid":
            parts.append(means_table(found, "accuracy", ["mean"], ".3f"))
        else:
            parts.append(ranks_table(found))
            for column, name in prediction.METRICS.items():
                parts += [
                    f"Mean {name}:",
                    means_table(found, column, ["random"], ".4g"),
                ]
        parts += ["Seconds:", seconds_table(found)]
    return "\n\n".join(parts) + "\n"


# The command


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read and check the options."""

    def default(name: str) -> str:
        values = [str(getattr(limits, name)) for limits in LIMITS]
        first, second = (f"{limits.length:g}" for limits in LIMITS[:2])
        return (
            f"{values[0]}, or {values[1]} for series longer than {first}, "
            f"{values[2]} than {second}"
        )

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument(
        "--experiment",
        nargs="+",
        choices=EXPERIMENTS,
        default=list(EXPERIMENTS),
        help="what to run (default: all of these)",
    )
    parser.add_argument(
        "--dataset",
        nargs="+",
        metavar="NAME",
        help="data sets (default: those that come with aeon, or all of "
        "--root)",
    )
    parser.add_argument(
        "--root",
        metavar="FOLDER",
        default=os.environ.get("CHAINER_SDTW_UCR_ROOT") or None,
        help="local copy of the archive (default: $CHAINER_SDTW_UCR_ROOT)",
    )
    parser.add_argument(
        "--gamma",
        nargs="+",
        type=positive(float),
        default=list(GAMMAS),
        help="smoothings of soft-DTW (default: "
        f"{' '.join(f'{gamma:g}' for gamma in GAMMAS)})",
    )
    parser.add_argument(
        "--repeats",
        type=positive(int),
        help="repetitions (default: "
        f"{default('repeats')} of barycenters, {default('kmeans_repeats')} "
        f"of k-means, {default('seeds')} of prediction)",
    )
    parser.add_argument(
        "--max-iter",
        type=positive(int),
        default=100,
        help="iterations of a barycenter (default: %(default)s)",
    )
    parser.add_argument(
        "--max-outer",
        type=positive(int),
        help=f"iterations of k-means (default: {default('max_outer')})",
    )
    parser.add_argument(
        "--max-inner",
        type=positive(int),
        help="iterations of a barycenter in each (default: "
        f"{default('max_inner')})",
    )
    parser.add_argument(
        "--epoch",
        type=positive(int),
        default=200,
        help="of prediction (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=seed,
        default=0,
        help="of all that is drawn at random (default: %(default)s)",
    )
    parser.add_argument(
        "--jobs",
        type=positive(int),
        default=available_cpus(),
        help="processes at once (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/paper"),
        metavar="FOLDER",
        help="folder for the figures and the tables (default: %(default)s)",
    )
    parser.add_argument(
        "--tables-only",
        action="store_true",
        help="make the tables of the figures there are",
    )
    args = parser.parse_args(argv)
    args.gamma = sorted(set(args.gamma), reverse=True)
    args.experiment = [e for e in EXPERIMENTS if e in args.experiment]
    args.all_of_root = args.dataset is None and args.root is not None
    if args.root is not None and not os.path.isdir(args.root):
        parser.error(f"--root: no folder {args.root!r}")
    if args.dataset is not None:
        args.dataset = list(dict.fromkeys(args.dataset))
    elif args.root is not None:
        args.dataset = sorted(
            entry.name for entry in os.scandir(args.root) if entry.is_dir()
        )
    else:
        args.dataset = list(DATASETS)
    return args


def missing(experiments: list[str]) -> list[str]:
    """The libraries that the experiments need and that are not there."""
    needed = {
        "barycenters": ("tslearn", "scipy"),
        "kmeans": ("tslearn", "sklearn", "scipy"),
        "centroid": ("tslearn", "sklearn", "scipy"),
        "prediction": ("scipy",),
    }
    names = {name for e in experiments for name in needed[e]}
    return sorted(n for n in names if importlib.util.find_spec(n) is None)


def main(argv: list[str] | None = None) -> int:
    """Run the experiments and write the tables."""
    args = parse_args(argv)
    absent = missing(args.experiment)
    if absent and not args.tables_only:
        sys.exit(f"not installed: {', '.join(absent)}")
    failed = 0
    try:
        shapes = look_at(args)
        if not args.tables_only:
            try:
                check_folder(args.out)
            except OSError as e:
                sys.exit(f"--out {args.out}: {e}")
        results = {
            experiment: Results(
                args.out / f"{experiment}.csv",
                experiment,
                settings_of(experiment, args),
            )
            for experiment in args.experiment
        }
        for found in results.values():
            if found.other:
                print(
                    f"{found.path}: {found.other} cases have other settings "
                    "and do not count",
                    file=sys.stderr,
                )
        for line in limitations(shapes, args):
            print(line, file=sys.stderr)
        if not args.tables_only:
            for found in results.values():
                found.repair()
            with workers(args.jobs) as pool:
                failed = run_all(results, args, pool, shapes)
    except KeyboardInterrupt:
        print(
            f"\nInterrupted. What is finished is in {args.out}; the same "
            "command goes on.",
            file=sys.stderr,
        )
        return 130
    if not any(found.rows for found in results.values()):
        sys.exit(f"{args.out}: there are no figures")
    text = tables(results, shapes, args)
    (args.out / "paper.md").write_text(text)
    with contextlib.suppress(OSError):
        (args.out / "unfinished").rmdir()
    print(text)
    if failed:
        print(
            f"{failed} cases failed; the same command tries them again",
            file=sys.stderr,
        )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
