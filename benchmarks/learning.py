#!/usr/bin/env python
"""What averages, k-means and matrices of soft-DTW cost on the CPU.

Every table compares calls that were timed in one run, interleaved; figures are
medians. See README.md beside this file for what each one means.
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import time
import warnings

import numpy as np
from common import (
    Check,
    chosen_suites,
    environment,
    format_error,
    format_memory,
    format_time,
    make_console,
    make_table,
    output_file,
    peak_memory,
    positive,
    print_checks,
    resampled,
    suite_parser,
    usual_length,
    version,
    write_json,
)

import chainer_sdtw
import sdtw_cpu
from chainer_sdtw.datasets import get_ucr

SUITES = {
    "barycenter": "a barycenter against mblondel's and tslearn's",
    "kmeans": "k-means against tslearn's",
    "pairwise": "the matrix of a training set against tslearn's and aeon's",
    "memory": "peak memory of a matrix of 2,000 series; takes minutes",
}
OURS = "chainer-sdtw"
# Of both sides.
BARYCENTER = {"tol": 1e-5, "max_iter": 100}
KMEANS = {"max_iter": 30, "tol": 1e-4, "max_iter_barycenter": 50}
JOBS = 2


class Benchmark:
    """The suites, with what they share."""

    def __init__(self, options, console):
        self.options = options
        self.console = console
        self.checks = []

    def check(self, name, target, measured, met):
        """Hold a figure against its target."""
        self.checks.append(Check(name, target, measured, met))

    def names(self, *usual):
        """Return the data sets of a suite."""
        return self.options.dataset or usual

    def compare(self, title, calls, column, figures):
        """Time calls and print them beside a figure of each result.

        Args:
            title: Of the table.
            calls: Dictionary from names to functions without arguments.
            column: What the figure is.
            figures: Returns the figure of a call's result.
        """
        timed, answers = rounds(calls, self.options.repeats)
        table = make_table(title, "", "time", "fastest", "times ours", column)
        rows = {
            name: {
                "median_s": statistics.median(samples),
                "min_s": min(samples),
                "samples_s": samples,
            }
            for name, samples in timed.items()
        }
        for name, row in rows.items():
            row["ratio"] = row["median_s"] / rows[OURS]["median_s"]
            row[column] = figures(answers[name])
            table.add_row(
                name,
                format_time(row["median_s"]),
                format_time(row["min_s"]),
                f"{row['ratio']:.1f}",
                f"{row[column]:.8g}"
                if column == "objective"
                else format_error(row[column]),
            )
        self.console.print(table)
        return rows

    def check_speed(self, title, rows, peers, times):
        """Hold the speed against a target, for every peer."""
        for peer, reason in peers.items():
            name = f"{brief(title)}, times faster than {peer}"
            if reason:
                self.check(name, f">= {times}", reason, None)
                continue
            ratio = rows[peer]["ratio"]
            self.check(name, f">= {times}", f"{ratio:.1f}", ratio >= times)

    def check_objective(self, title, rows, peers, tolerance):
        """Hold the objective against those of the peers."""
        for peer, reason in peers.items():
            name = f"{brief(title)}, objective above that of {peer}"
            if reason:
                self.check(name, f"<= {tolerance:g}", reason, None)
                continue
            ours, theirs = (rows[n]["objective"] for n in (OURS, peer))
            above = (ours - theirs) / abs(theirs)
            self.check(
                name, f"<= {tolerance:g}", f"{above:.1e}", above <= tolerance
            )

    def run_barycenter(self):
        """Barycenters of one class from its Euclidean mean."""
        results = []
        names = self.names("GunPoint", "JapaneseVowels", "BasicMotions")
        for name in names:
            series = one_class(name)
            init = resampled(series, usual_length(series)).mean(axis=0)
            for gamma in self.options.gamma or (1.0, 0.1):
                title = (
                    f"{name}, {len(series)} series, length {len(init)}, d="
                    f"{init.shape[1]}, gamma {gamma:g}"
                )
                rows = self._barycenter(title, series, init, gamma)
                results.append({"problem": title, "rows": rows})
        return results

    def _barycenter(self, title, series, init, gamma):
        seed, no_seed = imported("sdtw.barycenter", "sdtw_barycenter")
        tslearn, no_tslearn = imported(
            "tslearn.barycenters", "softdtw_barycenter"
        )
        peers = {"sdtw": no_seed, "tslearn": no_tslearn}

        def contestants(series, init):
            calls = {
                OURS: lambda: chainer_sdtw.barycenter(
                    series, gamma, init=init, **BARYCENTER
                )
            }
            if seed:
                calls["sdtw"] = lambda: seed(
                    series, init, gamma=gamma, **BARYCENTER
                )
            if tslearn:
                calls["tslearn"] = lambda: tslearn(
                    series, gamma=gamma, init=init, **BARYCENTER
                )
            return calls

        warm(contestants([s[:4] for s in series[:2]], init[:4]))
        rows = self.compare(
            title,
            contestants(series, init),
            "objective",
            lambda z: losses(series, [z], gamma).sum(),
        )
        self.check_speed(title, rows, peers, 10)
        self.check_objective(title, rows, peers, 1e-4)
        return rows

    def run_kmeans(self):
        """K-means from the same centers."""
        results = []
        gamma = 1.0
        for name in self.names("GunPoint", "JapaneseVowels"):
            train = get_ucr(name, dtype=np.float64)[0]
            series, count = list(train.series), len(train.classes)
            rng = np.random.default_rng(0)
            chosen = rng.choice(len(series), count, replace=False)
            init = resampled(series, max(map(len, series)))[chosen]
            title = (
                f"{name}, {len(series)} series, length {init.shape[1]}, d="
                f"{init.shape[2]}, {count} clusters, gamma {gamma:g}"
            )
            peer, reason = imported("tslearn.clustering", "TimeSeriesKMeans")
            # Which of them is faster depends on the series.
            jobs = {"tslearn": None, f"tslearn, {JOBS} jobs": JOBS}
            peers = dict.fromkeys(jobs, reason)

            def contestants(series, init, peer=peer, jobs=jobs):
                calls = {OURS: our_kmeans(series, init, gamma)}
                if peer:
                    for name, n_jobs in jobs.items():
                        calls[name] = tslearn_kmeans(
                            peer, series, init, gamma, n_jobs
                        )
                return calls

            far = [s[:4] + 9 * (i % 2) for i, s in enumerate(series[:4])]
            warm(contestants(far, np.array(far[:2])))
            rows = self.compare(
                title,
                contestants(series, init),
                "objective",
                lambda z, series=series: (
                    losses(series, z, gamma).min(axis=1).sum()
                ),
            )
            self.check_speed(title, rows, peers, 20)
            self.check_objective(title, rows, peers, 1e-6)
            results.append({"problem": title, "rows": rows})
        return results

    def run_pairwise(self):
        """The matrix of a training set with itself."""
        results = []
        gamma = 1.0
        for name in self.names("OSULeaf"):
            series = get_ucr(name, dtype=np.float64)[0].series
            first = series[0]
            title = (
                f"{name}, {len(series)} series, length {len(first)}, gamma "
                f"{gamma:g}"
            )
            tslearn, no_tslearn = imported("tslearn.metrics", "cdist_soft_dtw")
            aeon, no_aeon = imported(
                "aeon.distances", "soft_dtw_pairwise_distance"
            )
            peers = {"tslearn": no_tslearn, "aeon": no_aeon}

            def contestants(x, tslearn=tslearn, aeon=aeon):
                calls = {
                    OURS: lambda: chainer_sdtw.pairwise_soft_dtw(
                        x, gamma=gamma
                    )
                }
                if tslearn:
                    calls["tslearn"] = lambda: quiet(
                        tslearn, x, gamma=gamma, n_jobs=JOBS
                    )
                if aeon:
                    turned = np.ascontiguousarray(x.swapaxes(1, 2))
                    calls["aeon"] = lambda: aeon(
                        turned, gamma=gamma, n_jobs=JOBS
                    )
                return calls

            warm(contestants(series[:3, :4]))
            calls = contestants(series)
            ours = calls[OURS]()
            off = ~np.eye(len(series), dtype=bool)

            def error(matrix, ours=ours, off=off):
                # aeon's has absolute values, and zeros on its diagonal.
                if not matrix.diagonal().any():
                    return relative(matrix[off], abs(ours)[off])
                return relative(matrix, ours)

            rows = self.compare(title, calls, "error", error)
            self.check_speed(title, rows, peers, 20)
            for peer, reason in peers.items():
                what = f"{brief(title)}, difference from {peer}"
                if reason:
                    self.check(what, "<= 1e-9", reason, None)
                    continue
                found = rows[peer]["error"]
                self.check(what, "<= 1e-9", format_error(found), found <= 1e-9)
            results.append({"problem": title, "rows": rows})
        return results

    def run_memory(self):
        """How far memory rises above the series while a matrix is made."""
        count, length = self.options.size or (2000, 500)
        rng = np.random.default_rng(0)
        series = rng.standard_normal((count, length)).cumsum(axis=1)
        # To load and start what is loaded and started once.
        chainer_sdtw.pairwise_soft_dtw(series[:2, :2])
        start = time.perf_counter()
        peak = peak_memory(lambda: chainer_sdtw.pairwise_soft_dtw(series))
        seconds = time.perf_counter() - start
        title = f"{count} series of length {length}, float64"
        table = make_table("Memory of a matrix", "", "time", "peak", "matrix")
        table.add_row(
            title,
            format_time(seconds),
            format_memory(peak),
            format_memory(8 * count**2),
        )
        self.console.print(table)
        self.check(
            f"{title}, peak memory",
            "< 1000 MB",
            format_memory(peak),
            peak < 1e9,
        )
        return [{"problem": title, "seconds": seconds, "peak_bytes": peak}]


def brief(title):
    """Return the first and the last part of a title."""
    parts = title.split(", ")
    return f"{parts[0]}, {parts[-1]}"


def rounds(calls, repeats):
    """Time calls side by side, A B A B ..., warmed up.

    A sample is one call, or as many as take 0.1 seconds.

    Returns:
        Dictionaries from the names to lists of seconds and to answers.
    """
    samples = {name: [] for name in calls}
    answers = {}
    names = list(calls)
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            # For the threads of the one before to fall asleep.
            time.sleep(0.05)
            count, seconds = 0, 0.0
            start = time.perf_counter()
            while seconds < 0.1:
                answers[name] = calls[name]()
                count += 1
                seconds = time.perf_counter() - start
            samples[name].append(seconds / count)
    return samples, answers


def warm(calls):
    """Call each once, to compile and to start what is started once."""
    for call in calls.values():
        call()


def one_class(name):
    """Return the series of a training set's first class."""
    train = get_ucr(name, dtype=np.float64)[0]
    chosen = np.flatnonzero(train.labels == train.labels[0])
    return [train.series[i] for i in chosen]


def losses(series, centers, gamma):
    """Return the soft-DTW of series (N,) and centers (K,), pair by pair."""
    return np.array(
        [
            [sdtw_cpu.value(z[None], s[None], gamma)[0] for z in centers]
            for s in series
        ]
    )


def relative(a, b):
    """Return the norm of the difference over the norm."""
    return float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1))


def imported(module, name):
    """Return a function of a peer and None, or None and why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(importlib.import_module(module), name), None
    except (ImportError, AttributeError) as error:
        return None, f"not importable: {error}"


def quiet(function, *args, **options):
    """Call without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **options)


def our_kmeans(series, init, gamma):
    """Return a function that returns our centers."""
    from chainer_sdtw.estimators import SoftDTWKMeans

    def call():
        model = SoftDTWKMeans(
            len(init),
            gamma=gamma,
            init=init,
            **KMEANS,
            tol_barycenter=1e-3,  # that of tslearn
        )
        return quiet(model.fit, series).cluster_centers_

    return call


def tslearn_kmeans(model, series, init, gamma, n_jobs):
    """Return a function that returns tslearn's centers."""
    from tslearn.utils import to_time_series_dataset

    dataset = to_time_series_dataset(series)

    def call():
        fitted = model(
            len(init),
            metric="softdtw",
            metric_params={"gamma": gamma},
            init=init.copy(),
            n_jobs=n_jobs,
            **KMEANS,
        )
        return quiet(fitted.fit, dataset).cluster_centers_

    return call


def size(text):
    """Read ``N,L``."""
    count, length = (positive(int)(part) for part in text.split(","))
    return count, length


def main(arguments=None):
    """Run the suites."""
    parser = suite_parser(__doc__.splitlines()[0], SUITES, "all")
    parser.add_argument(
        "--dataset",
        action="append",
        metavar="NAME",
        help="this set instead of the suites' own, may be given several times",
    )
    parser.add_argument(
        "--gamma",
        action="append",
        type=positive(float),
        help="of barycenters (default: 1 and 0.1)",
    )
    parser.add_argument(
        "--size",
        type=size,
        metavar="N,L",
        help="series and their length, for memory (default: 2000,500)",
    )
    parser.add_argument("--repeats", type=positive(int), default=5)
    parser.add_argument("--threads", type=positive(int))
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with status 1 if a target is missed",
    )
    parser.add_argument(
        "--json", type=output_file, metavar="FILE", help="write the figures"
    )
    options = parser.parse_args(arguments)
    if options.threads:
        sdtw_cpu.set_num_threads(options.threads)
    os.environ.setdefault("NUMBA_NUM_THREADS", str(JOBS))
    console = make_console()
    description = environment()
    description["versions"] = {
        name: version(name) for name in ("scipy", "tslearn", "aeon", "numba")
    }
    console.print(
        f"{description['cpu']}, instruction set {sdtw_cpu.isa()}, "
        f"{sdtw_cpu.get_num_threads()} threads, load "
        f"{description['load_average']}",
        markup=False,
    )
    benchmark = Benchmark(options, console)
    results = {}
    for suite in chosen_suites(options, SUITES, "all"):
        try:
            results[suite] = getattr(benchmark, f"run_{suite}")()
        except (ImportError, ValueError) as error:
            sys.exit(f"--suite {suite}: {error}")
    print_checks(console, benchmark.checks)
    if options.json:
        write_json(
            options.json,
            {
                "environment": description,
                "isa": sdtw_cpu.isa(),
                "threads": sdtw_cpu.get_num_threads(),
                "repeats": options.repeats,
                "results": results,
                "checks": benchmark.checks,
            },
        )
    missed = any(check.met is False for check in benchmark.checks)
    return int(options.check and missed)


if __name__ == "__main__":
    sys.exit(main())
