"""Batches in an order that survives interruptions."""

from __future__ import annotations

from typing import Any

import numpy as np
from chainer.iterators import SerialIterator, ShuffleOrderSampler


class SeededIterator(SerialIterator):
    """A serial iterator with a random state of its own.

    It goes into snapshots, so that a resumed run draws the same batches as
    one that was never interrupted.

    """

    def __init__(self, dataset: Any, batch_size: int, seed: Any) -> None:
        self.random = np.random.RandomState(seed)
        super().__init__(
            dataset,
            batch_size,
            order_sampler=ShuffleOrderSampler(self.random),
        )

    def serialize(self, serializer: Any) -> None:
        super().serialize(serializer)
        name, keys, position, *normal = self.random.get_state()
        keys = serializer("random_keys", keys)
        position = serializer("random_position", position)
        self.random.set_state((name, keys, position, *normal))
