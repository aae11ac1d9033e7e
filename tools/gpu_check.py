#!/usr/bin/env python
"""Check and measure the CUDA kernels on this machine's GPU, step by step.

First every kernel is compiled and compared with the CPU on small problems.
Then come the tests that need a GPU, CUDA's compute-sanitizer (accesses out of
bounds, races, barriers, uninitialized memory) and the benchmark. A step that
fails stops none of those after it. After each step its outcome is added to
``steps.tsv`` in the folder ``--out``, where ``STEP.log`` has what it printed.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import chainer_sdtw  # noqa: F401  (makes Chainer work)
import sdtw_cpu
from chainer_sdtw import cuda

ROOT = Path(__file__).resolve().parents[1]
SANITIZER = "/usr/local/cuda/bin/compute-sanitizer"

SIZES = ((1, 40), (31, 33), (70, 45))
FEATURES = (1, 3)
GAMMAS = (1.0, 0.01, 0.0)
TOLERANCES = {"float32": 1e-5, "float64": 1e-9}
PAIRS = 2


def compare(actual, expected):
    """Return the largest relative error of some arrays, or inf."""
    error = 0.0
    for a, b in zip(actual, expected):
        norm = np.linalg.norm(b) or 1.0
        difference = np.linalg.norm(np.asarray(a, np.float64) - b) / norm
        error = max(error, np.inf if np.isnan(difference) else difference)
    return float(error)


def sweep(sweeps, arrays, directions, gamma, grads, **options):
    """Return all values, tangents and gradients of a batch.

    Args:
        sweeps: ``sdtw_cpu`` or ``chainer_sdtw.cuda``.
        arrays: Series x and y, or cost matrices alone.
        directions: As many arrays, or None for no tangents.
        gamma: The smoothing.
        grads: Incoming gradients of values and of tangents.
        options: For the sweeps that make a tape.
    """
    suffix = "" if len(arrays) == 2 else "_from_cost"
    if directions is None:
        make = getattr(sweeps, f"value{suffix}")
        value, tape = make(*arrays, gamma, tape=True, **options)
        values = (value,)
        gradients = sweeps.adjoint(tape, grads[0])
    else:
        make = getattr(sweeps, f"tangent{suffix}")
        direction = directions if len(arrays) == 2 else directions[0]
        *values, tape = make(*arrays, direction, gamma, tape=True, **options)
        gradients = sweeps.adjoint_tangent(tape, grads[0], grads[1])
    if not isinstance(gradients, tuple):
        gradients = (gradients,)
    return (*values, *gradients)


def problems(sizes, features, gammas, dtypes):
    """Yield the name, arrays, gamma and options of each small problem."""
    random = np.random.default_rng(0)
    for dtype, (m, n), gamma in itertools.product(dtypes, sizes, gammas):
        name = f"{dtype} {m} x {n}, gamma {gamma:g}"
        matrices = random.random((PAIRS, m, n)).astype(dtype)
        yield f"{name}, costs", (matrices,), gamma, {}
        for d, cost in itertools.product(features, sdtw_cpu.costs.COSTS):
            arrays = tuple(
                random.standard_normal((PAIRS, length, d)).astype(dtype)
                for length in (m, n)
            )
            lengths = {
                "x_length": random.integers(1, m + 1, PAIRS),
                "y_length": random.integers(1, n + 1, PAIRS),
            }
            for options in ({"cost": cost}, {"cost": cost, **lengths}):
                ragged = ", padded" if "x_length" in options else ""
                yield f"{name}, {d} x {cost}{ragged}", arrays, gamma, options


def smoke(
    device=None,
    sizes=SIZES,
    features=FEATURES,
    gammas=GAMMAS,
    dtypes=tuple(TOLERANCES),
):
    """Compare every kind of sweep with the CPU; return the names of errors.

    Args:
        device: Where the kernels run, by default CuPy's current GPU.
        sizes: Lengths (m, n) of the series.
        features: Their numbers of features.
        gammas: Smoothings.
        dtypes: Types of the arrays, by name.
    """
    xp = np if device else importlib.import_module("cupy")
    to_host = np.asarray if device else xp.asnumpy
    random = np.random.default_rng(1)
    wrong = []
    for name, arrays, gamma, options in problems(
        sizes, features, gammas, dtypes
    ):
        dtype = arrays[0].dtype
        directions = tuple(
            random.standard_normal(a.shape).astype(dtype) for a in arrays
        )
        grads = tuple(random.standard_normal((2, PAIRS)).astype(dtype))
        for along in (None, directions):
            actual = sweep(
                cuda,
                tuple(map(xp.asarray, arrays)),
                along and tuple(map(xp.asarray, along)),
                gamma,
                tuple(map(xp.asarray, grads)),
                device=device,
                **options,
            )
            expected = sweep(
                sdtw_cpu,
                tuple(a.astype(np.float64) for a in arrays),
                along and tuple(a.astype(np.float64) for a in along),
                gamma,
                tuple(g.astype(np.float64) for g in grads),
                **options,
            )
            error = compare(map(to_host, actual), expected)
            if not error <= TOLERANCES[dtype.name]:
                kind = "tangents" if along else "gradients"
                wrong.append(f"{name}, {kind}: {error:.1e}")
    return wrong


def run_step(name, command, out, limit):
    """Run a command and return whether it succeeded.

    Args:
        name: Of the step.
        command: The program and its arguments.
        out: Folder for the log and the table of outcomes.
        limit: Seconds after which the command is stopped.
    """
    begin = time.monotonic()
    log = out / f"{name}.log"
    with log.open("wb") as file:
        try:
            process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        except OSError as error:
            outcome = f"not run: {error}"
        else:
            try:
                status = process.wait(limit)
                outcome = "ok" if status == 0 else f"failed ({status})"
            except subprocess.TimeoutExpired:
                outcome = f"stopped after {limit:g} s"
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
    seconds = time.monotonic() - begin
    with (out / "steps.tsv").open("a") as file:
        file.write(f"{name}\t{outcome}\t{seconds:.0f}\n")
    print(f"{name}: {outcome}, {seconds:.0f} s; see {log}", flush=True)
    return outcome == "ok"


def make_steps(out):
    """Return the command of each step by its name."""
    python = sys.executable
    smoke_test = [python, Path(__file__).resolve(), "--smoke"]
    sanitizer = shutil.which("compute-sanitizer") or SANITIZER
    steps = {
        "smoke": smoke_test,
        "pytest": [python, "-m", "pytest", "-m", "gpu", "--require-gpu"],
    }
    for tool in ("memcheck", "racecheck", "synccheck", "initcheck"):
        options = ["--tool", tool, "--error-exitcode", "9"]
        steps[tool] = [sanitizer, *options, *smoke_test]
    benchmark = ROOT / "benchmarks" / "gpu.py"
    results = out / "gpu.json"
    options = ["--suite", "all", "--json", results]
    steps["benchmark"] = [python, benchmark, *options]
    return steps


def main(arguments=None):
    """Run the steps and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/gpu-check"))
    parser.add_argument(
        "--limit",
        type=float,
        default=900,
        metavar="S",
        help="seconds that one step may take (default: %(default)s)",
    )
    parser.add_argument(
        "steps",
        nargs="*",
        metavar="STEP",
        help="which to run (default: all): " + ", ".join(make_steps(ROOT)),
    )
    parser.add_argument("--smoke", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.smoke:
        # Without a pool, accesses outside of an array are seen.
        importlib.import_module("cupy").cuda.set_allocator(None)
        wrong = smoke()
        print("\n".join(wrong) or "as on the CPU")
        return min(len(wrong), 1)
    out = options.out.resolve()
    steps = make_steps(out)
    unknown = set(options.steps) - set(steps)
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    out.mkdir(parents=True, exist_ok=True)
    outcomes = [
        run_step(name, command, out, options.limit)
        for name, command in steps.items()
        if not options.steps or name in options.steps
    ]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
