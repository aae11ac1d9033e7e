#!/usr/bin/env python
"""What training in several processes costs and saves on one machine.

Every case is a training of its own processes, which ``mpi_training.py``
does; the cases take turns. See README.md beside this file for the figures.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import harness
from harness import summarize
from machine import version
from options import add_number, integers
from tables import format_time

import sdtw_cpu

SCRIPT = Path(__file__).with_name("mpi_training.py")
SUITES = {"training": "seconds per epoch of one and of several processes"}
# Little work beside what is sent, as much as in the example, and much.
PROBLEMS = [(512, 64, 64, 1024), (512, 150, 64, 100), (512, 1000, 64, 100)]
FORMATS = {
    "epoch": ("median_s", format_time),
    "speedup": ("speedup", "{:.2f}".format),
    "sent": ("sent_bytes", "{:,.0f} B".format),
    "all-reduce": ("allreduce_s", format_time),
    "share": ("allreduce_share", "{:.1%}".format),
}


def find_mpiexec():
    """Return the path of mpiexec.

    Raises:
        ImportError: If there is none.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    mpiexec = shutil.which("mpiexec", path=path)
    if mpiexec is None:
        raise ImportError("there is no mpiexec, see the extra mpi")
    return mpiexec


def run_python(command, processes=1, threads=1):
    """Run a script, under mpiexec for several processes.

    Returns:
        What its last line says, which is JSON.
    """
    command = [sys.executable, *map(str, command)]
    if processes > 1:
        command = [find_mpiexec(), "-n", str(processes), *command]
    # The threads of a BLAS wait busily after a product, on the same cores.
    blas = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    run = subprocess.run(
        command,
        env={**os.environ, **blas, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{command}: {run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def train(processes, threads, problem, epochs):
    """Return what one training in so many processes measured."""
    command = [SCRIPT, ",".join(map(str, problem)), epochs]
    if processes > 1:
        command.append("--communicator")
    return run_python(command, processes, threads)


class Benchmark(harness.Benchmark):
    """Trainings in one and in several processes."""

    name = "mpi"
    suites = SUITES

    @classmethod
    def add_options(cls, parser):
        add_number(parser, "--processes", 2, "the most processes")
        add_number(parser, "--epochs", 5, "timed epochs of each training")
        add_number(parser, "--repeats", 5, "trainings of each case")
        parser.add_argument(
            "--problem",
            action="append",
            type=integers(4),
            metavar="N,L,B,U",
            help="series, their length, series in a batch, units (default: "
            "several), may be given several times",
        )

    def __init__(self, options, console):
        super().__init__(options, console)
        self.description["isa"] = sdtw_cpu.isa()
        self.description["threads"] = 1  # in a process, unless stated
        self.description["versions"] = {
            name: version(name) for name in ("chainer", "mpi4py", "mpich")
        }
        find_mpiexec()

    def train(self, processes, threads, problem):
        """Return what one training in so many processes measured."""
        return train(processes, threads, problem, self.options.epochs)

    def run_training(self):
        """One process with one and with several threads, and processes."""
        most = self.options.processes
        cases = {
            "1 process": (1, 1),
            f"1 process, {most} threads": (1, most),
            **{f"{n} processes": (n, 1) for n in range(2, most + 1)},
        }
        for problem in self.options.problem or PROBLEMS:
            runs = {name: [] for name in cases}
            for _ in range(self.options.repeats):
                for name, case in cases.items():
                    runs[name].append(self.train(*case, problem))
            rows = {name: self.summary(runs[name]) for name in cases}
            alone = rows["1 process"]
            n, length, batch_size, n_unit = problem
            title = (
                f"{n} series of length {length}, batches of {batch_size}, "
                f"{n_unit} units"
            )
            for name, row in rows.items():
                row["speedup"] = alone["median_s"] / row["median_s"]
                error = abs(row["loss"] / alone["loss"] - 1)
                self.check(f"{title}, loss of {name}", 1e-4, error)
            columns = "", "epoch", "fastest", *list(FORMATS)[1:]
            self.print_rows(title, rows, *columns, formats=FORMATS)
            yield {"problem": problem, "title": title, "rows": rows}

    def summary(self, runs):
        """Return the figures of a case from those of its trainings."""
        first = runs[0]
        row = summarize([epoch for run in runs for epoch in run["epoch_s"]])
        for name in "processes", "iterations", "arrays", "loss":
            row[name] = first[name]
        if first["processes"] > 1:
            row["sent_bytes"] = first["bytes"]
            row["allreduce_s"] = statistics.median(
                statistics.median(run["allreduce_s"]) for run in runs
            )
            spent = row["allreduce_s"] * row["iterations"]
            row["allreduce_share"] = spent / row["median_s"]
        return row


def main(arguments=None):
    """Run the benchmark; return the exit status or a message."""
    return harness.main(Benchmark, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
