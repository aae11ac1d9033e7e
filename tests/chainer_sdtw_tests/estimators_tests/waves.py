"""Series in groups that are easily told apart."""

import numpy as np


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
