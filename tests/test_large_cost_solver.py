"""The solver of problems with large costs, beside plain recursions."""

import large_cost_problems
import large_cost_solver
import large_costs
import numpy as np
import pytest
import reference


@pytest.mark.parametrize("gamma", [0.01, 0.1, 1.0, 1e3])
def test_ordinary_costs(rng, gamma):
    for m, n in ((1, 1), (1, 5), (6, 1), (7, 9), (12, 8)):
        cost = rng.standard_normal((m, n)) ** 2 - 0.2
        cost[rng.random((m, n)) < 0.2] = np.inf
        z = rng.standard_normal((m, n))
        found = large_cost_solver.solve(
            *large_cost_solver.as_integers(cost), gamma, z
        )
        value, e = reference.soft_dtw(cost, gamma)
        value, tangent, change = reference.tangent(cost[None], z, gamma)
        np.testing.assert_allclose(found.value, value[0], 1e-12)
        np.testing.assert_allclose(found.tangent, tangent[0], 1e-9)
        np.testing.assert_allclose(found.alignment, e, 1e-9, 1e-12)
        np.testing.assert_allclose(found.change, change[0], 1e-9, 1e-9 / gamma)


def test_all_alignments(rng):
    """Where costs are large, but none larger than others."""
    for offset in (0.0, 2.0**45, -(2.0**45)):
        cost = rng.integers(0, 5, (4, 5)) / 4.0
        at = large_cost_solver.as_integers(cost + offset)
        steps = np.array([p.sum() for p in reference.alignments(4, 5)])
        # With another offset, alignments of as many cells compare as before.
        found = large_cost_solver.solve(*at, 0.5)
        short, long = steps.min(), steps.max()
        kept = {0.0: (short, long), 2.0**45: (short,), -(2.0**45): (long,)}
        paths = np.array(list(reference.alignments(4, 5)))
        low, high = kept[offset][0], kept[offset][-1]
        paths = paths[(steps >= low) & (steps <= high)]
        scores = -(paths * cost).sum(axis=(1, 2)) / 0.5
        weights = np.exp(scores - scores.max())
        e = np.tensordot(weights / weights.sum(), paths, 1)
        np.testing.assert_allclose(found.alignment, e, 1e-12, 1e-12)
        value = -0.5 * (scores.max() + np.log(weights.sum())) + low * offset
        np.testing.assert_allclose(found.value, value, 1e-15)


@pytest.mark.parametrize("cost", large_costs.COSTS[1:])
def test_costs_of_series(rng, cost):
    x, y = rng.standard_normal((6, 3)), rng.standard_normal((7, 3))
    x[2], y[4], y[5] = y[3], -99999, 1e10
    integers, power, slopes, a = large_cost_solver.costs_of_series(x, y, cost)
    c, expected = reference.cost_and_slopes(x, y, cost)
    found = [large_cost_solver.as_long(v, power) for v in integers.ravel()]
    np.testing.assert_allclose(np.array(found), c.ravel(), 1e-14)
    np.testing.assert_allclose(slopes, expected, 1e-14)
    np.testing.assert_array_equal(a.astype(float), reference.differences(x, y))


def test_problems_are_of_all_kinds():
    """Those that fit and those whose optimum does not, among others."""
    ranges, names = set(), set()
    for index in range(300):
        given = large_costs.problem(index)
        right = large_costs.expected(given)
        names.update(given.name.split("gamma")[1].split(", ")[1:])
        bits = right.value / given.gamma / np.log(2)
        ranges.update(np.where(bits < large_cost_problems.BITS, "soft", "far"))
        ranges.update(np.where(right.value == np.inf, "no path", ""))
        again = large_costs.problem(index)
        for a, b in zip(given.arrays, again.arrays):
            np.testing.assert_array_equal(a, b)
    assert {"soft", "far", "no path"} <= ranges
    assert set(large_cost_problems.PATTERNS) <= names


def test_a_wrong_answer_is_found():
    """What takes one path where there are ties is not soft."""
    import sdtw_cpu

    class Hard:
        """Sweeps as if gamma were 0."""

        def __getattr__(self, name):
            sweep = getattr(sdtw_cpu, name)
            if name.startswith("adjoint"):
                return sweep
            return lambda *a, **more: sweep(*a[:-1], 0.0, **more)

    given = large_costs.problem(0)
    with pytest.raises(AssertionError, match="value"):
        large_costs.check(given, Hard())
