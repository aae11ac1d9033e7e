"""Bands in the kernels of chainer_sdtw.cuda, run on the CPU."""

import numpy as np
import pytest
import reference
from executed import KINDS, TOLERANCE, swept
from ptx_on_cpu.sweeps import PTXDevice, unsupported
from reference import make

import sdtw_cpu
from chainer_sdtw import cuda

if unsupported():
    pytest.skip(str(unsupported()), allow_module_level=True)


@pytest.fixture(scope="module")
def device():
    return PTXDevice()


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
def test_band_in_slabs(device, rng, kind):
    """With less memory than the sweeps would take, the same bits."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 2, 230, 190, d, np.float32)
    arrays[0][1] *= 300  # in float32, not for a mantissa of 24 bits
    lengths = np.array([230, 150]), np.array([160, 190])
    band = sdtw_cpu.sakoe_chiba_band(230, 190, 20, *lengths)
    whole = check_band(arrays, 0.05, band, lengths, device=device)
    for limit in (200_000, 80_000, 20_000):
        with cuda.memory_limit(limit):
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
