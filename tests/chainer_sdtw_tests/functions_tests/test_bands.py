"""Bands and masks of the losses."""

import re
from unittest import mock

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest
import reference
from chainer import Variable

import sdtw_cpu
from chainer_sdtw import itakura_mask, soft_dtw, soft_dtw_from_cost

M, N = 7, 5
LENGTHS = {"x_length": np.array([7, 2, 4]), "y_length": np.array([3, 5, 4])}


@pytest.fixture
def pair(rng):
    return reference.walks(rng, 3, M, 2), reference.walks(rng, 3, N, 2)


def allowed_cells(radius, lengths):
    """Sakoe and Chiba's band, cell by cell."""
    rows = lengths.get("x_length", [M] * 3)
    columns = lengths.get("y_length", [N] * 3)
    cells = np.zeros((3, M, N), dtype=bool)
    for b, (m, n, r) in enumerate(
        zip(rows, columns, np.broadcast_to(radius, 3))
    ):
        for i in range(m):
            for j in range(n):
                more = n - m
                low, high = min(more, 0) - r, max(more, 0) + r
                cells[b, i, j] = low <= j - i <= high
    return cells


def expected(pair, allowed, gamma, lengths):
    cost = reference.squared_euclidean(*pair)
    cost[~allowed] = np.inf
    values, e = reference.soft_dtw(cost, gamma, **lengths)
    return (values, *reference.gradients(*pair, e))


def check(pair, allowed, gamma=0.5, lengths=None, **options):
    lengths = lengths or {}
    x, y = map(Variable, pair)
    values = soft_dtw(x, y, gamma, reduce="no", **lengths, **options)
    values.grad = np.ones(3)
    values.backward()
    wanted = expected(pair, allowed, gamma, lengths)
    for actual, array in zip((values.array, x.grad, y.grad), wanted):
        np.testing.assert_allclose(actual, array, atol=1e-12)


@pytest.mark.parametrize("lengths", [{}, LENGTHS], ids=["whole", "ragged"])
@pytest.mark.parametrize("radius", [0, 1, 100, [0, 3, 1]])
@pytest.mark.parametrize("gamma", [0, 0.5])
def test_bandwidth(pair, radius, lengths, gamma):
    allowed = allowed_cells(radius, lengths)
    check(pair, allowed, gamma, lengths, bandwidth=radius)


@pytest.mark.parametrize(
    "kind", [int, np.int8, np.array, lambda r: Variable(np.array([r] * 3))]
)
def test_kinds_of_bandwidth(pair, kind):
    check(pair, allowed_cells(1, {}), bandwidth=kind(1))


def test_mask_that_is_a_band(pair):
    mask = itakura_mask(M, N)
    allowed = np.broadcast_to(mask, (3, M, N))
    with mock.patch.object(sdtw_cpu, "value_from_cost") as explicit:
        check(pair, allowed, mask=mask)
    assert not explicit.called


@pytest.mark.parametrize("lengths", [{}, LENGTHS], ids=["whole", "ragged"])
def test_mask_with_holes(pair, rng, lengths):
    mask = rng.random((3, M, N)) < 0.8
    mask[:, range(N), range(N)] = True
    check(pair, mask, lengths=lengths, mask=mask)


def test_mask_and_bandwidth(pair):
    mask = np.ones((M, N), dtype=bool)
    mask[3, 3] = False
    allowed = allowed_cells(1, {}) & mask
    check(pair, allowed, mask=mask, bandwidth=1)


def test_no_alignment(pair):
    mask = np.ones((3, M, N), dtype=bool)
    mask[1, 2] = False
    check(pair, mask, mask=mask)


def test_costs(rng):
    cost = rng.random((3, M, N))
    mask = np.ones((M, N), dtype=bool)
    mask[3, 3] = False
    for options, allowed in (
        ({"bandwidth": 1}, allowed_cells(1, {})),
        ({"bandwidth": 0, **LENGTHS}, allowed_cells(0, LENGTHS)),
        ({"mask": mask}, np.broadcast_to(mask, cost.shape)),
    ):
        lengths = {k: v for k, v in options.items() if k in LENGTHS}
        variable = Variable(cost)
        values = soft_dtw_from_cost(variable, 0.5, reduce="no", **options)
        values.grad = np.ones(3)
        values.backward()
        forbidding = np.where(allowed, cost, np.inf)
        wanted, e = reference.soft_dtw(forbidding, 0.5, **lengths)
        np.testing.assert_allclose(values.array, wanted, rtol=1e-12)
        np.testing.assert_allclose(variable.grad, e, atol=1e-12)


def test_one_pair(pair):
    x, y = pair
    mask = itakura_mask(M, N)
    values = soft_dtw(x, y, bandwidth=2, mask=mask, reduce="no")
    one = soft_dtw(x[1], y[1], bandwidth=2, mask=mask)
    assert one.array == values.array[1]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bandwidth": -1}, ValueError, "bandwidth must be >= 0, got"),
        ({"bandwidth": 1.5}, TypeError, "bandwidth must be integers, got"),
        (
            {"bandwidth": [1, 2]},
            ValueError,
            "bandwidth must be one number or (3,) of them, got shape (2,)",
        ),
        (
            {"mask": np.ones((N, M), bool)},
            ValueError,
            "mask must have shape (7, 5) or (3, 7, 5), got (5, 7)",
        ),
        (
            {"mask": np.ones((M, N))},
            TypeError,
            "mask must be booleans, got float64",
        ),
        (
            {"bandwidth": 1, "x_length": [1, 2]},
            ValueError,
            "x_length must have shape (3,), got (2,)",
        ),
    ],
)
def test_errors(pair, options, error, message):
    cost = reference.squared_euclidean(*pair)
    for function, inputs in ((soft_dtw, pair), (soft_dtw_from_cost, (cost,))):
        with pytest.raises(error, match=re.escape(message)):
            function(*inputs, **options)
