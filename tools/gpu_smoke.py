#!/usr/bin/env python
"""Compile all CUDA kernels for this GPU, or compare them with the CPU.

``compile`` makes all modules, many at a time, in the cache that CuPy reads.
``all`` runs every kind of sweep on small problems, on the CPU in float64 too;
``quick`` does so with few of them, for use under compute-sanitizer.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np

import chainer_sdtw  # noqa: F401  (makes Chainer work)
import sdtw_cpu
from chainer_sdtw import cuda
from chainer_sdtw.cuda._modules import cupy_device
from chainer_sdtw.cuda._variants import EXPLICIT, variant

# What the smoke test takes. With the smallest gamma but 0, all pairs of
# float32 arrays are swept in float64.
ALL = {
    "sizes": ((1, 40), (31, 33), (70, 45)),
    "features": (1, 3),
    "gammas": (1.0, 0.01, 1e-6, 0.0),
    "dtypes": ("float32", "float64"),
}
QUICK = {**ALL, "sizes": ((70, 45),), "gammas": (0.01, 1e-6)}
TOLERANCES = {"float32": 1e-5, "float64": 1e-9}
ROUNDING = 1e-12
"""What rounding may take from costs, whose errors grow with 1 / gamma."""
PAIRS = 2


def all_variants():
    """Return all that the kernels are compiled for, by their options."""
    sizes = ((4, 4), (4, 8), (8, 8))
    kinds = [(EXPLICIT, 2, False), (EXPLICIT, 2, True)]
    costs = itertools.product(sdtw_cpu.costs.COSTS, (1, 2), (False,))
    found = {
        variant(*size, *kind)
        for size, kind in itertools.product(sizes, (*kinds, *costs))
    }
    return sorted(v.options for v in found)


def compile_variant(options):
    """Compile a module for the current GPU; return kernels' resources.

    Those of the kernels that sweep: registers of a thread, bytes of shared
    memory of a block and bytes of local memory of a thread.
    """
    begin = time.monotonic()
    module = cupy_device()._module(options)
    module.compile()
    kernels = [
        module.get_function(f"soft_dtw_{name}")
        for name in ("value", "adjoint")
    ]
    used = [
        (k.num_regs, k.shared_size_bytes, k.local_size_bytes) for k in kernels
    ]
    return used, time.monotonic() - begin


def compile_all(pool):
    """Compile all modules; return what is wrong.

    Args:
        pool: An executor, of processes: NVRTC compiles one module at a time.
    """
    wrong = []
    jobs = {v: pool.submit(compile_variant, v) for v in all_variants()}
    for options, job in jobs.items():
        name = " ".join(option.rpartition("_")[2] for option in options[:5])
        try:
            used, seconds = job.result()
        except Exception as error:
            wrong.append(f"{name}: {error}")
        else:
            print(f"{name}: {used}, {seconds:.1f} s", flush=True)
            if any(local for _, _, local in used):
                wrong.append(f"{name}: local memory is used")
    return wrong


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


def smoke(sizes, features, gammas, dtypes, device=None):
    """Compare every kind of sweep with the CPU; return the names of errors.

    Each is run twice, the second time in as little memory as possible, so
    that pairs and strips are swept some at a time.

    Args:
        sizes: Lengths (m, n) of the series.
        features: Their numbers of features.
        gammas: Smoothings.
        dtypes: Types of the arrays, by name.
        device: Where the kernels run, by default CuPy's current GPU.
    """
    xp = np if device else importlib.import_module("cupy")
    to_host = np.asarray if device else xp.asnumpy
    random = np.random.default_rng(1)
    wrong = []
    for name, arrays, gamma, options in problems(
        sizes, features, gammas, dtypes
    ):
        print(name, flush=True)
        dtype = arrays[0].dtype
        tolerance = TOLERANCES[dtype.name] + (gamma and ROUNDING / gamma)
        directions = tuple(
            random.standard_normal(a.shape).astype(dtype) for a in arrays
        )
        grads = tuple(random.standard_normal((2, PAIRS)).astype(dtype))
        for along, limit in itertools.product((None, directions), (None, 1)):
            with cuda.memory_limit(limit):
                actual = sweep(
                    cuda,
                    tuple(map(xp.asarray, arrays)),
                    along and tuple(map(xp.asarray, along)),
                    gamma,
                    tuple(map(xp.asarray, grads)),
                    device=device,
                    **options,
                )
            if limit is None:
                expected = sweep(
                    sdtw_cpu,
                    tuple(a.astype(np.float64) for a in arrays),
                    along and tuple(a.astype(np.float64) for a in along),
                    gamma,
                    tuple(g.astype(np.float64) for g in grads),
                    **options,
                )
            error = compare(map(to_host, actual), expected)
            if not error <= tolerance:
                kind = "tangents" if along else "gradients"
                memory = ", little memory" if limit else ""
                wrong.append(f"{name}, {kind}{memory}: {error:.1e}")
                print(f"WRONG: {wrong[-1]}", flush=True)
    return wrong


def describe():
    """Return what the checks run on."""
    cupy = importlib.import_module("cupy")
    backend = importlib.import_module("chainer.backends.cuda")
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    return {
        "device": properties["name"].decode(),
        "capability": cupy.cuda.Device().compute_capability,
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "cupy": cupy.__version__,
        "chainer sees it": backend.available,
        "processors": os.cpu_count(),
    }


def main(arguments=None):
    """Do what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("compile", "quick", "all"))
    what = parser.parse_args(arguments).what
    print(json.dumps(describe()), flush=True)
    if what == "compile":
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(mp_context=spawn) as pool:
            wrong = compile_all(pool)
    else:
        # Without a pool, accesses outside of an array are seen.
        importlib.import_module("cupy").cuda.set_allocator(None)
        wrong = smoke(**(QUICK if what == "quick" else ALL))
    print("\n".join(wrong) or "nothing is wrong")
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main())
