"""What arguments other than series must be, and what is said if not."""

import re
import warnings

import chainer_sdtw  # isort: skip

import numpy as np
import pytest
from argument_series import COST, SET, X, Y, k_means, loss
from chainer import Parameter, Variable

import sdtw_cpu
from chainer_sdtw import links
from sdtw_cpu.barycenter import sdtw_barycenter

pytest.importorskip("sklearn")
estimators = chainer_sdtw.estimators


@pytest.mark.parametrize(
    ("gamma", "error"),
    [
        (10**400, ValueError),
        (-(10**400), ValueError),
        (np.array([1.0]), TypeError),
        (np.ones((1, 1)), TypeError),
        ("1", TypeError),
        (b"1", TypeError),
        (1j, TypeError),
        (np.complex128(1), TypeError),
        (np.datetime64(1, "s"), TypeError),
        (Variable(np.array(1.0)), TypeError),
    ],
)
def test_gamma(gamma, error):
    for call in (
        lambda: loss(gamma=gamma),
        lambda: chainer_sdtw.dilate_loss(X, Y, gamma=gamma),
        lambda: links.SoftDTWLoss(gamma),
        lambda: links.Barycenter(SET[0], gamma),
        lambda: chainer_sdtw.barycenter(SET, gamma),
        lambda: chainer_sdtw.pairwise_soft_dtw(SET, gamma=gamma),
        lambda: estimators.SoftDTWKMeans(1, gamma=gamma).fit(SET),
        lambda: sdtw_cpu.SoftDTW(COST[0], gamma),
    ):
        with pytest.raises(error, match="gamma must be"):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: chainer_sdtw.soft_alignment(X, Y, y_length=1),
            ValueError,
            "y_length must have shape (2,), got ()",
        ),
        (
            lambda: chainer_sdtw.soft_alignment(X, Y, y_length=[1, 5]),
            ValueError,
            "y_length must be from 1 to 4, got 5 at 1",
        ),
        (
            lambda: chainer_sdtw.diagonal_prior("a", 3),
            TypeError,
            "m must be an integer >= 1, got 'a'",
        ),
        (
            lambda: chainer_sdtw.diagonal_prior(3, 4, x_length=[4]),
            ValueError,
            "x_length must be from 1 to 3, got 4 at 0",
        ),
        (
            lambda: chainer_sdtw.diagonal_prior(
                3, 4, x_length=[3], y_length=[1, 2]
            ),
            ValueError,
            "x_length and y_length must have one shape, got [1, 2] lengths",
        ),
        (
            lambda: chainer_sdtw.diagonal_prior(3, 4, "1"),
            TypeError,
            "nu must be a number, got '1'",
        ),
        (
            lambda: chainer_sdtw.itakura_mask(3, 2.5),
            TypeError,
            "n must be an integer >= 1, got 2.5",
        ),
        (
            lambda: chainer_sdtw.dilate_loss(X, Y, "1"),
            TypeError,
            "alpha must be a number, got '1'",
        ),
        (
            lambda: links.SoftDTWLoss(prior="1"),
            TypeError,
            "prior must be a number, got '1'",
        ),
        (
            lambda: chainer_sdtw.diagonal_prior(
                3, 4, x_length=np.zeros(0, int)
            ),
            ValueError,
            "x_length must not be empty",
        ),
        (
            lambda: sdtw_cpu.sakoe_chiba_band(3, 4, 1, None, np.zeros(0, int)),
            ValueError,
            "y_length must not be empty",
        ),
        (lambda: sdtw_cpu.set_isa(None), TypeError, "name must be a string"),
        (
            lambda: sdtw_cpu.set_isa("generic\0"),
            ValueError,
            "is not usable here",
        ),
        (
            lambda: sdtw_cpu.adjoint(None),
            TypeError,
            "tape must be what a sweep with tape=True returned, got None",
        ),
        (
            lambda: sdtw_cpu.sakoe_chiba_band(3, 4, 1, [2.7], [4]),
            TypeError,
            "x_length must be integers, got float64",
        ),
        (
            lambda: sdtw_cpu.sakoe_chiba_band(3, 4, 1, [5]),
            ValueError,
            "x_length must be from 1 to 3, got 5 at 0",
        ),
    ],
)
def test_checks(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1, np.nan], ValueError, ">= 0 and finite, got nan at 1"),
        ([np.inf, 1], ValueError, ">= 0 and finite, got inf at 0"),
        ([-1, 1], ValueError, ">= 0 and finite, got -1.0 at 0"),
        ([1, 1, 1], ValueError, "must have shape (2,), one for each series"),
        (["1", "2"], TypeError, "must be real numbers, got <U1"),
        ([1j, 1], TypeError, "must be real numbers, got complex128"),
        (Parameter(), TypeError, "must be real numbers, got object"),
    ],
)
def test_weights(weights, error, message):
    link = links.Barycenter(SET[0])
    for call in (
        lambda: chainer_sdtw.barycenter(SET, weights=weights),
        lambda: link(SET, weights),
        lambda: sdtw_barycenter(X, X[0], weights=weights),
    ):
        with pytest.raises(error, match=re.escape(message)) as caught:
            call()
        assert str(caught.value).startswith("weights ")
    if error is ValueError:
        with pytest.raises(ValueError, match="sample_weight must"):
            k_means(sample_weight=weights)


def test_weights_of_a_minibatch_can_all_be_zero():
    assert links.Barycenter(SET[0])(SET, [0, 0]).array == 0


def test_itakura_mask_of_any_slope():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masks = [
            chainer_sdtw.itakura_mask(7, 5, slope)
            for slope in (1e3, 1e300, np.inf, 10**400)
        ]
    assert masks[2].all() and masks[3].all()
    # At any finite slope the first cell alone is in reach along an edge.
    inner = np.ones((7, 5), bool)
    inner[0, 2:] = inner[-1, :-2] = inner[2:, 0] = inner[:-2, -1] = False
    for mask in masks[:2]:
        assert mask[1:-1, 1:-1].all() and not mask[0, 2:].any()
        np.testing.assert_array_equal(mask, masks[0])
