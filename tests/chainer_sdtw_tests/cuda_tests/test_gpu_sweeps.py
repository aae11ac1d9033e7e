"""Values and gradients on a GPU, compared with those of sdtw_cpu."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import large_costs
import numpy as np
import pytest
import reference
from chainer.backends.cuda import cupy
from chainer.testing import attr
from gpu_sweeps import (
    KINDS,
    TOLERANCE,
    assert_near,
    assert_same,
    check,
    exact,
    on_gpu,
    swept,
)
from reference import make

import sdtw_cpu
from chainer_sdtw import cuda
from sdtw_cpu.checks import COSTS


@attr.gpu
@pytest.mark.parametrize("d", [1, 2, 17, 64, "explicit"])
@pytest.mark.parametrize("gamma", [0, 1e-3, 0.1, 1, 10])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_gradients(rng, dtype, gamma, d):
    kind, d = ("explicit", 2) if d == "explicit" else ("series", d)
    arrays = make(rng, kind, 5, 100, 77, d, dtype)
    check(arrays, gamma)
    for _ in range(3):
        check(arrays, gamma, [rng.integers(1, k + 1, 5) for k in (100, 77)])


@attr.gpu
@pytest.mark.parametrize("d", [1, 2, 17, 64])
@pytest.mark.parametrize("cost", COSTS[1:])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_costs(rng, dtype, cost, d):
    x, y = make(rng, "series", 5, 100, 77, d, dtype)
    y[:, :9] = x[:, 7:16]  # where distances are zero
    y[:, 9:12, 0] = x[:, 2:5, 0]
    given = cupy.asarray(x), cupy.asarray(y)
    lengths = [rng.integers(1, k + 1, 5) for k in (100, 77)]
    for gamma in (0, 1e-3, 0.1, 1):
        actual = [a.get() for a in swept(given, gamma, lengths, cost=cost)]
        expected = reference.batch_of_cost(x, y, gamma, cost, *lengths)
        assert_near(actual, expected, gamma, dtype)
        again = [a.get() for a in swept(given, gamma, lengths, cost=cost)]
        assert_same(again, actual)


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges_of_strips_and_segments(rng, dtype, kind):
    d = 1 if kind == "univariate" else 17
    edges = (1, 2, 7, 8, 31, 32, 33, 63, 64, 65)
    for m in edges:
        for n in edges:
            check(make(rng, kind, 1, m, n, d, dtype), 1.0)


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_pairs(rng, dtype):
    lengths = [rng.integers(1, k + 1, 2000) for k in (40, 50)]
    check(make(rng, "series", 2000, 40, 50, 3, dtype), 0.5, lengths)


@attr.gpu
def test_reference_values():
    for case in reference.cases().values():
        x, y = case["x"][None], case["y"][None]
        value, gx, _ = on_gpu((x, y), float(case["gamma"]))
        assert reference.error(value, case["value"]) <= 1e-10
        assert reference.error(gx[0], case["gx"]) <= 1e-8


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairs_of_all_ranges_in_one_batch(rng, dtype):
    """For float32: float, double, log space, NaN; each as if it were alone."""
    scale = np.array([1, 1e4, 1e18, 1, 1], dtype)[:, None, None]
    x, y = make(rng, "univariate", 5, 70, 40, 1, dtype)
    x, y = x * scale, y * scale
    x[3, 20] = np.nan
    y[4, 39] = np.inf
    actual = on_gpu((x, y), 0.01)
    expected = exact((x[:3], y[:3]), 0.01)
    for a, e in zip(actual, expected):
        assert np.isnan(a[3:]).all()
        for b in range(3):
            assert reference.error(a[b], e[b]) <= TOLERANCE[dtype]


class OnGPU:
    """The sweeps for arrays of NumPy, and back."""

    def __getattr__(self, name):
        def sweep(*arrays, **options):
            return move(getattr(cuda, name)(*move(arrays), **options))

        def move(a):
            if isinstance(a, (tuple, list)):
                return tuple(map(move, a))
            if isinstance(a, np.ndarray):
                return cupy.asarray(a)
            return a.get() if isinstance(a, cupy.ndarray) else a

        return sweep


@attr.gpu
@pytest.mark.parametrize("first", range(0, 120, 20))
def test_large_costs(first):
    for index in range(first, first + 20):
        large_costs.check(large_costs.problem(index), OnGPU())


@attr.gpu
@pytest.mark.parametrize("gamma", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forbidden_cells(rng, dtype, gamma):
    (cost,) = make(rng, "explicit", 4, 60, 50, 2, dtype)
    cost[0][rng.random((60, 50)) < 0.2] = np.inf
    cost[0].flat[:: 50 + 1] = 0
    cost[0, 49:, 49] = 0
    cost[1, 30] = np.inf  # no path
    cost[2, 10, 10] = np.nan
    cost[3, 10, 10] = -np.inf
    value, e = on_gpu((cost,), gamma)
    assert np.isfinite(value[0]) and value[1] == np.inf
    assert np.isnan(value[2:]).all() and np.isnan(e[2:]).all()
    assert not e[1].any() and not e[0][cost[0] == np.inf].any()
    expected = exact((cost[:1],), gamma)
    assert_near((value[:1], e[:1]), expected, gamma, dtype)


@attr.gpu
@pytest.mark.parametrize("gamma", [1, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("length", [1024, 4096])
@pytest.mark.parametrize("d", [1, 8])
def test_float32_gradients(d, length, gamma):
    rng = np.random.default_rng([d, length])
    arrays = make(rng, "series", 2, length, length, d, np.float32)
    actual, expected = on_gpu(arrays, gamma), exact(arrays, gamma)
    for a, e in zip(actual[1:], expected[1:]):
        for b in range(2):
            assert reference.error(a[b], e[b]) <= 1e-5


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_large(rng, kind, dtype):
    d = 1 if kind == "univariate" else 8
    lengths = np.array([2000, 1, 1999, 31]), np.array([3000, 3000, 1025, 64])
    arrays = make(rng, kind, 4, 2000, 3000, d, dtype)
    check(arrays, 1.0)
    check(arrays, 0.1, lengths)


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_of_a_long_pair(rng, dtype):
    length = 16384
    x, y = make(rng, "univariate", 1, length, length, 1, dtype)
    value = cuda.value(cupy.asarray(x), cupy.asarray(y), 1.0)
    expected = sdtw_cpu.value(x.astype(float), y.astype(float), 1.0)
    assert reference.error(value.get(), expected) <= TOLERANCE[dtype]


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_runs_give_the_same_bits(rng, dtype, kind):
    d = 1 if kind == "univariate" else 8
    arrays = make(rng, kind, 64, 300, 300, d, dtype)
    first = on_gpu(arrays, 0.1)
    assert np.isfinite(first[0]).all()
    for _ in range(3):
        assert_same(on_gpu(arrays, 0.1), first)
