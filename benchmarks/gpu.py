"""Value and both gradients of soft-DTW on a GPU, this library and its peers.

Every contestant gets the same series in one run and is judged by this library
in float64, which is itself judged by sdtw_cpu where that is quick. Times are
medians between two events on the device, calls queued one after the other;
"wall clock" is one call until the host sees its end. Memory is the most that
a call holds beyond its inputs and what it returns. A ratio is a peer's time
over ours in the same run.

With ``--dry-run`` everything runs on tiny problems without a GPU, to see that
it runs: the kernels of this library emulated, the peers on the CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import gc
import importlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from pathlib import Path

import gpu_peers
import numpy as np
from common import (
    MEGABYTE,
    Check,
    Problem,
    chosen_suites,
    environment,
    format_error,
    format_memory,
    format_time,
    lengths,
    make_console,
    make_table,
    output_file,
    positive,
    print_checks,
    seed,
    suite_parser,
    summarize,
    version,
    write_json,
)
from gpu_peers import FUSED, OURS, UNFUSED

SUITES = {
    "grid": "the grid that sdtw-cuda-torch publishes, against every peer",
    "roofline": "time against what bytes and operations take at least",
    "dtype": "float64 against float32",
    "cost": "explicit cost matrices against series",
    "accuracy": "float32 against float64, this library and its peers",
    "scaling": "the batch from 1 to 64, the length of one pair",
    "long": "many short pairs, and pairs too long for most",
}
# How the budget is shared among the suites of a run; what one leaves goes to
# those after it.
WEIGHTS = {"grid": 16, "roofline": 2, "accuracy": 3, "long": 4}


def _cell(batch, length, d, **more):
    more = {"dtype": "float32", **more}
    return Problem(batch, length, length, d, **more)


def short(problem):
    """Return the sizes of a problem in parentheses."""
    return f"({problem.batch}, {problem.m}, {problem.n}, d={problem.d})"


HEADLINE = _cell(32, 512, 64)
LARGEST = _cell(32, 2048, 64)
# The published grid, its headline first, then from cheap to expensive.
GRID = (
    HEADLINE,
    *sorted(
        (
            _cell(batch, length, d)
            for batch in (16, 32)
            for length in (128, 512, 1024, 2048)
            for d in (1, 64)
            if (batch, length, d) != (32, 512, 64)
        ),
        key=lambda p: (p.m, -p.batch, -p.d),
    ),
)
LONG = (_cell(512, 128, 1), _cell(1, 16384, 8), _cell(4, 65536, 1))
DTYPE = (_cell(32, 512, 1), _cell(32, 512, 64), _cell(1, 2048, 1))
ROOFLINE = (*GRID, _cell(512, 128, 1), _cell(1, 4096, 1))
COST = _cell(32, 512, 1)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)

GAMMAS = (1.0, 0.1, 0.01, 0.001)
SERIES = ("walk", "normalized", "noise")
ACCURACY_LENGTHS = (128, 512, 1024, 4096)
ACCURACY_FEATURES = (1, 8)
# The peers' longest in the accuracy suite: all of them can do that.
PEER_LENGTH = 1024

# Up to so many cells the float64 reference is itself held against sdtw_cpu.
CPU_CELLS = 3e7

# Instructions of a thread per cell of the table. The value sweep of one
# feature: the cost, three mantissas brought to the largest of three
# exponents, their sum, the weight of the cost, the shuffles and the tape. The
# adjoint sweep does the value sweep's work once more from the tape, and the
# gradients' on top of that. Each feature adds a subtraction and a
# multiplication with addition (FMA) to the costs of both sweeps, and one FMA
# to each of the two gradients; slabs of a tape that is too long to be kept
# add another value sweep. Instructions are held against the FMA rate: no
# others are faster.
VALUE_INSTRUCTIONS = 45
ADJOINT_INSTRUCTIONS = 75
COST_PER_FEATURE = 2
GRADIENT_PER_FEATURE = 2

TOLERANCE = 1e-3
# Calls that take longer than this are timed as they come, one at a time.
SLOW = 0.05
GRACE = 45
NO_GPU = 2


class NoGPUError(Exception):
    """There is no device to run on."""


class OvertimeError(Exception):
    """A call took longer than it was given."""


@dataclasses.dataclass
class GPUCheck(Check):
    """A check that tells why it has not been judged."""

    why: str = "not measured"

    @property
    def verdict(self):
        """Return the outcome in words."""
        return self.why if self.met is None else super().verdict


def relative_error(result, reference):
    """Return the norm of the difference over that of the reference."""
    result = np.asarray(result, dtype=np.float64)
    if result.shape != reference.shape:
        raise ValueError(f"shape {result.shape}, not {reference.shape}")
    scale = np.linalg.norm(reference)
    return float(np.linalg.norm(result - reference) / (scale or 1))


def worst_of(errors):
    """Return the largest error; one that is no number is the largest."""
    errors = [math.inf if math.isnan(e) else e for e in errors]
    return max(errors, default=None)


@contextlib.contextmanager
def time_limit(seconds):
    """Raise OvertimeError in the body when it takes too long.

    A call into C is not interrupted before it returns. Where signals cannot
    be had, there is no limit.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "setitimer"):
        yield
        return

    def overtime(number, frame):
        raise OvertimeError(f"over {seconds:.3g} s")

    before = signal.signal(signal.SIGALRM, overtime)
    # Again every second: what calls back from C may swallow an exception.
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


RATES = r"""
extern "C" __global__ void fma_rate(float* out, int rounds, float a, float b)
{
  float r[16];
#pragma unroll
  for (int k = 0; k < 16; ++k) r[k] = threadIdx.x + k;
  for (int i = 0; i < rounds; ++i) {
#pragma unroll
    for (int j = 0; j < 8; ++j) {
#pragma unroll
      for (int k = 0; k < 16; ++k) r[k] = fmaf(r[k], a, b);
    }
  }
  float sum = 0;
#pragma unroll
  for (int k = 0; k < 16; ++k) sum += r[k];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

extern "C" __global__ void int_rate(unsigned* out, int rounds, unsigned a,
                                    unsigned b)
{
  unsigned r[16];
#pragma unroll
  for (int k = 0; k < 16; ++k) r[k] = threadIdx.x + k;
  for (int i = 0; i < rounds; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int k = 0; k < 16; ++k) r[k] = (r[k] + a) ^ b;
    }
  }
  unsigned sum = 0;
#pragma unroll
  for (int k = 0; k < 16; ++k) sum += r[k];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}
"""
PER_ROUND = 128  # instructions of a thread in either kernel


class GPU:
    """The current device of CuPy."""

    dry = False
    device = None  # the sweeps' own

    def __init__(self, peers=None):
        self.peers = peers
        try:
            self.cupy = importlib.import_module("cupy")
            count = self.cupy.cuda.runtime.getDeviceCount()
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise NoGPUError(reason[:300]) from None
        if count < 1:
            raise NoGPUError("CuPy finds no device")

    def problem(self, problem):
        """Return what is run in the place of a problem."""
        return problem

    def array(self, host):
        """Return an array on the device."""
        return self.cupy.asarray(host)

    def host(self, array):
        """Return an array of NumPy."""
        return self.cupy.asnumpy(array)

    def synchronize(self):
        """Wait for all work."""
        self.cupy.cuda.runtime.deviceSynchronize()

    def mark(self):
        """Return a point in time of the stream."""
        event = self.cupy.cuda.Event()
        event.record()
        return event

    def between(self, start, end):
        """Return the seconds between two marks that have passed."""
        return self.cupy.cuda.get_elapsed_time(start, end) / 1e3

    def free(self):
        """Give memory back to the device."""
        self.cupy.get_default_memory_pool().free_all_blocks()

    def peak(self, call):
        """Return the most bytes that the call holds at once."""
        self.synchronize()
        hook = _make_memory_hook(self.cupy)
        with hook:
            answer = call()
            self.synchronize()
            del answer
        return hook.most

    def describe(self):
        """Return everything about the device and what drives it."""
        runtime = self.cupy.cuda.runtime
        found = runtime.getDeviceProperties(runtime.getDevice())
        name = found["name"]
        return {
            "name": name.decode() if isinstance(name, bytes) else name,
            "multiprocessors": found["multiProcessorCount"],
            "l2_bytes": found["l2CacheSize"],
            "memory_bytes": found["totalGlobalMem"],
            "compute_capability": f"{found['major']}.{found['minor']}",
            "cuda_driver": runtime.driverGetVersion(),
            "cuda_runtime": runtime.runtimeGetVersion(),
            "smi": nvidia_smi(),
            "cupy": self.cupy.__version__,
            **_module_versions("torch", "numba", "chainer"),
            "numba-cuda": version("numba-cuda"),
        }

    def rates(self):
        """Measure bytes, FMAs and integer operations per second."""
        cupy = self.cupy
        result = {"copy_bytes_per_s": self._copy_rate(1 << 30)}
        self.free()
        module = cupy.RawModule(code=RATES)
        blocks = 8 * self.describe()["multiprocessors"]
        out = cupy.zeros(blocks * 256, np.float32)
        rounds = 2048
        for key, name, kind in (
            ("fma_per_s", "fma_rate", np.float32),
            ("int32_per_s", "int_rate", np.uint32),
        ):
            kernel = module.get_function(name)
            numbers = (1, 3) if kind is np.uint32 else (0.999, 0.5)
            arguments = (out, np.int32(rounds), *map(kind, numbers))

            def run(kernel=kernel, arguments=arguments):
                kernel((blocks,), (256,), arguments)

            done = blocks * 256 * rounds * PER_ROUND
            result[key] = done / self._median(run)
        return result

    def _copy_rate(self, size):
        source = self.cupy.arange(size // 8)
        target = self.cupy.empty_like(source)
        stream = self.cupy.cuda.get_current_stream()

        def copy():
            target.data.copy_from_device_async(source.data, size, stream)

        return 2 * size / self._median(copy)

    def _median(self, call, repeats=10):
        call()
        times = []
        for _ in range(repeats):
            start = self.mark()
            call()
            end = self.mark()
            self.synchronize()
            times.append(self.between(start, end))
        return float(np.median(times))


def _make_memory_hook(cupy):
    """Return a hook that follows what is held of CuPy's memory pool."""

    class Hook(cupy.cuda.MemoryHook):
        name = "chainer_sdtw_peak"

        def __init__(self):
            self.held = {}
            self.total = self.most = 0

        def malloc_postprocess(self, **event):
            if event["mem_ptr"]:
                self.held[event["mem_ptr"]] = event["mem_size"]
                self.total += event["mem_size"]
                self.most = max(self.most, self.total)

        def free_postprocess(self, **event):
            self.total -= self.held.pop(event["mem_ptr"], 0)

    return Hook()


class Dry:
    """The kernels emulated on the CPU, on tiny problems."""

    dry = True

    def __init__(self, peers=None):
        self.peers = peers
        folder = str(Path(__file__).parents[1] / "tools")
        if folder not in sys.path:
            sys.path.append(folder)
        try:
            emulator = importlib.import_module("cuda_on_cpu")
            reason = emulator.unsupported()
            if reason:
                raise NoGPUError(f"the emulator of kernels {reason}")
            gpu_peers.import_sweeps()
            sweeps = importlib.import_module("cuda_on_cpu.sweeps")
        except ImportError as error:
            raise NoGPUError(f"no emulator of kernels: {error}") from None
        self.device = sweeps.CPUDevice()

    def problem(self, problem):
        return dataclasses.replace(
            problem,
            batch=min(problem.batch, 2),
            m=min(problem.m, 20) + (problem.m > 1024),
            n=min(problem.n, 21),
            d=min(problem.d, 2),
        )

    def array(self, host):
        return np.array(host)

    def host(self, array):
        return np.array(array)

    def synchronize(self):
        """There is nothing to wait for."""

    def mark(self):
        return time.perf_counter()

    def between(self, start, end):
        return max(end - start, 1e-9)

    def free(self):
        """There is no pool."""

    def peak(self, call):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        answer = call()
        most = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
        del answer
        return most

    def describe(self):
        return {"name": "kernels emulated on the CPU", "smi": None}

    def rates(self):
        source, target = np.ones(1 << 16), np.empty(1 << 16)
        start = self.mark()
        np.copyto(target, source)
        copied = self.between(start, self.mark())
        start = self.mark()
        np.multiply(source, 2.0, out=target)
        multiplied = self.between(start, self.mark())
        return {
            "copy_bytes_per_s": 2 * source.nbytes / copied,
            "fma_per_s": source.size / multiplied,
            "int32_per_s": source.size / multiplied,
        }


def nvidia_smi():
    """Return the driver, clocks and temperature as they are, or None."""
    fields = (
        "name",
        "driver_version",
        "clocks.sm",
        "clocks.mem",
        "clocks.max.sm",
        "clocks.max.mem",
        "power.limit",
        "temperature.gpu",
    )
    try:
        done = subprocess.run(
            [
                "nvidia-smi",
                f"--query-gpu={','.join(fields)}",
                "--format=csv,noheader",
            ],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        values = done.stdout.splitlines()[0].split(",")
    except (OSError, subprocess.SubprocessError, IndexError):
        return None
    return dict(zip(fields, (value.strip() for value in values)))


def _module_versions(*names):
    result = {}
    for name in names:
        try:
            result[name] = str(importlib.import_module(name).__version__)
        except Exception:
            result[name] = None
    return result


def make_series(kind, random, batch, length, d):
    """Return ``(batch, length, d)`` in float32."""
    series = random.standard_normal((batch, length, d))
    if kind != "noise":
        series = series.cumsum(axis=1)
    if kind == "normalized":
        series -= series.mean(axis=1, keepdims=True)
        series /= series.std(axis=1, keepdims=True)
    return series.astype(np.float32)


class Benchmark:
    """The suites, with what they share.

    Args:
        options: Of the command line.
        console: Where tables go.
        machine: What runs the kernels.
        contestants: In the place of those that can be imported.
    """

    def __init__(self, options, console, machine, contestants=None):
        self.options = options
        self.console = console
        self.machine = machine
        self.began = time.monotonic()
        self.end = self.began + options.budget
        self.deadline = self.end
        if contestants is None:
            contestants, missing = gpu_peers.load(machine, options.only)
        else:
            missing = {}
        self.contestants, self.missing = contestants, missing
        self.ours = contestants[0]
        self.checks = []
        self.results = {}
        self.complete = False
        self.broken = None  # why nothing more can be run
        self.failed = False
        try:
            self.sdtw_cpu = importlib.import_module("sdtw_cpu")
        except ImportError:
            self.sdtw_cpu = None
        self.description = self.describe()

    def describe(self):
        """Return everything about this run that is not a measurement."""
        contestants = [
            {
                "name": contestant.name,
                "version": contestant.version,
                "project": contestant.project,
                "computes": contestant.computes,
                "importable": True,
            }
            for contestant in self.contestants
        ]
        contestants += [
            {"name": name, "importable": False, "reason": reason}
            for name, reason in self.missing.items()
        ]
        options = self.options
        return {
            "dry_run": self.machine.dry,
            "environment": environment(),
            "gpu": self.machine.describe(),
            "budget_s": options.budget,
            "seconds_per_figure": options.seconds,
            "cap_s": options.cap,
            "seed": options.seed,
            "data": "normalized",
            "tolerance": TOLERANCE,
            "contestants": contestants,
        }

    def print_header(self):
        """Print the machine and the contestants."""
        about, gpu = self.description, self.description["gpu"]
        lines = [f"{gpu['name']}, {about['environment']['time']}"]
        smi = gpu.get("smi") or {}
        lines.append(
            ", ".join(
                f"{key} {value}"
                for key, value in {**gpu, **smi}.items()
                if key not in ("name", "smi") and value is not None
            )
        )
        lines.append(
            f"Python {about['environment']['python']}, "
            f"NumPy {about['environment']['numpy']}, "
            f"{about['environment']['cpus_available']} CPUs; budget "
            f"{self.options.budget:g} s, seed {self.options.seed}"
        )
        self.console.print("\n".join(filter(None, lines)), markup=False)
        table = make_table(
            "Contestants", "name", "project", "what is run", left=3
        )
        for row in about["contestants"]:
            if row["importable"]:
                table.add_row(row["name"], row["project"], row["computes"])
            else:
                reason = f"not importable: {row['reason']}"
                table.add_row(row["name"], "-", reason)
        self.console.print(table)

    def save(self):
        """Write what there is so far, in one step."""
        if not self.options.json:
            return
        document = {
            "benchmark": "gpu",
            **self.description,
            "seconds": time.monotonic() - self.began,
            "complete": self.complete,
            "broken": self.broken,
            "suites": self.results,
            "targets": self.checks,
        }
        target = Path(self.options.json)
        part = target.with_name(target.name + ".part")
        write_json(part, document)
        os.replace(part, target)

    def check(self, name, target, measured, met):
        """Hold a figure against its target; a dry run judges nothing."""
        if self.machine.dry:
            check = GPUCheck(name, target, measured, None)
            check.why = "not judged: dry run"
        else:
            check = GPUCheck(name, target, measured, met)
        self.checks.append(check)

    # --- Measuring ---

    def left(self):
        """Return the seconds that the suite still has."""
        return self.deadline - time.monotonic()

    def stopped(self):
        """Return why no more is run in this suite, or None."""
        if self.broken:
            return self.broken
        if self.left() <= 0:
            return "no time left"
        return None

    def allowed(self):
        """Return the seconds that one call may take."""
        return min(self.options.cap, max(self.left(), 1.0))

    def limited(self, call):
        """Make a call, within the cap and the time that is left."""
        with time_limit(self.allowed()):
            answer = call()
            self.machine.synchronize()
        return answer

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
            with time_limit(self.allowed()):
                begin = time.perf_counter()
                start = machine.mark()
                call()
                end = machine.mark()
                machine.synchronize()
                wall.append(time.perf_counter() - begin)
            device.append(machine.between(start, end))

        try:
            once()
            first = wall[0]
            if first < 1:
                repeats = math.ceil(options.seconds / max(first, 1e-9))
                repeats = min(max(repeats, options.repeats), 100)
            else:
                repeats = 2 if first < 5 else 1
            while len(wall) < repeats and self.left() > 0:
                once()
            if first < SLOW:
                marks = []
                machine.synchronize()
                with time_limit(options.cap):
                    for _ in range(max(repeats, 2)):
                        start = machine.mark()
                        call()
                        marks.append((start, machine.mark()))
                    machine.synchronize()
                device[:] = [machine.between(*pair) for pair in marks]
        finally:
            if device:
                row.update(summarize(device, row["cells"]))
                row["repeats"] = len(row.pop("samples_s"))
                row["p10_s"], row["p90_s"] = (
                    float(q) for q in np.percentile(device, (10, 90))
                )
                row["wall_median_s"] = float(np.median(wall))

    def fail(self, row, error):
        """Note in a row why there is no figure."""
        if isinstance(error, OvertimeError):
            reason = f"stopped: {error}"
        elif type(error).__name__ == "OutOfMemoryError":
            reason = "out of memory"
        else:
            text = " ".join(str(error).split())
            reason = f"FAILED: {type(error).__name__}: {text[:200]}"
            row["failed"] = True
        row["skipped"] = reason
        row["flags"].append(reason)
        if not row.get("failed"):
            return
        try:  # whether the device still works
            self.machine.synchronize()
            self.machine.array(np.zeros(1))
        except Exception as lost:
            self.broken = f"the device is lost: {lost}"[:300]

    def measure(self, contestant, problem, x, y, reference):
        """Return the row of one contestant on one problem."""
        row = {"flags": [], "cells": problem.cells}
        reason = self.stopped() or contestant.limit(problem)
        if reason:
            row["skipped"] = reason
            row["flags"].append(reason)
            return row
        call = answer = None
        try:
            call = contestant.prepare(x, y, problem.gamma)
            begin = time.perf_counter()
            answer = self.limited(call)
            row["first_s"] = time.perf_counter() - begin
            host = contestant.host(answer)
            returned = sum(a.nbytes for a in host)
            answer = None
            self._judge(row, host, reference)
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
        return row

    def _judge(self, row, answer, reference):
        """Note the errors of an answer and flag a wrong one."""
        if reference is None:
            return
        for kind, result, expected in zip(
            ("value", "gx", "gy"), answer, reference
        ):
            error = row[f"{kind}_error"] = relative_error(result, expected)
            if not error <= TOLERANCE:
                row["flags"].append(f"WRONG {kind}")
                row["wrong"] = True

    def reference(self, x, y, gamma):
        """Return the answer in float64, or None where that fails."""
        x, y = x.astype(np.float64), y.astype(np.float64)
        try:
            call = self.ours.prepare(x, y, gamma)
            return self.ours.host(self.limited(call))
        except Exception as error:
            self.console.print(f"no reference: {error!r}"[:300], markup=False)
            self.fail({"flags": []}, error)
            return None
        finally:
            self.ours.clean()

    def cpu_reference(self, x, y, gamma):
        """Return the answer of sdtw_cpu in float64."""
        x, y = x.astype(np.float64), y.astype(np.float64)
        value, tape = self.sdtw_cpu.value(x, y, gamma, tape=True)
        return (value, *self.sdtw_cpu.adjoint(tape))

    def compare(self, cell, number):
        """Run every contestant on one cell; print and return its result."""
        problem = self.machine.problem(cell)
        result = {"cell": cell, "problem": problem, "rows": {}}
        rows = result["rows"]
        reason = self.stopped()
        if reason:
            result["skipped"] = reason
            return result
        x, y = problem.arrays(self.options.seed + number)
        reference = self.reference(x, y, problem.gamma)
        if (
            reference is not None
            and self.sdtw_cpu is not None
            and problem.cells <= CPU_CELLS
        ):
            exact = self.cpu_reference(x, y, problem.gamma)
            result["reference_error"] = worst_of(
                relative_error(a, b) for a, b in zip(reference, exact)
            )
        for contestant in self.contestants:
            rows[contestant.name] = self.measure(
                contestant, problem, x, y, reference
            )
        ours = rows[OURS].get("median_s")
        for row in rows.values():
            if ours and "median_s" in row:
                row["ratio"] = row["median_s"] / ours
        self._print_rows(result)
        return result

    def _print_rows(self, result):
        table = make_table(
            f"{result['problem']}, value and both gradients",
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
        )
        table.columns[-1].justify = "left"
        for name, row in result["rows"].items():
            timed = "median_s" in row
            errors = [row[k] for k in ("gx_error", "gy_error") if k in row]
            table.add_row(
                name,
                format_time(row.get("median_s")),
                f"{(row['p90_s'] - row['p10_s']) / row['median_s']:.0%}"
                if timed
                else "-",
                format_time(row.get("wall_median_s")),
                f"{row['ns_per_cell']:.3g}" if timed else "-",
                f"{row['ratio']:.1f}" if "ratio" in row else "-",
                format_memory(row.get("peak_bytes")),
                format_error(row.get("value_error")),
                format_error(worst_of(errors)),
                ", ".join(row["flags"]),
            )
        self.console.print(table)

    # --- Suites; each keeps its results where save() finds them ---

    def _compare_all(self, suite, cells):
        results = self.results[suite] = []
        for number, cell in enumerate(cells):
            results.append(self.compare(cell, number))
            self.save()
        self._check_reference(suite, results)
        return results

    def _check_reference(self, suite, results):
        errors = [
            r["reference_error"] for r in results if "reference_error" in r
        ]
        worst = worst_of(errors)
        self.check(
            f"{suite}: the float64 reference against sdtw_cpu, "
            f"{len(errors)} of {len(results)} cells",
            "<= 1e-9",
            format_error(worst),
            None if worst is None else worst <= 1e-9,
        )

    def run_grid(self):
        """Compare with every peer on the published grid."""
        cells = self.options.case or GRID
        if self.machine.dry and not self.options.case:
            cells = (HEADLINE, _cell(16, 128, 1), LARGEST)
        results = self._compare_all("grid", cells)
        self._print_overview(results)
        self._judge_grid(results)

    def _print_overview(self, results):
        """Print all cells in one table."""
        others = [c.name for c in self.contestants[1:]]
        table = make_table(
            f"{OURS}, and how many times as long the others take",
            *("B, N, D", "time", "memory"),
            *others,
        )
        for result in results:
            cell, rows = result["cell"], result["rows"]
            ours = rows.get(OURS, {})
            ratios = [rows.get(name, {}).get("ratio") for name in others]
            table.add_row(
                f"{cell.batch}, {cell.m}, {cell.d}",
                format_time(ours.get("median_s")),
                format_memory(ours.get("peak_bytes")),
                *(
                    "-" if ratio is None else f"{ratio:.1f}"
                    for ratio in ratios
                ),
            )
        self.console.print(table)

    def _judge_grid(self, results):
        rows = {r["cell"]: r["rows"] for r in results}

        def ours(cell, key):
            return rows.get(cell, {}).get(OURS, {}).get(key)

        def faster_mode(cell):
            found = (rows.get(cell, {}).get(k, {}) for k in (UNFUSED, FUSED))
            return min((r["ratio"] for r in found if "ratio" in r), default=0)

        seconds = ours(HEADLINE, "median_s")
        self.check(
            f"{short(HEADLINE)}, value and both gradients",
            "<= 1 ms",
            format_time(seconds),
            None if seconds is None else seconds <= 1e-3,
        )
        ratio = faster_mode(HEADLINE)
        self.check(
            f"{short(HEADLINE)}, times faster than sdtw-cuda-torch's faster "
            "mode",
            ">= 20",
            f"{ratio:.1f}" if ratio else "-",
            ratio >= 20 if ratio else None,
        )
        ratios = {cell: faster_mode(cell) for cell in GRID}
        measured = {cell: r for cell, r in ratios.items() if r}
        text, met = "-", None
        if measured:
            least = min(measured, key=measured.get)
            text = (
                f"{measured[least]:.1f} at {short(least)}, "
                f"{len(measured)} of {len(GRID)} cells"
            )
            if measured[least] < 10:
                met = False
            elif len(measured) == len(GRID):
                met = True
        self.check(
            "every cell of sdtw-cuda-torch's grid, times faster than its "
            "faster mode",
            ">= 10",
            text,
            met,
        )
        peak = ours(LARGEST, "peak_bytes")
        self.check(
            f"{short(LARGEST)}, memory beyond inputs and outputs",
            "<= 150 MB",
            format_memory(peak),
            None if peak is None else peak <= 150 * MEGABYTE,
        )

    def run_long(self):
        """Compare on many short pairs and on very long ones."""
        cells = LONG[:2] if self.machine.dry else LONG
        self._compare_all("long", cells)

    def _timed(self, problem, make_call):
        """Return a row with the times of a call of ours."""
        row = {"flags": [], "cells": problem.cells}
        reason = self.stopped()
        if reason:
            row["skipped"] = reason
            row["flags"].append(reason)
            return row
        try:
            call = make_call()
            self.limited(call)
            self.time(call, row)
        except Exception as error:
            self.fail(row, error)
        self.ours.clean()
        return row

    def _our_row(self, problem, number=0):
        def make():
            x, y = problem.arrays(self.options.seed + number)
            return self.ours.prepare(x, y, problem.gamma)

        return self._timed(problem, make)

    def run_dtype(self):
        """Time float64 against float32."""
        results = self.results["dtype"] = []
        table = make_table(
            "float64 against float32, value and both gradients",
            "",
            "float32",
            "float64",
            "float64/float32",
        )
        for cell in DTYPE:
            base = self.machine.problem(cell)
            rows = {
                dtype: self._our_row(dataclasses.replace(base, dtype=dtype))
                for dtype in ("float32", "float64")
            }
            times = [row.get("median_s") for row in rows.values()]
            result = {"cell": cell, "problem": base, "rows": rows}
            if None not in times:
                result["ratio"] = times[1] / times[0]
            results.append(result)
            self.save()
            table.add_row(
                short(base),
                *map(format_time, times),
                f"{result['ratio']:.2f}" if "ratio" in result else "-",
            )
        self.console.print(table)

    def run_cost(self):
        """Time explicit cost matrices against series."""
        problem = self.machine.problem(COST)
        x, y = problem.arrays(self.options.seed)

        def make(dtype):
            cost = ((x[:, :, None] - y[:, None]) ** 2).sum(axis=-1)
            return self.ours.prepare_cost(cost.astype(dtype), problem.gamma)

        rows = self.results["cost"] = {}
        for name, start in (
            ("series, float32", lambda: self.ours.prepare(x, y, 1.0)),
            ("cost, float32", lambda: make(np.float32)),
            ("cost, float64", lambda: make(np.float64)),
        ):
            rows[name] = self._timed(problem, start)
            self.save()
        table = make_table(
            f"({problem.batch}, {problem.m}, {problem.n}), value and gradient",
            "",
            "time",
            "wall clock",
            "ns/cell",
        )
        for name, row in rows.items():
            table.add_row(
                name,
                format_time(row.get("median_s")),
                format_time(row.get("wall_median_s")),
                f"{row['ns_per_cell']:.3g}" if "median_s" in row else "-",
            )
        self.console.print(table)

    def run_scaling(self):
        """Time the batch from 1 to 64, and one pair at each length."""
        results = self.results["scaling"] = {"batch": [], "length": []}
        dry = self.machine.dry
        batches = BATCHES[:2] if dry else BATCHES
        lengths = (16, 24) if dry else LENGTHS
        plan = {
            "batch": [_cell(b, 16 if dry else 512, 1) for b in batches],
            "length": [_cell(1, n, 1) for n in lengths],
        }
        for axis, problems in plan.items():
            table = make_table(
                f"{axis}, d=1, float32",
                "",
                "time",
                "wall clock",
                "ns/cell",
                "times the row before",
            )
            before = None
            for problem in problems:
                row = self._our_row(problem)
                row["problem"] = problem
                seconds = row.get("median_s")
                if before and seconds:
                    row["growth"] = seconds / before
                before = seconds
                results[axis].append(row)
                self.save()
                table.add_row(
                    f"({problem.batch}, {problem.m}, {problem.n})",
                    format_time(seconds),
                    format_time(row.get("wall_median_s")),
                    f"{row['ns_per_cell']:.3g}" if seconds else "-",
                    f"{row['growth']:.2f}" if "growth" in row else "-",
                )
            self.console.print(table)

    def run_roofline(self):
        """Hold times against floors from measured rates."""
        results = self.results["roofline"] = {"rates": None, "cells": []}
        try:
            with time_limit(self.options.cap):
                rates = results["rates"] = self.machine.rates()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:300]
            results["failure"] = reason
            self.fail({"flags": []}, error)
            self.console.print(f"no rates: {reason}", markup=False)
            return
        finally:
            self.ours.clean()
        self.console.print(
            f"copy {rates['copy_bytes_per_s'] / 1e12:.3g} TB/s (read and "
            f"written), {rates['fma_per_s'] / 1e12:.3g} T FMA/s, "
            f"{rates['int32_per_s'] / 1e12:.3g} T int32 operations/s",
            markup=False,
        )
        table = make_table(
            "Time against its floors, float32",
            "",
            "sweep",
            "time",
            "floor: bytes",
            "floor: operations",
            "time/floor",
            left=2,
        )
        for cell in ROOFLINE[:2] if self.machine.dry else ROOFLINE:
            problem = self.machine.problem(cell)
            result = {"cell": cell, "problem": problem, "rows": {}}
            results["cells"].append(result)
            if not self.stopped():
                try:
                    self._roofline_cell(result, problem, rates)
                except Exception as error:
                    result["flags"] = []
                    self.fail(result, error)
            self.ours.clean()
            self.save()
            for name, row in result["rows"].items():
                table.add_row(
                    short(problem),
                    name,
                    format_time(row.get("median_s")),
                    format_time(row["bytes_floor_s"]),
                    format_time(row["operations_floor_s"]),
                    f"{row['over_floor']:.1f}" if "over_floor" in row else "-",
                )
        self.console.print(table)

    def _roofline_cell(self, result, problem, rates):
        ours, machine = self.ours, self.machine
        x, y = map(machine.array, problem.arrays(self.options.seed))
        ours.compile(x.dtype, problem.d)
        _, tape = ours.value(x, y, gamma=problem.gamma)
        kept = result["tape_bytes"] = tape_bytes(tape)
        slabs = result["slabs"] = slabs_of(tape)
        series = x.nbytes + y.nbytes
        values = problem.batch * x.itemsize
        cost = COST_PER_FEATURE * problem.d if problem.d > 1 else 0
        gradient = GRADIENT_PER_FEATURE * problem.d if problem.d > 1 else 0
        value_count = VALUE_INSTRUCTIONS + cost
        adjoint_count = ADJOINT_INSTRUCTIONS + cost + gradient
        if slabs > 1:
            adjoint_count += value_count
        # With slabs a tape is written and read slab by slab; what is counted
        # then is less than what is moved.
        for name, call, moved, count in (
            (
                "value",
                lambda: ours.value(x, y, gamma=problem.gamma),
                series + values + kept,
                value_count,
            ),
            (
                "adjoint",
                lambda: ours.module.adjoint(tape),
                2 * series + values + kept,
                adjoint_count,
            ),
        ):
            row = result["rows"][name] = self._timed(problem, lambda c=call: c)
            row["bytes"] = moved
            row["instructions_per_cell"] = count
            row["bytes_floor_s"] = moved / rates["copy_bytes_per_s"]
            row["operations_floor_s"] = (
                problem.cells * count / rates["fma_per_s"]
            )
            if "median_s" in row:
                row["over_floor"] = row["median_s"] / max(
                    row["bytes_floor_s"], row["operations_floor_s"]
                )

    def run_accuracy(self):
        """Hold float32 against float64 on the same float32 inputs."""
        dry = self.machine.dry
        results = self.results["accuracy"] = []
        lengths = (24,) if dry else self.options.lengths
        pairs = 2 if dry else self.options.pairs
        number = 0
        for d in (1, 2) if dry else ACCURACY_FEATURES:
            for length in lengths:
                for kind in SERIES:
                    for gamma in GAMMAS:
                        number += 1
                        self._accuracy(
                            results, kind, length, d, gamma, pairs, number
                        )
                self.save()
        self._print_accuracy(results)
        worst = worst_of(
            row[key]
            for row in results
            if row["name"] == OURS and "gx" in row
            for key in ("gx", "gy")
        )
        missing = sum(r["name"] == OURS and "gx" not in r for r in results)
        text = format_error(worst)
        if missing:
            text += f", {missing} not measured"
        self.check(
            f"worst float32 gradient, lengths {lengths[0]} to {lengths[-1]}, "
            "gamma 1 to 0.001",
            "<= 1e-5",
            text,
            None if worst is None else worst <= 1e-5,
        )

    def _accuracy(self, results, kind, length, d, gamma, pairs, number):
        random = np.random.default_rng((self.options.seed, number))
        x, y = (make_series(kind, random, pairs, length, d) for _ in "xy")
        reference = None
        if not self.stopped():
            reference = self.reference(x, y, gamma)
        for contestant in self.contestants:
            if isinstance(contestant, gpu_peers.OursInChainer):
                continue
            if contestant is not self.ours and (
                length > PEER_LENGTH or d != 1
            ):
                continue
            row = {
                "name": contestant.name,
                "series": kind,
                "length": length,
                "d": d,
                "gamma": gamma,
                "flags": [],
            }
            results.append(row)
            problem = Problem(pairs, length, length, d, "float32", gamma)
            reason = self.stopped() or contestant.limit(problem)
            if not reason and reference is None:
                reason = "no reference"
            if reason:
                row["skipped"] = reason
                continue
            try:
                call = contestant.prepare(x, y, gamma)
                answer = contestant.host(self.limited(call))
                for key, result, exact in zip(
                    ("value", "gx", "gy"), answer, reference
                ):
                    row[key] = worst_of(map(relative_error, result, exact))
            except Exception as error:
                self.fail(row, error)
            contestant.clean()

    def _print_accuracy(self, results):
        def cells(rows):
            """Worst gradient for each gamma."""
            for gamma in GAMMAS:
                errors = [
                    row[key]
                    for row in rows
                    if row["gamma"] == gamma and "gx" in row
                    for key in ("gx", "gy")
                ]
                yield format_error(worst_of(errors))

        gammas = [f"gamma {gamma:g}" for gamma in GAMMAS]
        table = make_table(
            "This library, worst float32 gradient",
            *("series", "length", "d"),
            *gammas,
            left=3,
        )
        mine = [row for row in results if row["name"] == OURS]
        groups = {}
        for row in mine:
            key = row["series"], row["length"], row["d"]
            groups.setdefault(key, []).append(row)
        for key, rows in groups.items():
            table.add_row(*map(str, key), *cells(rows))
        self.console.print(table)
        table = make_table(
            f"Everyone up to length {PEER_LENGTH}, d=1, worst float32 "
            "gradient (inf: not a number)",
            "",
            *gammas,
        )
        for contestant in self.contestants:
            rows = [
                row
                for row in results
                if row["name"] == contestant.name
                and row["length"] <= PEER_LENGTH
                and row["d"] == 1
            ]
            if rows:
                table.add_row(contestant.name, *cells(rows))
        self.console.print(table)

    def run(self, suites):
        """Run the suites in turn; return whether no target is missed.

        ``failed`` then tells whether something broke down.
        """
        self.save()
        for i, suite in enumerate(suites):
            now = time.monotonic()
            shares = [WEIGHTS.get(name, 1) for name in suites[i:]]
            share = shares[0] / sum(shares)
            self.deadline = now + max(self.end - now, 0) * share
            self.console.rule(SUITES[suite], align="left")
            try:
                getattr(self, f"run_{suite}")()
            except Exception as error:
                text = f"{type(error).__name__}: {error}"[:300]
                self.results.setdefault("failures", {})[suite] = text
                self.console.print(f"{suite}: {text}", markup=False)
            self.save()
        gpu = self.description["gpu"]
        gpu["smi_after"] = None if self.machine.dry else nvidia_smi()
        self.complete = self.broken is None
        self.save()
        if self.broken:
            self.console.print(self.broken, markup=False)
        if self.checks:
            print_checks(self.console, self.checks)
        self.console.print(
            f"{sum(c.met is True for c in self.checks)} targets met, "
            f"{sum(c.met is False for c in self.checks)} missed, "
            f"{sum(c.met is None for c in self.checks)} not judged; "
            f"{time.monotonic() - self.began:.0f} s",
            markup=False,
        )
        self.failed = "failures" in self.results or bool(self.broken)
        return all(c.met is not False for c in self.checks)


def tape_bytes(tape):
    """Return the bytes that are kept for the adjoint sweep."""
    return int(tape.nbytes)


def slabs_of(tape):
    """Return in how many parts a tape is kept at most."""
    plan = getattr(tape, "_plan", None)
    return max((p.slabs for p in plan.passes), default=1) if plan else 1


def start_watchdog(seconds):
    """End the process where a launch never returns.

    What was written after the last cell stays.
    """

    def end():
        print(f"no end after {seconds:g} s: stopped", file=sys.stderr)
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(3)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def case(text):
    """Read a cell ``B,N,D``."""
    parts = text.split(",")
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"not B,N,D: {text!r}")
    return _cell(*map(positive(int), parts))


def folder(text):
    """Read a folder; argparse shows the message of an ArgumentTypeError."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {text}")
    return Path(text)


def make_parser():
    """Return the parser of the command line."""
    parser = suite_parser(__doc__.splitlines()[0], SUITES, "grid")
    parser.add_argument(
        "--case",
        action="append",
        type=case,
        metavar="B,N,D",
        help="a cell for the grid suite in place of its own, may be given "
        "several times",
    )
    names = [cls.name for cls in gpu_peers.CLASSES]
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        metavar="NAME",
        help="leave out all contestants but this library and NAME, may be "
        "given several times: " + ", ".join(map(repr, names)),
    )
    parser.add_argument(
        "--peers",
        type=folder,
        metavar="FOLDER",
        help="folder with clones of the peers, named as their repositories",
    )
    parser.add_argument(
        "--budget",
        type=positive(float),
        default=420,
        metavar="SECONDS",
        help="time for the whole run (default: %(default)s); what it does "
        f"not suffice for is left out, and {GRACE} s later the process ends "
        "in any case",
    )
    parser.add_argument(
        "--seconds",
        type=positive(float),
        default=0.5,
        metavar="S",
        help="time for one figure of a call below 1 s (default: %(default)s)",
    )
    parser.add_argument(
        "--repeats",
        type=positive(int),
        default=5,
        metavar="N",
        help="least number of repeats of such a call (default: %(default)s)",
    )
    parser.add_argument(
        "--cap",
        type=positive(float),
        default=20,
        metavar="S",
        help="time for one call (default: %(default)s)",
    )
    parser.add_argument(
        "--lengths",
        type=lengths,
        default=list(ACCURACY_LENGTHS),
        metavar="N,N,...",
        help="of the accuracy suite (default: 128,512,1024,4096)",
    )
    parser.add_argument(
        "--pairs",
        type=positive(int),
        default=4,
        metavar="N",
        help="of each kind in the accuracy suite (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=seed,
        default=int(time.time()) % 10**6,
        help="of the random series (default: from the clock)",
    )
    parser.add_argument(
        "--json",
        type=output_file,
        metavar="FILE",
        help="write everything measured to FILE, after every cell",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with status 1 when a target is missed",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="tiny problems on emulated kernels, without a GPU",
    )
    return parser


def main(arguments=None):
    """Run the benchmark; return the exit status."""
    options = make_parser().parse_args(arguments)
    suites = chosen_suites(options, SUITES, "grid")
    warnings.simplefilter("ignore")
    try:
        machine = (Dry if options.dry_run else GPU)(options.peers)
    except NoGPUError as error:
        print(f"No GPU to run on: {error}", file=sys.stderr)
        if not options.dry_run:
            print(
                "This needs CuPy and a CUDA device; --dry-run does without.",
                file=sys.stderr,
            )
        return NO_GPU
    watchdog = start_watchdog(options.budget + GRACE)
    console = make_console()
    try:
        benchmark = Benchmark(options, console, machine)
    except ImportError as error:
        watchdog.cancel()
        print(
            f"this library cannot be imported, install it first: {error}",
            file=sys.stderr,
        )
        return 1
    benchmark.print_header()
    met = benchmark.run(suites)
    watchdog.cancel()
    gc.collect()
    return 1 if benchmark.failed or (options.check and not met) else 0


if __name__ == "__main__":
    sys.exit(main())
