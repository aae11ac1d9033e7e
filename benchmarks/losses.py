#!/usr/bin/env python
"""What the losses cost on the CPU, beside soft-DTW itself and beside DILATE.

Every table compares calls that were timed in one run, interleaved; figures
are medians. See README.md beside this file for what each one means.
"""

from __future__ import annotations

import importlib
import sys
import warnings

import harness
import numpy as np
from harness import OURS, one_line, relative_error
from options import integers, positive
from problems import Problem
from tables import format_memory

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
COSTS = ((32, 256, 256, 1), (32, 256, 256, 8))
BANDS = ((32, 1024, 1024, 1), (32, 1024, 1024, 8))
DILATE = ((32, 128, 128, 1),)
RADIUS = 64


class Benchmark(harness.Benchmark):
    """The comparison of the losses with each other."""

    name = "losses"
    suites = SUITES

    @classmethod
    def add_options(cls, parser):
        parser.add_argument(
            "--case",
            type=integers(4),
            action="append",
            metavar="B,m,n,d",
            help="these sizes instead of the suites' own",
        )
        parser.add_argument(
            "--radius",
            type=positive(int),
            action="append",
            metavar="N",
            help="this radius instead of 64 in the suite of bands, may be "
            "given several times",
        )
        harness.add_timing_options(parser, repeats=7)
        parser.add_argument(
            "--dilate",
            metavar="FOLDER",
            help="a clone of github.com/vincent-leguen/DILATE; needs torch, "
            "numba",
        )

    def __init__(self, options, console):
        super().__init__(options, console)
        self.describe_library(sdtw_cpu)

    def problems(self, shapes):
        """Yield every shape, or those of --case, in both types."""
        for shape in self.options.case or shapes:
            for dtype in DTYPES:
                yield Problem(*shape, dtype)

    def run_second(self):
        """Hessian-vector products against gradients, fused and explicit."""
        for problem in self.problems(SECOND):
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
                calls["gradient, from costs"] = lambda c=cost: gradient(c)
                calls["Hessian product, from costs"] = lambda c=cost, z=z: (
                    product(c, None, z)
                )
            rows = self.compare(str(problem), calls, "gradient", problem.cells)
            yield {"problem": problem, "rows": rows}

    def run_costs(self):
        """Every cost that has a name, with its gradients, in Chainer."""
        for problem in self.problems(COSTS):
            arrays = problem.arrays()
            names = list(sdtw_cpu.costs.COSTS)
            if problem.d > 1:
                names.append("cosine")
            calls = {
                name: lambda name=name, arrays=arrays: backward(
                    chainer_sdtw.soft_dtw, *arrays, cost=name
                )
                for name in names
            }
            rows = self.compare(str(problem), calls, names[0], problem.cells)
            yield {"problem": problem, "rows": rows}

    def run_bands(self):
        """Time and tape with a band and without."""
        for problem in self.problems(BANDS):
            x, y = problem.arrays()
            bands = {"whole table": None}
            figures = {"whole table": {"share_of_cells": 1.0}}
            for radius in self.options.radius or [RADIUS]:
                name = f"radius {radius}"
                band = sdtw_cpu.sakoe_chiba_band(problem.m, problem.n, radius)
                cells = np.diff(np.clip(band, 0, problem.n)).sum()
                share = cells / (problem.m * problem.n)
                bands[name] = band
                figures[name] = {"share_of_cells": share}
            for name, band in bands.items():
                tape = sdtw_cpu.value(x, y, band=band, tape=True)[1]
                figures[name]["tape_bytes"] = tape.nbytes
            rows = self.compare(
                f"{problem}, value and gradients",
                {
                    name: lambda b=b, x=x, y=y: gradient(x, y, band=b)
                    for name, b in bands.items()
                },
                "whole table",
                problem.cells,
                figures,
                formats={
                    "cells": ("share_of_cells", "{:.3f}".format),
                    "tape": ("tape_bytes", format_memory),
                },
            )
            yield {"problem": problem, "rows": rows}

    def run_dilate(self):
        """Equality with the published code and the time of both."""
        published = Published(self.options.dilate)
        if published.reason:
            self.say(f"published code: {published.reason}")
        for shape in self.options.case or DILATE:
            problem = Problem(*shape, "float32", gamma=0.01)
            x, y = problem.arrays()
            options = {"alpha": 0.5, "gamma": problem.gamma}
            calls = {
                OURS: lambda x=x, y=y, options=options: backward(
                    chainer_sdtw.dilate_loss, x, y, **options
                )
            }
            if not published.reason:
                calls["published code"] = lambda x=x, y=y, options=options: (
                    published.run(x, y, **options)
                )
            rows = self.compare(
                f"{problem}, DILATE and its gradient",
                calls,
                OURS,
                problem.cells,
            )
            yield {"problem": problem, "rows": rows}
            for alpha in (0.0, 0.5, 1.0):
                for gamma in (1.0, 0.1, 0.01):
                    name = f"alpha {alpha:g}, gamma {gamma:g}, DILATE"
                    error = None
                    if not published.reason:
                        error = max(published.errors(x, y, alpha, gamma))
                    self.check(name, 1e-5, error, published.reason)


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
            self.reason = f"not importable: {one_line(error)}"
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
        return (
            relative_error(ours, value.reshape(ours.shape)),
            relative_error(our_grad, grad),
        )


def main(arguments=None):
    """Run the benchmark; return the exit status or a message."""
    return harness.main(Benchmark, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
