#!/usr/bin/env python
"""Value and gradient of soft-DTW on the CPU, this library and its peers.

Everything is measured in one run, interleaved, and given as medians. See
README.md beside this file for what each figure means.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
from pathlib import Path

import harness
import numpy as np
import peers
from harness import OURS, interleave, judge, one_line, set_ratios, summarize
from machine import peak_can_be_reset, peak_memory
from options import add_number, integers
from problems import Problem

BATCH = Problem(32, 256, 256)
PAIR = Problem(1, 2048, 2048)
SHORT = Problem(1, 20, 20)
GRID = (
    Problem(128, 64, 64),
    Problem(32, 256, 256),
    Problem(32, 256, 256, dtype="float32"),
    Problem(32, 256, 256, gamma=0.01),
    Problem(32, 200, 300, d=3),
    Problem(8, 256, 256, d=32),
    Problem(1, 512, 512),
    Problem(1, 2048, 2048),
    Problem(1, 2048, 2048, dtype="float32"),
)
SUITES = {
    "headline": "the batch and the long pair, against every peer",
    "grid": "the grid of problems, or those of --case, against every peer",
    "dtype": "float32 against float64",
    "calls": "one short pair, whose time is that of the calls themselves",
    "threads": "one thread, two and so on up to --threads",
    "scaling": "time for each doubling of the length of one pair",
    "memory": "peak memory, each figure in a fresh process",
}


class Benchmark(harness.Benchmark):
    """The comparison with other implementations on the CPU."""

    name = "cpu"
    suites = SUITES
    default = "headline"
    not_timed = ("memory",)

    @classmethod
    def add_options(cls, parser):
        parser.add_argument(
            "--case",
            action="append",
            type=case,
            metavar="B,M,N,D[,DTYPE[,GAMMA]]",
            help="a problem for the grid and memory suites in place of their "
            "own, may be given several times, e.g. 32,256,256,1,float32,0.1",
        )
        peers.add_option(parser, peers.CLASSES)
        harness.add_timing_options(parser, repeats=7)
        parser.add_argument(
            "--data",
            choices=["normalized", "walk"],
            default="normalized",
            help="random walks with mean 0 and variance 1, or as they are "
            "(default: %(default)s)",
        )
        text = (
            "relative error, norm-wise, above which an answer is flagged as "
            "wrong"
        )
        add_number(parser, "--tolerance", 1e-3, text, "E")
        parser.add_argument(
            "--lengths",
            type=integers(),
            default=(512, 1024, 2048, 4096, 8192),
            metavar="N,N,...",
            help="lengths of the scaling suite (default: 512,1024,...,8192)",
        )
        text = "length of the long pair of the memory suite"
        add_number(parser, "--memory-length", 16384, text)

    def __init__(self, options, console):
        super().__init__(options, console)
        self.contestants, missing = peers.load(options.only)
        self.ours = self.contestants[0]
        self.sdtw_cpu = self.ours.module
        self.describe_library(self.sdtw_cpu)
        self.threads = self.description["threads"]
        if self.threads == 1:
            self.contestants = [
                contestant
                for contestant in self.contestants
                if not isinstance(contestant, peers.OursOnOneThread)
            ]
        for contestant in self.contestants:
            contestant.set_threads(self.threads)
        self.description.update(
            repeats=options.repeats,
            data=options.data,
            tolerance=options.tolerance,
            contestants=peers.describe(self.contestants, missing),
        )

    def print_header(self):
        super().print_header()
        self.print_contestants("version", "computes", "threads", "reason")

    def compare_all(self, problem):
        """Run every contestant on one problem; print and return its rows."""
        problem = self.with_data(problem)
        x, y = problem.arrays()
        reference = self.ours.prepare(
            x.astype(np.float64), y.astype(np.float64), problem.gamma
        )()
        rows, calls = {}, {}
        for contestant in self.contestants:
            row = rows[contestant.name] = {
                "gradient": contestant.gradient,
                "flags": [] if contestant.gradient else ["value only"],
            }
            try:
                call = contestant.prepare(x, y, problem.gamma)
                judge(
                    row,
                    ("value", "gradient"),
                    call(),
                    reference,
                    self.options.tolerance,
                )
            except Exception as error:
                text = f"FAILED: {type(error).__name__}: {one_line(error)}"
                row["flags"].append(text)
                row["failed"] = True
            else:
                calls[contestant.name] = call
        timed = interleave(calls, self.options.repeats)
        for name, samples in timed.items():
            rows[name].update(summarize(samples, problem.cells))
            if peak_can_be_reset():
                rows[name]["peak_bytes"] = peak_memory(calls[name])
        set_ratios(rows, OURS)
        self.print_rows(
            f"{problem}, value and gradient for x",
            dict(
                sorted(
                    rows.items(),
                    key=lambda item: item[1].get("median_s", float("inf")),
                )
            ),
            "",
            "time",
            "fastest",
            "ns/cell",
            "times ours",
            "value error",
            "gradient error",
            "memory",
            "flags",
        )
        errors = {
            name: max(row["value_error"], row["gradient_error"])
            for name, row in rows.items()
            if "gradient_error" in row
        }
        # In float64 the reference is this library itself.
        if problem.dtype == "float64":
            errors = {n: e for n, e in errors.items() if OURS not in n}
            self.check(
                f"{problem}, difference from the closest peer",
                self.options.tolerance,
                min(errors.values(), default=None),
            )
        else:
            self.check(
                f"{problem}, value and gradient",
                self.options.tolerance,
                errors.get(OURS),
            )
        return {"problem": problem, "rows": rows}

    def run_headline(self):
        """Compare with every peer on the batch and on the long pair."""
        yield from map(self.compare_all, (BATCH, PAIR))

    def run_grid(self):
        """Compare with every peer on each problem of the grid."""
        yield from map(self.compare_all, self.options.case or GRID)

    def with_data(self, problem):
        """Return the problem with the series that were asked for."""
        return dataclasses.replace(problem, data=self.options.data)

    def our_call(self, problem, threads=None):
        """Return a call of this library, with so many threads."""
        call = self.ours.prepare(*problem.arrays(), problem.gamma)
        if threads is None:
            return call
        return peers.with_threads(self.sdtw_cpu, threads, call)

    def run_dtype(self):
        """Time float32 against float64."""
        for base in map(self.with_data, (BATCH, PAIR)):
            calls = {
                dtype: self.our_call(dataclasses.replace(base, dtype=dtype))
                for dtype in ("float64", "float32")
            }
            title = f"{base}, value and gradient for x, by dtype"
            rows = self.compare(title, calls, "float64", base.cells)
            yield {"problem": base, "rows": rows}

    def run_calls(self):
        """Time one short pair without Chainer and through it."""
        for dtype in ("float64", "float32"):
            problem = dataclasses.replace(SHORT, dtype=dtype)
            problem = self.with_data(problem)
            calls = short_calls(self.sdtw_cpu, problem)
            title = f"{problem}, value and both gradients"
            rows = self.compare(title, calls, "sdtw_cpu", problem.cells)
            yield {"problem": problem, "rows": rows}

    def run_threads(self):
        """Time one thread against two and more."""
        counts = [1]
        while counts[-1] * 2 <= self.threads:
            counts.append(counts[-1] * 2)
        for problem in map(self.with_data, (BATCH, PAIR)):
            calls = {
                f"threads: {count}": self.our_call(problem, count)
                for count in counts
            }
            title = f"{problem}, value and gradient for x, by threads"
            rows = self.compare(title, calls, "threads: 1", problem.cells)
            yield {"problem": problem, "rows": rows}

    def run_scaling(self):
        """Time one pair at each length."""
        lengths = sorted(set(self.options.lengths))
        problems = {
            str(length): self.with_data(Problem(1, length, length))
            for length in lengths
        }
        for count in sorted({1, self.threads}):
            calls = {
                name: self.our_call(problem, count)
                for name, problem in problems.items()
            }
            timed = interleave(calls, self.options.repeats)
            rows = {
                name: summarize(samples, problems[name].cells)
                for name, samples in timed.items()
            }
            for before, after in zip(lengths, lengths[1:]):
                row, other = rows[str(after)], rows[str(before)]
                row["growth"] = row["median_s"] / other["median_s"]
                expected = (after / before) ** 2
                row["growth_over_expected"] = row["growth"] / expected
            self.print_rows(
                f"One pair, d=1, float64, gamma=1, threads: {count}; growth "
                "is the time over that of the row before",
                rows,
                "length",
                "time",
                "fastest",
                "ns/cell",
                "growth",
            )
            yield {"threads": count, "rows": rows}

    def run_memory(self):
        """Measure peak memory, each figure in a process of its own."""
        length = self.options.memory_length
        long_pair = Problem(1, length, length)
        jobs = [(self.ours, long_pair, True)]
        for problem in self.options.case or (PAIR, BATCH):
            jobs += [
                (contestant, problem, False)
                for contestant in self.contestants
                if not isinstance(contestant, peers.OursOnOneThread)
            ]
        rows = {}
        for contestant, problem, both in jobs:
            peak, reason = probe_memory(
                contestant.name, problem, self.threads, both
            )
            gradients = "none"
            if contestant.gradient:
                gradients = "x and y" if both else "x"
            row = {
                "name": contestant.name,
                "problem": problem,
                "gradients": gradients,
                "peak_bytes": peak,
                "failure": reason,
                "flags": [reason] if reason else [],
            }
            if peak is not None:
                row["bytes_per_cell"] = peak / problem.cells
                if contestant is not self.ours and problem.batch == 1:
                    scaled = row["bytes_per_cell"] * long_pair.cells
                    row["scaled_to_long_pair_bytes"] = scaled
                    row["flags"].append(
                        f"{scaled / 1e9:.1f} GB at length {length}"
                    )
            rows[contestant.name, problem, gradients] = row
            yield row
        self.print_rows(
            "Peak memory above the start, each in a fresh process",
            rows,
            "",
            "problem",
            "gradients",
            "memory",
            "bytes/cell",
            "flags",
        )


def short_calls(sdtw_cpu, problem):
    """Return a call of each package, for the value and both gradients."""
    import chainer_sdtw  # isort: skip  (makes Chainer work)
    import chainer

    x, y = problem.arrays()
    variables = chainer.Variable(x), chainer.Variable(y)

    def sweeps():
        _, tape = sdtw_cpu.value(x, y, problem.gamma, tape=True)
        return sdtw_cpu.adjoint(tape)

    def loss():
        for variable in variables:
            variable.cleargrad()
        chainer_sdtw.soft_dtw(*variables, problem.gamma).backward()
        return tuple(variable.grad for variable in variables)

    return {"sdtw_cpu": sweeps, "chainer_sdtw": loss}


def probe_memory(name, problem, threads, both):
    """Return the peak memory in bytes, or None and why there is none."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("memory_probe.py")),
        name,
        f"{problem.batch},{problem.m},{problem.n},{problem.d},"
        f"{problem.dtype},{problem.gamma!r}",
        str(threads),
    ]
    if both:
        command.append("--both")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return int(done.stdout.split()[-1]), None
    lines = done.stderr.strip().splitlines() or ["no message"]
    return None, f"FAILED ({done.returncode}): {lines[-1]}"


def case(text):
    """Read a problem; argparse shows the message of an ArgumentTypeError."""
    try:
        return Problem.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(arguments=None):
    """Run the benchmark; return the exit status or a message."""
    return harness.main(Benchmark, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
