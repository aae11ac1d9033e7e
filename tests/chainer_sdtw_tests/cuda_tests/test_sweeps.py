"""The kernels of chainer_sdtw.cuda, run on the CPU, beside sdtw_cpu."""

import re

import cuda_on_cpu
import numpy as np
import pytest
import reference
from reference import make

import sdtw_cpu
from chainer_sdtw import cuda
from chainer_sdtw.cuda import _modules, _plan, _tangents

if cuda_on_cpu.unsupported():
    pytest.skip(str(cuda_on_cpu.unsupported()), allow_module_level=True)

from cuda_on_cpu.sweeps import CPUDevice

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}
KINDS = ("univariate", "multivariate", "explicit")


@pytest.fixture(scope="module")
def device():
    return CPUDevice()


def swept(arrays, gamma, lengths=(None, None), device=None, grad=None, **more):
    """Value and gradients: by the CPU if there is no device."""
    lengths = dict(zip(("x_length", "y_length"), lengths))
    sweeps = cuda if device else sdtw_cpu
    if device:
        more["device"] = device
    name = "value" if len(arrays) == 2 else "value_from_cost"
    value, tape = getattr(sweeps, name)(
        *arrays, gamma, tape=True, **lengths, **more
    )
    gradients = sweeps.adjoint(tape, grad)
    if len(arrays) == 1:
        gradients = (gradients,)
    return (value, *gradients)


def check(arrays, gamma, lengths=(None, None), *, device):
    """Compare with the CPU's float64 on the same inputs."""
    dtype = arrays[0].dtype.type
    grad = np.linspace(-1, 2, len(arrays[0])).astype(dtype)
    actual = swept(arrays, gamma, lengths, device, grad)
    exact = [a.astype(np.float64) for a in arrays]
    expected = swept(exact, gamma, lengths, None, grad)
    # A value may be what is left of costs and gamma times an entropy.
    scale = max(np.abs(expected[0]).max(), gamma)
    assert np.abs(actual[0] - expected[0]).max() <= TOLERANCE[dtype] * scale
    for a, e in zip(actual, expected):
        assert a.dtype == dtype and a.shape == e.shape
    for a, e in zip(actual[1:], expected[1:]):
        assert reference.error(a, e) <= TOLERANCE[dtype]


# --- Shapes ---

SHAPES = 150  # for each dtype and kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_random_shapes(device, dtype, kind):
    rng = np.random.default_rng([KINDS.index(kind), dtype().itemsize])
    for i in range(SHAPES):
        batch = int(rng.integers(1, 5))
        m, n = (int(v) for v in rng.integers(1, 100, 2))
        d = 1 if kind == "univariate" else int(rng.integers(2, 40))
        gamma = float(rng.choice([0, 0.01, 0.1, 1, 10]))
        lengths = (None, None)
        if i % 2:
            lengths = [rng.integers(1, k + 1, batch) for k in (m, n)]
        arrays = make(rng, kind, batch, m, n, d, dtype)
        try:
            check(arrays, gamma, lengths, device=device)
        except AssertionError as e:
            shape = f"B={batch} m={m} n={n} d={d} gamma={gamma} {lengths}"
            raise AssertionError(shape) from e


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
@pytest.mark.parametrize("cost", ["euclidean", "manhattan"])
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


@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean", "manhattan"])
def test_costs_of_all_magnitudes(device, rng, cost):
    """In float32, also where their squares are no such number."""
    x, y = make(rng, "series", 1, 40, 35, 2, np.float32)
    expected = reference.batch_of_cost(x, y, 0.1, cost)[1:]
    for scale in (2.0**-75, 2.0**-40, 2.0**75):
        gamma = 0.1 * scale ** (2 if cost == "sqeuclidean" else 1)
        given = x * np.float32(scale), y * np.float32(scale)
        _, *actual = swept(given, gamma, device=device, cost=cost)
        for a, e in zip(actual, expected):
            e = e * gamma / 0.1 / scale
            assert reference.error(a.astype(float), e) <= 1e-5


@pytest.mark.parametrize("cost", ["euclidean", "manhattan"])
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


# --- Bands ---


def in_band(band, n):
    """The cells (B, m, n) of a band."""
    j = np.arange(n)
    return (band[..., :1] <= j) & (j < band[..., 1:])


def check_band(arrays, gamma, band, lengths=(None, None), *, device):
    """Compare with explicit costs that are inf outside of it."""
    dtype = arrays[0].dtype.type
    grad = np.linspace(-1, 2, len(arrays[0])).astype(dtype)
    cost = arrays[0]
    if len(arrays) == 2:
        cost = reference.squared_euclidean(*arrays)
    inside = in_band(band, cost.shape[2])
    masked = np.where(inside, cost, np.inf)
    value, e = reference.soft_dtw(masked, gamma, *lengths)
    e *= grad[:, None, None]
    expected = [value, e]
    if len(arrays) == 2:
        exact = [reference.masked(*a) for a in zip(arrays, lengths)]
        expected = [value, *reference.gradients(*exact, e)]
    else:  # what is outside of it is not looked at
        arrays = (np.where(inside, cost, np.nan),)
    actual = swept(arrays, gamma, lengths, device, grad, band=band)
    scale = max(np.abs(value).max(), gamma)
    assert np.abs(actual[0] - value).max() <= TOLERANCE[dtype] * scale
    for a, b in zip(actual[1:], expected[1:]):
        assert a.dtype == dtype and a.shape == b.shape
        assert reference.error(a, b) <= TOLERANCE[dtype]
    if len(arrays) == 1:
        assert not actual[1][np.broadcast_to(~inside, cost.shape)].any()
    return actual


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_band(device, dtype, kind):
    rng = np.random.default_rng([KINDS.index(kind), dtype().itemsize])
    for i in range(6):
        m, n = (int(v) for v in rng.integers(30, 160, 2))
        d = 1 if kind == "univariate" else 3
        lengths = (None, None)
        if i % 2:
            lengths = [rng.integers(1, k + 1, 2) for k in (m, n)]
        band = reference.random_band(rng, 2, m, n, (0, 2, 40)[i % 3], *lengths)
        arrays = make(rng, kind, 2, m, n, d, dtype)
        gamma = (0, 0.01, 1)[i // 2]
        check_band(arrays, gamma, band, lengths, device=device)


@pytest.mark.parametrize("kind", KINDS)
def test_band_of_sakoe_and_chiba(device, rng, kind):
    """One for all pairs, at edges of strips and segments."""
    for m, n in ((31, 33), (64, 65), (97, 64), (160, 160)):
        for bandwidth in (0, 1, 31):
            band = sdtw_cpu.sakoe_chiba_band(m, n, bandwidth)
            d = 1 if kind == "univariate" else 17
            arrays = make(rng, kind, 2, m, n, d, np.float32)
            check_band(arrays, 0.1, band, device=device)


@pytest.mark.parametrize("kind", KINDS)
def test_band_in_slabs(device, rng, kind, monkeypatch):
    """With less memory than the tape would take, the same bits."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 2, 230, 190, d, np.float32)
    arrays[0][1] *= 300  # in float32, not for a mantissa of 24 bits
    lengths = np.array([230, 150]), np.array([160, 190])
    band = sdtw_cpu.sakoe_chiba_band(230, 190, 20, *lengths)
    whole = check_band(arrays, 0.05, band, lengths, device=device)
    dtype = arrays[0].dtype
    for part in (3, 100):
        strip_tape = _plan.tape_of_band(band, *lengths)
        limit = _plan.fine_bytes(2, 230, 190, dtype, strip_tape) // part
        monkeypatch.setattr(_plan, "WHOLE_TAPE_BYTES", limit)
        plan = _plan.make_plan(2, 230, 190, dtype, True, strip_tape)
        assert plan.passes[0].slabs > 2
        again = check_band(arrays, 0.05, band, lengths, device=device)
        for a, b in zip(again, whole):
            np.testing.assert_array_equal(a, b)


def test_band_of_all_columns(device, rng):
    """The same bits as without."""
    band = np.broadcast_to([0, 90], (1, 100, 2))
    for kind in KINDS:
        d = 1 if kind == "univariate" else 3
        arrays = make(rng, kind, 2, 100, 90, d, np.float32)
        given = swept(arrays, 0.1, device=device, band=band)
        for a, b in zip(given, swept(arrays, 0.1, device=device)):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gamma", [0, 0.5])
def test_band_without_a_path(device, rng, kind, gamma):
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 5, 70, 60, d, np.float32)
    band = np.repeat(sdtw_cpu.sakoe_chiba_band(70, 60, 9), 5, 0)
    band[1, :, 0] = np.maximum(band[1, :, 0], 1)  # the first cell
    band[2, 40:, 0] = np.maximum(band[2, 40:, 0], band[2, 39, 1] + 1)
    band[2, 40:, 1] = 60  # a gap between two rows
    band[3, :, 1] = np.minimum(band[3, :, 1], 59)  # the last cell
    arrays[0][4, 0] = np.nan
    value, *gradients = swept(arrays, gamma, device=device, band=band)
    assert np.isfinite(value[0]) and np.isnan(value[4])
    assert (value[1:4] == np.inf).all()
    for a in gradients:
        assert a[0].any() and not a[1:4].any() and np.isnan(a[4]).any()


def test_tangents_in_a_band(device, rng):
    x, y = make(rng, "series", 2, 70, 90, 2, np.float64)
    lengths = np.array([70, 61]), np.array([83, 90])
    band = reference.random_band(rng, 2, 70, 90, 6, *lengths)
    inside = in_band(band, 90)
    options = {"band": band, "tape": True, "device": device}
    options |= {"x_length": lengths[0], "y_length": lengths[1]}
    cost = reference.squared_euclidean(x, y)
    z = rng.standard_normal(cost.shape)
    masked = np.where(inside, cost, np.inf)
    expected = reference.tangent(masked, z, 0.1, *lengths)
    nans = [np.where(inside, a, np.nan) for a in (cost, z)]
    *found, tape = cuda.tangent_from_cost(*nans, 0.1, **options)
    for a, e in zip((*found, cuda.adjoint_tangent(tape)), expected):
        np.testing.assert_allclose(a, e, rtol=1e-10, atol=1e-10)
    *found, tape = cuda.tangent(x, y, z, 0.1, **options)
    exact = [reference.masked(*a) for a in zip((x, y), lengths)]
    expected = (*expected[:2], *reference.gradients(*exact, expected[2]))
    for a, e in zip((*found, *cuda.adjoint_tangent(tape)), expected):
        np.testing.assert_allclose(a, e, rtol=1e-9, atol=1e-9)


def test_band_is_less_to_keep(device, rng):
    x, y = make(rng, "series", 2, 640, 640, 1, np.float32)
    band = sdtw_cpu.sakoe_chiba_band(640, 640, 20)
    _, whole = cuda.value(x, y, tape=True, device=device)
    _, tape = cuda.value(x, y, band=band, tape=True, device=device)
    assert tape.nbytes < whole.nbytes / 5
    assert repr(tape) == f"SweepTape(nbytes={tape.nbytes})"


def test_band_and_lengths_on_the_device_that_do_not_fit(device, rng):
    """What cannot be checked: no path, and no access out of bounds."""
    x, y = make(rng, "series", 3, 100, 300, 1, np.float32)

    class OnDevice:
        """What only the device knows."""

        dtype = np.dtype(int)
        shape = (3,)
        device = getattr(x, "device", None)

        def __init__(self, *lengths):
            self.astype = np.array(lengths).astype

    options = {
        "x_length": OnDevice(100, 40, 100),
        "y_length": OnDevice(300, 300, 20),
        "band": reference.random_band(rng, 3, 100, 300, 3),
    }
    value, tape = cuda.value(x, y, **options, tape=True, device=device)
    gx, gy = cuda.adjoint(tape)
    assert np.isfinite(value[0]) and gx[0].any()
    assert (value[1:] == np.inf).all()
    assert not gx[1:].any() and not gy[1:].any()


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


# --- Tangents ---


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
        seeds = rng.standard_normal((2, 2)).astype(dtype)
        expected = reference.tangent(cost, z, gamma, *lengths, *seeds)
        z[np.isinf(cost)] = np.nan
        value, change, tape = cuda.tangent_from_cost(
            *(cost, z, gamma),
            x_length=lengths[0],
            y_length=lengths[1],
            tape=True,
            device=device,
        )
        actual = value, change, cuda.adjoint_tangent(tape, *seeds)
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
@pytest.mark.parametrize("cost", ["sqeuclidean", "euclidean", "manhattan"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents(device, rng, dtype, cost, d):
    x, y = make(rng, "series", 3, 35, 45, d, dtype)
    y[:, :5] = x[:, 7:12]  # where distances are zero
    lengths = np.array([35, 33, 20]), np.array([30, 45, 45])
    seeds = rng.standard_normal((2, 3)).astype(dtype)
    for kind, z in directions(rng, x, y).items():
        value, change, tape = cuda.tangent(
            *(x, y, z, 0.1),
            cost=cost,
            x_length=lengths[0],
            y_length=lengths[1],
            tape=True,
            device=device,
        )
        gx, gy = cuda.adjoint_tangent(tape, *seeds)
        expected = reference.tangents(x, y, z, 0.1, cost, *lengths, *seeds)
        for a, e in zip((value, change, gx, gy), expected):
            assert a.dtype == dtype and a.shape == e.shape
            tolerance = max(TOLERANCE[dtype], 1e-11)
            assert np.linalg.norm(a - e) <= tolerance * max(
                np.linalg.norm(e), 1
            ), kind
        only = cuda.adjoint_tangent(tape, *seeds, y=False)
        assert only[1] is None
        np.testing.assert_array_equal(only[0], gx)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents_in_portions(device, rng, dtype, monkeypatch):
    """Of the batch, or of the strips of a pair: the same bits."""
    x, y = make(rng, "series", 3, 130, 40, 2, dtype)
    x[2, 129, 1] = np.inf
    x[1, 125:] = np.nan
    z = make(rng, "series", 3, 130, 40, 2, dtype)
    lengths = {"x_length": [130, 125, 130], "y_length": [40, 38, 40]}
    found = []
    parts = ((1, 1), (0, 1), (1, 0))
    for portion, free in parts:
        monkeypatch.setattr(_tangents, "PORTION_BYTES", portion << 29)
        monkeypatch.setattr(_plan, "WHOLE_TAPE_BYTES", free << 27)
        with np.errstate(invalid="ignore"):
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
def test_slabs(device, rng, dtype, kind, monkeypatch):
    """With less memory than the tape would take, the same bits."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 3, 230, 90, d, dtype)
    arrays[0][2] *= 300  # in float32, not for a mantissa of 24 bits
    lengths = np.array([230, 100, 225]), np.array([60, 90, 90])
    whole = swept(arrays, 0.05, lengths, device)
    slabs = set()
    for part in (2, 3, 5, 100):
        limit = _plan.fine_bytes(3, 230, 90, np.dtype(dtype)) // part
        monkeypatch.setattr(_plan, "WHOLE_TAPE_BYTES", limit)
        plan = _plan.make_plan(3, 230, 90, np.dtype(dtype), True)
        slabs.add(plan.passes[0].slabs)
        name = "value" if len(arrays) == 2 else "value_from_cost"
        value, tape = getattr(cuda, name)(
            *(*arrays, 0.05),
            x_length=lengths[0],
            y_length=lengths[1],
            tape=True,
            device=device,
        )
        np.testing.assert_array_equal(value, whole[0])
        for _ in range(2):  # a tape can be used again
            gradients = cuda.adjoint(tape)
            if kind == "explicit":
                gradients = (gradients,)
            for a, e in zip(gradients, whole[1:]):
                np.testing.assert_array_equal(a, e)
    assert len(slabs) > 2 and max(slabs) == 8


def test_the_order_of_threads_changes_no_bit(rng):
    arrays = make(rng, "multivariate", 3, 100, 80, 5, np.float32)
    first = swept(arrays, 0.1, device=CPUDevice(seed=0))
    for seed in range(1, 5):
        again = swept(arrays, 0.1, device=CPUDevice(seed=seed))
        for a, b in zip(first, again):
            np.testing.assert_array_equal(a, b)


# --- Faults ---
#
# What these tests rest on: the emulator finds what is planted.

# Kind of cost, part of the kernels' text, and what takes its place.
ABOVE = "await(progress_of(args, s, s.index - 1), q + 2 < all ? q + 2 : all);"
BELOW = "await(progress_of(args, s, s.index + 1), done_below(args, s, q - 1));"
COLUMNS = "done_below(args, s, half ? q : q - 1, true));"
BARRIERS = {
    "after the edge above": (
        "univariate",
        "__syncwarp(); if (kHelpers) weights.use(",
        "if (kHelpers) weights.use(",
    ),
    "between strips": ("univariate", ABOVE, ABOVE.replace("q + 2", "q")),
    "between strips, backwards": (
        "univariate",
        BELOW,
        BELOW.replace("q - 1", "q"),
    ),
    "between strips, for gradients": (
        "multivariate",
        COLUMNS,
        COLUMNS.replace("? q : q - 1", "? q + 1 : q"),
    ),
    "after the costs": (
        "multivariate",
        "set_of(planes, kValuePlanes, q + 1)); __syncthreads();",
        "set_of(planes, kValuePlanes, q + 1));",
    ),
}
BOUNDS = {
    "of an edge": (
        "univariate",
        "if (columns.has(j)) edge[j - columns.begin] = below[lane];",
        "if (j < columns.end) edge[j - columns.begin] = below[lane];",
    ),
    "of a plane": (
        "univariate",
        "take<T>(memory, kSets * kAdjointPlanes * kPlane);",
        "take<T>(memory, kSets * kAdjointPlanes * kPlane - kStride);",
    ),
    "of a series": (
        "univariate",
        "s.y[within(column + i + threadIdx.x, s.n)]",
        "s.y[column + i + threadIdx.x]",
    ),
}


def planted(old, new):
    """A device whose kernels have a fault."""
    source = _modules.source(device=False)
    pattern = r"\s+".join(map(re.escape, old.split()))
    assert re.search(pattern, source)
    return CPUDevice(source=re.sub(pattern, lambda _: new, source))


@pytest.mark.parametrize("fault", BARRIERS)
def test_a_missing_barrier_is_found(rng, fault):
    kind, *change = BARRIERS[fault]
    device = planted(*change)
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 2, 100, 100, d, np.float32)
    found = (cuda_on_cpu.RaceError, cuda_on_cpu.UninitializedError)
    with pytest.raises(found):
        swept(arrays, 1.0, device=device)


@pytest.mark.parametrize("fault", BOUNDS)
def test_an_access_out_of_bounds_is_found(rng, fault):
    kind, *change = BOUNDS[fault]
    device = planted(*change)
    arrays = make(rng, kind, 1, 100, 100, 1, np.float64)
    with pytest.raises(cuda_on_cpu.OutOfBoundsError):
        swept(arrays, 1.0, device=device)
