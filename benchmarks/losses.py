#!/usr/bin/env python
"""What the family of losses costs, beside soft-DTW itself and beside DILATE.

Every table compares calls that were timed in one run, interleaved; figures are
medians. See README.md beside this file for what each one means.
"""

from __future__ import annotations

import importlib
import sys
import warnings

import numpy as np
from common import (
    Check,
    Problem,
    chosen_suites,
    environment,
    format_error,
    format_memory,
    format_time,
    interleave,
    make_console,
    make_table,
    output_file,
    positive,
    print_checks,
    suite_parser,
    summarize,
    write_json,
)

import chainer_sdtw
import sdtw_cpu

SUITES = {
    "second": "a Hessian-vector product against the gradient",
    "costs": "every cost against the squared Euclidean",
    "bands": "a band of radius 64 against the whole table",
    "dilate": "DILATE against the code that its authors published",
}
DTYPES = ("float64", "float32")
SECOND = ((32, 256, 256, 1), (32, 512, 512, 8), (1, 2048, 2048, 1))
RADIUS = 64


class Benchmark:
    """The suites, with what they share."""

    def __init__(self, options, console):
        self.options = options
        self.console = console
        self.checks = []

    def check(self, name, target, measured, met):
        """Hold a figure against its target."""
        self.checks.append(Check(name, target, measured, met))

    def compare(self, title, calls, against, cells, more=None):
        """Time calls and print them as multiples of one of them.

        Args:
            title: Of the table.
            calls: Dictionary from names to functions without arguments.
            against: The name that counts as 1.
            cells: Cells of the table without a band.
            more: Dictionary from a column to what it has for each name.
        """
        more = more or {}
        timed = interleave(calls, self.options.repeats)
        rows = {name: summarize(s, cells) for name, s in timed.items()}
        table = make_table(title, "", "time", "fastest", "ratio", *more)
        for name, row in rows.items():
            row["ratio"] = row["median_s"] / rows[against]["median_s"]
            table.add_row(
                name,
                format_time(row["median_s"]),
                format_time(row["min_s"]),
                f"{row['ratio']:.2f}",
                *(column[name] for column in more.values()),
            )
        self.console.print(table)
        return rows

    def problems(self, shapes, **more):
        """Yield every shape in both types."""
        for shape in shapes:
            for dtype in DTYPES:
                yield Problem(*shape, dtype, **more)

    def run_second(self):
        """Hessian-vector products against gradients, fused and explicit."""
        results = []
        for problem in self.problems(self.options.case or SECOND):
            x, y = problem.arrays()
            dx, dy = problem.arrays(seed=1)
            calls = {
                "gradient": lambda x=x, y=y: gradient(x, y),
                "Hessian product": lambda x=x, y=y, dx=dx, dy=dy: product(
                    x, y, (dx, dy)
                ),
            }
            if problem.d == 1:
                cost = (x - y.swapaxes(1, 2)) ** 2
                z = dx - dy.swapaxes(1, 2)
                calls["gradient, cost given"] = lambda c=cost: gradient(c)
                calls["Hessian product, cost given"] = lambda c=cost, z=z: (
                    product(c, None, z)
                )
            rows = self.compare(str(problem), calls, "gradient", problem.cells)
            results.append({"problem": problem, "rows": rows})
            for end in ("", ", cost given")[: len(calls) // 2]:
                ratio = (
                    rows["Hessian product" + end]["median_s"]
                    / rows["gradient" + end]["median_s"]
                )
                self.check(
                    f"{problem}{end}, Hessian product over gradient",
                    "<= 4",
                    f"{ratio:.2f}",
                    ratio <= 4,
                )
        return results

    def run_costs(self):
        """Every cost that has a name, with its gradients, in Chainer."""
        results = []
        shapes = self.options.case or ((32, 256, 256, 1), (32, 256, 256, 8))
        for problem in self.problems(shapes):
            arrays = problem.arrays()
            names = ["sqeuclidean", "euclidean", "manhattan"]
            if problem.d > 1:
                names.append("cosine")
            calls = {
                name: lambda name=name, arrays=arrays: backward(
                    chainer_sdtw.soft_dtw, *arrays, cost=name
                )
                for name in names
            }
            rows = self.compare(str(problem), calls, names[0], problem.cells)
            results.append({"problem": problem, "rows": rows})
            for name in names[1:]:
                if problem.d > 1 and name != "cosine":
                    continue
                ratio = rows[name]["ratio"]
                self.check(
                    f"{problem}, {name} over sqeuclidean",
                    "<= 1.5",
                    f"{ratio:.2f}",
                    ratio <= 1.5,
                )
        return results

    def run_bands(self):
        """Time and tape with a band and without."""
        results = []
        shapes = self.options.case or (
            (32, 1024, 1024, 1),
            (32, 1024, 1024, 8),
        )
        for problem in self.problems(shapes):
            x, y = problem.arrays()
            bands = {"whole table": None}
            share = {"whole table": 1.0}
            for radius in self.options.radius or [RADIUS]:
                name = f"radius {radius}"
                band = sdtw_cpu.sakoe_chiba_band(problem.m, problem.n, radius)
                bands[name] = band
                cells = np.diff(np.clip(band, 0, problem.n)).sum()
                share[name] = cells / (problem.m * problem.n)
            calls = {
                name: lambda b=b, x=x, y=y: gradient(x, y, band=b)
                for name, b in bands.items()
            }
            tapes = {
                name: sdtw_cpu.value(x, y, band=b, tape=True)[1].nbytes
                for name, b in bands.items()
            }
            whole, *narrow = calls
            rows = self.compare(
                f"{problem}, value and gradients",
                calls,
                whole,
                problem.cells,
                {
                    "cells": {n: f"{part:.3f}" for n, part in share.items()},
                    "tape": {n: format_memory(t) for n, t in tapes.items()},
                },
            )
            for name, tape in tapes.items():
                rows[name]["tape_bytes"] = tape
                rows[name]["share_of_cells"] = share[name]
            results.append({"problem": problem, "rows": rows})
            if self.options.radius:
                continue  # The target is that of the default radius.
            (narrow,) = narrow
            for what, factor in (
                ("faster", 1 / rows[narrow]["ratio"]),
                ("smaller tape", tapes[whole] / max(tapes[narrow], 1)),
            ):
                self.check(
                    f"{problem}, {narrow}, times {what}",
                    ">= 6",
                    f"{factor:.1f}",
                    factor >= 6,
                )
        return results

    def run_dilate(self):
        """Equality with the published code and the time of both."""
        shapes = self.options.case or ((32, 128, 128, 1),)
        published = Published(self.options.dilate)
        results = []
        for shape in shapes:
            problem = Problem(*shape, "float32", gamma=0.01)
            x, y = problem.arrays()
            calls = {
                "chainer-sdtw": lambda x=x, y=y, g=problem.gamma: backward(
                    chainer_sdtw.dilate_loss, x, y, alpha=0.5, gamma=g
                )
            }
            if published.reason:
                self.console.print(
                    f"published code: {published.reason}", markup=False
                )
                self.check(f"{problem}, DILATE", "", "-", None)
            else:
                calls["published code"] = lambda x=x, y=y, g=problem.gamma: (
                    published.run(x, y, 0.5, g)
                )
            rows = self.compare(
                f"{problem}, DILATE and its gradient",
                calls,
                "chainer-sdtw",
                problem.cells,
            )
            results.append({"problem": problem, "rows": rows})
            if published.reason:
                continue
            ratio = rows["published code"]["ratio"]
            self.check(
                f"{problem}, times faster than the published DILATE",
                ">= 50",
                f"{ratio:.0f}",
                ratio >= 50,
            )
            for alpha in (0.0, 0.5, 1.0):
                for gamma in (1.0, 0.1, 0.01):
                    errors = published.errors(x, y, alpha, gamma)
                    rows[f"errors, alpha {alpha}, gamma {gamma}"] = errors
                    self.check(
                        f"alpha {alpha:g}, gamma {gamma:g}, error of value "
                        "and gradient",
                        "<= 1e-5",
                        ", ".join(map(format_error, errors)),
                        max(errors) <= 1e-5,
                    )
        return results


def gradient(x, y=None, **options):
    """Value and gradients from series, or from costs."""
    if y is None:
        _, tape = sdtw_cpu.value_from_cost(x, tape=True, **options)
    else:
        _, tape = sdtw_cpu.value(x, y, tape=True, **options)
    return sdtw_cpu.adjoint(tape)


def product(x, y, direction):
    """Tangent and Hessian-vector product for series, or for costs."""
    if y is None:
        _, _, tape = sdtw_cpu.tangent_from_cost(x, direction, tape=True)
    else:
        _, _, tape = sdtw_cpu.tangent(x, y, direction, tape=True)
    return sdtw_cpu.adjoint_tangent(tape)


def backward(loss, x, y, **options):
    """Value of a loss and its gradient for x, in Chainer."""
    import chainer

    x = chainer.Variable(x)
    value = loss(x, y, **options)
    value.backward()
    return value.array, x.grad


class Published:
    """The DILATE of its authors: github.com/vincent-leguen/DILATE.

    Its value is a mean over the batch, but its gradient is that of the sum:
    neither of its two backward passes divides by the size of the batch.

    Args:
        folder: A clone of it, or None.
    """

    def __init__(self, folder):
        self.reason = ""
        if folder is None:
            self.reason = "not compared: give a clone of it with --dilate"
            return
        sys.path.insert(0, str(folder))
        try:
            self.torch = importlib.import_module("torch")
            self.dilate = importlib.import_module("loss.dilate_loss")
        except ImportError as error:
            self.reason = f"not importable: {error}"
        finally:
            sys.path.remove(str(folder))

    def run(self, x, y, alpha, gamma):
        """Return its value and its gradient for x."""
        torch = self.torch
        x = torch.tensor(x, requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.range
            value, _, _ = self.dilate.dilate_loss(
                x, torch.tensor(y), alpha, gamma, torch.device("cpu")
            )
        value.backward()
        return value.detach().numpy(), x.grad.numpy()

    def errors(self, x, y, alpha, gamma):
        """Return our errors of value and gradient, all in float64.

        The published code turns what it has computed to float32; here that
        type is replaced for the time of the call, as its differences of
        rounded values over gamma are else larger than what is looked for.
        """
        torch = self.torch
        x, y = x.astype(np.float64), y.astype(np.float64)
        single, default = torch.FloatTensor, torch.get_default_dtype()
        torch.FloatTensor = torch.DoubleTensor
        torch.set_default_dtype(torch.float64)
        try:
            value, grad = self.run(x, y, alpha, gamma)
        finally:
            torch.FloatTensor = single
            torch.set_default_dtype(default)
        ours, our_grad = backward(
            chainer_sdtw.dilate_loss, x, y, alpha=alpha, gamma=gamma
        )
        our_grad = our_grad * len(x)
        return [
            float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1))
            for a, b in ((ours, value), (our_grad, grad))
        ]


def shape(text):
    """Read ``B,m,n,d``."""
    problem = Problem.parse(text)
    return problem.batch, problem.m, problem.n, problem.d


def main(arguments=None):
    """Run the suites."""
    parser = suite_parser(__doc__.splitlines()[0], SUITES, "all")
    parser.add_argument(
        "--case",
        type=shape,
        action="append",
        metavar="B,m,n,d",
        help="these sizes instead of the suites' own",
    )
    parser.add_argument(
        "--radius",
        type=positive(int),
        action="append",
        metavar="N",
        help="this radius instead of 64 in the suite of bands, may be given "
        "several times",
    )
    parser.add_argument("--repeats", type=positive(int), default=7)
    parser.add_argument("--threads", type=positive(int))
    parser.add_argument(
        "--dilate",
        metavar="FOLDER",
        help="a clone of github.com/vincent-leguen/DILATE; needs torch, numba",
    )
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
    console = make_console()
    description = environment()
    console.print(
        f"{description['cpu']}, instruction set {sdtw_cpu.isa()}, "
        f"{sdtw_cpu.get_num_threads()} threads, load "
        f"{description['load_average']}",
        markup=False,
    )
    benchmark = Benchmark(options, console)
    results = {
        suite: getattr(benchmark, f"run_{suite}")()
        for suite in chosen_suites(options, SUITES, "all")
    }
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
