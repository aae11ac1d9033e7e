import warnings

import numpy as np
import pytest

import chainer_sdtw


def test_equal_lengths():
    i, j = np.indices((7, 7))
    np.testing.assert_allclose(
        chainer_sdtw.diagonal_prior(7, 7, nu=3),
        1 - np.exp(-((i - j) ** 2) / 6),
        atol=1e-12,
    )


def test_tiny_width():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prior = chainer_sdtw.diagonal_prior(3, 3, nu=5e-324)
    np.testing.assert_array_equal(prior, 1 - np.eye(3))


def test_staircase():
    # Three rows to a column: penalties grow from the ends of each tread.
    prior = chainer_sdtw.diagonal_prior(9, 3, nu=2)
    distance = np.zeros((9, 3))
    for j in range(3):
        for i in range(9):
            distance[i, j] = max(3 * j - i, i - (3 * j + 2), 0)
    np.testing.assert_allclose(
        prior, 1 - np.exp(-(distance**2) / 4), atol=1e-12
    )
    np.testing.assert_allclose(
        chainer_sdtw.diagonal_prior(3, 9, nu=2), prior.T, atol=1e-12
    )


@pytest.mark.parametrize("m, n", [(1, 1), (1, 6), (5, 7), (8, 3)])
def test_from_corner_to_corner(m, n):
    prior = chainer_sdtw.diagonal_prior(m, n, nu=10)
    assert prior[0, 0] == prior[-1, -1] == 0
    assert prior.shape == (m, n)
    np.testing.assert_allclose(prior, prior[::-1, ::-1], atol=1e-12)
    # A zero, or nearly, in each row and column: the way along the diagonal.
    assert (prior.min(axis=0) < 0.02).all()
    assert (prior.min(axis=1) < 0.02).all()


def test_lengths():
    prior = chainer_sdtw.diagonal_prior(
        8, 6, 5, x_length=[8, 3, 5], y_length=np.array([6, 6, 1])
    )
    assert prior.shape == (3, 8, 6)
    for p, m, n in zip(prior, [8, 3, 5], [6, 6, 1]):
        np.testing.assert_allclose(
            p[:m, :n], chainer_sdtw.diagonal_prior(m, n, 5), atol=1e-12
        )
    one = chainer_sdtw.diagonal_prior(8, 6, 5, y_length=[4])
    np.testing.assert_allclose(
        one[0, :, :4], chainer_sdtw.diagonal_prior(8, 4, 5), atol=1e-12
    )


@pytest.mark.parametrize(
    "args, message",
    [
        ((0, 3), "m must be >= 1, got 0"),
        ((3, 0), "n must be >= 1, got 0"),
        ((3, 3, 0.0), "nu must be > 0 and finite, got 0.0"),
        ((3, 3, np.nan), "nu must be > 0 and finite, got nan"),
    ],
)
def test_errors(args, message):
    with pytest.raises(ValueError, match=message):
        chainer_sdtw.diagonal_prior(*args)
