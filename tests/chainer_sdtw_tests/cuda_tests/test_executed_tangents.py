"""Tangents by the kernels of chainer_sdtw.cuda, run on the CPU."""

import numpy as np
import pytest
import reference
from executed import TOLERANCE
from ptx_on_cpu.sweeps import PTXDevice, unsupported
from reference import make

import sdtw_cpu
from chainer_sdtw import cuda
from sdtw_cpu.checks import COSTS

if unsupported():
    pytest.skip(str(unsupported()), allow_module_level=True)


@pytest.fixture(scope="module")
def device():
    return PTXDevice()


def holed(rng, cost):
    """The cost with forbidden cells, but not on one path."""
    m, n = cost.shape[1:]
    at = rng.random(cost.shape) < 0.15
    k = np.arange(max(m, n))
    at[:, np.minimum(k, m - 1), np.minimum(k, n - 1)] = False
    cost[at] = np.inf
    return cost


@pytest.mark.parametrize("gamma", [0, 0.01, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents_from_cost(device, rng, dtype, gamma):
    for m, n in ((1, 1), (1, 40), (40, 1), (31, 33), (33, 64), (70, 45)):
        cost = holed(rng, make(rng, "explicit", 2, m, n, 2, dtype)[0])
        z = rng.standard_normal(cost.shape).astype(dtype)
        lengths = [m, max(m - 7, 1)], [n, n]
        grads = rng.standard_normal((2, 2)).astype(dtype)
        expected = reference.tangent(cost, z, gamma, *lengths, *grads)
        z[np.isinf(cost)] = np.nan
        value, change, tape = cuda.tangent_from_cost(
            cost,
            z,
            gamma,
            x_length=lengths[0],
            y_length=lengths[1],
            tape=True,
            device=device,
        )
        actual = value, change, cuda.adjoint_tangent(tape, *grads)
        for a, e in zip(actual, expected):
            assert a.dtype == dtype
            scale = max(np.linalg.norm(e), gamma)
            assert np.linalg.norm(a - e) <= 2 * TOLERANCE[dtype] * scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents_of_all_ranges(device, rng, dtype):
    """For float32: float, double, log space.

    Then NaN as a cost, as a direction, and no path.
    """
    (cost,) = make(rng, "explicit", 6, 40, 50, 2, dtype)
    cost *= np.array([1, 1e7, 1e37, 1, 1, 1], dtype)[:, None, None]
    z = rng.standard_normal(cost.shape).astype(dtype)
    cost[3, 39, 0] = np.nan
    z[4, 39, 0] = np.nan
    cost[5, 30] = np.inf
    gamma = 0.01
    value, change, tape = cuda.tangent_from_cost(
        cost, z, gamma, tape=True, device=device
    )
    et = cuda.adjoint_tangent(tape, None, np.full(6, 2, dtype))
    assert np.isnan(value[3]) and np.isfinite(value[4])
    assert np.isnan(change[3:5]).all() and np.isnan(et[3:5]).all()
    assert value[5] == np.inf and change[5] == 0 and not et[5].any()
    expected = reference.tangent(cost[:2], z[:2], gamma, grad_tangent=2)
    for a, e in zip((value, change, et), expected):
        for b in range(2):
            # As many digits as the logarithms of the reference have.
            tolerance = max(10 * TOLERANCE[dtype], 1e-7)
            assert reference.error(a[b], e[b]) <= tolerance
    # Only one of the tangents was not a number.
    np.testing.assert_allclose(
        value[4], sdtw_cpu.value_from_cost(cost[4:5], gamma)[0], rtol=1e-5
    )
    # So much larger than gamma that it is that of gamma 0.
    expected = reference.tangent(cost[2:3], z[2:3], 0, grad_tangent=2)
    for a, e in zip((value[2:3], change[2:3], et[2:3]), expected):
        assert reference.error(a, e) <= TOLERANCE[dtype]


def directions(rng, x, y):
    """Of every kind, by name; where x meets y, both move alike."""
    dx, dy = (rng.standard_normal(a.shape).astype(a.dtype) for a in (x, y))
    dx[:, 7:12] = dy[:, :5]
    return {
        "both": (dx, dy),
        "x": (dx * (dx[:, :1] > 9), None),
        "cost": "cost",
        "matrix": rng.random((1, x.shape[1], y.shape[1])).astype(x.dtype),
    }


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents(device, rng, dtype, cost, d):
    x, y = make(rng, "series", 3, 35, 45, d, dtype)
    y[:, :5] = x[:, 7:12]  # where distances are zero
    lengths = np.array([35, 33, 20]), np.array([30, 45, 45])
    grads = rng.standard_normal((2, 3)).astype(dtype)
    for kind, z in directions(rng, x, y).items():
        value, change, tape = cuda.tangent(
            x,
            y,
            z,
            0.1,
            cost=cost,
            x_length=lengths[0],
            y_length=lengths[1],
            tape=True,
            device=device,
        )
        gx, gy = cuda.adjoint_tangent(tape, *grads)
        expected = reference.tangents(x, y, z, 0.1, cost, *lengths, *grads)
        for a, e in zip((value, change, gx, gy), expected):
            assert a.dtype == dtype and a.shape == e.shape
            tolerance = max(TOLERANCE[dtype], 1e-11)
            assert np.linalg.norm(a - e) <= tolerance * max(
                np.linalg.norm(e), 1
            ), kind
        only = cuda.adjoint_tangent(tape, *grads, y=False)
        assert only[1] is None
        np.testing.assert_array_equal(only[0], gx)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents_in_portions(device, rng, dtype):
    """Of the batch, or of the strips of a pair: the same bits."""
    x, y = make(rng, "series", 3, 130, 40, 2, dtype)
    x[2, 129, 1] = np.inf
    x[1, 125:] = np.nan
    z = make(rng, "series", 3, 130, 40, 2, dtype)
    lengths = {"x_length": [130, 125, 130], "y_length": [40, 38, 40]}
    found = []
    for limit in (None, 10**6, 10**4):
        with np.errstate(invalid="ignore"), cuda.memory_limit(limit):
            value, change, tape = cuda.tangent(
                x, y, z, tape=True, device=device, **lengths
            )
            found.append((value, change, *cuda.adjoint_tangent(tape)))
    for a, *others in zip(*found):
        assert np.isfinite(a[:2]).all() and np.isnan(a[2]).all()
        for b in others:
            np.testing.assert_array_equal(a, b)
    assert not found[0][2][1, 125:].any() and not found[0][3][1, 38:].any()


def test_directions_for_all_pairs(device, rng):
    (cost,) = make(rng, "explicit", 3, 20, 30, 2, np.float32)
    z = rng.random((20, 30)).astype(np.float32)
    found = []
    for form in (
        np.stack([z] * 3),
        np.broadcast_to(z, cost.shape),
        z[None],
        z[None, ::-1][:, ::-1],
    ):
        value, change, tape = cuda.tangent_from_cost(
            cost, form, tape=True, device=device
        )
        found.append((value, change, cuda.adjoint_tangent(tape)))
    expected = reference.tangent(cost, z, 1.0)
    for a, e, *others in zip(found[0], expected, *found[1:]):
        assert reference.error(a, e) <= 1e-5
        for b in others:
            np.testing.assert_array_equal(a, b)
    # The cost itself.
    value, change, tape = cuda.tangent_from_cost(
        cost, "cost", tape=True, device=device
    )
    expected = reference.tangent(cost, cost, 1.0, grad_tangent=1.0)
    et = cuda.adjoint_tangent(tape, grad_tangent=np.ones(3))
    for a, e in zip((value, change, et), expected):
        assert reference.error(a, e) <= 1e-5
