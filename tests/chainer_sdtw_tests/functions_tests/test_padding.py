"""What lies beyond the lengths, and the types that lengths come in."""

import chainer_sdtw  # isort: skip

import chainer.functions as F
import checks
import numpy as np
import pytest


def cosine(x, y):
    """A cost that is NaN for vectors of zeros."""
    x, y = (F.normalize(a, eps=0, axis=2) for a in (x, y))
    return 1 - F.matmul(x, y, transb=True)


COSTS = {
    **{name: name for name in chainer_sdtw._engine.costs.NAMES},
    "function": cosine,
}


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("name", checks.LOSSES)
def test_padding_counts_for_nothing(name, cost):
    loss, cost, (x, y) = checks.LOSSES[name], COSTS[cost], checks.pair()
    x_length, y_length = [4, 2], [2, 3]
    if loss is not chainer_sdtw.soft_alignment:
        loss = _each(loss)
    expected = [
        checks.derivatives(loss, x[b : b + 1, :m], y[b : b + 1, :n], cost=cost)
        for b, (m, n) in enumerate(zip(x_length, y_length))
    ]
    for fill in (np.nan, -np.inf, 1e300):
        x[1, 2:] = y[0, 2:] = fill
        with np.errstate(all="ignore"):
            actual = checks.derivatives(
                loss, x, y, cost=cost, x_length=x_length, y_length=y_length
            )
        np.testing.assert_allclose(
            actual[0], sum(each[0] for each in expected), rtol=1e-9
        )
        for i in range(1, 5):
            whole = np.zeros_like(actual[i])
            for b, each in enumerate(expected):
                whole[b, : each[i].shape[1]] = each[i]
            np.testing.assert_allclose(actual[i], whole, rtol=1e-7, atol=1e-8)


def _each(loss):
    return lambda *args, **options: loss(*args, reduce="no", **options)


@pytest.mark.parametrize("name", checks.LOSSES)
def test_series_of_zeros_under_the_cosine_cost(name):
    """Their gradient is 0, beside padding that is not a number too."""
    x, y = checks.pair()
    x[0], x[1, 2:], y[1, 1] = 0, np.nan, 0
    results = checks.derivatives(
        checks.LOSSES[name], x, y, cost="cosine", x_length=np.array([4, 2])
    )
    assert all(np.isfinite(a).all() for a in results)
    for gx in (results[1], results[3]):
        assert not gx[0].any() and not gx[1, 2:].any()


@pytest.mark.parametrize("name", ["sharp_soft_dtw", "dilate_loss"])
def test_second_derivatives_for_lengths_of_the_smallest_type(rng, name):
    """The sum of two lengths is beyond the range of the type."""
    x, y = rng.standard_normal((1, 65, 1)), rng.standard_normal((1, 66, 1))
    expected = checks.derivatives(checks.LOSSES[name], x[:, :64], y)
    actual = checks.derivatives(
        checks.LOSSES[name],
        x,
        y,
        x_length=np.array([64], np.int8),
        y_length=np.array([66], np.int8),
    )
    assert expected[3].any()
    np.testing.assert_allclose(actual[3][:, :64], expected[3], rtol=1e-9)
    np.testing.assert_allclose(actual[4], expected[4], rtol=1e-9)
