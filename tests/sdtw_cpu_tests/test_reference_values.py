"""Published figures: values, alignments and gradients for many gammas."""

import numpy as np
import pytest
import reference

import sdtw_cpu

CASES = reference.cases()
WALK_GAMMAS = (0.01, 0.001)


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def fused(x, y, gamma, **lengths):
    values, tape = sdtw_cpu.value(x, y, gamma, tape=True, **lengths)
    return (values, *sdtw_cpu.adjoint(tape))


def test_float64(isa, case):
    gamma = float(case["gamma"])
    values, gx, _ = fused(case["x"][None], case["y"][None], gamma)
    np.testing.assert_allclose(values[0], case["value"], rtol=1e-10)
    assert reference.error(gx[0], case["gx"]) < 1e-7

    cost = reference.squared_euclidean(case["x"], case["y"])
    values, tape = sdtw_cpu.value_from_cost(cost[None], gamma, tape=True)
    np.testing.assert_allclose(values[0], case["value"], rtol=1e-10)
    if "E" in case:
        e = sdtw_cpu.adjoint(tape)[0]
        assert reference.error(e, case["E"]) < 1e-7


def test_float32(isa, case):
    gamma = float(case["gamma"])
    x = case["x"][None].astype(np.float32)
    y = case["y"][None].astype(np.float32)
    values, gx, gy = fused(x, y, gamma)
    exact = fused(x.astype(np.float64), y.astype(np.float64), gamma)
    assert values.dtype == gx.dtype == gy.dtype == np.float32
    # A difference of float32 elements has a rounding error; gamma magnifies
    # what it does to the cost.
    steps = exact[2].shape[1] + exact[1].shape[1]
    rounding = 1e-7 * (1 + abs(exact[0][0]) / steps / gamma)
    assert abs(values[0] - exact[0][0]) < 1e-6 * (abs(exact[0][0]) + gamma)
    assert reference.error(gx, exact[1]) < max(1e-5, 20 * rounding)
    assert reference.error(gy, exact[2]) < max(1e-5, 20 * rounding)


def test_all_cases_of_one_gamma_in_one_batch(isa):
    """Both ways to use lanes: many short pairs, few long ones."""
    named = [c for c in CASES.values() if c["gamma"] == 1.0]
    for d in {c["x"].shape[1] for c in named}:
        chosen = [c for c in named if c["x"].shape[1] == d] * 9
        x_length = [len(c["x"]) for c in chosen]
        y_length = [len(c["y"]) for c in chosen]
        x = np.full((len(chosen), max(x_length), d), np.nan)
        y = np.full((len(chosen), max(y_length), d), np.nan)
        for b, c in enumerate(chosen):
            x[b, : x_length[b]] = c["x"]
            y[b, : y_length[b]] = c["y"]
        values, gx, _ = fused(x, y, 1.0, x_length=x_length, y_length=y_length)
        expected = [c["value"] for c in chosen]
        np.testing.assert_allclose(values, expected, rtol=1e-10)
        for b, c in enumerate(chosen):
            assert reference.error(gx[b, : x_length[b]], c["gx"]) < 1e-7


@pytest.mark.parametrize("gamma", WALK_GAMMAS)
@pytest.mark.parametrize("batch", [1, 16])
def test_float32_random_walks(isa, rng, batch, gamma):
    """Float32 gradients of long series are those of float64."""
    x = reference.walks(rng, batch, 1024, 1, dtype=np.float32)
    y = reference.walks(rng, batch, 1024, 1, dtype=np.float32)
    values, *gradients = fused(x, y, gamma)
    exact, *expected = fused(x.astype(np.float64), y.astype(np.float64), gamma)
    np.testing.assert_allclose(values, exact, rtol=1e-5)
    for actual, wanted in zip(gradients, expected):
        for b in range(batch):
            assert reference.error(actual[b], wanted[b]) < 1e-5


@pytest.mark.parametrize("gamma", WALK_GAMMAS)
@pytest.mark.parametrize("d", [1, 3])
def test_float32_random_walks_of_length_4096(rng, gamma, d):
    x = reference.walks(rng, 1, 4096, d, dtype=np.float32)
    y = reference.walks(rng, 1, 4096, d, dtype=np.float32)
    _, *gradients = fused(x, y, gamma)
    _, *expected = fused(x.astype(np.float64), y.astype(np.float64), gamma)
    for actual, wanted in zip(gradients, expected):
        assert reference.error(actual, wanted) < 1e-5
