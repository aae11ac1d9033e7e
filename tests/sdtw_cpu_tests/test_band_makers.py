"""Which cells bands leave, against masks and against every path."""

import numpy as np
import pytest
import reference

import sdtw_cpu

SHAPES = np.random.default_rng(5).integers(1, 9, (60, 2)).tolist()


def ragged(rng, m, n):
    return rng.integers(1, m + 1, 3), rng.integers(1, n + 1, 3)


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_sakoe_chiba_is_the_stated_rule(m, n):
    rng = np.random.default_rng(m * 10 + n)
    x_length, y_length = ragged(rng, m, n)
    bandwidth = rng.integers(0, 4, 3)
    band = sdtw_cpu.sakoe_chiba_band(m, n, bandwidth, x_length, y_length)
    assert band.shape == (3, m, 2)
    assert band.dtype == np.int32
    i, j = np.mgrid[:m, :n]
    for b in range(3):
        rows, columns = x_length[b], y_length[b]
        low = -bandwidth[b] + min(columns - rows, 0)
        high = bandwidth[b] + max(columns - rows, 0)
        expected = (low <= j - i) & (j - i <= high)
        actual = reference.inside(band[b], n)
        np.testing.assert_array_equal(
            actual[:rows, :columns], expected[:rows, :columns]
        )
        assert not actual[:, columns:].any()
        # There is a path.
        cost = np.where(actual, 1.0, np.inf)[:rows, :columns]
        assert np.isfinite(reference.soft_dtw(cost, 1.0)[0])


def test_sakoe_chiba_of_equal_lengths():
    band = sdtw_cpu.sakoe_chiba_band(50, 50, 3)
    assert band.shape == (1, 50, 2)
    i, j = np.mgrid[:50, :50]
    np.testing.assert_array_equal(
        reference.inside(band, 50)[0], abs(i - j) <= 3
    )


def test_sakoe_chiba_wider_than_the_table_is_all_of_it():
    for bandwidth in (7, 2**62):
        band = sdtw_cpu.sakoe_chiba_band(5, 7, bandwidth)
        np.testing.assert_array_equal(band[0], [[0, 7]] * 5)


@pytest.mark.parametrize(
    ("bandwidth", "error", "message"),
    [
        (-1, ValueError, "bandwidth must be >= 0, got -1"),
        ([3, -2], ValueError, "bandwidth must be >= 0"),
        ([], TypeError, "bandwidth must be integers"),
        (1.5, TypeError, "bandwidth must be integers, got float64"),
        ([[1, 2]], ValueError, r"shape \(1, 2\)"),
        ([1, 2, 3], ValueError, "got 3 for 2 pairs"),
    ],
)
def test_bad_bandwidths(bandwidth, error, message):
    with pytest.raises(error, match=message):
        sdtw_cpu.sakoe_chiba_band(4, 5, bandwidth, [3, 4], [5, 5])


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_band_from_mask_has_the_paths_of_the_mask(m, n):
    rng = np.random.default_rng(m * 10 + n)
    for share in (0.6, 0.8, 0.95):
        x_length, y_length = ragged(rng, m, n)
        mask = rng.random((3, m, n)) < share
        band = sdtw_cpu.band_from_mask(mask, x_length, y_length)
        costs = rng.random((3, m, n))
        expected, _ = reference.soft_dtw(
            np.where(mask, costs, np.inf), 1.0, x_length, y_length
        )
        if band is None:
            continue
        assert (np.diff(band, axis=1) >= 0).all()
        assert (band[..., 0] < band[..., 1]).all()
        actual, _ = reference.soft_dtw(
            np.where(reference.inside(band, n), costs, np.inf),
            1.0,
            x_length,
            y_length,
        )
        assert np.isfinite(actual).all()
        np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_a_staircase_is_a_band_and_a_hole_is_not():
    mask = np.tri(5, dtype=bool)[None]
    band = sdtw_cpu.band_from_mask(mask)
    np.testing.assert_array_equal(band[0], [[0, i + 1] for i in range(5)])
    mask[0, 3, 1] = False
    assert sdtw_cpu.band_from_mask(mask) is None


@pytest.mark.parametrize("row", [0, 2, 4])
def test_an_empty_row_leaves_no_band(row):
    mask = np.ones((1, 5, 5), bool)
    mask[0, row] = False
    assert sdtw_cpu.band_from_mask(mask) is None
