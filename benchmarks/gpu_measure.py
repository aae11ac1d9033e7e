"""How one contestant is timed, judged and followed on a GPU."""

from __future__ import annotations

import contextlib
import importlib
import math
import time

import gpu_peers
import harness
import numpy as np
import peers
from gpu_machine import nvidia_smi
from harness import (
    OURS,
    judge,
    one_line,
    relative_error,
    set_ratios,
    summarize,
    worst_of,
)

TOLERANCE = 1e-3
CPU_CELLS = 3e7
"""Up to so many cells the float64 reference is held against sdtw_cpu."""
QUEUED = 0.05
"""Calls up to so many seconds are queued; longer ones are timed singly."""
KINDS = ("value", "gx", "gy")


class Measuring(harness.Benchmark):
    """A benchmark that runs contestants on a GPU.

    Args:
        options: Of the command line.
        console: Where tables go.
        machine: What runs the kernels.
        contestants: Instead of those that can be imported.
    """

    def __init__(self, options, console, machine, contestants=None):
        super().__init__(options, console)
        self.machine = machine
        missing = {}
        if contestants is None:
            contestants, missing = gpu_peers.load(machine, options.only)
        self.contestants = contestants
        self.ours = contestants[0]
        self.broken = None  # why nothing more can be run
        try:
            self.sdtw_cpu = importlib.import_module("sdtw_cpu")
        except ImportError:
            self.sdtw_cpu = None
        self.description.update(
            dry_run=machine.dry,
            gpu=machine.describe(),
            tolerance=TOLERANCE,
            contestants=peers.describe(contestants, missing),
        )

    def print_header(self):
        gpu = self.description["gpu"]
        figures = {**gpu, **(gpu.get("smi") or {})}
        self.say(
            gpu["name"],
            ", ".join(
                f"{key} {value}"
                for key, value in figures.items()
                if key not in ("name", "smi") and value is not None
            ),
            f"seed {self.options.seed}",
        )
        super().print_header()
        self.print_contestants("project", "computes", "reason")

    def check(self, name, limit, error, reason="not measured"):
        if self.machine.dry:
            error, reason = None, "not judged: dry run"
        super().check(name, limit, error, reason)

    def run(self, suites):
        status = super().run(suites)
        if not self.machine.dry:
            self.description["gpu"]["smi_after"] = nvidia_smi()
        self.description["broken"] = self.broken
        self.save()
        return 1 if self.broken else status

    def skip(self, row, reason):
        """Note in a row why there is no figure, if there is a reason."""
        if reason:
            row["skipped"] = reason
            row["flags"].append(reason)
        return bool(reason)

    def fail(self, row, error):
        """Note in a row that a call failed, and look after the device."""
        if type(error).__name__ == "OutOfMemoryError":
            self.skip(row, "out of memory")
            return
        row["failed"] = True
        self.skip(row, f"FAILED: {type(error).__name__}: {one_line(error)}")
        try:
            self.machine.synchronize()
            self.machine.array(np.zeros(1))
        except Exception as lost:
            self.broken = f"the device is lost: {one_line(lost, 300)}"

    def first(self, call, row):
        """Make the first call, which must not take too long.

        Returns:
            What it returned, None where it took longer than ``--cap``.
        """
        begin = time.perf_counter()
        answer = call()
        self.machine.synchronize()
        row["first_s"] = time.perf_counter() - begin
        if row["first_s"] <= self.options.cap:
            return answer
        self.skip(row, f"stopped: the first call took {row['first_s']:.3g} s")
        return None

    def time(self, call, row):
        """Time a call that has been made before, into the row.

        ``median_s`` is of times on the device, ``wall_median_s`` of the time
        until the host has seen the end. Short calls are queued without
        waiting in between, as in training; of others the host's part is
        included.
        """
        machine, options = self.machine, self.options
        device, wall = [], []

        def once():
            machine.synchronize()
            begin = time.perf_counter()
            start = machine.mark()
            call()
            end = machine.mark()
            machine.synchronize()
            wall.append(time.perf_counter() - begin)
            device.append(machine.between(start, end))

        once()
        repeats = math.ceil(options.seconds / max(wall[0], 1e-9))
        repeats = min(max(repeats, options.repeats), 100)
        if wall[0] >= 1:
            repeats = 2 if wall[0] < 5 else 1
        while len(wall) < repeats:
            once()
        if wall[0] < QUEUED:
            marks = []
            for _ in range(max(repeats, 2)):
                start = machine.mark()
                call()
                marks.append((start, machine.mark()))
            machine.synchronize()
            device = [machine.between(*pair) for pair in marks]
        row.update(summarize(device, row["cells"]))
        row["repeats"] = len(row.pop("samples_s"))
        row["p10_s"], row["p90_s"] = map(
            float, np.percentile(device, (10, 90))
        )
        row["spread"] = (row["p90_s"] - row["p10_s"]) / row["median_s"]
        row["wall_median_s"] = float(np.median(wall))

    def measure(self, contestant, problem, x, y, reference):
        """Return the row of one contestant on one problem."""
        row = {"flags": [], "cells": problem.cells}
        if self.skip(row, self.broken or contestant.limit(problem)):
            return row
        call = answer = None
        try:
            call = contestant.prepare(x, y, problem.gamma)
            answer = self.first(call, row)
            if answer is not None:
                host = contestant.host(answer)
                returned = sum(array.nbytes for array in host)
                answer = None
                if reference is not None:
                    judge(row, KINDS, host, reference, TOLERANCE)
                self.time(call, row)
                contestant.clean()
                peak = contestant.peak(call)
                if peak is not None:
                    row["peak_bytes"] = max(peak - returned, 0)
        except Exception as error:
            self.fail(row, error)
        del call, answer
        with contextlib.suppress(Exception):
            contestant.clean()
        errors = [row[k] for k in ("gx_error", "gy_error") if k in row]
        row["gradient_error"] = worst_of(errors)
        return row

    def time_ours(self, problem, prepare):
        """Return a row with the times of a call of this library."""
        row = {"flags": [], "cells": problem.cells}
        if self.skip(row, self.broken):
            return row
        try:
            call = prepare()
            if self.first(call, row) is not None:
                self.time(call, row)
        except Exception as error:
            self.fail(row, error)
        self.ours.clean()
        return row

    def reference(self, x, y, gamma):
        """Return the answer in float64, or None where that fails."""
        x, y = x.astype(np.float64), y.astype(np.float64)
        try:
            answer = self.ours.prepare(x, y, gamma)()
            self.machine.synchronize()
            return self.ours.host(answer)
        except Exception as error:
            self.say(f"no reference: {error!r}"[:300])
            self.fail({"flags": []}, error)
            return None
        finally:
            self.ours.clean()

    def reference_error(self, problem, x, y, reference):
        """Return the reference's difference from sdtw_cpu, if that is quick.

        None if it is not.
        """
        quick = problem.cells <= CPU_CELLS
        if reference is None or self.sdtw_cpu is None or not quick:
            return None
        x, y = x.astype(np.float64), y.astype(np.float64)
        value, tape = self.sdtw_cpu.value(x, y, problem.gamma, tape=True)
        exact = (value, *self.sdtw_cpu.adjoint(tape))
        return worst_of(map(relative_error, reference, exact))

    def compare_all(self, cell, number):
        """Run every contestant on one cell; print and return its result."""
        problem = self.machine.problem(cell)
        result = {"cell": cell, "problem": problem, "rows": {}}
        if self.broken:
            result["skipped"] = self.broken
            return result
        rows = result["rows"]
        x, y = problem.arrays(self.options.seed + number)
        reference = self.reference(x, y, problem.gamma)
        error = self.reference_error(problem, x, y, reference)
        if error is not None:
            result["reference_error"] = error
        for contestant in self.contestants:
            rows[contestant.name] = self.measure(
                contestant, problem, x, y, reference
            )
        set_ratios(rows, OURS)
        self.print_rows(
            f"{problem}, value and both gradients",
            rows,
            "",
            "time",
            "spread",
            "wall clock",
            "ns/cell",
            "times ours",
            "memory",
            "value error",
            "gradient error",
            "flags",
            formats={"spread": ("spread", "{:.0%}".format)},
        )
        return result
