"""Calls in which one allocation after the other fails.

Run with the library of ``allocations.cpp`` preloaded; prints a line of JSON
for each call ::

    LD_PRELOAD=allocations.so python allocation_failures.py new generic avx2

with the kind of allocation, and the instruction sets with which sweeps are
called. The kinds are ``new``, those of C++; ``arrays``, those of NumPy for
arrays; ``threads``, which may not start; and ``python``, those of Python for
objects.

The first allocation of a call fails, then the second, and so on, until the
call has no more of them: each with all that follow it, and, with the fastest
instruction set, each alone; those of Python only alone. Whatever fails, the
call raises a MemoryError or returns the right bits, frees what it has
allocated, and returns the right bits the next time, from the same tape too.
"""

from __future__ import annotations

import functools
import gc
import json
import sys

import chainer_sdtw  # isort: skip

import chainer
import numpy as np
import reference
from allocations import MANY, Allocations, Python
from chainer import Variable

import sdtw_cpu
from sdtw_cpu import _kernels
from sdtw_cpu.barycenter import sdtw_barycenter
from sdtw_cpu.distance import SquaredEuclidean


def series(batch, m, n, d=1, dtype=np.float64):
    rng = np.random.default_rng(0)
    x = reference.walks(rng, batch, m, d, dtype=dtype)
    return x, reference.walks(rng, batch, n, d, dtype=dtype)


def costs(batch, m, n, dtype=np.float64):
    cost = np.random.default_rng(0).random((batch, m, n)).astype(dtype)
    cost[:, m // 2 :, : n // 8] = np.inf
    return (cost,)


def there_and_back(sweep, adjoint, arrays, *direction, **options):
    """The calls of a sweep: without a tape, with one, and back."""

    def call(tape):
        return sweep(*arrays, *direction, tape=tape, **options)

    *_, tape = call(True)
    grad = np.linspace(-1, 1, len(arrays[0]))
    return {
        "": lambda: call(False),
        " with tape": lambda: call(True)[:-1],
        " back": lambda: adjoint(tape, grad),
    }


value = functools.partial(there_and_back, sdtw_cpu.value, sdtw_cpu.adjoint)
value_from_cost = functools.partial(
    there_and_back, sdtw_cpu.value_from_cost, sdtw_cpu.adjoint
)
tangent = functools.partial(
    there_and_back, sdtw_cpu.tangent, sdtw_cpu.adjoint_tangent
)
tangent_from_cost = functools.partial(
    there_and_back, sdtw_cpu.tangent_from_cost, sdtw_cpu.adjoint_tangent
)


def kernels():
    """Calls of the sweeps, for one instruction set."""
    long, short = series(1, 520, 500), series(9, 30, 25, 3, np.float32)
    lengths = {"x_length": [30] * 5 + [7] * 4, "y_length": [25, 3, 9] * 3}
    band = sdtw_cpu.sakoe_chiba_band(520, 500, 60)
    matrices = costs(2, 420, 400)
    huge = tuple(a * 1e8 for a in series(3, 40, 50))
    made = {
        "value": value(long, gamma=0.1),
        "value of a batch": value(short, gamma=0.1, **lengths),
        "hard value": value(short, gamma=0, cost="manhattan"),
        "value in a band": value(long, band=band),
        "value of large costs": value(huge, gamma=1e-3),
        "value in log space": value(huge, gamma=1e-300),
        "value from costs": value_from_cost(matrices),
        "value from costs in float32": value_from_cost(
            costs(5, 30, 40, np.float32)
        ),
        "tangent along series": tangent(long, long, cost="huber"),
        "tangent along costs": tangent(short, "cost", cost="euclidean"),
        "tangent of costs": tangent_from_cost(
            matrices, np.ones_like(matrices[0])
        ),
    }
    return {
        name + part: call
        for name, calls in made.items()
        for part, call in calls.items()
    }


def extension():
    """Calls of the extension itself, with no other package in between."""
    (x, y), (cost,) = series(2, 60, 50), costs(2, 60, 50)
    lengths = np.array([60, 40]), np.array([50, 50])
    band = sdtw_cpu.sakoe_chiba_band(60, 50, 30)
    limits = (*lengths, band)
    directions = {"": None, " along costs": "cost", " along series": (x, y)}

    def sweep(x, y, name, direction=None):
        made = _kernels.Sweep(x, y, name, 1.0, *limits, True, direction)
        outputs = np.empty(2), None if direction is None else np.empty(2)
        made.value(*outputs)
        grads = np.ones(2), None if direction is None else np.ones(2)
        grad_x, grad_y = np.zeros_like(x), y if y is None else np.zeros_like(y)
        if y is None:
            made.adjoint(*grads, None, None, grad_x)
        else:
            made.adjoint(*grads, grad_x, grad_y, None)
        return outputs[0], grad_x, grad_y

    return {
        **{
            f"sweep of series{name}": functools.partial(
                sweep, x, y, "huber", direction
            )
            for name, direction in directions.items()
        },
        "sweep of costs": functools.partial(sweep, cost, None, None),
    }


def settings():
    """The functions of settings."""
    return {
        "isa_levels": lambda: len(sdtw_cpu.isa_levels()),
        "isa": lambda: len(sdtw_cpu.isa()),
        "set_isa": lambda: sdtw_cpu.set_isa(sdtw_cpu.isa()),
    }


def others():
    """Other calls that do not depend on the instruction set."""
    x, y = series(4, 20, 20)
    mask = np.tri(20, 20, 3, bool) & np.tri(20, 20, 3, bool).T
    matrix = costs(1, 20, 20)[0][0]

    def squared_euclidean():
        made = SquaredEuclidean(x[0], y[0])
        return made.compute(), made.jacobian_product(matrix)

    def soft_dtw():
        made = sdtw_cpu.SoftDTW(matrix)
        return made.compute(), made.grad()

    return {
        "sakoe_chiba_band": lambda: sdtw_cpu.sakoe_chiba_band(
            20, 20, 4, x_length=[20, 7], y_length=[19, 20]
        ),
        "band_from_mask": lambda: sdtw_cpu.band_from_mask(mask[None]),
        "SoftDTW": soft_dtw,
        "SquaredEuclidean": squared_euclidean,
        "sdtw_barycenter": lambda: sdtw_barycenter(x, y[0], max_iter=3),
    }


def losses():
    """Calls through Chainer."""
    x, y = (Variable(a) for a in series(4, 20, 20))

    def with_gradients():
        value = chainer_sdtw.soft_dtw_divergence(x, y, 0.1)
        return value, chainer.grad([value], [x, y])

    def with_second_derivatives():
        value = chainer_sdtw.soft_dtw(x, y, 0.1, bandwidth=5)
        (first,) = chainer.grad([value], [x], enable_double_backprop=True)
        return chainer.grad([chainer.functions.sum(first**2)], [x, y])

    return {
        "soft_dtw_divergence": with_gradients,
        "soft_dtw": with_second_derivatives,
        "soft_alignment": lambda: chainer_sdtw.soft_alignment(x, y),
        "alignment_path": lambda: chainer_sdtw.alignment_path(x, y),
        "pairwise_soft_dtw": lambda: chainer_sdtw.pairwise_soft_dtw(x.array),
        "nearest_neighbors": lambda: chainer_sdtw.nearest_neighbors(
            x.array, y.array, 2, bandwidth=4
        ),
        "barycenter": lambda: chainer_sdtw.barycenter(x.array, max_iter=3),
    }


def planted():
    """A call of other bits each time, and one that frees nothing."""
    kept, count = [], iter(range(MANY))
    x, y = series(1, 20, 20)
    return {
        "bits": lambda: sdtw_cpu.value(x, y, 1 + next(count)),
        "leak": lambda: kept.append(sdtw_cpu.value(x, y, tape=True)),
    }


def main(kind, *levels):
    groups = [(level, kernels) for level in levels]
    groups += [(sdtw_cpu.isa(), make) for make in (settings, others, losses)]
    if kind == "python":
        # NumPy crashes in many places where Python has no memory for it.
        groups = [(sdtw_cpu.isa(), make) for make in (extension, settings)]
    if not levels:
        groups = [(sdtw_cpu.isa(), planted)]
    allocations = Python() if kind == "python" else Allocations(kind)
    gc.disable()
    sdtw_cpu.set_num_threads(3)
    for level, make in groups:
        sdtw_cpu.set_isa(level)
        alone = make is not losses and level == groups[-1][0]
        for name, call in make().items():
            # Tells where it ends if the process does.
            print(f"{make.__name__}, {level}: {name}", file=sys.stderr)
            print(json.dumps({"name": name, **allocations.check(call, alone)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
