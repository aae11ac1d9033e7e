#!/usr/bin/env python
"""Errors of values and gradients on the CPU, in float64 and in float32.

All errors are norms of differences over norms, the worst of the cases that a
row stands for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import harness
import numpy as np
from harness import relative_error, worst_of
from options import add_number, positive, seed
from problems import KINDS, make_series
from tables import format_error

import sdtw_cpu

SUITES = {
    "reference": "against the reference values that the tests use",
    "float32": "float32 against float64 on the same random float32 inputs",
}
REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "reference.npz"
GAMMAS = (1.0, 0.1, 0.01, 0.001)
LIMITS = {"float64": 1e-7, "float32": 1e-4}
FORMATS = {key: (key, format_error) for key in ("value", "E", "gx", "gy")}


class Benchmark(harness.Benchmark):
    """The errors of the sweeps on the CPU."""

    name = "accuracy"
    suites = SUITES
    not_timed = tuple(SUITES)

    @classmethod
    def add_options(cls, parser):
        parser.add_argument(
            "--lengths",
            type=positive(int),
            nargs="+",
            default=[128, 1024, 4096],
        )
        parser.add_argument("--features", type=positive(int), default=1)
        add_number(parser, "--pairs", 4, "random pairs per row")
        parser.add_argument("--seed", type=seed, default=0)
        harness.add_threads_option(parser)

    def __init__(self, options, console):
        super().__init__(options, console)
        self.describe_library(sdtw_cpu)

    def run_reference(self):
        """Compare value, E and the gradient for x with the reference."""
        with np.load(REFERENCE) as file:
            data = dict(file)
        cases = {}
        for name in sorted({key.split("/")[0] for key in data}):
            gamma = float(data[f"{name}/gamma"])
            cases.setdefault(gamma, []).append(name)
        rows = {}
        for gamma in sorted(cases):
            for dtype in "float64", "float32":
                worst = {"value": 0.0, "E": 0.0, "gx": 0.0}
                for name in cases[gamma]:
                    x, y = (data[f"{name}/{key}"][None] for key in "xy")
                    value, gx, _ = value_and_gradients(
                        x.astype(dtype), y.astype(dtype), gamma
                    )
                    results = {"value": value[0], "gx": gx[0]}
                    if f"{name}/E" in data:
                        cost = ((x[:, :, None] - y[:, None]) ** 2).sum(-1)
                        _, tape = sdtw_cpu.value_from_cost(
                            cost.astype(dtype), gamma, tape=True
                        )
                        results["E"] = sdtw_cpu.adjoint(tape)[0]
                    for key, result in results.items():
                        error = relative_error(result, data[f"{name}/{key}"])
                        worst[key] = worst_of((worst[key], error))
                row = {"gamma": gamma, "dtype": dtype, **worst}
                yield row
                rows[gamma, dtype] = row
        self.print_errors(rows, "gamma", "dtype", "value", "E", "gx")
        for dtype, limit in LIMITS.items():
            error = worst_of(
                row[key]
                for (_, kind), row in rows.items()
                if kind == dtype
                for key in ("value", "E", "gx")
            )
            self.check(f"{dtype}, against the reference", limit, error)

    def run_float32(self):
        """Compare float32 with float64 on random pairs."""
        options = self.options
        random = np.random.default_rng(options.seed)
        rows = {}
        for kind in KINDS:
            for length in options.lengths:
                for gamma in GAMMAS:
                    errors = []
                    for _ in range(options.pairs):
                        shape = 1, length, options.features
                        x, y = (
                            make_series(kind, random, shape).astype("f")
                            for _ in range(2)
                        )
                        single = value_and_gradients(x, y, gamma)
                        double = value_and_gradients(
                            x.astype("d"), y.astype("d"), gamma
                        )
                        errors.append(map(relative_error, single, double))
                    worst = map(worst_of, zip(*errors))
                    row = {
                        "series": kind,
                        "length": length,
                        "gamma": gamma,
                        **dict(zip(("value", "gx", "gy"), worst)),
                    }
                    yield row
                    rows[kind, length, gamma] = row
        columns = "series", "length", "gamma", "value", "gx", "gy"
        self.print_errors(rows, *columns)
        worst = worst_of(
            row[key] for row in rows.values() for key in ("gx", "gy")
        )
        self.say(f"worst float32 gradient: {format_error(worst)}")
        self.check("float32 gradients, against float64", 1e-4, worst)

    def print_errors(self, rows, *columns):
        """Print a table of errors."""
        self.print_rows("Errors", rows, *columns, formats=FORMATS)


def value_and_gradients(x, y, gamma):
    """Return the value and both gradients of a batch."""
    value, tape = sdtw_cpu.value(x, y, gamma, tape=True)
    return value, *sdtw_cpu.adjoint(tape)


def main(arguments=None):
    """Run the benchmark; return the exit status or a message."""
    return harness.main(Benchmark, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
