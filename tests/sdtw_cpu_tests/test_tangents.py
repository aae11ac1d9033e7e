"""Derivatives along directions, and Hessian-vector products."""

import numpy as np
import pytest
import reference

import sdtw_cpu

CASES = {k: c for k, c in reference.cases().items() if "Hz" in c}
COSTS = sdtw_cpu.checks.COSTS
DIRECTIONS = ("series", "x", "y", "cost", "matrices", "matrix")
# Pairs, rows, columns, features: lanes along a pair and across a batch, more
# strips than one, one cell.
SHAPES = [(1, 70, 40, 1), (9, 13, 21, 3), (5, 34, 9, 17), (2, 1, 1, 1)]


def make_direction(rng, kind, x, y):
    def like(*shape):
        return rng.standard_normal(shape).astype(x.dtype)

    dx, dy = like(*x.shape), like(*y.shape)
    shape = *x.shape[:2], y.shape[1]
    return {
        "series": (dx, dy),
        "x": (dx, None),
        "y": (None, dy),
        "cost": "cost",
        "matrices": like(*shape),
        "matrix": like(1, *shape[1:]),
    }[kind]


def swept(x, y, direction, gamma, cost, grads, **options):
    value, tangent, tape = sdtw_cpu.tangent(
        x, y, direction, gamma, cost=cost, tape=True, **options
    )
    return value, tangent, *sdtw_cpu.adjoint_tangent(tape, *grads)


def close(actual, expected, gamma, tolerance):
    # What cancels is a part of 1 / gamma.
    scale = max(abs(expected).max(), 1e-3 / gamma if gamma else 1)
    assert abs(actual - expected).max() <= tolerance * scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", DIRECTIONS)
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.slow
def test_against_the_recursions(cost, kind, dtype):
    rng = np.random.default_rng(COSTS.index(cost) * 6 + DIRECTIONS.index(kind))
    for number, (batch, m, n, d) in enumerate(SHAPES):
        gamma = (0.1, 1.0, 0.0, 10.0)[(number + rng.integers(4)) % 4]
        x, y = reference.make(rng, "series", batch, m, n, d, dtype)
        same = min(m, n) // 2  # where differences are exactly 0
        y[:, :same] = x[:, :same]
        direction = make_direction(rng, kind, x, y)
        lengths = {}
        if number % 2:
            lengths["x_length"] = rng.integers(1, m + 1, batch)
            lengths["y_length"] = rng.integers(1, n + 1, batch)
        grads = rng.standard_normal((2, batch))
        expected = reference.tangents(
            x,
            y,
            direction,
            gamma,
            cost,
            grad=grads[0],
            grad_tangent=grads[1],
            **lengths,
        )
        tolerance = 1e-9 if dtype is np.float64 else 1e-4
        for level in sdtw_cpu.isa_levels():
            sdtw_cpu.set_isa(level)
            actual = swept(x, y, direction, gamma, cost, grads, **lengths)
            for a, b in zip(actual, expected):
                assert a.dtype == dtype, level
                close(a, b, gamma, tolerance)


@pytest.mark.parametrize("name", CASES)
def test_published_products(isa, name):
    case = CASES[name]
    gamma = float(case["gamma"])
    cost = reference.squared_euclidean(case["x"], case["y"])[None]
    direction = case["Z"][None]
    value, tangent, tape = sdtw_cpu.tangent_from_cost(
        cost, direction, gamma, tape=True
    )
    np.testing.assert_allclose(value[0], case["value"], rtol=1e-10)
    np.testing.assert_allclose(tangent[0], case["dir"], rtol=1e-8)
    product = sdtw_cpu.adjoint_tangent(tape)[0]
    # Some products are nothing but what rounding has left: 5e-19 and less.
    floor = 1e-15 * np.linalg.norm(direction) / gamma
    error = np.linalg.norm(product - case["Hz"])
    assert error <= 1e-8 * np.linalg.norm(case["Hz"]) + floor


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_costs_that_forbid_cells(isa, dtype):
    rng = np.random.default_rng(4)
    cost = rng.random((6, 11, 40)).astype(dtype)
    cost[rng.random(cost.shape) < 0.2] = np.inf
    cost[0, 5] = np.inf  # no path
    cost[1, 3, 3] = np.nan
    direction = rng.standard_normal(cost.shape).astype(dtype)
    direction[np.isinf(cost)] = np.nan
    for given in (direction, "cost"):
        value, tangent, tape = sdtw_cpu.tangent_from_cost(
            cost, given, 0.5, tape=True
        )
        product = sdtw_cpu.adjoint_tangent(tape, None, np.full(6, 0.5))
        assert np.isinf(value[0])
        assert tangent[0] == 0
        assert not product[0].any()
        assert np.isnan(value[1])
        assert np.isnan(tangent[1])
        assert np.isnan(product[1]).all()
        z = cost if isinstance(given, str) else given
        expected = reference.tangent(
            cost[2:], z[2:], 0.5, grad_tangent=np.full(4, 0.5)
        )
        tolerance = 1e-12 if dtype is np.float64 else 1e-5
        for a, b in zip((value, tangent, product), expected):
            np.testing.assert_allclose(a[2:], b, tolerance, tolerance)


def test_bands():
    rng = np.random.default_rng(7)
    x, y = reference.make(rng, "series", 5, 50, 44, 2, np.float64)
    lengths = {
        "x_length": rng.integers(20, 51, 5),
        "y_length": rng.integers(20, 45, 5),
    }
    band = sdtw_cpu.sakoe_chiba_band(50, 44, 5, *lengths.values())
    inside = reference.inside(band, 44)
    z = np.where(inside, rng.standard_normal(inside.shape), np.nan)
    cost = np.where(inside, reference.squared_euclidean(x, y), np.inf)
    expected = reference.tangent(cost, z, 0.3, **lengths)
    for of_cost in (True, False):
        if of_cost:
            args = (reference.squared_euclidean(x, y), z, 0.3)
            *found, tape = sdtw_cpu.tangent_from_cost(
                *args, band=band, tape=True, **lengths
            )
            found.append(sdtw_cpu.adjoint_tangent(tape))
        else:
            found = sdtw_cpu.tangent(x, y, z, 0.3, band=band, **lengths)
        for a, b in zip(found, expected):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_threads_share_one_pair():
    rng = np.random.default_rng(3)
    x, y = reference.make(rng, "series", 1, 700, 900, 1, np.float64)
    direction = make_direction(rng, "series", x, y)
    found = []
    before = sdtw_cpu.get_num_threads()
    try:
        for count in (1, 3):
            sdtw_cpu.set_num_threads(count)
            grads = ([1.5], [0.5])
            found.append(swept(x, y, direction, 0.1, "sqeuclidean", grads))
    finally:
        sdtw_cpu.set_num_threads(before)
    for a, b in zip(*found):
        np.testing.assert_array_equal(a, b)


def test_finite_differences_of_the_gradient():
    """Independent of any formula for the second derivative."""
    rng = np.random.default_rng(8)
    x, y = reference.make(rng, "series", 3, 12, 10, 2, np.float64)
    dx, dy = make_direction(rng, "series", x, y)
    for cost in COSTS:
        _, tangent, *found = swept(x, y, (dx, dy), 0.5, cost, ())
        steps = []
        for h in (1e-5, -1e-5):
            value, tape = sdtw_cpu.value(
                x + h * dx, y + h * dy, 0.5, cost=cost, tape=True
            )
            steps.append((value, *sdtw_cpu.adjoint(tape)))
        for a, up, down in zip((tangent, *found), *steps):
            np.testing.assert_allclose(a, (up - down) / 2e-5, 1e-5, 1e-7)


def test_a_tape_serves_more_than_once():
    rng = np.random.default_rng(9)
    x, y = reference.make(rng, "series", 1, 200, 300, 2, np.float64)
    direction = make_direction(rng, "series", x, y)
    *_, tape = sdtw_cpu.tangent(x, y, direction, tape=True)
    first = sdtw_cpu.adjoint_tangent(tape)
    only_x = sdtw_cpu.adjoint_tangent(tape, y=False)
    again = sdtw_cpu.adjoint_tangent(tape)
    assert only_x[1] is None
    np.testing.assert_array_equal(first[0], only_x[0])
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert tape.nbytes > 0
    assert repr(tape) == f"SeriesTape(nbytes={tape.nbytes})"


def test_a_tape_knows_its_sweep():
    x = np.zeros((1, 3, 1))
    _, tape = sdtw_cpu.value(x, x, tape=True)
    with pytest.raises(ValueError, match=r"use adjoint$"):
        sdtw_cpu.adjoint_tangent(tape)
    *_, tape = sdtw_cpu.tangent(x, x, "cost", tape=True)
    with pytest.raises(ValueError, match="use adjoint_tangent"):
        sdtw_cpu.adjoint(tape)


class Typed:
    """No array, but like a variable of Chainer."""

    dtype, shape = np.dtype(float), (2, 3, 4)


@pytest.mark.parametrize(
    ("direction", "error", "message"),
    [
        ("costs", ValueError, "'cost', got 'costs'"),
        (3.0, TypeError, "direction must be an array, a pair of arrays"),
        (Typed(), TypeError, "direction must be an array.*, got Typed"),
        (np.zeros((3, 4)), ValueError, r"shape \(2, 3, 4\)"),
        (np.zeros((2, 3, 5)), ValueError, r"got \(2, 3, 5\)"),
        (np.zeros((2, 3, 4), np.float32), TypeError, "must be float64"),
        ((np.zeros((2, 3)), None), ValueError, r"dx .* \(2, 3, 1\)"),
        ((None, np.zeros((2, 3, 1))), ValueError, r"dy .* \(2, 4, 1\)"),
        (
            (np.zeros((2, 3, 1), np.float32), None),
            TypeError,
            "must be float64",
        ),
    ],
)
def test_bad_directions(direction, error, message):
    x, y = np.zeros((2, 3, 1)), np.zeros((2, 4, 1))
    with pytest.raises(error, match=message):
        sdtw_cpu.tangent(x, y, direction)


def test_bad_grads_and_costs():
    x = np.zeros((2, 3, 1))
    *_, tape = sdtw_cpu.tangent(x, x, "cost", tape=True)
    with pytest.raises(ValueError, match=r"grad_tangent must have shape"):
        sdtw_cpu.adjoint_tangent(tape, None, np.ones(3))
    for cost in ("cosine", None):
        with pytest.raises(ValueError, match="one of 'sqeuclidean', 'eucl"):
            sdtw_cpu.value(x, x, cost=cost)
