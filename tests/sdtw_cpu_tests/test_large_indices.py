"""More cells and elements than 32 bits can count, most of them never read."""

import sys

import numpy as np
import pytest
import reference

import chainer_sdtw
import sdtw_cpu

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(
        sys.maxsize < 2**32 or not sys.platform.startswith("linux"),
        reason="needs zeros that take no memory before they are written",
    ),
]

TOLERANCE = {np.float32: 1e-4, np.float64: 1e-10}
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def everything(x, y, dx, dy, **limits):
    """Values, gradients, and the tangents of both along (dx, dy)."""
    values, tape = sdtw_cpu.value(x, y, 0.1, tape=True, **limits)
    gradients = sdtw_cpu.adjoint(tape)
    _, tangents, tape = sdtw_cpu.tangent(
        x, y, (dx, dy), 0.1, tape=True, **limits
    )
    return values, tangents, *gradients, *sdtw_cpu.adjoint_tangent(tape)


def everything_from_cost(cost, **limits):
    values, tape = sdtw_cpu.value_from_cost(cost, 0.1, tape=True, **limits)
    alignment = sdtw_cpu.adjoint(tape)
    _, tangents, tape = sdtw_cpu.tangent_from_cost(
        cost, "cost", 0.1, tape=True, **limits
    )
    return values, tangents, alignment, sdtw_cpu.adjoint_tangent(tape)


def nothing(shape, dtype):
    """Zeros beyond 2**31 that take memory only where they are written."""
    try:
        zeros = np.zeros(shape, dtype)
    except MemoryError:
        pytest.skip(f"this system promises no {shape} numbers of {dtype}")
    assert zeros.size > 2**31
    return zeros


@dtypes
def test_pair_of_more_cells_than_2_to_the_32(isa, rng, dtype):
    """A band that passes through one cell, again and again, adds pieces."""
    pieces, length, radius = 60, 1100, 8
    m = pieces * length
    assert m * m > 2**32
    x, y, dx, dy = (
        rng.standard_normal((pieces, length, 2)).astype(dtype)
        for _ in range(4)
    )
    i = np.arange(m)
    first = i // length * length
    band = np.stack(
        [
            np.maximum(first, i - radius),
            np.minimum(first + length, i + radius + 1),
        ],
        axis=-1,
    )
    whole = everything(
        *(a.reshape(1, m, 2) for a in (x, y, dx, dy)), band=band[None]
    )
    parts = everything(x, y, dx, dy, band=band[None, :length])
    for actual, expected in zip(whole[:2], parts[:2]):
        np.testing.assert_allclose(
            actual, [expected.sum()], rtol=TOLERANCE[dtype]
        )
    for actual, expected in zip(whole[2:], parts[2:]):
        error = reference.error(actual.reshape(expected.shape), expected)
        assert error < TOLERANCE[dtype]


@dtypes
def test_loss_of_more_cells_than_2_to_the_31(rng, dtype):
    x, y = reference.walks(rng, 2, 47000, 1, dtype=dtype)[:, None]
    value = chainer_sdtw.soft_dtw(x, y, gamma=0.1, bandwidth=5)
    assert x.shape[1] * y.shape[1] > 2**31
    backwards = chainer_sdtw.soft_dtw(
        x[:, ::-1], y[:, ::-1], gamma=0.1, bandwidth=5
    )
    np.testing.assert_allclose(
        value.array, backwards.array, rtol=TOLERANCE[dtype]
    )


@dtypes
def test_batch_of_more_cells_than_2_to_the_32(rng, dtype):
    batch, m = 20, 15000
    assert batch * m * m > 2**32
    x, y = reference.walks(rng, 2, m, 1, dtype=dtype)[:, None]
    x_all, y_all = (np.broadcast_to(a, (batch, m, 1)) for a in (x, y))
    band = sdtw_cpu.sakoe_chiba_band(m, m, 4)
    alone = everything(x, y, y, x, band=band)
    for actual, expected in zip(
        everything(x_all, y_all, y_all, x_all, band=band), alone
    ):
        assert actual.shape == (batch, *expected.shape[1:])
        np.testing.assert_array_equal(
            actual, np.broadcast_to(expected, actual.shape)
        )


@pytest.mark.parametrize("swapped", [False, True])
def test_series_beyond_2_to_the_31(isa, rng, swapped):
    """Pairs whose places are beyond 2**31 numbers, thus 2**33 bytes."""
    batch, m, n = 9, 70, 60
    x = nothing((batch, 2**27 + 1, 2), np.float32)
    assert (batch - 1) * x[0].size > 2**31
    x[:, :m] = rng.standard_normal((batch, m, 2))
    y = rng.standard_normal((batch, n, 2)).astype(np.float32)
    short = x[:, :m].copy()
    lengths = np.full(batch, m)
    if swapped:
        actual = everything(y, x, y, x, y_length=lengths)
        expected = everything(y, short, y, short)
    else:
        actual = everything(x, y, x, y, x_length=lengths)
        expected = everything(short, y, short, y)
    for a, b in zip(actual, expected):
        if a.ndim > 1:
            assert not a[:, b.shape[1] : b.shape[1] + 100].any()
            a = a[:, : b.shape[1]]
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("shape", "part", "axes"),
    [
        ((9, 5, 2**26), (9, 5, 40), (0, 1, 2)),  # pairs
        ((1, 9, 2**28), (1, 9, 40), (0, 1, 2)),  # rows
        ((1, 9, 2**28), (1, 9, 40), (0, 2, 1)),  # columns
    ],
)
def test_costs_beyond_2_to_the_31(isa, rng, shape, part, axes):
    """Costs whose places in their array are beyond 2**31 numbers."""
    cost = nothing(shape, np.float32)
    inside = tuple(slice(0, size) for size in part)
    cost[inside] = rng.random(part)
    cost, short = cost.transpose(axes), cost[inside].copy().transpose(axes)
    batch, m, n = short.shape
    actual = everything_from_cost(
        cost, x_length=np.full(batch, m), y_length=np.full(batch, n)
    )
    for a, b in zip(actual, everything_from_cost(short)):
        if a.ndim > 1:
            assert not a[:, :m, n : n + 100].any()
            assert not a[:, m : m + 100, :n].any()
            a = a[:, :m, :n]
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("length", [2**30 + 1, 2**31 + 5, 2**32 + 5])
@pytest.mark.parametrize("axis", [1, 2])
def test_lengths_beyond_the_range(length, axis):
    """None of them is taken for what its lowest 32 bits say."""
    shape = [1, 1, 1]
    shape[axis] = length
    long = np.broadcast_to(np.float32(0), shape)
    short = np.zeros((1, 1, 1), np.float32)
    for call in (
        lambda: sdtw_cpu.value(long, short),
        lambda: sdtw_cpu.value(short, long),
        lambda: sdtw_cpu.value_from_cost(long),
    ):
        with pytest.raises(ValueError, match=rf"at most 2\*\*30.*{length}"):
            call()
