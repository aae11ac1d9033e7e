"""The sweeps against the sum over all alignments."""

import numpy as np
import pytest
import reference

import sdtw_cpu

SHAPES = [(m, n) for m in range(1, 6) for n in range(1, 6)]
DTYPES = [np.float64, np.float32]


def run(cost, gamma, **lengths):
    values, tape = sdtw_cpu.value_from_cost(cost, gamma, tape=True, **lengths)
    return values, sdtw_cpu.adjoint(tape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gamma", [1e-3, 0.1, 1.0, 100.0])
def test_all_alignments(isa, rng, gamma, dtype):
    costs = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    padded = np.full((len(SHAPES), 5, 5), np.nan, dtype)
    for b, (m, n) in enumerate(SHAPES):
        padded[b, :m, :n] = costs[b]
    x_length, y_length = np.array(SHAPES).T
    values, e = run(padded, gamma, x_length=x_length, y_length=y_length)
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    for b, (m, n) in enumerate(SHAPES):
        value, alignment = reference.brute_force(
            costs[b].astype(np.float64), gamma
        )
        single, alone = run(costs[b][None], gamma)
        scale = abs(value) + gamma
        np.testing.assert_allclose(values[b], value, atol=tolerance * scale)
        np.testing.assert_allclose(single[0], value, atol=tolerance * scale)
        np.testing.assert_allclose(e[b, :m, :n], alignment, atol=tolerance)
        np.testing.assert_allclose(alone[0], alignment, atol=tolerance)
        assert not e[b, m:].any() and not e[b, :, n:].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (4, 5), (5, 5)])
def test_gamma_zero_takes_one_optimal_alignment(isa, rng, shape, dtype):
    paths = np.array(list(reference.alignments(*shape)))
    # Small integers: many ties, sums without rounding.
    costs = rng.integers(-2, 4, (50, *shape)).astype(dtype)
    values, e = run(costs, 0.0)
    for cost, value, path in zip(costs, values, e):
        totals = (paths * cost).sum(axis=(1, 2))
        assert value == totals.min()
        (chosen,) = np.flatnonzero((paths == path).all(axis=(1, 2)))
        assert totals[chosen] == value
        np.testing.assert_array_equal(path, reference.soft_dtw(cost, 0.0)[1])


@pytest.mark.parametrize(
    ("cost", "path"),
    [
        # Seen from the end, the diagonal comes first ...
        ([[0, 0, 0]] * 2, [[1, 1, 0], [0, 0, 1]]),
        ([[0, 0]] * 3, [[1, 0], [1, 0], [0, 1]]),
        # ... then the cell above.
        ([[0, 0, 0], [0, 1, 0], [0, 0, 0]], [[1, 1, 0], [0, 0, 1], [0, 0, 1]]),
    ],
)
def test_ties(isa, cost, path):
    for batch in (1, 16):
        _, e = run(np.array([cost] * batch, np.float64), 0)
        np.testing.assert_array_equal(e, [path] * batch)
