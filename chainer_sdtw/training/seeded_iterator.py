"""An iterator whose order of examples is saved in snapshots."""

from __future__ import annotations

import warnings

import numpy as np
from chainer.iterators.order_samplers import ShuffleOrderSampler
from chainer.iterators.serial_iterator import SerialIterator
from chainer.serializer import AbstractSerializer

from chainer_sdtw._engine.types import Dataset
from sdtw_cpu.checks import as_integer
from sdtw_cpu.types import Integer


class SeededIterator(SerialIterator):
    """A serial iterator whose order of examples goes on in a resumed run.

    It is a :class:`chainer.iterators.SerialIterator` that saves its random
    state in snapshots. A run that is resumed from a snapshot draws the same
    batches as if it had never been interrupted, and two runs with the same
    seed draw the same batches. Chainer's iterators only save the order of the
    current epoch.

    Other random numbers of a training, such as those of dropout, do not come
    from this random state. Examples are loaded in the process of the training,
    because iterators that load ahead draw the order of an epoch before it
    begins.

    Args:
        dataset: What to iterate, with at least one example.
        batch_size (int): The number of examples in a batch.
        seed (int): The seed of the order, as for
            :class:`numpy.random.RandomState`. None stands for any.
        repeat (bool): Whether to go on after the first epoch.

    Raises:
        TypeError: If ``batch_size`` or ``seed`` is not an integer.
        ValueError: If one is out of range, or the data set is empty.

    .. admonition:: Example

        >>> from chainer_sdtw.training import SeededIterator
        >>> first = SeededIterator(range(9), 3, seed=0)
        >>> second = SeededIterator(range(9), 3, seed=0)
        >>> next(first) == next(second)
        True

    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: Integer | None,
        repeat: bool = True,
    ) -> None:
        if len(dataset) == 0:
            raise ValueError("dataset must not be empty")
        if seed is not None:
            seed = as_integer("seed", seed, 0, 2**32 - 1)
        self.random = np.random.RandomState(seed)
        super().__init__(
            dataset,
            as_integer("batch_size", batch_size, 1),
            repeat=repeat,
            order_sampler=ShuffleOrderSampler(self.random),
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.dataset)} examples, "
            f"batch_size={self.batch_size}, epoch={self.epoch_detail:.4g})"
        )

    def __next__(self) -> list[object]:
        batch: list[object] = super().__next__()
        return batch

    def next(self) -> list[object]:
        """Return the next batch, a list of examples."""
        return self.__next__()

    def serialize(self, serializer: AbstractSerializer) -> None:
        super().serialize(serializer)
        name, keys, position, *normal = self.random.get_state(legacy=True)
        try:
            keys = serializer("random_keys", keys)
            position = serializer("random_position", position)
        except KeyError:
            warnings.warn(
                "The snapshot has no random state, as it was taken with "
                "another iterator: from the next epoch on, the order of the "
                "examples is not the one of the interrupted run.",
                stacklevel=2,
            )
        self.random.set_state((name, keys, position, *normal))
