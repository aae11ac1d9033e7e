#!/usr/bin/env python
"""Value and both gradients of soft-DTW on a GPU, this library and its peers.

Every contestant gets the same series in one run and is judged by this library
in float64, which is itself judged by sdtw_cpu where that is quick. Times are
medians between two events on the device, calls queued one after the other;
"wall clock" is one call until the host sees its end. Memory is the most that
a call holds beyond its inputs and what it returns. A ratio is a peer's time
over ours in the same run.

With ``--dry-run`` everything runs on tiny problems without a GPU, to see that
it runs: the compiled kernels of this library executed on the CPU, where the
peers run too.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import gpu_kernels
import gpu_peers
import harness
import numpy as np
import peers
from gpu_accuracy import run_accuracy
from gpu_machine import GPU, Executor, NoGPUError
from gpu_measure import Measuring
from harness import OURS, worst_of
from options import add_number, integers, seed
from problems import Problem
from tables import format_time

SUITES = {
    "grid": "the grid that sdtw-cuda-torch publishes, against every peer",
    "kernels": "each kernel, and the call against what it takes at least",
    "queue": "calls one after the other, by the host's clock",
    "dtype": "float64 against float32",
    "cost": "explicit cost matrices against series",
    "accuracy": "float32 against float64, this library and its peers",
    "scaling": "the batch from 1 to 64, the length of one pair",
    "long": "many short pairs, and pairs longer than most peers take",
}


def make_cell(batch, length, d, dtype="float32"):
    """Return a problem of series of one length."""
    return Problem(batch, length, length, d, dtype)


HEADLINE = make_cell(32, 512, 64)
LARGEST = make_cell(32, 2048, 64)
# The published grid, its headline first, then from cheap to expensive.
GRID = (
    HEADLINE,
    *sorted(
        (
            make_cell(batch, length, d)
            for batch in (16, 32)
            for length in (128, 512, 1024, 2048)
            for d in (1, 64)
            if (batch, length, d) != (32, 512, 64)
        ),
        key=lambda p: (p.m, -p.batch, -p.d),
    ),
)
LONG = (make_cell(512, 128, 1), make_cell(1, 16384, 8), make_cell(4, 65536, 1))
DTYPE = (make_cell(32, 512, 1), make_cell(32, 512, 64), make_cell(1, 2048, 1))
COST = make_cell(32, 512, 1)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)

ACCURACY_LENGTHS = (128, 512, 1024, 4096)
NO_GPU = 2


class Benchmark(Measuring):
    """The comparison with other implementations on a GPU."""

    name = "gpu"
    suites = SUITES
    default = "grid"
    not_timed = tuple(SUITES)  # what else runs on the CPU does not matter

    @classmethod
    def add_options(cls, parser):
        parser.add_argument(
            "--case",
            action="append",
            type=case,
            metavar="B,N,D",
            help="a cell for the grid suite in place of its own, may be "
            "given several times",
        )
        peers.add_option(parser, gpu_peers.CLASSES)
        parser.add_argument(
            "--peers",
            type=folder,
            metavar="FOLDER",
            help="folder with clones of the peers, named as their "
            "repositories",
        )
        text = "time for one figure of a call below 1 s"
        add_number(parser, "--seconds", 0.5, text, "S")
        text = "least number of repeats of such a call"
        add_number(parser, "--repeats", 5, text)
        text = "what takes longer for its first call is not called again"
        add_number(parser, "--cap", 20.0, text, "S")
        parser.add_argument(
            "--lengths",
            type=integers(),
            default=ACCURACY_LENGTHS,
            metavar="N,N,...",
            help="of the accuracy suite (default: 128,512,1024,4096)",
        )
        add_number(parser, "--pairs", 4, "of each kind in the accuracy suite")
        parser.add_argument(
            "--seed",
            type=seed,
            default=0,
            help="of the random series (default: 0)",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="tiny problems, with kernels executed on the CPU",
        )

    def compare_cells(self, suite, cells):
        """Run every contestant on each cell and judge the answers."""
        for number, cell in enumerate(cells):
            yield self.compare_all(cell, number)
        results = self.results[suite]
        errors = [
            r["reference_error"] for r in results if "reference_error" in r
        ]
        self.check(
            "the float64 reference against sdtw_cpu, "
            f"{len(errors)} of {len(results)} cells",
            1e-9,
            worst_of(errors),
        )

    def run_grid(self):
        """Compare with every peer on the published grid."""
        cells = self.options.case or GRID
        if self.machine.dry and not self.options.case:
            cells = (HEADLINE, make_cell(16, 128, 1), LARGEST)
        yield from self.compare_cells("grid", cells)
        others = [contestant.name for contestant in self.contestants[1:]]
        rows = {}
        for result in self.results["grid"]:
            cell, measured = result["cell"], result["rows"]
            row = dict(measured.get(OURS, {}))
            for name in others:
                row[name] = measured.get(name, {}).get("ratio")
            rows[f"{cell.batch}, {cell.m}, {cell.d}"] = row
        self.print_rows(
            f"{OURS}, and how many times as long the others take",
            rows,
            "B, N, D",
            "time",
            "memory",
            *others,
            formats={name: (name, "{:.1f}".format) for name in others},
        )

    def run_long(self):
        """Compare on many short pairs and on very long ones."""
        yield from self.compare_cells(
            "long", LONG[:2] if self.machine.dry else LONG
        )

    def our_row(self, problem):
        """Return a row with the times of this library on one problem."""

        def prepare():
            x, y = problem.arrays(self.options.seed)
            return self.ours.prepare(x, y, problem.gamma)

        return self.time_ours(problem, prepare)

    def run_dtype(self):
        """Time float64 against float32."""
        table = {}
        for cell in DTYPE:
            base = self.machine.problem(cell)
            rows = {
                dtype: self.our_row(dataclasses.replace(base, dtype=dtype))
                for dtype in ("float32", "float64")
            }
            result = {"cell": cell, "problem": base, "rows": rows}
            times = {d: row.get("median_s") for d, row in rows.items()}
            if None not in times.values():
                result["ratio"] = times["float64"] / times["float32"]
            yield result
            table[base.sizes] = {**times, "ratio": result.get("ratio")}
        self.print_rows(
            "float64 against float32, value and both gradients",
            table,
            "",
            "float32",
            "float64",
            "ratio",
            formats={d: (d, format_time) for d in ("float32", "float64")},
        )

    def run_cost(self):
        """Time explicit cost matrices against series."""
        problem = self.machine.problem(COST)
        x, y = problem.arrays(self.options.seed)

        def from_cost(dtype):
            cost = gpu_kernels.matrices(x, y).astype(dtype)
            return self.ours.prepare_cost(cost, problem.gamma)

        rows = {}
        for name, prepare in (
            ("series, float32", lambda: self.ours.prepare(x, y, 1.0)),
            ("cost, float32", lambda: from_cost(np.float32)),
            ("cost, float64", lambda: from_cost(np.float64)),
        ):
            rows[name] = self.time_ours(problem, prepare)
            yield {"name": name, "problem": problem, **rows[name]}
        self.print_rows(
            f"{problem.sizes}, value and gradient",
            rows,
            "",
            "time",
            "wall clock",
            "ns/cell",
        )

    def run_scaling(self):
        """Time the batch from 1 to 64, and one pair at each length."""
        dry = self.machine.dry
        batches = BATCHES[:2] if dry else BATCHES
        lengths = (16, 24) if dry else LENGTHS
        cells = {
            "batch": [make_cell(b, 16 if dry else 512, 1) for b in batches],
            "length": [make_cell(1, n, 1) for n in lengths],
        }
        for axis, problems in cells.items():
            rows = {}
            before = None
            for problem in problems:
                row = rows[problem.sizes] = self.our_row(problem)
                seconds = row.get("median_s")
                if before and seconds:
                    row["growth"] = seconds / before
                before = seconds
                yield {"axis": axis, "problem": problem, **row}
            self.print_rows(
                f"{axis}, d=1, float32; growth is the time over that of the "
                "row before",
                rows,
                "",
                "time",
                "wall clock",
                "ns/cell",
                "growth",
            )

    def run_kernels(self):
        """Time each kernel."""
        return gpu_kernels.run_kernels(self)

    def run_queue(self):
        """Time calls that are queued."""
        return gpu_kernels.run_queue(self)

    def run_accuracy(self):
        """Hold float32 against float64 on the same float32 inputs."""
        if self.machine.dry:
            return run_accuracy(self, (24,), (1, 2))
        return run_accuracy(self, self.options.lengths, (1, 8))


def case(text):
    """Read a cell ``B,N,D``."""
    return make_cell(*integers(3)(text))


def folder(text):
    """Read a folder; argparse shows the message of an ArgumentTypeError."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {text}")
    return Path(text)


def main(arguments=None):
    """Run the benchmark; return the exit status or a message."""

    def make(options, console):
        machine = (Executor if options.dry_run else GPU)(options.peers)
        return Benchmark(options, console, machine)

    try:
        return harness.main(Benchmark, __doc__, arguments, make=make)
    except NoGPUError as error:
        print(
            f"No GPU to run on: {error}\nThis needs CuPy and a CUDA device; "
            "--dry-run does without, where a C++ compiler and NVRTC are.",
            file=sys.stderr,
        )
        return NO_GPU


if __name__ == "__main__":
    sys.exit(main())
