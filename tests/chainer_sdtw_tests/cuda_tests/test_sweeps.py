"""The kernels of chainer_sdtw.cuda, run on the CPU, beside sdtw_cpu."""

import ctypes

import numpy as np
import pytest
import reference
from executed import KINDS, TOLERANCE, check, random_problem, swept
from ptx_on_cpu.sweeps import PTXDevice, unsupported
from reference import make

from chainer_sdtw import cuda
from sdtw_cpu.costs import COSTS

if unsupported():
    pytest.skip(str(unsupported()), allow_module_level=True)


@pytest.fixture(scope="module")
def device():
    return PTXDevice()


OTHERS = [name for name in COSTS if name != "sqeuclidean"]

# --- Shapes ---

SHAPES = 150  # for each dtype and kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_shapes(device, dtype, kind):
    rng = np.random.default_rng([KINDS.index(kind), dtype().itemsize])
    for i in range(SHAPES):
        arrays, gamma, lengths, name = random_problem(rng, kind, dtype, i % 2)
        try:
            check(arrays, gamma, lengths, device=device)
        except AssertionError as e:
            raise AssertionError(name) from e


EDGES = (1, 2, 7, 8, 31, 32, 33, 63, 64, 65)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges_of_strips_and_segments(device, rng, dtype, kind):
    for m in EDGES:
        for n in EDGES:
            d = 1 if kind == "univariate" else 17
            check(make(rng, kind, 1, m, n, d, dtype), 1.0, device=device)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 15, 16, 17, 33, 70])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_features(device, rng, dtype, d):
    arrays = make(rng, "multivariate", 2, 37, 45, d, dtype)
    check(arrays, 1.0, device=device)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_long(device, rng, kind):
    d = 1 if kind == "univariate" else 3
    check(make(rng, kind, 2, 300, 700, d, np.float32), 0.1, device=device)


# --- Costs ---


@pytest.mark.parametrize("d", [1, 2, 21])
@pytest.mark.parametrize("cost", OTHERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_costs(device, rng, dtype, cost, d):
    for gamma in (0, 0.01, 1):
        m, n = (int(v) for v in rng.integers(20, 90, 2))
        x, y = make(rng, "series", 3, m, n, d, dtype)
        y[:, :9] = x[:, 7:16]  # where distances are zero
        y[:, 9:12, 0] = x[:, 2:5, 0]
        x[1:] += 100  # what is common to both is not a difference
        y[1:] += 100
        lengths = [rng.integers(1, k + 1, 3) for k in (m, n)]
        actual = swept((x, y), gamma, lengths, device, cost=cost)
        expected = reference.batch_of_cost(x, y, gamma, cost, *lengths)
        scale = max(np.abs(expected[0]).max(), gamma)
        error = np.abs(actual[0] - expected[0]).max()
        assert error <= TOLERANCE[dtype] * scale
        for a, e in zip(actual[1:], expected[1:]):
            assert a.dtype == dtype
            assert reference.error(a, e) <= TOLERANCE[dtype]


@pytest.mark.parametrize(
    "cost", [name for name, kind in COSTS.items() if kind.degree]
)
def test_costs_of_all_magnitudes(device, rng, cost):
    """In float32, also where their squares are no such number."""
    x, y = make(rng, "series", 1, 40, 35, 2, np.float32)
    expected = reference.batch_of_cost(x, y, 0.1, cost)[1:]
    for scale in (2.0**-75, 2.0**-40, 2.0**75):
        gamma = 0.1 * scale ** COSTS[cost].degree
        given = x * np.float32(scale), y * np.float32(scale)
        _, *actual = swept(given, gamma, device=device, cost=cost)
        for a, e in zip(actual, expected):
            e = e * gamma / 0.1 / scale
            assert reference.error(a.astype(float), e) <= 1e-5


@pytest.mark.parametrize("cost", OTHERS)
@pytest.mark.parametrize("d", [1, 3])
def test_costs_that_are_no_numbers(device, rng, cost, d):
    """Pairs with a NaN or an infinity, alone, for all but their padding."""
    x, y = make(rng, "series", 4, 40, 50, d, np.float32)
    lengths = np.array([40, 40, 40, 33]), np.array([50, 50, 50, 41])
    expected = swept((x, y), 0.1, lengths, device, cost=cost)
    x[1, 3], y[2, 7], x[3, 33:], y[3, 41:] = np.nan, np.inf, np.nan, np.inf
    actual = swept((x, y), 0.1, lengths, device, cost=cost)
    for a, e in zip(actual, expected):
        np.testing.assert_array_equal(a[[0, 3]], e[[0, 3]])
        assert np.isnan(a[1:3]).all()


def test_no_such_cost(device, rng):
    arrays = make(rng, "series", 1, 3, 4, 1, np.float32)
    with pytest.raises(ValueError, match="got 'cosine'"):
        cuda.value(*arrays, cost="cosine", device=device)


# --- Numbers ---


@pytest.mark.parametrize("gamma", [0, 1e-200, 1e-6, 1e-3, 1e3, 1e30])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gamma(device, rng, dtype, kind, gamma):
    d = 1 if kind == "univariate" else 5
    check(make(rng, kind, 2, 50, 40, d, dtype), gamma, device=device)


@pytest.mark.parametrize("gamma", [1e-29, 1e-33, 1e-39, 1e-45, 1e-200])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_costs_no_larger_than_a_tiny_gamma(device, rng, dtype, kind, gamma):
    d = 1 if kind == "univariate" else 2
    arrays = make(rng, kind, 3, 40, 50, d, dtype)
    power = 1 if kind == "explicit" else 0.5
    scale = np.array([0, 0, 1])[:, None, None] * gamma**power
    arrays = [(a * scale).astype(dtype) for a in arrays]
    actual = swept(arrays, gamma, device=device)
    expected = swept([a.astype(np.float64) for a in arrays], gamma)
    for a, e in zip(actual[1:], expected[1:]):
        assert reference.error(a, e) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties(device, rng, dtype):
    """The diagonal first, then the row above."""
    cost = rng.integers(0, 2, (3, 45, 60)).astype(dtype)
    for a, e in zip(swept((cost,), 0, device=device), swept((cost,), 0)):
        np.testing.assert_array_equal(a, e)


def test_what_rounding_takes_from_large_univariate_costs(device, rng):
    """Just within what float32 is trusted with: 2**20 bits a cost."""
    offset = 0.99 * np.sqrt(0.99 * 2**20 * np.log(2))
    x = (rng.random((1, 60, 1)) + offset).astype(np.float32)
    y = (1e-3 * rng.random((1, 70, 1))).astype(np.float32)
    check((x, y), 1.0, device=device)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_walls(device, rng, dtype):
    """Paths that stay far from everything else for hundreds of steps."""
    (cost,) = make(rng, "explicit", 2, 150, 150, 2, dtype)
    cost[0][~np.eye(150, dtype=bool)] = np.inf
    cost[1, :70, 1:149] = np.inf
    cost[1, 71:, 1:149] = np.inf
    check((cost,), 0.5, device=device)


@pytest.mark.parametrize("gamma", [1.0, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("d", [1, 4])
def test_float32_gradients_at_small_gamma(device, d, gamma):
    rng = np.random.default_rng(d)
    for scale in (1, 30):
        x, y = (
            reference.walks(rng, 4, k, d, dtype=np.float32) * np.float32(scale)
            for k in (120, 100)
        )
        check((x, y), gamma, device=device)


@pytest.mark.parametrize("gamma", [1.0, 0.1, 0.01])
def test_series_of_many_features_stay_in_float32(device, gamma):
    """Costs are as exact as gamma needs, and few bounds are reached."""
    rng = np.random.default_rng(0)
    x, y = make(rng, "series", 1, 150, 140, 64, np.float32)
    check((x, y), gamma, device=device)
    _, tape = cuda.value(x, y, gamma, tape=True, device=device)
    address = int(tape._record["counts"])  # the first is that of wide pairs
    assert ctypes.c_int.from_address(address).value == 0
    large = 3000 * x, y
    _, tape = cuda.value(*large, gamma, tape=True, device=device)
    address = int(tape._record["counts"])
    assert ctypes.c_int.from_address(address).value == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairs_of_all_ranges_in_one_batch(device, rng, dtype):
    """For float32: float, double, log space, NaN; each as if it were alone."""
    scale = np.array([1, 1e4, 1e18, 1, 1], dtype)[:, None, None]
    x, y = make(rng, "univariate", 5, 70, 40, 1, dtype)
    x, y = x * scale, y * scale
    x[3, 20] = np.nan
    y[4, 39] = np.inf
    actual = swept((x, y), 0.01, device=device)
    for a in actual:
        assert np.isnan(a[3:]).all()
    expected = swept((x[:3].astype(float), y[:3].astype(float)), 0.01)
    for a, e in zip(actual, expected):
        for b in range(3):
            assert reference.error(a[b], e[b]) <= TOLERANCE[dtype]


@pytest.mark.parametrize("gamma", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forbidden_cells(device, rng, dtype, gamma):
    (cost,) = make(rng, "explicit", 4, 60, 50, 2, dtype)
    cost -= 0.01  # negative costs too
    cost[0][rng.random((60, 50)) < 0.2] = np.inf
    cost[0].flat[:: 50 + 1] = 0
    cost[0, 49:, 49] = 0
    cost[1, 30] = np.inf  # no path
    cost[2, 10, 10] = np.nan
    cost[3, 10, 10] = -np.inf
    value, e = swept((cost,), gamma, device=device)
    assert np.isfinite(value[0]) and value[1] == np.inf
    assert np.isnan(value[2:]).all() and np.isnan(e[2:]).all()
    assert not e[1].any()
    assert not e[0][cost[0] == np.inf].any()
    with np.errstate(all="ignore"):
        expected = swept((cost[:2].astype(float),), gamma)
    assert reference.error(value[0], expected[0][0]) <= TOLERANCE[dtype]
    assert reference.error(e[0], expected[1][0]) <= TOLERANCE[dtype]


def test_nan_beyond_the_lengths_is_ignored(device, rng):
    x, y = make(rng, "multivariate", 2, 40, 50, 3, np.float64)
    lengths = np.array([40, 20]), np.array([11, 50])
    expected = swept((x, y), 1.0, lengths)
    x[1, 20:], y[0, 11:] = np.nan, np.nan
    for a, e in zip(swept((x, y), 1.0, lengths, device), expected):
        np.testing.assert_allclose(a, e, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_gradients_end_at_the_lengths(device, rng, kind):
    d = 1 if kind == "univariate" else 2
    arrays = make(rng, kind, 1, 40, 50, d, np.float32)
    arrays[0][0, 0, 0] = np.nan
    lengths = np.array([35]), np.array([41])
    actual = swept(arrays, 1.0, lengths, device)
    for a, e in zip(actual, swept(arrays, 1.0, lengths)):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(e))
        assert not a[~np.isnan(a)].any()


def test_reference_values(device):
    for case in reference.cases().values():
        x, y = case["x"][None], case["y"][None]
        value, gx, _ = swept((x, y), float(case["gamma"]), device=device)
        assert reference.error(value, case["value"]) <= 1e-10
        assert reference.error(gx[0], case["gx"]) <= 1e-8


# --- Calls ---


def test_one_gradient_without_the_other(device, rng):
    for kind in ("univariate", "multivariate"):
        d = 1 if kind == "univariate" else 3
        arrays = make(rng, kind, 2, 40, 70, d, np.float32)
        _, gx, gy = swept(arrays, 1.0, device=device)
        _, tape = cuda.value(*arrays, tape=True, device=device)
        only_x = cuda.adjoint(tape, y=False)
        only_y = cuda.adjoint(tape, x=False)
        assert only_x[1] is None and only_y[0] is None
        np.testing.assert_array_equal(only_x[0], gx)
        np.testing.assert_array_equal(only_y[1], gy)
        assert cuda.adjoint(tape, x=False, y=False) == (None, None)


def test_without_a_tape(device, rng):
    for kind in KINDS:
        for dtype in (np.float32, np.float64):
            d = 1 if kind == "univariate" else 3
            arrays = make(rng, kind, 3, 100, 60, d, dtype)
            name = "value" if len(arrays) == 2 else "value_from_cost"
            value = getattr(cuda, name)(*arrays, 0.5, device=device)
            np.testing.assert_array_equal(
                value, swept(arrays, 0.5, device=device)[0]
            )


def test_any_strides(device, rng):
    x, y = make(rng, "multivariate", 3, 40, 50, 4, np.float64)
    expected = swept((x[::2, ::-1, ::2], y[::2, :, 1::2]), 1.0)
    actual = swept((x[::2, ::-1, ::2], y[::2, :, 1::2]), 1.0, device=device)
    for a, e in zip(actual, expected):
        assert reference.error(a, e) <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slabs(device, rng, dtype, kind):
    """With less memory than the sweeps would take, the same bits."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 3, 230, 90, d, dtype)
    arrays[0][2] *= 300  # in float32, not for a mantissa of 24 bits
    lengths = np.array([230, 100, 225]), np.array([60, 90, 90])
    whole = swept(arrays, 0.05, lengths, device)
    plans, limit = [], None
    for part in (1, 1.5, 2, 10, 100):
        name = "value" if len(arrays) == 2 else "value_from_cost"
        with cuda.memory_limit(limit):
            value, tape = getattr(cuda, name)(
                *arrays,
                0.05,
                x_length=lengths[0],
                y_length=lengths[1],
                tape=True,
                device=device,
            )
        plans.append(tape.plan)
        limit = int(plans[0].nbytes / part)
        np.testing.assert_array_equal(value, whole[0])
        for _ in range(2):  # a tape can be used again
            gradients = cuda.adjoint(tape)
            if kind == "explicit":
                gradients = (gradients,)
            for a, e in zip(gradients, whole[1:]):
                np.testing.assert_array_equal(a, e)
    assert len({(p.pairs, p.passes[0].slabs) for p in plans}) > 2
    assert max(p.passes[0].slabs for p in plans) > 1
