"""Nearest neighbors of and among collections, against those in memory."""

import numpy as np
import pytest

from chainer_sdtw import nearest_neighbors
from chainer_sdtw.distributed import as_blocks

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")


@pytest.fixture
def sets(rng):
    # Rounded, so that many losses are equal.
    x = rng.standard_normal((7, 9)).round().astype("f")
    return x, rng.standard_normal((23, 9)).round().astype("f")


def chunked(x, size):
    return da.from_array(x, chunks=(size, -1))


def assert_equal(found, expected):
    for ours, theirs in zip(found, expected):
        assert isinstance(ours, np.ndarray)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence"])
@pytest.mark.parametrize("which", ["x", "y", "both"])
def test_the_same_as_in_memory(sets, which, loss):
    """A block of ``y`` may have fewer series than neighbors are asked for."""
    x, y = sets
    options = {"n_neighbors": 5, "gamma": 0.1, "bandwidth": 2, "loss": loss}
    expected = nearest_neighbors(x, y, **options)
    if which != "y":
        x = chunked(x, 3)
    if which != "x":
        y = chunked(y, 4)
    with dask.config.set(scheduler="synchronous"):
        assert_equal(nearest_neighbors(x, y, **options), expected)


def test_blocks_of_different_lengths(rng):
    y = [rng.standard_normal((n, 2)) for n in (5, 3, 8, 8, 2, 6, 4)]
    x = [rng.standard_normal((n, 2)) for n in (4, 7)]
    blocks = [dask.delayed(y[:2]), dask.delayed(y[2:4]), dask.delayed(y[4:])]
    expected = nearest_neighbors(x, y, 3, gamma=0, bandwidth=2)
    with dask.config.set(scheduler="synchronous"):
        assert_equal(
            nearest_neighbors(x, blocks, 3, gamma=0, bandwidth=2), expected
        )


def test_some_of_the_blocks(sets):
    x, y = sets
    some = as_blocks(chunked(y, 4)).take([2, 1])
    y = np.concatenate([y[8:12], y[4:8]])
    with dask.config.set(scheduler="synchronous"):
        assert_equal(nearest_neighbors(x, some, 3), nearest_neighbors(x, y, 3))


def test_errors(sets):
    x, y = sets
    with pytest.raises(ValueError, match="X must not be a collection where Y"):
        nearest_neighbors(chunked(x, 3))
    with pytest.raises(ValueError, match="n_neighbors must be <= 23"):
        nearest_neighbors(x, chunked(y, 4), 24)
    with pytest.raises(ValueError, match="the same number of features"):
        nearest_neighbors(x, chunked(y, 4)[:, :, None].repeat(2, axis=2))
