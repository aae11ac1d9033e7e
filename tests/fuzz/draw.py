"""The random choices of a case."""

import numpy as np


class Draw:
    """Random choices, which the same key repeats."""

    def __init__(self, *key):
        self.rng = np.random.default_rng(key)

    def one(self, options):
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def integer(self, low, high):
        """An integer from low to high, both included."""
        return int(self.rng.integers(low, high + 1))
