"""The time of each kernel on a GPU, beside what is modelled and needed.

A time is that between events before and after the launches of a kernel, in
the median over some calls. The device is kept occupied until a call has been
queued, so that no kernel waits for Python. The time of the whole call has the
allocations and what fills arrays with zeros in it. "modelled" is what a model
of an H100 makes of the compiled kernels, see ``docs/gpu.md``.

The floor of a call is the larger of two times, from rates that the device is
measured at: that of reading its inputs and writing its outputs once, and that
of the float32 operations without which the costs of series and their
gradients cannot be computed directly: for each cell and feature a difference
and a multiplication with addition (FMA), and one FMA for each gradient. The
recursion, whose cells wait for each other, comes on top of it.
"""

from __future__ import annotations

import dataclasses
import importlib
import time

import numpy as np
from harness import OURS, one_line
from problems import Problem
from tables import format_time

CALL = "whole call"
HEADLINE = Problem(32, 512, 512, 64, "float32")
# Modelled milliseconds of each problem: the table in docs/gpu.md.
SERIES = {
    HEADLINE: {
        "cells": 0.082,
        "value": 0.055,
        "adjoint": 0.086,
        "gradients": 0.156,
        CALL: 0.40,
    },
    Problem(32, 2048, 2048, 64, "float32"): {
        "cells": 1.07,
        "value": 0.36,
        "adjoint": 0.54,
        "gradients": 2.13,
        CALL: 4.15,
    },
    Problem(512, 128, 128, 1, "float32"): {
        "value": 0.023,
        "adjoint": 0.040,
        CALL: 0.075,
    },
    Problem(1, 16384, 16384, 8, "float32"): {
        "cells": 0.72,
        "value": 1.74,
        "adjoint": 2.74,
        "gradients": 1.82,
        CALL: 7.05,
    },
    Problem(4, 65536, 65536, 1, "float32"): {
        "value": 53.7,
        "adjoint": 55.4,
        CALL: 110,
    },
    dataclasses.replace(HEADLINE, gamma=0.1): {},
    dataclasses.replace(HEADLINE, gamma=0.01): {},
}
MATRICES = {
    Problem(32, 512, 512, 1, "float32"): {
        "cells": 0.036,
        "value": 0.055,
        "adjoint": 0.086,
        "cost_gradient": 0.049,
        CALL: 0.26,
    },
    Problem(32, 2048, 2048, 1, "float32"): {
        "cells": 0.54,
        "value": 0.36,
        "adjoint": 0.54,
        "cost_gradient": 0.76,
        CALL: 2.25,
    },
}
QUEUED = (HEADLINE, Problem(512, 128, 128, 1, "float32"))
CALLS = 100
REPEATS = 5
OPERATIONS = 5
"""Float32 operations (an FMA is one) of a cell for each feature."""

FORMATS = {
    "launches": ("launches", "{:d}".format),
    "modelled": ("modelled_s", format_time),
    "floor": ("floor_s", format_time),
    "time/floor": ("over_floor", "{:.1f}".format),
    "to queue": ("queue_s", format_time),
    "to the end": ("end_s", format_time),
}


class KernelTimer:
    """A device for the sweeps that marks when kernels begin and end.

    Args:
        machine: Whose marks are made.
        device: What the kernels run on.

    Attributes:
        marks: The name of each kernel that was launched and two marks.
    """

    def __init__(self, machine, device):
        self._machine = machine
        self._device = device
        self.marks = []

    def __getattr__(self, name):
        return getattr(self._device, name)

    def kernel(self, name, options):
        """Return the kernel of the device, with marks around it."""
        launch = self._device.kernel(name, options)
        label = name.replace("soft_dtw_", "")
        types = {
            option.partition("=")[2]
            for option in options
            if option.startswith(("-DSDTW_IN=", "-DSDTW_T="))
        }
        if len(types) > 1:  # arrays of float, swept in double
            label += " (wide pairs)"

        def run(*arguments):
            start = self._machine.mark()
            launch(*arguments)
            self.marks.append((label, start, self._machine.mark()))

        return run


def floor_of(problem, series, rates):
    """Return the least seconds that value and gradients can take.

    Args:
        problem: Its sizes.
        series: Whether of series, or of cost matrices.
        rates: Measured by the machine.
    """
    numbers = problem.cells
    operations = 0
    if series:
        numbers = problem.batch * (problem.m + problem.n) * problem.d
        operations = OPERATIONS * problem.d * problem.cells
    moved = 2 * numbers * np.dtype(problem.dtype).itemsize
    return max(
        moved / rates["copy_bytes_per_s"], operations / rates["fma_per_s"]
    )


def run_kernels(benchmark):
    """Time each kernel of calls on series and on cost matrices.

    Yields:
        The rates of the device, then a dictionary for each problem.
    """
    machine = benchmark.machine
    rates, reason = None, "not measured"
    try:
        rates = machine.rates()
        reason = (
            f"copy {rates['copy_bytes_per_s'] / 1e12:.3g} TB/s (read and "
            f"written), {rates['fma_per_s'] / 1e12:.3g} T FMA/s"
        )
    except Exception as error:
        reason = f"no rates: {type(error).__name__}: {one_line(error)}"
    benchmark.ours.clean()
    benchmark.say(reason)
    yield {"rates": rates, "reason": reason}
    problems = [(*p, True) for p in SERIES.items()]
    problems += [(*p, False) for p in MATRICES.items()]
    for given, modelled, series in problems:
        problem = machine.problem(given)
        result = {"cell": given, "problem": problem, "series": series}
        result["flags"] = []
        rows = result["rows"] = {}
        if not benchmark.skip(result, benchmark.broken):
            try:
                rows.update(time_kernels(benchmark, problem, series))
            except Exception as error:
                benchmark.fail(result, error)
        benchmark.ours.clean()
        for label in rows.keys() & ({} if machine.dry else modelled):
            rows[label]["modelled_s"] = modelled[label] / 1000
        whole = rows.get(CALL)
        if whole and rates:
            whole["floor_s"] = floor_of(problem, series, rates)
            whole["over_floor"] = whole["median_s"] / whole["floor_s"]
        yield result
        what = "series" if series else "cost matrices"
        benchmark.print_rows(
            f"{what}, {problem}: value and gradients"
            + "".join(f"; {flag}" for flag in result["flags"]),
            rows,
            "kernel",
            "launches",
            "time",
            "modelled",
            "floor",
            "time/floor",
            formats=FORMATS,
        )


def time_kernels(benchmark, problem, series):
    """Return a row for each kernel of a call, and one for the call."""
    machine, ours = benchmark.machine, benchmark.ours
    device = machine.device
    if device is None and not machine.dry:
        modules = importlib.import_module("chainer_sdtw.cuda._modules")
        device = modules.cupy_device()
    timer = KernelTimer(machine, device)
    arrays = problem.arrays(benchmark.options.seed)
    if series:
        call = ours.prepare(*arrays, problem.gamma, device=timer)
    else:
        call = ours.prepare_cost(matrices(*arrays), problem.gamma, timer)
    first = {"flags": []}
    if benchmark.first(call, first) is None:
        raise RuntimeError(*first["flags"])
    calls = []
    for _ in range(REPEATS):
        machine.synchronize()
        timer.marks.clear()
        machine.occupy()
        start = machine.mark()
        call()
        end = machine.mark()
        machine.synchronize()
        times = {CALL: [machine.between(start, end)]}
        for label, *pair in timer.marks:
            times.setdefault(label, []).append(machine.between(*pair))
        calls.append(times)
    return {
        label: {
            "launches": len(calls[0][label]),
            "median_s": float(np.median([sum(c[label]) for c in calls])),
        }
        for label in (*(k for k in calls[0] if k != CALL), CALL)
    }


def matrices(x, y):
    """Return the cost matrices of series with one feature."""
    return np.square(x[:, :, 0, None] - y[:, None, :, 0])


def run_queue(benchmark):
    """Time calls that are queued one after the other, by the host's clock.

    Yields:
        A dictionary for each problem and each way to call the library.
    """
    machine = benchmark.machine
    rows = {}
    for given in QUEUED:
        problem = machine.problem(given)
        x, y = problem.arrays(benchmark.options.seed)
        for contestant in benchmark.contestants:
            if not contestant.name.startswith(OURS):
                continue
            row = rows[problem.sizes, contestant.name] = {"flags": []}
            if not benchmark.skip(row, benchmark.broken):
                try:
                    call = contestant.prepare(x, y, problem.gamma)
                    if benchmark.first(call, row) is not None:
                        row.update(queue(machine, call))
                except Exception as error:
                    benchmark.fail(row, error)
            contestant.clean()
            yield {"problem": problem, "name": contestant.name, **row}
    benchmark.print_rows(
        f"Value and both gradients, seconds a call of {CALLS} in a row",
        rows,
        "",
        "",
        "to queue",
        "to the end",
        "flags",
        formats=FORMATS,
    )


def queue(machine, call):
    """Return seconds a call until all are queued, and until all have run."""
    machine.synchronize()
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    queued = time.perf_counter() - begin
    machine.synchronize()
    end = time.perf_counter() - begin
    return {"queue_s": queued / CALLS, "end_s": end / CALLS}
