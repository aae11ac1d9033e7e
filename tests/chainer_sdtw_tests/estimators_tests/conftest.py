"""Fixtures of the tests of estimators."""

import numpy as np
import pytest
from waves import waves


@pytest.fixture
def blobs(rng):
    """27 univariate series (27, 20, 1) of three groups."""
    series, groups = waves(rng, (10, 9, 8), [20])
    return np.array(series), groups


@pytest.fixture
def ragged_blobs(rng):
    """A list of 27 series with two features."""
    return waves(rng, (10, 9, 8), [14, 17, 20], d=2)
