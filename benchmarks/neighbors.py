#!/usr/bin/env python
"""What nearest neighbors under DTW and soft-DTW cost on the CPU.

The data are series of a set of the UCR archive, warped in time at random and
normalized. Figures are seconds of the processor, in one thread, for all
queries; what would take too long is timed for some of them, and the column
"queries" says for how many. See README.md beside this file for what each
figure means.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial

import harness
import numpy as np
from harness import OURS, relative_error, set_ratios
from learning import bound, imported, load
from machine import version
from options import add_number, integers

import chainer_sdtw
import sdtw_cpu
from chainer_sdtw._engine.losses import as_loss
from chainer_sdtw._engine.series_set import as_series_set
from chainer_sdtw.learning._nearest import Nearest

SUITES = {
    "dtw": "the nearest neighbor under DTW, also by tslearn and aeon",
    "gamma": "under soft-DTW and its divergence, for several gammas",
}
GAMMAS = 0.01, 0.1, 1.0
MATRIX = "pairwise_soft_dtw"
# How many queries are timed of what computes all losses.
SAMPLES = {MATRIX: 50, "tslearn": 5, "aeon": 5}
BOUNDS = "first", "swapped", "improved", "computed"
SHARES = {name: (name, "{:.2%}".format) for name in BOUNDS}


class Benchmark(harness.Benchmark):
    """The comparison of what finds neighbors with other implementations."""

    name = "neighbors"
    suites = SUITES

    @classmethod
    def add_options(cls, parser):
        parser.add_argument(
            "--dataset",
            default="GunPoint",
            metavar="NAME",
            help="set from which the series are made (default: GunPoint)",
        )
        parser.add_argument(
            "--size",
            type=integers(2),
            default=(1000, 10000),
            metavar="N,M",
            help="queries and series searched (default: 1000,10000)",
        )
        add_number(parser, "--band", 10, "radius in percent of the length")

    def __init__(self, options, console):
        super().__init__(options, console)
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")
        options.threads = 1
        self.describe_library(sdtw_cpu)
        self.description["versions"] = {
            name: version(name) for name in ("tslearn", "aeon", "numba")
        }

    def data(self):
        """Return queries and series searched, and the band's radius."""
        queries, size = self.options.size
        series = warped(load(self.options.dataset).series, queries + size)
        radius = series.shape[1] * self.options.band // 100
        return series[:queries], series[queries:], radius

    def title(self, x, y, radius, what):
        band = "no band" if radius is None else f"band of radius {radius}"
        return (
            f"{what}, {len(x)} queries in {len(y)} series of length "
            f"{x.shape[1]}, d={x.shape[2]}, {band}"
        )

    def run_dtw(self):
        """The nearest neighbor under DTW."""
        x, y, radius = self.data()
        for bandwidth in (radius, None):
            found, row = search(x, y, gamma=0, bandwidth=bandwidth)
            rows = {OURS: row}
            single = x.astype("f"), y.astype("f")
            _, rows[f"{OURS}, float32"] = search(
                *single, gamma=0, bandwidth=bandwidth
            )
            calls = {
                MATRIX: partial(by_matrix, y=y, gamma=0, bandwidth=bandwidth),
                "tslearn": by_tslearn(y, bandwidth),
                "aeon": by_aeon(y, bandwidth),
            }
            title = self.title(x, y, bandwidth, "DTW")
            self.compare_some(title, rows, calls, x, found)
            yield {"problem": title, "rows": rows}

    def run_gamma(self):
        """The nearest neighbor under soft-DTW and its divergence."""
        x, y, bandwidth = self.data()
        x = x[: max(1, len(x) // 10)]
        for loss in ("soft_dtw", "soft_dtw_divergence"):
            for gamma in GAMMAS:
                options = {
                    "loss": loss,
                    "gamma": gamma,
                    "bandwidth": bandwidth,
                }
                found, row = search(x, y, **options)
                rows = {OURS: row}
                calls = {MATRIX: partial(by_matrix, y=y, **options)}
                what = f"{loss} with gamma {gamma:g}"
                title = self.title(x, y, bandwidth, what)
                self.compare_some(title, rows, calls, x, found)
                yield {"problem": title, "rows": rows}

    def compare_some(self, title, rows, calls, x, found):
        """Time calls for some of the queries and judge their answers.

        Args:
            title: Of the table.
            rows: Dictionary from names to rows, to which those of the calls
                are added.
            calls: Dictionary from names to functions of queries, or to the
                reason why there is none.
            x: The queries.
            found: Losses and indexes that are right.
        """
        for name, call in calls.items():
            what, *_, band = title.split(", ")
            check = f"{what}, {band}: neighbors unlike those of {name}"
            if isinstance(call, str):
                self.check(check, 0, None, call)
                continue
            some = x[: SAMPLES[name]]
            call(some[:1])  # compiles
            start = time.process_time()
            losses, indexes = call(some)
            seconds = time.process_time() - start
            rows[name] = {
                "queries": len(some),
                "median_s": seconds * len(x) / len(some),
                "error": relative_error(losses, found[0][: len(some)]),
            }
            other = np.count_nonzero(indexes != found[1][: len(some)])
            self.check(check, 0, other)
        set_ratios(rows, OURS)
        columns = "", "time", "times ours", "queries", "error", *BOUNDS
        formats = {"queries": ("queries", str), **SHARES}
        self.print_rows(title, rows, *columns, formats=formats)


def warped(series, count, seed=0):
    """Return series made of others by random warps of time.

    Each is one of those given, read at times that advance by factors
    ``exp(0.4 w)``, where ``w`` is a sum of three sines of random phase and
    normally distributed height. Noise of deviation 0.02 is added, and each is
    normalized to mean 0 and variance 1.

    Args:
        series: ``(N, L, d)``.
        count: How many are made.
        seed: Of the random numbers.
    """
    random = np.random.default_rng(seed)
    length, features = series.shape[1:]
    steps = np.arange(length)
    made = np.empty((count, length, features))
    for one in made:
        height, phase = random.standard_normal(3), random.uniform(0, 1, 3)
        turns = np.arange(1, 4)[:, None] * steps / length + phase[:, None]
        times = np.exp(0.4 * height @ np.sin(2 * np.pi * turns)).cumsum()
        times -= times[0]
        times *= (length - 1) / times[-1]
        source = series[random.integers(len(series))]
        for k in range(features):
            one[:, k] = np.interp(times, steps, source[:, k])
    made += 0.02 * random.standard_normal(made.shape)
    made -= made.mean(axis=1, keepdims=True)
    made /= made.std(axis=1, keepdims=True)
    return made


def search(x, y, *, loss="soft_dtw", gamma, bandwidth):
    """Return losses and indexes, and a row with time and shares of pairs."""
    start = time.process_time()
    found = chainer_sdtw.nearest_neighbors(
        x, y, gamma=gamma, loss=loss, bandwidth=bandwidth
    )
    row = {"median_s": time.process_time() - start, "queries": len(x)}
    # Again, for the shares.
    options = as_loss(loss, gamma, "sqeuclidean", bandwidth)
    some = as_series_set("x", x[:100])
    counted = Nearest(some, as_series_set("y", y), options, 1, dtype=x.dtype)
    counted.find()
    total = sum(counted.pairs.values())
    row.update({name: counted.pairs[name] / total for name in BOUNDS})
    return found, row


def by_matrix(x, y, **options):
    """Return losses and indexes of the nearest from all losses."""
    losses = chainer_sdtw.pairwise_soft_dtw(x, y, **options)
    return nearest(losses)


def nearest(losses):
    """Return the least of each row, and where it is."""
    indexes = losses.argmin(axis=1)[:, None]
    return np.take_along_axis(losses, indexes, axis=1), indexes


def by_tslearn(y, bandwidth):
    """Return tslearn's search, or why there is none."""
    kind = imported("tslearn.neighbors", "KNeighborsTimeSeries")
    options = {}
    if bandwidth is not None:
        options["global_constraint"] = "sakoe_chiba"
        options["sakoe_chiba_radius"] = bandwidth
    model = bound(
        kind, n_neighbors=1, metric="dtw", metric_params=options, n_jobs=1
    )
    if isinstance(model, str):
        return model
    fitted = model().fit(y)

    def call(x):
        distances, indexes = fitted.kneighbors(x)
        return distances**2, indexes  # which are roots

    return call


def by_aeon(y, bandwidth):
    """Return aeon's distances to all series, or why there are none."""
    function = imported("aeon.distances", "dtw_pairwise_distance")
    if isinstance(function, str):
        return function
    window = None if bandwidth is None else bandwidth / y.shape[1]
    turned = np.ascontiguousarray(y.swapaxes(1, 2))

    def call(x):
        queries = np.ascontiguousarray(x.swapaxes(1, 2))
        return nearest(function(queries, turned, window=window))

    return call


if __name__ == "__main__":
    sys.exit(harness.main(Benchmark, __doc__))
