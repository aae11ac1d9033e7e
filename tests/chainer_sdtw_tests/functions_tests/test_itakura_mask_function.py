"""chainer_sdtw.itakura_mask."""

import re

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest

import sdtw_cpu
from chainer_sdtw import itakura_mask


def test_parallelogram():
    mask = itakura_mask(9, 9)
    assert mask.dtype == bool
    assert mask.tolist() == [
        [
            (2 * j >= i)
            & (j <= 2 * i)
            & (16 - 2 * j >= 8 - i)
            & (8 - j <= 16 - 2 * i)
            for j in range(9)
        ]
        for i in range(9)
    ]


@pytest.mark.parametrize("slope", [1, 1.3, 2, 10])
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 5), (5, 1), (2, 9), (9, 2), (7, 8), (30, 11)]
)
def test_always_a_band(shape, slope):
    mask = itakura_mask(*shape, slope)
    band = sdtw_cpu.band_from_mask(mask[None])
    assert band is not None
    inside = (band[0, :, :1] <= np.arange(shape[1])) & (
        np.arange(shape[1]) < band[0, :, 1:]
    )
    assert not (inside & ~mask).any()


@pytest.mark.parametrize("shape", [(9, 9), (6, 14)])
def test_symmetries(shape):
    m, n = shape
    mask = itakura_mask(m, n, 1.7)
    np.testing.assert_array_equal(mask, mask[::-1, ::-1])
    np.testing.assert_array_equal(mask.T, itakura_mask(n, m, 1.7))


def test_wider_with_the_slope():
    masks = [itakura_mask(20, 25, slope) for slope in (1, 1.5, 2, 4, 1e9)]
    for narrow, wide in zip(masks, masks[1:]):
        assert not (narrow & ~wide).any() and narrow.sum() < wide.sum()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 3), "m must be >= 1, got 0"),
        ((3, -1), "n must be >= 1, got -1"),
        ((3, 3, 0.5), "max_slope must be >= 1, got 0.5"),
        ((3, 3, np.nan), "max_slope must be >= 1, got nan"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        itakura_mask(*arguments)
