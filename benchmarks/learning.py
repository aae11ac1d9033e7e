#!/usr/bin/env python
"""What averages, k-means and matrices of soft-DTW cost on the CPU.

Every table compares calls that were timed in one run, interleaved; figures
are medians. See README.md beside this file for what each one means.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from functools import partial

import harness
import numpy as np
from harness import (
    OURS,
    interleave,
    one_line,
    relative_error,
    set_ratios,
    summarize,
)
from machine import peak_memory, version
from options import integers, positive
from problems import resampled, usual_length
from tables import format_memory

import chainer_sdtw
import sdtw_cpu
from chainer_sdtw.datasets import get_ucr

SUITES = {
    "barycenter": "a barycenter against mblondel's and tslearn's",
    "kmeans": "k-means against tslearn's",
    "pairwise": "the matrix of a training set against tslearn's and aeon's",
    "memory": "peak memory of a matrix of 2,000 series; takes minutes",
}
# The same for all that are compared.
BARYCENTER = {"tol": 1e-5, "max_iter": 100}
KMEANS = {"max_iter": 30, "tol": 1e-4, "max_iter_barycenter": 50}
JOBS = 2


class Benchmark(harness.Benchmark):
    """The comparison of what learns with other implementations."""

    name = "learning"
    suites = SUITES
    not_timed = ("memory",)

    @classmethod
    def add_options(cls, parser):
        parser.add_argument(
            "--dataset",
            action="append",
            metavar="NAME",
            help="this set instead of the suites' own, may be given several "
            "times",
        )
        parser.add_argument(
            "--gamma",
            action="append",
            type=positive(float),
            help="of barycenters (default: 1 and 0.1)",
        )
        parser.add_argument(
            "--size",
            type=integers(2),
            default=(2000, 500),
            metavar="N,L",
            help="series and their length, for memory (default: 2000,500)",
        )
        harness.add_timing_options(parser, repeats=5)

    def __init__(self, options, console):
        super().__init__(options, console)
        os.environ.setdefault("NUMBA_NUM_THREADS", str(JOBS))
        self.describe_library(sdtw_cpu)
        self.description["versions"] = {
            name: version(name)
            for name in ("scipy", "tslearn", "aeon", "numba")
        }

    def compare_answers(self, title, calls, figure, evaluate, limit):
        """Time calls, print them and judge a figure of their answers.

        Args:
            title: Of the table.
            calls: Dictionary from names to functions without arguments, or
                to the reason why there is none.
            figure: Name of the figure, ``'objective'`` or ``'error'``.
            evaluate: Returns the figure of an answer.
            limit: What our objective may be above a peer's, relative to it,
                or what a peer's answer may differ from ours.

        Returns:
            Dictionary from names to rows of figures.
        """
        usable = {name: c for name, c in calls.items() if callable(c)}
        answers = {}

        def run(name):
            answers[name] = usable[name]()

        timed = interleave(
            {name: partial(run, name) for name in usable},
            self.options.repeats,
            min_time=0.1,
            rest=0.05,
            warm=False,
        )
        rows = {name: summarize(samples) for name, samples in timed.items()}
        set_ratios(rows, OURS)
        for name, row in rows.items():
            row[figure] = float(evaluate(answers[name]))
        self.print_rows(
            title,
            rows,
            "",
            "time",
            "fastest",
            "times ours",
            figure,
            formats={"objective": ("objective", "{:.8g}".format)},
        )
        first, *_, last = title.split(", ")
        for peer in calls:
            if peer == OURS:
                continue
            if figure == "objective":
                name = f"{first}, {last}, objective above that of {peer}"
            else:
                name = f"{first}, {last}, difference from {peer}"
            if peer not in rows:
                self.check(name, limit, None, calls[peer])
                continue
            error = rows[peer][figure]
            if figure == "objective":
                error = (rows[OURS][figure] - error) / abs(error)
            self.check(name, limit, error)
        return {"problem": title, "rows": rows}

    def run_barycenter(self):
        """Barycenters of one class from its Euclidean mean."""
        mblondel = imported("sdtw.barycenter", "sdtw_barycenter")
        tslearn = imported("tslearn.barycenters", "softdtw_barycenter")
        usual = "GunPoint", "JapaneseVowels", "BasicMotions"
        for name in self.options.dataset or usual:
            train = load(name)
            members = np.flatnonzero(train.labels == train.labels[0])
            series = [train.series[i] for i in members]
            init = resampled(series, usual_length(series)).mean(axis=0)
            for gamma in self.options.gamma or (1.0, 0.1):
                options = {"gamma": gamma, **BARYCENTER}

                def calls(series, init, options=options):
                    return {
                        OURS: partial(
                            chainer_sdtw.barycenter,
                            series,
                            init=init,
                            **options,
                        ),
                        "mblondel/soft-dtw": bound(
                            mblondel, series, init, **options
                        ),
                        "tslearn": bound(
                            tslearn, series, init=init, **options
                        ),
                    }

                warm(calls([s[:4] for s in series[:2]], init[:4]))
                yield self.compare_answers(
                    f"{name}, {len(series)} series, length {len(init)}, d="
                    f"{init.shape[1]}, gamma {gamma:g}",
                    calls(series, init),
                    "objective",
                    lambda z, series=series, gamma=gamma: losses(
                        series, [z], gamma
                    ).sum(),
                    limit=1e-4,
                )

    def run_kmeans(self):
        """K-means from the same centers."""
        gamma = 1.0
        tslearn = imported("tslearn.clustering", "TimeSeriesKMeans")
        as_dataset = imported("tslearn.utils", "to_time_series_dataset")
        for name in self.options.dataset or ("GunPoint", "JapaneseVowels"):
            train = load(name)
            series, count = list(train.series), len(train.classes)
            rng = np.random.default_rng(0)
            chosen = rng.choice(len(series), count, replace=False)
            init = resampled(series, max(map(len, series)))[chosen]

            def calls(series, init):
                dataset = bound(as_dataset, series)
                if callable(dataset):
                    dataset = dataset()
                # Which of tslearn's is faster depends on the series.
                return {
                    OURS: partial(our_kmeans, series, init, gamma),
                    "tslearn": bound(
                        tslearn_kmeans, tslearn, dataset, init, gamma, None
                    ),
                    f"tslearn, {JOBS} jobs": bound(
                        tslearn_kmeans, tslearn, dataset, init, gamma, JOBS
                    ),
                }

            far = [s[:4] + 9 * (i % 2) for i, s in enumerate(series[:4])]
            warm(calls(far, np.array(far[:2])))
            yield self.compare_answers(
                f"{name}, {len(series)} series, length {init.shape[1]}, d="
                f"{init.shape[2]}, {count} clusters, gamma {gamma:g}",
                calls(series, init),
                "objective",
                lambda z, series=series: (
                    losses(series, z, gamma).min(axis=1).sum()
                ),
                limit=1e-6,
            )

    def run_pairwise(self):
        """The matrix of a training set with itself."""
        gamma = 1.0
        tslearn = imported("tslearn.metrics", "cdist_soft_dtw")
        aeon = imported("aeon.distances", "soft_dtw_pairwise_distance")
        for name in self.options.dataset or ("OSULeaf",):
            series = load(name).series

            def calls(x):
                turned = np.ascontiguousarray(x.swapaxes(1, 2))
                options = {"gamma": gamma, "n_jobs": JOBS}
                return {
                    OURS: partial(
                        chainer_sdtw.pairwise_soft_dtw, x, gamma=gamma
                    ),
                    "tslearn": bound(tslearn, x, **options),
                    "aeon": bound(aeon, turned, **options),
                }

            warm(calls(series[:3, :4]))
            ours = chainer_sdtw.pairwise_soft_dtw(series, gamma=gamma)
            off = ~np.eye(len(series), dtype=bool)

            def error(matrix, ours=ours, off=off):
                # aeon's has absolute values, and zeros on its diagonal.
                if not matrix.diagonal().any():
                    return relative_error(matrix[off], abs(ours)[off])
                return relative_error(matrix, ours)

            yield self.compare_answers(
                f"{name}, {len(series)} series, length {len(series[0])}, "
                f"gamma {gamma:g}",
                calls(series),
                "error",
                error,
                limit=1e-9,
            )

    def run_memory(self):
        """How far memory rises above the series while a matrix is made."""
        count, length = self.options.size
        rng = np.random.default_rng(0)
        series = rng.standard_normal((count, length)).cumsum(axis=1)
        # To load and start what is loaded and started once.
        chainer_sdtw.pairwise_soft_dtw(series[:2, :2])
        start = time.perf_counter()
        peak = peak_memory(lambda: chainer_sdtw.pairwise_soft_dtw(series))
        row = {
            "problem": f"{count} series of length {length}, float64",
            "seconds": time.perf_counter() - start,
            "peak_bytes": peak,
            "matrix": format_memory(8 * count**2),
        }
        yield row
        self.print_rows(
            "Memory of a matrix",
            {row["problem"]: {**row, "median_s": row["seconds"]}},
            "",
            "time",
            "memory",
            "matrix",
        )


def warm(calls):
    """Call each once, to compile and to start what is started once."""
    for call in calls.values():
        if callable(call):
            call()


def load(name):
    """Return a training set."""
    try:
        return get_ucr(name, dtype=np.float64)[0]
    except (ImportError, OSError, ValueError) as error:
        raise SystemExit(f"--dataset {name}: {error}") from None


def losses(series, centers, gamma):
    """Return the soft-DTW of series (N,) and centers (K,), pair by pair."""
    return np.array(
        [
            [sdtw_cpu.value(z[None], s[None], gamma)[0] for z in centers]
            for s in series
        ]
    )


def imported(module, name):
    """Return a function of a peer, or why there is none."""
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        return f"not importable: {one_line(error)}"


def bound(function, *arguments, **options):
    """Return a call of a function, or the reason why there is none."""
    for value in (function, *arguments):
        if isinstance(value, str):
            return value
    return partial(function, *arguments, **options)


def our_kmeans(series, init, gamma):
    """Return our centers."""
    from chainer_sdtw.estimators import SoftDTWKMeans

    model = SoftDTWKMeans(
        len(init),
        gamma=gamma,
        init=init,
        **KMEANS,
        tol_barycenter=1e-3,  # that of tslearn
    )
    return model.fit(series).cluster_centers_


def tslearn_kmeans(model, dataset, init, gamma, n_jobs):
    """Return tslearn's centers."""
    fitted = model(
        len(init),
        metric="softdtw",
        metric_params={"gamma": gamma},
        init=init.copy(),
        n_jobs=n_jobs,
        **KMEANS,
    )
    return fitted.fit(dataset).cluster_centers_


def main(arguments=None):
    """Run the benchmark; return the exit status or a message."""
    return harness.main(Benchmark, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
