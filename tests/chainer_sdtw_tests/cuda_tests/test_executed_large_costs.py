"""The kernels of chainer_sdtw.cuda where costs exceed what exponents hold."""

import large_costs
import numpy as np
import pytest
import reference
from ptx_on_cpu.sweeps import PTXDevice, unsupported
from reference import make

from chainer_sdtw import cuda
from chainer_sdtw.cuda import _arrays, _batch, _launch, _variants

if unsupported():
    pytest.skip(str(unsupported()), allow_module_level=True)

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(scope="module")
def device():
    return PTXDevice()


# --- Beside exact solutions ---

FEW, MANY = 80, 1000


@pytest.mark.parametrize("first", range(0, FEW, 20))
def test_problems(device, first):
    for index in range(first, first + 20):
        large_costs.check(large_costs.problem(index), cuda, device=device)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FEW, MANY, 230))
def test_more_problems(device, first):
    for index in range(first, first + 230):
        large_costs.check(large_costs.problem(index), cuda, device=device)


def test_sums_beside_large_cells(device):
    large_costs.check_sums_beside_large_cells(cuda, device=device)


@DTYPES
def test_one_large_cost(device, dtype):
    """A cell that no good alignment touches is as good as forbidden."""
    for large in (1e13, 1e14, 1e20, 1e37, np.inf):
        cost = np.array([[[0, 1, large], [1, 0, 0]]], dtype)
        value, tape = cuda.value_from_cost(cost, 1.0, tape=True, device=device)
        e = cuda.adjoint(tape)
        expected = reference.soft_dtw(
            np.array([[0, 1, np.inf], [1, 0, 0]]), 1.0
        )
        np.testing.assert_allclose(value, -0.7436683806, 1e-6)
        np.testing.assert_allclose(value[0], expected[0], 1e-6)
        np.testing.assert_allclose(e[0], expected[1], 1e-6, 1e-7)


@DTYPES
def test_large_costs_off_a_band(device, rng, dtype):
    c = reference.squared_euclidean(
        *make(rng, "series", 1, 100, 100, 1, dtype)
    )
    off = abs(np.subtract.outer(np.arange(100), np.arange(100))) > 9
    found = []
    for large in (1e10, 1e30, np.inf):
        cost = np.where(off, large, c).astype(dtype)
        value, tape = cuda.value_from_cost(
            cost, 0.01, tape=True, device=device
        )
        found.append((value, cuda.adjoint(tape)))
    expected = reference.soft_dtw(np.where(off, np.inf, c.astype(dtype)), 0.01)
    for value, e in found:
        np.testing.assert_allclose(value, expected[0], 2e-6)
        np.testing.assert_allclose(e, expected[1], 1e-3, 2e-6)


@DTYPES
@pytest.mark.parametrize("cost", large_costs.COSTS[1:])
def test_spikes_in_both_series(device, dtype, cost):
    rng = np.random.RandomState(0)
    x, y = rng.randn(20, 1), rng.randn(20, 1)
    x[10] = y[12] = 1e7
    if cost == "sqeuclidean" and dtype == np.float64:
        value = cuda.value(x[None], y[None], 1.0, device=device)
        np.testing.assert_allclose(value, 27.83548, 1e-6)
    for spike in (1e7, 1e15, 1e30):
        for d in (1, 3):
            x[10] = y[12] = spike
            arrays = (np.repeat(a, d, 1)[None].astype(dtype) for a in (x, y))
            lengths = np.array([20]), np.array([20])
            moves = rng.randn(2, 1, 20, d).astype(dtype)
            given = large_costs.Problem(
                f"{cost} {spike} {d}",
                cost,
                tuple(arrays),
                0.001 if cost == "sqeuclidean" else 1e-8,
                lengths,
                None,
                tuple(moves),
            )
            large_costs.check(given, cuda, device=device)


# --- What becomes of the pairs of a batch ---


def mixed(dtype):
    """Costs in range, capped, and of optima that are out of range."""
    rng = np.random.default_rng(5)
    cost = rng.integers(0, 3, (5, 200, 60)).astype(dtype)
    cost[1, 20, 30:] = 1e18
    cost[2, 50] = 1e18  # a wall
    cost[3, 5] = np.inf
    cost[4, 7:9] = 1e33
    cost[4, 100, :30] = np.inf
    return cost, np.array([200, 190, 200, 170, 100])


def swept(cost, rows, device):
    value, tape = cuda.value_from_cost(
        cost, 0.5, x_length=rows, tape=True, device=device
    )
    e = cuda.adjoint(tape)
    direction = np.cos(np.arange(200 * 60, dtype=cost.dtype))
    direction = direction.reshape(1, 200, 60)
    value, tangent, tape = cuda.tangent_from_cost(
        cost, direction, 0.5, x_length=rows, tape=True, device=device
    )
    return value, e, tangent, cuda.adjoint_tangent(tape)


@DTYPES
def test_each_pair_is_as_if_alone(device, dtype):
    cost, rows = mixed(dtype)
    together = swept(cost, rows, device)
    for b in range(5):
        alone = swept(cost[b : b + 1], rows[b : b + 1], device)
        for a, one in zip(together, alone):
            np.testing.assert_array_equal(a[b], one[0])
    np.testing.assert_allclose(together[0][2:], [1e18, np.inf, 2e33], 1e-6)


@DTYPES
def test_slabs(device, dtype):
    cost, rows = mixed(dtype)
    whole = swept(cost, rows, device)
    for limit in (1_500_000, 400_000, 100_000):
        with cuda.memory_limit(limit):
            again = swept(cost, rows, device)
        for a, e in zip(again, whole):
            np.testing.assert_array_equal(a, e)


def test_the_order_of_threads_changes_no_bit():
    cost, rows = mixed(np.float32)
    first = swept(cost, rows, PTXDevice(seed=0))
    for seed in range(1, 4):
        again = swept(cost, rows, PTXDevice(seed=seed))
        for a, b in zip(first, again):
            np.testing.assert_array_equal(a, b)


# --- Gammas ---


@DTYPES
@pytest.mark.parametrize("gamma", [1e60, 1e100, 1e285, 1e290])
def test_gammas_as_large_as_numbers(device, rng, dtype, gamma):
    """All alignments count alike: the tangent is the mean of their costs."""
    for scale in (1.0, 1e30):
        cost = (scale * rng.random((2, 5, 6))).astype(dtype)
        z = rng.standard_normal(cost.shape).astype(dtype)
        batch = _batch.DeviceBatch(
            device=device,
            cost=_variants.EXPLICIT,
            x=cost,
            y=None,
            gamma=gamma,
            limits=_arrays.Limits(),
            direction=z,
        )
        _, tangent, tape = _launch.sweep_values(batch, True)
        change = np.zeros_like(cost)
        grads = np.ones(2, dtype), np.zeros(2, dtype)
        e = np.zeros_like(cost)
        tape.sweep_back(grads[0], change, None, grads[1], e)
        paths = np.array(list(reference.alignments(5, 6)))
        mean = paths.mean(axis=0)
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        value = (mean * cost).sum(axis=(1, 2)) - gamma * np.log(len(paths))
        np.testing.assert_allclose(tape.result[:2], value, 1e-12)
        np.testing.assert_allclose(e, [mean] * 2, tolerance)
        np.testing.assert_allclose(
            tangent, (mean * z).sum(axis=(1, 2)), tolerance, tolerance
        )
        spread = np.array([p - mean for p in paths])
        along = (spread * z[:, None]).sum(axis=(2, 3))
        bend = -np.tensordot(along / len(paths), spread, 1) / gamma
        error = abs(change.astype(np.float64) - bend)
        assert error.max() <= max(tolerance * abs(bend).max(), 1e-45)
