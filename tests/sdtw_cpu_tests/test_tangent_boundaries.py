"""Tangent sweeps at the edges of what they are given."""

import numpy as np
import pytest
import reference

import sdtw_cpu
from sdtw_cpu.costs import COSTS

# Lanes along a pair, and across a batch.
LAYOUTS = [(2, 40), (17, 6)]


def swept(x, y, direction, gamma=1.0, **options):
    *found, tape = sdtw_cpu.tangent(
        x, y, direction, gamma, tape=True, **options
    )
    return (*found, *sdtw_cpu.adjoint_tangent(tape))


def check_only_second_is_nan(*arrays):
    for a in arrays:
        assert np.isnan(a[1]).all()
        assert np.isfinite(np.delete(a, 1, axis=0)).all()


@pytest.mark.parametrize("gamma", [0.0, 1.0])
@pytest.mark.parametrize(("batch", "m"), LAYOUTS)
def test_nan_in_a_direction(isa, rng, batch, m, gamma):
    x, y = reference.make(rng, "series", batch, m, m, 2, np.float32)
    dx, z = np.ones_like(x), np.ones((batch, m, m), np.float32)
    dx[1, 3, 0] = z[1, 4, 2] = np.nan
    for direction in ((dx, None), z):
        value, *rest = swept(x, y, direction, gamma)
        assert np.isfinite(value).all()
        check_only_second_is_nan(*rest)

    cost = reference.squared_euclidean(x, y).astype(np.float32)
    cost[0, 1, 0], z[0, 1, 0] = np.inf, np.nan  # does not count
    _, tangent, tape = sdtw_cpu.tangent_from_cost(cost, z, gamma, tape=True)
    product = sdtw_cpu.adjoint_tangent(tape)
    check_only_second_is_nan(tangent, np.where(np.isinf(cost), 0, product))


@pytest.mark.parametrize(
    "cost", [name for name, kind in COSTS.items() if kind.degree]
)
@pytest.mark.parametrize("scale", [1e-22, 1e-8, 1e12, 1e20])
def test_float32_at_any_scale(isa, rng, scale, cost):
    """Squares of differences may leave what float32 can hold."""
    gamma = 0.1 * scale
    scale **= 1 / COSTS[cost].degree
    for batch, length in ((1, None), (5, [7, 5, 6, 3, 7])):
        series = (scale * rng.standard_normal((3, batch, 7, 2))).astype("f4")
        for kind in ("cost", "series"):
            found = []
            for x, y, dx in (series, series.astype(np.float64)):
                direction = "cost" if kind == "cost" else (dx, None)
                found.append(
                    swept(x, y, direction, gamma, cost=cost, x_length=length)
                )
            for actual, wanted in zip(*found):
                unit = np.linalg.norm(wanted)
                assert reference.error(actual / unit, wanted / unit) < 1e-4


@pytest.mark.parametrize("direction", ["cost", "series"])
def test_euclidean_costs_of_long_padding(isa, rng, direction):
    """Distances above the root of what padding costs."""
    x, y = (1e8 * rng.standard_normal((2, 9, 6, 2))).astype(np.float32)
    lengths = [6, 5, 4, 6, 3, 2, 6, 1, 5]
    options = {"gamma": 1e6, "cost": "euclidean"}

    def along(dx):
        return "cost" if direction == "cost" else (dx, None)

    together = swept(x, y, along(x), x_length=lengths, **options)
    for b, length in enumerate(lengths):
        one = x[b : b + 1, :length]
        alone = swept(one, y[b : b + 1], along(one), **options)
        assert reference.error(together[1][b], alone[1][0]) < 1e-4
        assert reference.error(together[2][b, :length], alone[2][0]) < 1e-4


@pytest.mark.parametrize(("batch", "m"), LAYOUTS)
def test_what_other_sweeps_give(isa, rng, batch, m):
    """The same values, and the gradient where only grad_tangent is not 0."""
    x, y = reference.make(rng, "series", batch, m, m, 3, np.float64)
    for cost in COSTS:
        value, tape = sdtw_cpu.value(x, y, 0.2, cost=cost, tape=True)
        gradients = sdtw_cpu.adjoint(tape)
        other, tangent, tape = sdtw_cpu.tangent(
            x, y, (x, y), 0.2, cost=cost, tape=True
        )
        np.testing.assert_array_equal(other, value)
        found = sdtw_cpu.adjoint_tangent(tape, np.zeros(batch), np.ones(batch))
        inner = np.zeros(batch)
        for a, b, series in zip(found, gradients, (x, y)):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)
            inner += (b * series).sum(axis=(1, 2))
        np.testing.assert_allclose(tangent, inner, rtol=1e-10)
        without = sdtw_cpu.tangent(x, y, (x, y), 0.2, cost=cost)
        np.testing.assert_array_equal(without, (value, tangent))


def test_strides_of_directions(rng):
    x, y, dx = reference.walks(rng, 3 * 4, 50, 2).reshape(3, 4, 50, 2)
    z = rng.standard_normal((4, 50, 50))
    strange = np.asfortranarray(dx)[:, ::-1].copy("K")[:, ::-1]
    assert not strange.flags.c_contiguous
    for plain, odd in (
        ((dx, None), (strange, None)),
        (z, np.repeat(z, 2, axis=2)[:, :, ::2]),
        (z[:1, :1].repeat(50, 1).repeat(4, 0), z[:1, :1]),
    ):
        for a, b in zip(swept(x, y, plain), swept(x, y, odd)):
            np.testing.assert_array_equal(a, b)
