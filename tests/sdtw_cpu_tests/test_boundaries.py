"""Sizes around those of vectors, strips, blocks and segments."""

import numpy as np
import pytest
import reference

import sdtw_cpu

EDGES = (1, 3, 4, 5, 8, 16, 17, 31, 32, 33, 63, 64, 65, 97, 128, 129, 161)


def check(x, y, gamma=0.2):
    values, tape = sdtw_cpu.value(x, y, gamma, tape=True)
    expected = reference.batch(x, y, gamma)
    exact = x.dtype == np.float64
    tolerance = 1e-11 if exact else 1e-5
    scale = np.abs(expected[0]).max() + gamma
    np.testing.assert_allclose(values, expected[0], atol=tolerance * scale)
    np.testing.assert_array_equal(values, sdtw_cpu.value(x, y, gamma))
    for actual, wanted in zip(sdtw_cpu.adjoint(tape), expected[1:]):
        assert reference.error(actual, wanted) < (1e-9 if exact else 3e-5)


@pytest.mark.parametrize("m", EDGES)
def test_lengths(isa, rng, m):
    for n in EDGES:
        x = reference.walks(rng, 1, m, 1)
        y = reference.walks(rng, 1, n, 1)
        check(x, y)
        cost = reference.squared_euclidean(x, y)
        values, tape = sdtw_cpu.value_from_cost(cost, 0.2, tape=True)
        expected = sdtw_cpu.value(x, y, 0.2)
        np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-11)
        e = sdtw_cpu.adjoint(tape)[0]
        _, tape = sdtw_cpu.value(x, y, 0.2, tape=True)
        for actual, wanted in zip(
            reference.gradients(x[0], y[0], e), sdtw_cpu.adjoint(tape)
        ):
            assert reference.error(actual, wanted[0]) < 1e-10


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 32, 33, 65])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 33])
def test_short_series_across_the_batch(isa, rng, m, n, dtype):
    shape = 17, m, 1
    x = reference.walks(rng, *shape, dtype=dtype)
    check(x, reference.walks(rng, 17, n, 1, dtype=dtype))


@pytest.mark.parametrize("d", [*range(1, 10), 17])
@pytest.mark.parametrize("size", [1, 20])
def test_features(isa, rng, d, size):
    for dtype in (np.float32, np.float64):
        x = reference.walks(rng, size, 21, d, dtype=dtype)
        check(x, reference.walks(rng, size, 18, d, dtype=dtype), 1.0)


@pytest.mark.parametrize(
    ("m", "n"), [(1, 5000), (5000, 1), (2, 3000), (3000, 2), (40, 1500)]
)
@pytest.mark.parametrize("size", [1, 16])
@pytest.mark.slow
def test_one_series_is_much_longer(isa, rng, m, n, size):
    check(reference.walks(rng, size, m, 1), reference.walks(rng, size, n, 1))


@pytest.mark.parametrize("size", range(1, 36))
def test_batch_sizes(isa, rng, size):
    x = reference.walks(rng, size, 6, 2, dtype=np.float32)
    check(x, reference.walks(rng, size, 7, 2, dtype=np.float32))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("dtype", "rows"), [(np.float32, 400), (np.float64, 3000)]
)
def test_mantissas_do_not_drift(isa, rows, dtype, sign):
    """Every weight has the same fraction, just above or below 2**-0.5."""
    cost = np.full((16, rows, 16), np.log(2) * (0.5 + 0.001 * sign), dtype)
    values, tape = sdtw_cpu.value_from_cost(cost, 1.0, tape=True)
    value, e = reference.soft_dtw(cost[0], 1.0)
    np.testing.assert_allclose(values, value, rtol=1e-6)
    for actual in sdtw_cpu.adjoint(tape):
        assert reference.error(actual, e) < 1e-4
    assert reference.error(actual, e) < 1e-4


@pytest.mark.parametrize(
    ("gamma", "dtype"),
    [(0.0, np.float64)]  # float32 may choose another optimal path
    + [(g, t) for g in (1e-3, 1.0, 100.0) for t in (np.float32, np.float64)],
)
def test_long_batch(isa, rng, gamma, dtype):
    """Many strips and blocks across the batch."""
    x = reference.walks(rng, 16, 700, 1, dtype=dtype)
    y = reference.walks(rng, 16, 650, 1, dtype=dtype)
    values, tape = sdtw_cpu.value(x, y, gamma, tape=True)
    gx, gy = sdtw_cpu.adjoint(tape)
    for b in range(16):
        one = x[b : b + 1].astype(np.float64), y[b : b + 1].astype(np.float64)
        value, tape = sdtw_cpu.value(*one, gamma, tape=True)
        np.testing.assert_allclose(values[b], value[0], rtol=1e-5)
        for actual, wanted in zip((gx[b], gy[b]), sdtw_cpu.adjoint(tape)):
            assert reference.error(actual, wanted[0]) < 1e-4
