"""What no mass comes into is not swept back, and nothing shows of it."""

import numpy as np
import pytest
import reference

import sdtw_cpu

# What a cell may keep of a mass of 1 without handing it on.
NEGLIGIBLE = {np.dtype(np.float32): 2.0**-50, np.dtype(np.float64): 2.0**-100}
# A long pair, whose lanes are rows, and a batch, whose lanes are pairs.
SHAPES = [(1, 300, 280), (17, 150, 160)]


@pytest.fixture(params=SHAPES, ids=str)
def shape(request):
    return request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


def make(rng, shape, dtype):
    batch, m, n = shape
    # Paths far from the diagonal cost far more than those near to it.
    x = np.linspace(0, 9, m)[:, None] + reference.walks(rng, batch, m, 1)
    y = np.linspace(0, 9, n)[:, None] + reference.walks(rng, batch, n, 1)
    return x.astype(dtype), y.astype(dtype)


def swept_share(tape, cells):
    return tape._sweep.swept_back / cells


def padded(shape):
    """The number of cells with those of rows and lanes that are padding."""
    lanes, rows = 16, 32
    batch, m, n = shape
    batch = batch if batch == 1 else -(-batch // lanes) * lanes
    return batch * (m + rows) * (n + rows)


@pytest.mark.parametrize("gamma", [0.1, 0.01])
def test_alignment(isa, rng, shape, dtype, gamma):
    """Cells without mass have next to none in a recursion that skips none."""
    x, y = make(rng, shape, dtype)
    cost = reference.squared_euclidean(x, y).astype(dtype)
    _, tape = sdtw_cpu.value_from_cost(cost, gamma, tape=True)
    e = sdtw_cpu.adjoint(tape)
    _, expected = reference.soft_dtw(cost, gamma)
    most = NEGLIGIBLE[e.dtype] * cost[0].size
    assert expected[e == 0].max() < most
    assert (e == 0).mean() > 0.3
    # Smaller ones could depend on what else is swept. Where float32 has too
    # small a range, pairs are swept in float64.
    assert e[e > 0].min() > NEGLIGIBLE[np.dtype(np.float64)]
    np.testing.assert_allclose(
        e, expected, atol=1e-4 if dtype == np.float32 else 1e-10
    )
    assert swept_share(tape, padded(shape)) < 0.8


def test_gradients(isa, rng, shape, dtype):
    x, y = make(rng, shape, dtype)
    _, tape = sdtw_cpu.value(x, y, 0.01, tape=True)
    _, *expected = reference.batch(x, y, 0.01)
    for actual, wanted in zip(sdtw_cpu.adjoint(tape), expected):
        assert reference.error(actual, wanted) < (
            1e-4 if dtype == np.float32 else 1e-10
        )
    assert swept_share(tape, padded(shape)) < 0.8


def test_band(isa, rng, shape, dtype):
    x, y = make(rng, shape, dtype)
    band = reference.random_band(rng, *shape, 100)
    _, tape = sdtw_cpu.value(x, y, 0.01, band=band, tape=True)
    cost = reference.squared_euclidean(x, y)
    cost[~reference.inside(band, shape[2])] = np.inf
    _, e = reference.soft_dtw(cost, 0.01)
    for actual, wanted in zip(
        sdtw_cpu.adjoint(tape), reference.gradients(x, y, e)
    ):
        assert reference.error(actual, wanted) < (
            1e-4 if dtype == np.float32 else 1e-10
        )
    assert swept_share(tape, padded(shape)) < 0.8


def test_tangent(isa, rng, shape):
    """Where the mass is 0 its tangent is, and there is nothing to sweep."""
    x, y = make(rng, shape, np.float64)
    cost = reference.squared_euclidean(x, y)
    z = rng.standard_normal(cost.shape)
    gamma = 1e-4
    _, _, tape = sdtw_cpu.tangent_from_cost(cost, z, gamma, tape=True)
    actual = sdtw_cpu.adjoint_tangent(tape)
    assert swept_share(tape, padded(shape)) < 0.8
    step = 1e-7 * gamma
    ends = []
    for sign in (1, -1):
        _, at = sdtw_cpu.value_from_cost(
            cost + sign * step * z, gamma, tape=True
        )
        ends.append(sdtw_cpu.adjoint(at))
    difference = (ends[0] - ends[1]) / (2 * step)
    assert reference.error(actual, difference) < 1e-5


@pytest.mark.parametrize("batch", [1, 17])
def test_mass_everywhere(isa, rng, batch, dtype):
    """Where all cells have mass, none is left out."""
    x, y = make(rng, (batch, 12, 15), dtype)
    _, tape = sdtw_cpu.value(x, y, 1e4, tape=True)
    _, *expected = reference.batch(x, y, 1e4)
    for actual, wanted in zip(sdtw_cpu.adjoint(tape), expected):
        assert reference.error(actual, wanted) < (
            1e-4 if dtype == np.float32 else 1e-10
        )
    assert tape._sweep.swept_back >= batch * 12 * 15


def test_batch_does_not_show(isa, rng, dtype):
    """The alignment of a pair is the same whatever is swept with it."""
    x, y = make(rng, (16, 100, 90), dtype)
    cost = reference.squared_euclidean(x, y).astype(dtype)
    _, tape = sdtw_cpu.value_from_cost(cost, 0.01, tape=True)
    together = sdtw_cpu.adjoint(tape)
    for b in (0, 7, 15):
        _, tape = sdtw_cpu.value_from_cost(cost[b : b + 1], 0.01, tape=True)
        np.testing.assert_array_equal(sdtw_cpu.adjoint(tape)[0], together[b])


@pytest.mark.parametrize("gamma", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("d", [1, 9])
def test_batch_does_not_show_in_gradients(isa, rng, dtype, d, gamma):
    """Nor are its value and gradients, in padding or without."""
    x, y = (reference.walks(rng, 17, m, d, dtype=dtype) for m in (100, 90))
    lengths = rng.integers(1, 91, (2, 17))
    lengths[:, :3] = (100,), (90,)

    def run(pairs):
        x_length, y_length = lengths[:, pairs]
        values, tape = sdtw_cpu.value(
            x[pairs],
            y[pairs],
            gamma,
            x_length=x_length,
            y_length=y_length,
            tape=True,
        )
        return (values, *sdtw_cpu.adjoint(tape))

    together = run(slice(None))
    for b in (0, 7, 16):
        for alone, one in zip(run(slice(b, b + 1)), together):
            np.testing.assert_array_equal(alone[0], one[b])
