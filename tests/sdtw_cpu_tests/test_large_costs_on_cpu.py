"""Cells, spikes and codes of missing values that cost more than the range."""

import large_costs
import numpy as np
import pytest
import reference

import sdtw_cpu
from sdtw_cpu.checks import COSTS


@pytest.mark.parametrize("first", range(0, 1000, 100))
@pytest.mark.slow
def test_random_problems(first):
    for index in range(first, first + 100):
        given = large_costs.problem(index)
        right = large_costs.expected(given)
        for level in sdtw_cpu.isa_levels():
            sdtw_cpu.set_isa(level)
            large_costs.check(given, sdtw_cpu, right=right)


@pytest.mark.parametrize("large", [1e12, 1e13, 1e14, 1e20, 1e300, np.inf])
def test_a_large_cell(isa, large):
    cost = np.array([[[0.0, 1.0, large], [1.0, 0.0, 0.0]]])
    value = sdtw_cpu.value_from_cost(cost, 1.0)
    np.testing.assert_allclose(value, -0.7436683806, rtol=1e-9)


def test_a_mask(isa, rng):
    """1e10 off a band is as good as infinity, at a small gamma too."""
    i = np.arange(100)
    off = abs(i[:, None] - i) > 5
    cost = rng.random((1, 100, 100))
    found, expected = (
        sdtw_cpu.value_from_cost(np.where(off, mask, cost), 0.01, tape=True)
        for mask in (1e10, np.inf)
    )
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-13)
    e, right = (sdtw_cpu.adjoint(tape) for _, tape in (found, expected))
    np.testing.assert_allclose(e, right, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("size", [1, 17])
@pytest.mark.parametrize("cost", COSTS)
def test_spikes_that_match(isa, size, cost):
    """They cost nothing and do not change what the rest costs."""
    rng = np.random.RandomState(0)
    x, y = rng.randn(20, 1), rng.randn(20, 1)
    x[10] = y[12] = 1e7
    batch = (np.repeat(a[None], size, axis=0) for a in (x, y))
    value, tape = sdtw_cpu.value(*batch, 1.0, cost=cost, tape=True)
    c, slopes = reference.cost_and_slopes(x, y, cost)
    c[c > 1e5] = np.inf
    other, path = sdtw_cpu.value_from_cost(c[None], 1.0, tape=True)
    np.testing.assert_allclose(value, np.repeat(other, size), rtol=1e-13)
    if cost == "sqeuclidean":
        np.testing.assert_allclose(value, 27.83548, atol=5e-6)
    e = sdtw_cpu.adjoint(path)[0]
    slopes = slopes[..., 0]
    gx, gy = sdtw_cpu.adjoint(tape)
    np.testing.assert_allclose(gx[-1, :, 0], (e * slopes).sum(1), atol=1e-9)
    np.testing.assert_allclose(gy[-1, :, 0], -(e * slopes).sum(0), atol=1e-9)


def test_alignments_that_tie_out_of_range(isa):
    """Each of the 13 of a 3 x 3 table counts if the corners cost it all."""
    cost = np.zeros((1, 3, 3))
    cost[0, 0, 0] = cost[0, 2, 2] = 2.0**90
    value, tape = sdtw_cpu.value_from_cost(cost, 1.0, tape=True)
    assert value == 2.0**91
    expected = np.array([[13, 5, 1], [5, 9, 5], [1, 5, 13]]) / 13
    np.testing.assert_allclose(sdtw_cpu.adjoint(tape)[0], expected, rtol=1e-14)


def test_part_of_a_batch(isa, rng):
    """Pairs in range, with large cells and out of range, side by side."""
    cost = rng.random((30, 12, 14))
    cost[10:20, 3, 4] = 1e200
    cost[20:, 5] += 1e30
    values, tape = sdtw_cpu.value_from_cost(cost, 0.1, tape=True)
    e = sdtw_cpu.adjoint(tape)
    again = sdtw_cpu.adjoint(tape)
    np.testing.assert_array_equal(e, again)
    for b in (0, 15, 25):
        value, alone = sdtw_cpu.value_from_cost(cost[[b]], 0.1, tape=True)
        np.testing.assert_allclose(values[b], value[0], rtol=1e-14)
        np.testing.assert_allclose(
            e[b], sdtw_cpu.adjoint(alone)[0], rtol=1e-9, atol=1e-15
        )


def test_sums_beside_large_cells(isa):
    large_costs.check_sums_beside_large_cells(sdtw_cpu)
