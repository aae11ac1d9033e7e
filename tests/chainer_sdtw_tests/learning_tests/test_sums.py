"""Sums that hardly depend on the order of their terms."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import math

import numpy as np
import pytest

from chainer_sdtw._engine import losses, series_set
from chainer_sdtw.learning._objective import Objective, Sums, total
from chainer_sdtw.learning._sums import add_doubles, double_sum


@pytest.mark.parametrize("size", [0, 1, 2, 7, 1000, 40000])
def test_sum_is_rounded_once(rng, size):
    scale = np.exp(8 * rng.standard_normal((size, 3, 2)))
    terms = rng.standard_normal((size, 3, 2)) * scale
    terms = np.concatenate([terms, -terms[: size // 2] * (1 + 1e-14)])
    parts = double_sum(terms)
    assert parts.shape == (2, 3, 2)
    for index in np.ndindex(3, 2):
        expected = math.fsum(terms[(..., *index)])
        assert parts.sum(axis=0)[index] == expected


@pytest.mark.parametrize("count", [2, 5, 64])
def test_parts_and_order_do_not_matter(rng, count):
    terms = rng.standard_normal((1000, 20)) ** 7
    order = rng.permutation(1000)
    blocks = [double_sum(terms[i]) for i in np.array_split(order, count)]
    np.testing.assert_array_equal(
        add_doubles(blocks).sum(axis=0), double_sum(terms).sum(axis=0)
    )


def test_what_is_not_finite():
    terms = np.array([[1e308, np.inf, 1], [1e308, 1, np.nan], [1, 2, 3]])
    assert not np.isfinite(double_sum(terms).sum(axis=0)).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_objective_of_blocks(rng, dtype):
    series = rng.standard_normal((60, 15, 2)).cumsum(axis=1).astype(dtype)
    weights, labels = rng.random(60), rng.integers(3, size=60)
    z = rng.standard_normal((3, 12, 2)).astype(dtype)

    def objective(i):
        batch = series_set.as_series_set("series", series[i])
        loss = losses.as_loss("soft_dtw", 0.4)
        return Objective(batch, loss, weights[i], labels[i], 3)

    values, gradient = objective(slice(None))(z)
    assert gradient.dtype == dtype
    for blocks in ([range(60)], np.array_split(rng.permutation(60), 7)):
        sums = Sums.added([objective(list(i)).sums(z) for i in blocks])
        of_blocks = total(sums, dtype)
        np.testing.assert_array_equal(of_blocks[0], values)
        np.testing.assert_array_equal(of_blocks[1], gradient)
