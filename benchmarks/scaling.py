#!/usr/bin/env python
"""Training, matrices and k-means on many workers: a model and its check.

Measures the rates of this machine, predicts from them what a job takes with
one and with two workers, measures that too, and tells what the model expects
of up to 1000 machines. See docs/guide/scaling.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import dask.array as da
import harness
import mpi
import scaling_probes as probes
from distributed import Client, LocalCluster, wait
from options import add_number
from problems import Problem
from scaling_model import KMeans, Link, Matrix, Time, Training, fit_line
from tables import format_time

import chainer_sdtw
from chainer_sdtw.distributed import Blocks
from chainer_sdtw.estimators import SoftDTWKMeans

SUITES = {
    "training": "an iteration of training, predicted and measured",
    "matrix": "a matrix to a Zarr store, predicted and measured",
    "kmeans": "a pass of k-means over a collection, predicted and measured",
    "plan": "what the model expects of up to 1000 machines",
}
WORKERS = (1, 2)
MACHINES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
TRAINING = (1024, 256, 256, 256)  # series, length, in a batch, units
EPOCHS = 5
# What a worker computes at once.
MATRIX_TILE = Problem(10000, 100, 100, dtype="float32")
BLOCK = Problem(1000, 100, 100)
LARGE_MATRIX = Matrix(series=10**5, length=100, rows=926, itemsize=4)
LARGE_KMEANS = KMeans(series=10**6, length=100, clusters=10, blocks=4000)
FORMATS = {
    "predicted": ("predicted_s", format_time),
    "measured": ("measured_s", format_time),
    "predicted / measured": ("ratio", "{:.2f}".format),
    "computing": ("compute", format_time),
    "sending": ("send", format_time),
    "scheduling": ("schedule", format_time),
    "total": ("total", format_time),
    "speedup": ("speedup", "{:.1f}".format),
    "mostly": ("limit", str),
}


class Benchmark(harness.Benchmark):
    """The scaling model beside what is measured."""

    name = "scaling"
    suites = SUITES

    @classmethod
    def add_options(cls, parser):
        size = functools.partial(add_number, parser)
        size("--series", 4000, "of the matrix")
        size("--collection", 20000, "series of k-means")
        size("--bandwidth", 1.25e9, "bytes per second between machines")
        size("--latency", 5e-5, "seconds of a message between machines")
        harness.add_timing_options(parser, repeats=5)

    @functools.cached_property
    def mpi_link(self):
        """The link between two processes of MPI."""
        return probes.mpi_link()

    @functools.cached_property
    def dask(self):
        """The link of Dask, and the scheduler's seconds per task."""
        with cluster(WORKERS[-1]) as client:
            return probes.dask_rates(client)

    @functools.cached_property
    def disk(self):
        """Bytes per second to the disk."""
        return probes.disk_rate()

    def rate(self, problem, gradient, workers):
        """Return the cells per second of each of so many processes."""
        return probes.cells_per_second(problem, gradient, workers)

    def block_rates(self, workers):
        """Return the rates of k-means in each of so many processes."""
        return {
            "rate": self.rate(BLOCK, False, workers),
            "gradient_rate": self.rate(BLOCK, True, workers),
        }

    def compare_with_model(self, title, predict, measure):
        """Print predicted and measured seconds for one and two workers.

        Args:
            title: Of the table.
            predict: Returns the ``Time`` for a number of workers.
            measure: Returns the seconds for a number of workers.
        """
        measured = {workers: [] for workers in WORKERS}
        for _ in range(self.options.repeats):
            for workers in WORKERS:
                measured[workers].append(measure(workers))
        rows = {}
        for workers in WORKERS:
            expected = predict(workers)
            seconds = statistics.median(measured[workers])
            rows[str(workers)] = {
                **dataclasses.asdict(expected),
                "predicted_s": expected.total,
                "measured_s": seconds,
                "samples_s": measured[workers],
                "ratio": expected.total / seconds,
            }
        columns = "computing", "sending", "scheduling"
        columns += "predicted", "measured", "predicted / measured"
        self.print_rows(title, rows, "workers", *columns, formats=FORMATS)
        return {"problem": title, "rows": rows}

    def run_training(self):
        """Epochs with ChainerMN, the global batch fixed."""
        _, length, batch, units = TRAINING
        jobs = {workers: self.training(workers) for workers in WORKERS}
        yield self.compare_with_model(
            f"iterations with {batch} series of length {length} and {units} "
            "units",
            lambda workers: jobs[workers].time(workers, self.mpi_link),
            lambda workers: seconds_of_iteration(
                mpi.train(workers, 1, TRAINING, EPOCHS)
            ),
        )

    def training(self, workers):
        """Describe an iteration, from trainings that send nothing.

        As many run at the same time as there are workers, so that they share
        the machine as the processes of one training do.
        """
        n, length, batch, units = TRAINING
        batches = batch // 8, batch // 4, batch // 2, batch
        seconds = []
        with ThreadPoolExecutor(workers) as pool:
            for size in batches:
                problem = n, length, size, units
                alone = list(
                    pool.map(
                        lambda _, problem=problem: mpi.train(
                            1, 1, problem, EPOCHS
                        ),
                        range(workers),
                    )
                )
                seconds.append(max(map(seconds_of_iteration, alone)))
        fixed, per_series = fit_line(batches, seconds)
        return Training(
            batch,
            fixed,
            per_series,
            parameters=alone[0]["bytes"],
            messages=alone[0]["arrays"],
        )

    def run_matrix(self):
        """A matrix that the workers of a cluster write to a Zarr store."""
        count, length = self.options.series, 100
        x = Problem(count, length, length, dtype="float32").arrays()[0]
        rows = None

        def measure(workers):
            nonlocal rows
            with (
                tempfile.TemporaryDirectory() as folder,
                cluster(workers) as client,
            ):
                start = time.perf_counter()
                store = chainer_sdtw.pairwise_soft_dtw(
                    x, out=f"{folder}/matrix.zarr", client=client
                )
                seconds = time.perf_counter() - start
                rows = store.chunks[0]
                return seconds

        measure(1)  # once untimed, which also tells the tiles
        job = Matrix(count, length, rows=rows, itemsize=4)
        rates = {w: self.rate(MATRIX_TILE, False, w) for w in WORKERS}
        link, task = self.dask
        yield self.compare_with_model(
            f"the matrix of {count} series of length {length}, float32, in "
            f"{job.tiles} tiles",
            lambda workers: job.time(
                workers, link, rates[workers], task, self.disk / workers
            ),
            measure,
        )

    def run_kmeans(self):
        """All passes of k-means over a Dask array."""
        count, length, clusters, blocks = self.options.collection, 100, 10, 20
        x = Problem(count, length, length).arrays()[0]
        job = KMeans(count, length, clusters, blocks)
        passes = {}

        def measure(workers):
            with cluster(workers) as client:
                chunks = (-(-count // blocks), length, 1)
                loaded = client.persist(da.from_array(x, chunks=chunks))
                wait(loaded)
                start = time.perf_counter()
                with counted_passes() as passes["fit"]:
                    SoftDTWKMeans(clusters, init=x[:clusters], max_iter=3).fit(
                        loaded
                    )
                return time.perf_counter() - start

        measure(1)  # once untimed, which also counts the passes
        rates = {workers: self.block_rates(workers) for workers in WORKERS}
        link, task = self.dask
        assignments = passes["fit"]["_block_assigned"]
        steps = sum(passes["fit"].values()) - assignments

        def predict(workers):
            total = Time(compute=0.0)
            for kind, times in (True, assignments), (False, steps):
                a_pass = dataclasses.replace(job, assigned=kind).time(
                    workers,
                    link=link,
                    task=task,
                    disk=math.inf,
                    **rates[workers],
                )
                total += a_pass * times
            return total

        yield self.compare_with_model(
            f"k-means of {count} series of length {length} in {blocks} "
            f"blocks, {clusters} clusters, {assignments} assignments and "
            f"{steps} further passes",
            predict,
            measure,
        )

    def run_plan(self):
        """Draw the model to 1000 machines like this one."""
        per_machine = WORKERS[-1]
        link = Link(self.options.latency, self.options.bandwidth)
        training = self.training(per_machine)
        tile = self.rate(MATRIX_TILE, False, per_machine)
        dask = {
            "link": link,
            "task": self.dask[1],
            "disk": self.disk / per_machine,
        }
        matrix, kmeans = LARGE_MATRIX, LARGE_KMEANS
        _, length, batch, units = TRAINING
        of = f"series of length {length} and {units} units"
        jobs = {
            f"training, {batch} series": (
                f"an iteration with {batch} {of}",
                lambda workers: training.time(workers, link),
            ),
            f"training, {batch} series each": (
                f"an iteration with {batch} {of} in each process",
                lambda workers: dataclasses.replace(
                    training, batch=batch * workers
                ).time(workers, link),
            ),
            f"matrix of {matrix.series:,} series": (
                f"the matrix of {matrix.series:,} series of length "
                f"{matrix.length}, float32, in {matrix.tiles:,} tiles",
                functools.partial(matrix.time, rate=tile, **dask),
            ),
            f"k-means of {kmeans.series:,} series, a pass": (
                f"a pass of k-means over {kmeans.series:,} series of length "
                f"{kmeans.length} in {kmeans.blocks:,} blocks, "
                f"{kmeans.clusters} clusters",
                functools.partial(
                    kmeans.time, **self.block_rates(per_machine), **dask
                ),
            ),
        }
        for name, (title, predict) in jobs.items():
            rows = {}
            alone = predict(per_machine).total
            for machines in MACHINES:
                expected = predict(machines * per_machine)
                rows[machines] = {
                    **dataclasses.asdict(expected),
                    "total": expected.total,
                    "limit": expected.limit,
                    "speedup": alone
                    / expected.total
                    * (machines if name.endswith("each") else 1),
                }
            self.print_rows(
                title,
                rows,
                "machines",
                "computing",
                "sending",
                "scheduling",
                "total",
                "speedup",
                "mostly",
                formats=FORMATS,
            )
            yield {"name": name, "problem": title, "rows": rows}


def seconds_of_iteration(trained):
    """Return the median seconds of an iteration of a training."""
    return statistics.median(trained["epoch_s"]) / trained["iterations"]


@contextlib.contextmanager
def counted_passes():
    """Count the passes of k-means over its blocks while this is open.

    Yields:
        A counter of the names of what they compute.
    """
    passes = Counter()
    run = Blocks.map

    def counted(self, function, *shared, each=None):
        passes[function.__name__] += 1
        return run(self, function, *shared, each=each)

    Blocks.map = counted
    try:
        yield passes
    finally:
        Blocks.map = run


@contextlib.contextmanager
def cluster(workers):
    """A client of a cluster of processes with one thread each."""
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
        ) as local,
        Client(local) as client,
    ):
        yield client


def main(arguments=None):
    """Run the benchmark; return the exit status or a message."""
    return harness.main(Benchmark, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
