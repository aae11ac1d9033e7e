"""Tangents on a GPU and their gradients."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest
import reference
from chainer.backends.cuda import cupy
from chainer.testing import attr
from gpu_sweeps import TOLERANCE, assert_same
from reference import make

from chainer_sdtw import cuda
from sdtw_cpu.checks import COSTS


@attr.gpu
@pytest.mark.parametrize("gamma", [0, 0.01, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents_from_cost(rng, dtype, gamma):
    (cost,) = make(rng, "explicit", 3, 100, 77, 2, dtype)
    z = rng.standard_normal(cost.shape).astype(dtype)
    lengths = [rng.integers(1, k + 1, 3) for k in (100, 77)]
    grads = rng.standard_normal((2, 3)).astype(dtype)
    expected = reference.tangent(cost, z, gamma, *lengths, *grads)
    found = []
    for _ in range(2):
        value, change, tape = cuda.tangent_from_cost(
            cupy.asarray(cost),
            cupy.asarray(z),
            gamma,
            x_length=lengths[0],
            y_length=lengths[1],
            tape=True,
        )
        et = cuda.adjoint_tangent(tape, *map(cupy.asarray, grads))
        found.append([a.get() for a in (value, change, et)])
    for a, e in zip(found[0], expected):
        scale = max(np.linalg.norm(e), gamma)
        assert np.linalg.norm(a - e) <= 2 * TOLERANCE[dtype] * scale
    assert_same(*found)


@attr.gpu
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents(rng, dtype, cost, d, monkeypatch):
    x, y = make(rng, "series", 3, 70, 45, d, dtype)
    y[:, :5] = x[:, 7:12]  # where distances are zero
    dx, dy = (rng.standard_normal(a.shape).astype(dtype) for a in (x, y))
    dx[:, 7:12] = dy[:, :5]  # and stay so
    lengths = np.array([70, 33, 20]), np.array([30, 45, 45])
    grads = rng.standard_normal((2, 3)).astype(dtype)
    matrix = rng.random((1, 70, 45)).astype(dtype)
    for z in ((dx, dy), "cost", matrix):
        if isinstance(z, tuple):
            given = tuple(map(cupy.asarray, z))
        else:
            given = z if isinstance(z, str) else cupy.asarray(z)
        found = []
        for limit in (None, 1):
            with cuda.memory_limit(limit):
                value, change, tape = cuda.tangent(
                    cupy.asarray(x),
                    cupy.asarray(y),
                    given,
                    0.1,
                    cost=cost,
                    x_length=lengths[0],
                    y_length=cupy.asarray(lengths[1]),
                    tape=True,
                )
            gradients = cuda.adjoint_tangent(tape, *map(cupy.asarray, grads))
            found.append([a.get() for a in (value, change, *gradients)])
        expected = reference.tangents(x, y, z, 0.1, cost, *lengths, *grads)
        for a, e in zip(found[0], expected):
            assert a.dtype == dtype and a.shape == e.shape
            tolerance = max(TOLERANCE[dtype], 1e-11)
            scale = max(np.linalg.norm(e), 1)
            assert np.linalg.norm(a - e) <= tolerance * scale
        assert_same(*found)
