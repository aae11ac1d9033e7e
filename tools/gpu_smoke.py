#!/usr/bin/env python
"""Runs the CUDA sweeps on small problems and compares them with sdtw_cpu.

Costs other than the squared Euclidean one, and tangents, are compared with
the recursions of ``tests/reference.py``.

Meant to be run under compute-sanitizer, for which it is short; allocations
are then to be CuPy's own, not a pool's, so that an access outside of one is
seen: ``--no-pool``. ``--train`` trains a small model of Chainer as well, and
``--emulated`` runs the kernels on the CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import itertools
import pathlib
import sys
import types

import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools"), str(ROOT / "tests")]

SIZES = ((1, 1), (1, 40), (40, 1), (31, 33), (33, 64), (70, 45))
FEATURES = (1, 3, 20)
GAMMAS = (1.0, 0.01, 0.0)
TOLERANCE = {"float32": 1e-5, "float64": 1e-9}
PAIRS = 2


def import_sweeps():
    """Return ``chainer_sdtw.cuda``, which needs no Chainer itself."""
    known = "chainer_sdtw" in sys.modules
    if not known and importlib.util.find_spec("chainer") is None:
        # The package without what its __init__ imports.
        package = types.ModuleType("chainer_sdtw")
        package.__path__ = [str(ROOT / "chainer_sdtw")]
        sys.modules["chainer_sdtw"] = package
    return importlib.import_module("chainer_sdtw.cuda")


sweeps = import_sweeps()
plan = importlib.import_module("chainer_sdtw.cuda._plan")
sdtw_cpu = importlib.import_module("sdtw_cpu")
reference = importlib.import_module("reference")


@contextlib.contextmanager
def small_slabs():
    """Keep so little of a tape that it is split into slabs."""
    before = plan.FREE_BYTES
    plan.FREE_BYTES = 1
    try:
        yield
    finally:
        plan.FREE_BYTES = before


class Smoke:
    """The comparisons, and how bad the worst is."""

    def __init__(self, device):
        self.device = device
        if device is None:
            self.cupy = importlib.import_module("cupy")
        self.worst = dict.fromkeys(TOLERANCE, 0.0)
        self.cases = 0
        self.wrong = []

    def to_device(self, array):
        """Return the array where the kernels run."""
        if array is None:
            return None
        if self.device is None:
            return self.cupy.asarray(array)
        return np.array(array)

    def to_host(self, array):
        """Return an array of NumPy."""
        return self.cupy.asnumpy(array) if self.device is None else array

    def compare(self, name, arrays, gamma, lengths, seed):
        """Run both sweeps of a batch here and in sdtw_cpu."""
        dtype = arrays[0].dtype.name
        kind = "value" if len(arrays) == 2 else "value_from_cost"
        given = [self.to_device(a) for a in arrays]
        value, tape = getattr(sweeps, kind)(
            *given, gamma, tape=True, device=self.device, **lengths
        )
        result = sweeps.adjoint(tape, self.to_device(seed))
        exact = [a.astype(np.float64) for a in arrays]
        expected_value, tape = getattr(sdtw_cpu, kind)(
            *exact, gamma, tape=True, **lengths
        )
        expected = sdtw_cpu.adjoint(tape, seed.astype(np.float64))
        if len(arrays) == 1:
            result, expected = (result,), (expected,)
        names = "value", "first gradient", "second gradient"
        self.judge(
            name, dtype, names, (value, *result), (expected_value, *expected)
        )

    def judge(self, name, dtype, names, actual, expected):
        """Compare what was found with what should have been."""
        self.cases += 1
        for what, a, b in zip(names, actual, expected):
            a = np.asarray(self.to_host(a), np.float64)
            # Where no path is left, both are inf.
            both = np.isinf(b) & (a == b)
            a, b = a[~both], b[~both]
            scale = np.linalg.norm(b) or 1
            error = float(np.linalg.norm(a - b) / scale)
            self.worst[dtype] = max(self.worst[dtype], error)
            if not error <= TOLERANCE[dtype]:
                self.wrong.append(f"{name}, {what}: {error:.1e}")

    def compare_cost(self, name, arrays, gamma, cost):
        """Run both sweeps under another cost, here and in the reference."""
        given = map(self.to_device, arrays)
        value, tape = sweeps.value(
            *given, gamma, cost=cost, tape=True, device=self.device
        )
        actual = value, *sweeps.adjoint(tape)
        expected = reference.batch_of_cost(*arrays, gamma, cost)
        names = "value", "first gradient", "second gradient"
        self.judge(name, arrays[0].dtype.name, names, actual, expected)

    def compare_tangents(self, name, cost, direction, gamma, seeds):
        """Run both sweeps with tangents, here and in the reference."""
        value, tangent, tape = sweeps.tangent_from_cost(
            self.to_device(cost),
            self.to_device(direction),
            gamma,
            tape=True,
            device=self.device,
        )
        change = sweeps.adjoint_tangent(tape, *map(self.to_device, seeds))
        expected = reference.tangent(
            cost, direction, gamma, seed=seeds[0], seed_tangent=seeds[1]
        )
        names = "value", "tangent", "tangent of the gradient"
        self.judge(
            name, cost.dtype.name, names, (value, tangent, change), expected
        )

    def run_others(self, quick):
        """Compare other costs, and tangents."""
        random = np.random.default_rng(1)
        for dtype, (m, n), gamma in itertools.product(
            TOLERANCE, SIZES[3:4] if quick else SIZES, GAMMAS[::2]
        ):
            end = f"{dtype} {m} x {n}, gamma={gamma:g}"
            for d, cost in itertools.product(
                FEATURES[:2] if quick else FEATURES, ("euclidean", "manhattan")
            ):
                arrays = tuple(
                    random.standard_normal((PAIRS, length, d)).astype(dtype)
                    for length in (m, n)
                )
                self.compare_cost(f"{cost} {end}, d={d}", arrays, gamma, cost)
            cost, direction = random.standard_normal((2, PAIRS, m, n)).astype(
                dtype
            )
            seeds = random.standard_normal((2, PAIRS)).astype(dtype)
            given = cost**2, direction, gamma, seeds
            self.compare_tangents(f"tangents {end}", *given)
            with small_slabs():
                self.compare_tangents(f"tangents, slabs {end}", *given)

    def run(self, quick):
        """Compare on every kind of problem."""
        random = np.random.default_rng(0)
        sizes = SIZES[3:5] if quick else SIZES
        features = FEATURES[:2] if quick else FEATURES
        gammas = GAMMAS[::2] if quick else GAMMAS
        for dtype, (m, n), gamma, d in itertools.product(
            TOLERANCE, sizes, gammas, (*features, "cost")
        ):
            seed = random.standard_normal(PAIRS).astype(dtype)
            if d == "cost":
                cost = random.random((PAIRS, m, n)).astype(dtype)
                if min(m, n) > 2:
                    cost[0, m // 2, 1:] = np.inf  # all paths in one column
                arrays = (cost,)
            else:
                arrays = tuple(
                    random.standard_normal((PAIRS, length, d)).astype(dtype)
                    for length in (m, n)
                )
            ragged = {
                "x_length": random.integers(1, m + 1, PAIRS),
                "y_length": random.integers(1, n + 1, PAIRS),
            }
            if d == "cost":
                ragged["y_length"][:] = n
            for lengths, slabs in (({}, False), (ragged, False), ({}, True)):
                if slabs and m <= plan.ROWS:
                    continue
                name = f"{dtype} {m} x {n}, d={d}, gamma={gamma:g}"
                name += ", ragged" * bool(lengths) + ", slabs" * slabs
                with small_slabs() if slabs else contextlib.nullcontext():
                    self.compare(name, arrays, gamma, lengths, seed)

    def report(self):
        """Print the outcome and return whether all is right."""
        for line in self.wrong[:20]:
            print("WRONG", line)
        worst = ", ".join(f"{k} {v:.1e}" for k, v in self.worst.items())
        print(
            f"{self.cases} cases, {len(self.wrong)} errors too large; "
            f"worst: {worst}"
        )
        return not self.wrong


def train(specifier, steps=60):
    """Train a small model with soft-DTW; return whether the loss falls."""
    import chainer_sdtw  # isort: skip  (before chainer)
    import chainer
    import chainer.functions as F
    import chainer.links as L

    device = chainer.get_device(specifier)
    device.use()
    random = np.random.default_rng(0)
    np.random.seed(0)  # noqa: NPY002  (Chainer's own)
    phase = random.uniform(0, np.pi, (64, 1))
    waves = np.sin(phase + np.arange(60) / 6).astype(np.float32)
    past, future = device.send(waves[:, :36]), device.send(waves[:, 36:])
    model = chainer.Sequential(L.Linear(36, 32), F.tanh, L.Linear(32, 24))
    model.to_device(device)
    optimizer = chainer.optimizers.Adam(alpha=0.01)
    optimizer.setup(model)
    losses = []
    for _ in range(steps):
        y = model(past)[:, :, None]
        loss = chainer_sdtw.soft_dtw(y, future[:, :, None], gamma=0.1)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.array))
    print(
        f"training on {device.name}: loss {losses[0]:.4g} to {losses[-1]:.4g} "
        f"in {steps} steps"
    )
    # Soft-DTW may become negative: fall by a part of the way to zero.
    return losses[-1] < losses[0] - 0.5 * abs(losses[0])


def main(arguments=None):
    """Run and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="fewer sizes, for racecheck"
    )
    parser.add_argument(
        "--no-pool",
        action="store_true",
        help="allocate every array by itself",
    )
    parser.add_argument(
        "--train", action="store_true", help="train a model, nothing else"
    )
    parser.add_argument("--emulated", action="store_true", help="on the CPU")
    options = parser.parse_args(arguments)
    if options.train:
        specifier = "@numpy" if options.emulated else "@cupy:0"
        return 0 if train(specifier) else 1
    device = None
    if options.emulated:
        device = importlib.import_module("cuda_on_cpu.sweeps").CPUDevice()
    elif options.no_pool:
        importlib.import_module("cupy").cuda.set_allocator(None)
    smoke = Smoke(device)
    smoke.run(options.quick)
    smoke.run_others(options.quick)
    return 0 if smoke.report() else 1


if __name__ == "__main__":
    sys.exit(main())
