"""Sweeps in a band: as if the cells outside of it were forbidden."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import sdtw_cpu

EDGES = (1, 3, 4, 5, 31, 32, 33, 64, 65)  # rows around those of strips


def random_band(rng, size, m, n, radius, x_length=None, y_length=None):
    """Bands around random paths; rows beyond the lengths hold garbage."""
    band = np.full((size, m, 2), -9)
    for b in range(size):
        rows = m if x_length is None else x_length[b]
        columns = n if y_length is None else y_length[b]
        path = np.sort(rng.integers(0, columns, rows + 1))
        path[[0, -1]] = 0, columns - 1
        first = path[:-1] - rng.integers(0, radius + 1, rows)
        stop = path[1:] + 1 + rng.integers(0, radius + 1, rows)
        first = np.minimum.accumulate(first[::-1])[::-1]
        stop = np.maximum.accumulate(stop)
        band[b, :rows, 0] = np.maximum(first, 0)
        band[b, :rows, 1] = np.minimum(stop, columns)
    return band


def check_series(x, y, gamma, band, **lengths):
    """Compare with NumPy on costs that are infinite outside of the band."""
    values, tape = sdtw_cpu.value(x, y, gamma, band=band, tape=True, **lengths)
    actual = sdtw_cpu.adjoint(tape)
    np.testing.assert_array_equal(
        values, sdtw_cpu.value(x, y, gamma, band=band, **lengths)
    )
    dtype, (size, m, _), n = x.dtype, x.shape, y.shape[1]
    x = reference.masked(x, lengths.get("x_length"))
    y = reference.masked(y, lengths.get("y_length"))
    cost = reference.squared_euclidean(x, y)
    cost = np.where(reference.inside(band, n), cost, np.inf)
    expected, e = reference.soft_dtw(cost, gamma, **lengths)
    assert np.isfinite(expected).all()
    exact = dtype == np.float64
    scale = np.abs(expected) + gamma * (m + n)
    assert (
        np.abs(values - expected) <= (1e-11 if exact else 1e-5) * scale
    ).all()
    if gamma or exact:  # float32 may choose another optimal path
        for a, wanted in zip(actual, reference.gradients(x, y, e)):
            error = np.linalg.norm(a - wanted)
            size = max(np.linalg.norm(wanted), 1e-3)
            assert error <= (1e-8 if exact else 3e-4) * size


def check_costs(cost, gamma, band, **lengths):
    """Compare with an explicit cost that is infinite outside of the band."""
    inside = reference.inside(band, cost.shape[2])
    results = []
    for c, kwargs in (
        (np.where(inside, cost, np.inf), lengths),
        (np.where(inside, cost, np.nan), {"band": band, **lengths}),
        (np.where(inside, cost, -np.inf), {"band": band, **lengths}),
    ):
        c = c.astype(cost.dtype)
        values, tape = sdtw_cpu.value_from_cost(c, gamma, tape=True, **kwargs)
        np.testing.assert_array_equal(
            values, sdtw_cpu.value_from_cost(c, gamma, **kwargs)
        )
        results.append((values, sdtw_cpu.adjoint(tape)))
    (values, e), *others = results
    assert np.isfinite(values).all()
    eps = np.finfo(cost.dtype).eps
    for other, alignment in others:
        # Pairs may be swept in another layout, which rounds otherwise.
        np.testing.assert_allclose(other, values, rtol=20 * eps, atol=eps)
        np.testing.assert_allclose(alignment, e, atol=1000 * eps)
        assert not alignment[~inside].any()


@st.composite
def batches(draw):
    """Series with random bands, and the rest of a call."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    length = st.one_of(st.integers(1, 9), st.sampled_from(EDGES))
    size, m, n = draw(st.integers(1, 20)), draw(length), draw(length)
    lengths = {}
    if draw(st.booleans()):
        lengths["x_length"] = rng.integers(1, m + 1, size)
        lengths["y_length"] = rng.integers(1, n + 1, size)
    radius = draw(st.sampled_from((0, 1, 5, n)))
    band = random_band(rng, size, m, n, radius, **lengths)
    sdtw_cpu.set_isa(draw(st.sampled_from(sdtw_cpu.isa_levels())))
    sdtw_cpu.set_num_threads(draw(st.integers(1, 3)))
    dtype = draw(st.sampled_from((np.float32, np.float64)))
    gamma = draw(st.sampled_from((0.0, 0.01, 1.0)))
    d = draw(st.integers(1, 3))
    x = reference.walks(rng, size, m, d, dtype=dtype)
    y = reference.walks(rng, size, n, d, dtype=dtype)
    return x, y, gamma, band, lengths


@settings(max_examples=150)
@given(batches())
def test_series(call):
    x, y, gamma, band, lengths = call
    check_series(x, y, gamma, band, **lengths)


@settings(max_examples=150)
@given(batches())
def test_costs(call):
    x, y, gamma, band, lengths = call
    cost = reference.squared_euclidean(x, y)
    cost = (cost - cost.mean()).astype(x.dtype)
    check_costs(cost, gamma, band, **lengths)


@pytest.mark.parametrize("gamma", [0.0, 0.1])
@pytest.mark.parametrize("bandwidth", [0, 1, 40, 10**6])
@pytest.mark.parametrize("shape", [(1, 300, 260), (20, 66, 97)])
def test_sakoe_chiba(isa, rng, shape, bandwidth, gamma):
    """Both layouts, with steep bands where the lengths differ."""
    size, m, n = shape
    x = reference.walks(rng, size, m, 2)
    y = reference.walks(rng, size, n, 2)
    band = sdtw_cpu.sakoe_chiba_band(m, n, bandwidth)
    check_series(x, y, gamma, np.repeat(band, size, 0))
    check_series(x, y, gamma, band)


@pytest.mark.parametrize("kind", ["series", "explicit"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_cells_are_as_good_as_no_band(isa, rng, kind, dtype):
    for size, m, n in ((1, 200, 170), (20, 30, 45)):
        arrays = reference.make(rng, kind, size, m, n, 2, dtype)
        sweep = sdtw_cpu.value if len(arrays) > 1 else sdtw_cpu.value_from_cost
        results = []
        for band in (None, np.tile((0, n), (1, m, 1))):
            values, tape = sweep(*arrays, 0.1, band=band, tape=True)
            gradients = sdtw_cpu.adjoint(tape)
            one = kind == "explicit"
            results.append((values, *([gradients] if one else gradients)))
        for actual, expected in zip(*results):
            np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.01])
def test_threads_that_share_one_pair(rng, dtype, gamma):
    m, n = 500, 640
    x = reference.walks(rng, 1, m, 1, dtype=dtype)
    y = reference.walks(rng, 1, n, 1, dtype=dtype)
    steep = [(0, 400 if i < 250 else n) for i in range(m)]
    steep[260:] = [(390, n)] * (m - 260)
    for band in (
        random_band(rng, 1, m, n, 200),
        random_band(rng, 1, m, n, 3),
        sdtw_cpu.sakoe_chiba_band(m, n, 300),
        np.array([steep]),
    ):
        results = []
        for threads in (1, 2, 5):
            sdtw_cpu.set_num_threads(threads)
            values, tape = sdtw_cpu.value(x, y, gamma, band=band, tape=True)
            without_tape = sdtw_cpu.value(x, y, gamma, band=band)
            results.append((values, *sdtw_cpu.adjoint(tape), without_tape))
        for other in results[1:]:
            for actual, expected in zip(other, results[0]):
                np.testing.assert_array_equal(actual, expected)
        np.testing.assert_array_equal(results[0][0], results[0][3])
        if gamma and dtype == np.float64:
            check_series(x, y, gamma, band)


@pytest.mark.parametrize("size", [1, 20])
@pytest.mark.parametrize("gamma", [0.0, 1.0])
@pytest.mark.parametrize(
    "rows",
    [
        [[1, 3], [1, 3], [1, 3], [1, 3]],  # not the first cell
        [[0, 2], [0, 2], [0, 2], [0, 2]],  # nor the last
        [[0, 1], [0, 1], [2, 3], [2, 3]],  # a gap
    ],
)
def test_no_path(isa, rng, size, gamma, rows):
    """inf and no gradient, which does not touch other pairs."""
    x, y = rng.random((size, 4, 2)), rng.random((size, 3, 2))
    cost = reference.squared_euclidean(x, y)
    band = np.tile((0, 3), (size, 4, 1))
    band[0] = rows
    expected = sdtw_cpu.value(x, y, gamma)
    expected[0] = np.inf
    values, tape = sdtw_cpu.value(x, y, gamma, band=band, tape=True)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    for g in sdtw_cpu.adjoint(tape):
        assert not g[0].any() and g[1:].any() == (size > 1)
    values, tape = sdtw_cpu.value_from_cost(cost, gamma, band=band, tape=True)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    e = sdtw_cpu.adjoint(tape)
    assert not e[0].any() and e[1:, 3, 2].all()
    x[0, 0, 0] = cost[0, 3, 2] = np.nan
    assert np.isnan(sdtw_cpu.value(x, y, gamma, band=band)[0])


def test_lengths_beyond_the_band_leave_no_path(rng):
    x, y = rng.random((2, 3, 5, 1))
    band = sdtw_cpu.sakoe_chiba_band(5, 5, 1)
    values = sdtw_cpu.value(x, y, band=band, x_length=[5, 3, 5])
    assert np.isinf(values).tolist() == [False, True, False]
    # Columns beyond a length are left out.
    values = sdtw_cpu.value(x, y, band=band, y_length=[5, 4, 3])
    assert np.isinf(values).tolist() == [False, False, True]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 2048), (32, 512)])
def test_tape(isa, rng, shape, dtype):
    size, n = shape
    x = reference.walks(rng, size, n, 1, dtype=dtype)
    band = sdtw_cpu.sakoe_chiba_band(n, n, n // 16)
    sdtw_cpu.set_num_threads(1)
    _, whole = sdtw_cpu.value(x, x, tape=True)
    _, banded = sdtw_cpu.value(x, x, band=band, tape=True)
    assert 0 < 6 * banded.nbytes < whole.nbytes


def test_strips_of_many_widths(isa, rng):
    """A tape has room for each strip's own columns."""
    m = n = 600
    wide = np.tile((0, n), (1, m, 1))
    narrow = sdtw_cpu.sakoe_chiba_band(m, n, 1)
    band = np.where(np.arange(m)[:, None] < m // 10, wide, narrow)
    band[..., 1] = np.maximum.accumulate(band[..., 1], 1)
    band[0, m // 10 :, 0] = n - 100
    x = reference.walks(rng, 1, m, 1)
    y = reference.walks(rng, 1, n, 1)
    check_series(x, y, 0.1, band)
    _, tape = sdtw_cpu.value(x, y, band=band, tape=True)
    _, whole = sdtw_cpu.value(x, y, tape=True)
    assert tape.nbytes < 0.3 * whole.nbytes


@pytest.mark.parametrize("size", [1, 20])
def test_band_is_read_as_it_is(rng, size):
    """Any integers, any strides; a tape can be used again."""
    x, y = rng.random((2, size, 40, 2))
    band = random_band(rng, size, 40, 40, 3)
    expected, tape = sdtw_cpu.value(x, y, band=band, tape=True)
    gradients = sdtw_cpu.adjoint(tape)
    copies = np.full((size, 80, 4), 99, np.int8)
    copies[:, ::2, ::2] = band
    for other in (
        copies[:, ::2, ::2],
        band.astype(np.uint16),
        band.tolist(),
        np.asfortranarray(band),
    ):
        values, tape = sdtw_cpu.value(x, y, band=other, tape=True)
        np.testing.assert_array_equal(values, expected)
        for _ in range(2):
            for a, b in zip(sdtw_cpu.adjoint(tape), gradients):
                np.testing.assert_array_equal(a, b)
