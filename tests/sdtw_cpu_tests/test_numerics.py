"""Odd numbers: NaN, infinities, extremes, and what must hold for all."""

import warnings

import numpy as np
import pytest
import reference

import sdtw_cpu

DTYPES = [np.float32, np.float64]
INF = np.inf

pytestmark = pytest.mark.filterwarnings("error")


def run(x, y, gamma, **lengths):
    values, tape = sdtw_cpu.value(x, y, gamma, tape=True, **lengths)
    return (values, *sdtw_cpu.adjoint(tape))


def run_cost(cost, gamma, **lengths):
    values, tape = sdtw_cpu.value_from_cost(cost, gamma, tape=True, **lengths)
    return values, sdtw_cpu.adjoint(tape)


@pytest.fixture(params=[1e-3, 0.37, 1e3, 0])
def gamma(request):
    return request.param


@pytest.fixture(params=DTYPES)
def dtype(request):
    return request.param


@pytest.mark.parametrize("bad", [np.nan, INF, -INF])
@pytest.mark.parametrize("side", [0, 1])
def test_bad_elements_stay_in_their_pair(isa, rng, bad, side, dtype, gamma):
    pairs = [rng.standard_normal((20, 9, 2)).astype(dtype) for _ in range(2)]
    good = run(*pairs, gamma)
    pairs[side][[3, 11], [0, 8], [1, 0]] = bad
    others = np.delete(np.arange(20), [3, 11])
    for actual, before in zip(run(*pairs, gamma), good):
        assert np.isnan(actual[[3, 11]]).all()
        np.testing.assert_allclose(actual[others], before[others], rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, -INF])
def test_bad_costs_stay_in_their_pair(isa, rng, bad, dtype, gamma):
    cost = rng.standard_normal((20, 5, 6)).astype(dtype)
    good = run_cost(cost, gamma)
    cost[7, 2, 3] = bad
    for actual, before in zip(run_cost(cost, gamma), good):
        assert np.isnan(actual[7]).all()
        np.testing.assert_array_equal(actual[:7], before[:7])
        np.testing.assert_array_equal(actual[8:], before[8:])


def test_nan_gradients_end_at_the_lengths():
    x = np.zeros((1, 4, 1))
    x[0, 1] = np.nan
    _, gx, gy = run(x, x, 1.0, x_length=[2], y_length=[3])
    np.testing.assert_array_equal(np.isnan(gx[0, :, 0]), [1, 1, 0, 0])
    np.testing.assert_array_equal(np.isnan(gy[0, :, 0]), [1, 1, 1, 0])
    assert not gx[0, 2:].any() and not gy[0, 3:].any()


class TestForbiddenCells:
    @pytest.fixture(params=[(1, 40, 45), (20, 9, 8), (17, 70, 33)])
    def cost(self, request, rng, dtype):
        size, m, n = request.param
        cost = rng.random((size, m, n)).astype(dtype)
        far = np.abs(np.arange(m)[:, None] / m - np.arange(n) / n) > 0.3
        cost[:, far] = INF
        return cost

    def test_around_a_band(self, isa, cost, gamma):
        values, e = run_cost(cost, gamma)
        expected, wanted = reference.soft_dtw(cost, gamma)
        np.testing.assert_allclose(values, expected, rtol=2e-5)
        assert not e[np.isinf(cost)].any()
        if gamma or cost.dtype == np.float64:
            assert reference.error(e, wanted) < 1e-4

    def test_no_path(self, isa, cost, gamma):
        cost[0, cost.shape[1] // 2] = INF
        cost[-1, -1, -1] = INF
        values, e = run_cost(cost, gamma)
        blocked = np.isin(np.arange(len(cost)), (0, len(cost) - 1))
        np.testing.assert_array_equal(np.isposinf(values), blocked)
        assert not e[blocked].any()
        assert np.isfinite(e).all()

    def test_no_path_and_a_grad(self, cost):
        cost[0] = INF
        _, tape = sdtw_cpu.value_from_cost(cost, 1.0, tape=True)
        e = sdtw_cpu.adjoint(tape, np.full(len(cost), 3.0))
        assert not e[0].any()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["cost", "padding"])
def test_float32_and_any_gamma(isa, seed, kind):
    """Weights of forbidden cells and padding are harmless for each gamma."""
    rng = np.random.default_rng(seed)
    lengths = {"x_length": rng.integers(1, 13, 16)}
    for gamma in 10 ** rng.uniform(-4, 4, 40):
        if kind == "cost":
            cost = rng.random((1, 40, 40)).astype(np.float32)
            cost[0, 10:, :10] = INF
            cost[0, :10, 20:] = INF
            actual = run_cost(cost, gamma)
            expected = run_cost(cost.astype(np.float64), gamma)
        else:
            x, y = rng.standard_normal((2, 16, 12, 1)).astype(np.float32)
            actual = run(x, y, gamma, **lengths)
            expected = run(
                x.astype(np.float64), y.astype(np.float64), gamma, **lengths
            )
        for a, b in zip(actual, expected):
            assert reference.error(a, b) < 1e-3


def limit_gammas(bits):
    """Gammas at which 126 steps of cost 1 take almost 2**bits bits."""
    powers = np.linspace(bits - 3, bits + 1, 100)
    return 126 / (np.log(2) * 2**powers)


@pytest.mark.parametrize(
    ("dtype", "bits"), [(np.float32, 27), (np.float64, 48)]
)
def test_negative_costs_do_not_open_walls(isa, dtype, bits):
    cost = np.full((1, 124, 2), -1, dtype)
    cost[0, 30] = INF
    for gamma in limit_gammas(bits):
        assert np.isposinf(sdtw_cpu.value_from_cost(cost, gamma))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("dtype", "bits"), [(np.float32, 27), (np.float64, 48)]
)
def test_costs_near_the_range_of_exponents(isa, rng, dtype, bits, sign):
    cost = sign * rng.uniform(0.9, 1, (1, 124, 2)).astype(dtype)
    hard, path = run_cost(cost, 0.0)
    for gamma in limit_gammas(bits):
        value, e = run_cost(cost, gamma)
        np.testing.assert_allclose(value, hard, rtol=1e-6)
        assert np.isfinite(e).all()
        assert np.abs(e - path).max() < 0.1


@pytest.mark.parametrize("magnitude", [1e30, 1e200, 1e305])
@pytest.mark.parametrize("gamma", [0.0, 1e-9, 1.0, 1e30])
def test_huge_costs(isa, rng, magnitude, gamma):
    cost = rng.uniform(-1, 1, (18, 6, 7))
    x_length = rng.integers(1, 7, 18)
    small = run_cost(cost, gamma / magnitude, x_length=x_length)
    values, e = run_cost(cost * magnitude, gamma, x_length=x_length)
    np.testing.assert_allclose(values / magnitude, small[0], rtol=1e-9)
    assert reference.error(e, small[1]) < 1e-6
    if magnitude < 1e37:
        single = (cost * magnitude).astype(np.float32)
        values, e = run_cost(single, gamma, x_length=x_length)
        np.testing.assert_allclose(values / magnitude, small[0], rtol=1e-5)
        assert np.isfinite(e).all()


@pytest.mark.parametrize("gamma", [0.0, 1.0])
@pytest.mark.parametrize(
    ("dtype", "huge"), [(np.float32, 1e30), (np.float64, 1e160)]
)
def test_huge_pair_leaves_others_alone(isa, rng, gamma, dtype, huge):
    x = rng.standard_normal((16, 7, 1)).astype(dtype)
    y = rng.standard_normal((16, 9, 1)).astype(dtype)
    lengths = {
        "x_length": rng.integers(1, 8, 16),
        "y_length": rng.integers(1, 10, 16),
    }
    before = run(x, y, gamma, **lengths)
    x[3] = huge
    after = run(x, y, gamma, **lengths)
    assert np.isposinf(after[0][3])
    for a, b in zip(after, before):
        np.testing.assert_allclose(a[:3], b[:3], rtol=1e-5)
        np.testing.assert_allclose(a[4:], b[4:], rtol=1e-5)


@pytest.mark.parametrize("gamma", [1e-12, 1e-289, 1e-290, 1e-300, 5e-324])
def test_tiny_gamma_is_dtw(isa, rng, gamma, dtype):
    x, y = rng.standard_normal((2, 3, 40, 1)).astype(dtype)
    for actual, hard in zip(run(x, y, gamma), run(x, y, 0.0)):
        np.testing.assert_allclose(actual, hard, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("gamma", "dtype"),
    [(1e8, np.float32), (1e12, np.float32), (1e30, np.float32)]
    + [(1e8, np.float64), (1e12, np.float64), (1e100, np.float64)],
)
def test_huge_gamma_counts_alignments(isa, rng, gamma, dtype):
    cost = rng.random((2, 6, 7)).astype(dtype)
    paths = np.array(list(reference.alignments(6, 7)))
    values, e = run_cost(cost, gamma)
    np.testing.assert_allclose(values, -gamma * np.log(len(paths)), rtol=1e-6)
    np.testing.assert_allclose(e, [paths.mean(axis=0)] * 2, atol=1e-5)


@pytest.mark.parametrize("size", [1, 16])
def test_outlier(isa, rng, size):
    """One element of 1e6 at gamma 1e-3 in float32."""
    x, y = rng.standard_normal((2, size, 50, 1)).astype(np.float32)
    x[:, 20] = 1e6
    values, gx, gy = run(x, y, 1e-3)
    hard = sdtw_cpu.value(x.astype(np.float64), y.astype(np.float64), 0.0)
    np.testing.assert_allclose(values, hard, rtol=1e-5)
    exact = run(x.astype(np.float64), y.astype(np.float64), 1e-3)
    assert reference.error(gx, exact[1]) < 1e-4
    assert np.isfinite(gy).all()


@pytest.mark.parametrize("size", [1, 16])
def test_common_offset(isa, rng, size, gamma):
    # Steps of 2**-20 stay exact under the offset.
    x, y = np.round(rng.standard_normal((2, size, 40, 2)) * 2**20) / 2**20
    lengths = {"x_length": rng.integers(1, 41, size)}
    expected = run(x, y, gamma, **lengths)
    for actual, wanted in zip(
        run(x + 2**20, y + 2**20, gamma, **lengths), expected
    ):
        assert reference.error(actual, wanted) < 1e-12


def test_float32_offset(isa, rng, dtype):
    """Far from zero, where squares would not even fit."""
    x = np.full((17, 5, 1), 1e30, dtype)
    values, gx, gy = run(x, x[:, :3], 1.0)
    expected, _ = reference.soft_dtw(np.zeros((5, 3)), 1.0)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert not gx.any() and not gy.any()


@pytest.mark.parametrize("features", [1, 11])
def test_equal_bits_every_time(isa, rng, dtype, gamma, features):
    """However many threads there are, and so whatever layouts they use."""
    x, y = reference.walks(rng, 42, 90, features, dtype=dtype).reshape(
        2, 21, 90, features
    )
    first = run(x, y, gamma)
    for threads in (1, 2, 3):
        sdtw_cpu.set_num_threads(threads)
        for a, b in zip(run(x, y, gamma), first):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(1, 70, 60), (20, 10, 12)])
class TestInvariants:
    @pytest.fixture
    def cost(self, rng, shape, dtype):
        return (2 * rng.random(shape)).astype(dtype)

    def test_masses(self, isa, cost, gamma, dtype):
        """An alignment covers both ends, every row and every column."""
        _, e = run_cost(cost, gamma)
        slack = 1e-12 if dtype == np.float64 else 1e-5
        assert (e >= 0).all() and (e <= 1 + slack).all()
        np.testing.assert_allclose(e[:, 0, 0], 1, rtol=slack)
        np.testing.assert_allclose(e[:, -1, -1], 1, rtol=slack)
        assert (e.sum(axis=1) >= 1 - slack).all()
        assert (e.sum(axis=2) >= 1 - slack).all()

    def test_value_falls_with_gamma(self, isa, cost, dtype):
        gammas = (0, 1e-300, 1e-6, 1e-3, 0.1, 1, 10, 1e3)
        values = np.array([sdtw_cpu.value_from_cost(cost, g) for g in gammas])
        slack = 10 * np.finfo(dtype).eps * (1 + np.abs(values[1:]))
        assert (values[1:] <= values[:-1] + slack).all()

    @pytest.mark.parametrize("gamma", [1e-3, 1.0])
    def test_transposition(self, isa, cost, gamma):
        values, e = run_cost(cost, gamma)
        other, mirrored = run_cost(cost.swapaxes(1, 2), gamma)
        np.testing.assert_allclose(values, other, rtol=2e-5)
        assert reference.error(mirrored.swapaxes(1, 2), e) < 2e-5

    def test_units(self, isa, cost, gamma):
        """A power of two in costs and gamma changes nothing else."""
        values, e = run_cost(cost, gamma)
        scaled, same = run_cost(cost * 8, gamma * 8)
        np.testing.assert_allclose(scaled, values * 8, rtol=1e-6)
        assert reference.error(same, e) < 1e-5

    def test_constant(self, isa, cost, dtype):
        """The soft minimum of one path is its cost."""
        line = cost[:, :, :1]
        np.testing.assert_allclose(
            sdtw_cpu.value_from_cost(line, 0.7),
            line.sum(axis=(1, 2), dtype=np.float64),
            rtol=1e-5 if dtype == np.float32 else 1e-13,
        )


@pytest.mark.parametrize("size", [1, 16])
def test_subnormal_masses_are_zero(isa, rng, size, dtype):
    scale = 3 if dtype == np.float32 else 30
    cost = (scale * rng.random((size, 64, 64))).astype(dtype)
    _, e = run_cost(cost, 1.0)
    assert (e == 0).any() and (e[e > 0] >= np.finfo(dtype).tiny).all()


def test_overflow_of_the_value_is_silent():
    x = np.full((1, 3, 1), 1e30, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isposinf(sdtw_cpu.value(x, -x, 1.0))


@pytest.mark.parametrize("gamma", [1e-38, 1e-39, 1e-45, 1e-200])
def test_costs_of_zero_at_a_tiny_gamma(isa, gamma):
    x = np.full((2, 20, 1), 0.5, np.float32)
    value, tape = sdtw_cpu.value(x, x[:, :15], gamma, tape=True)
    gx, gy = sdtw_cpu.adjoint(tape)
    # gamma times an entropy, which float32 may not hold.
    assert (value <= 0).all() and (value >= -100 * gamma - 1e-44).all()
    assert not gx.any() and not gy.any()
