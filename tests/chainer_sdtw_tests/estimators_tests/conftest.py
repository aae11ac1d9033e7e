"""Series in groups that are easily told apart."""

import numpy as np
import pytest


def waves(rng, sizes, lengths, d=1):
    """Shifted waves of as many groups as sizes, and their groups."""
    series, groups = [], []
    for k, size in enumerate(sizes):
        for _ in range(size):
            n = int(rng.choice(lengths))
            t = np.linspace(0, 2 * np.pi, n)[:, None] + rng.uniform(0, 0.6)
            wave = np.sin((k + 1) * t + np.arange(d)) * (1 + k)
            series.append(wave + 0.05 * rng.standard_normal((n, d)))
            groups.append(k)
    order = rng.permutation(len(series))
    return [series[i] for i in order], np.array(groups)[order]


@pytest.fixture
def blobs(rng):
    """27 univariate series (27, 20, 1) of three groups."""
    series, groups = waves(rng, (10, 9, 8), [20])
    return np.array(series), groups


@pytest.fixture
def ragged_blobs(rng):
    """A list of 27 series with two features."""
    return waves(rng, (10, 9, 8), [14, 17, 20], d=2)
