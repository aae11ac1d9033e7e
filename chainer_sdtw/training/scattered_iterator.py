"""An iterator that scatters the batches of a training over processes."""

from __future__ import annotations

import io
import zlib
from typing import Any

import chainer
from chainer.dataset.iterator import Iterator
from chainer.iterators.serial_iterator import SerialIterator
from chainer.serializer import AbstractSerializer

from chainer_sdtw._engine.series import array_of
from chainer_sdtw._engine.types import Communicator, Dataset, LossFunction


class ScatteredIterator(Iterator):
    """Each process's part of the batches of one iterator.

    All processes of a training with ChainerMN draw the same batches, as one
    process would, and each computes a part of every batch: a share of the
    examples, which differs by at most one between the processes. With the
    weighted loss of :meth:`weigh` and the optimizer and evaluator of
    ChainerMN, the training equals that of one process up to rounding.
    ``chainermn.scatter_dataset`` does not allow that: it fixes which
    examples each process has, and so with which others they may share a batch.

    Its snapshots are those of the iterator, alike in all processes, so a
    training can go on with another number of processes, and with one.

    Args:
        iterator (~chainer.iterators.SerialIterator): Draws the batches of all
            processes, in the same order in each, such as a
            :class:`~chainer_sdtw.training.SeededIterator` with the same seed.
            It must not be used otherwise. Only the part of this process is
            loaded from its data set.
        communicator (``chainermn.CommunicatorBase``): Tells the processes
            apart.

    Attributes:
        weight (float): The number of examples in the last part, divided by
            the mean number over all processes.

    Raises:
        ValueError: If the data set is empty, batches have fewer examples
            than there are processes, or the processes would not draw the same
            batches.

    .. admonition:: Example

        .. code-block:: python

            communicator = chainermn.create_communicator('naive')
            optimizer = chainermn.create_multi_node_optimizer(
                chainer.optimizers.Adam(), communicator
            )
            optimizer.setup(model)
            # ChainerMN's first call sends the weights and does no step.
            optimizer.update()
            iterator = ScatteredIterator(
                SeededIterator(train, 25, seed=0), communicator
            )
            updater = chainer.training.updaters.StandardUpdater(
                iterator, optimizer, loss_func=iterator.weigh(model)
            )

    """

    weight: float = 0.0

    def __init__(
        self, iterator: SerialIterator, communicator: Communicator
    ) -> None:
        _check_alike(iterator, communicator)
        if len(iterator.dataset) == 0:
            raise ValueError("the data set of iterator must not be empty")
        if iterator.batch_size < communicator.size:
            raise ValueError(
                "iterator must have batches of at least one example for each "
                f"of the {communicator.size} processes, got a batch_size of "
                f"{iterator.batch_size}"
            )
        self.dataset: Dataset = iterator.dataset
        self._iterator = iterator
        self._iterator.dataset = range(len(self.dataset))  # draws indices
        self._communicator = communicator

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self._iterator}, process "
            f"{self._communicator.rank} of {self._communicator.size})"
        )

    def __next__(self) -> list[object]:
        indices = self._iterator.next()
        rank, size = self._communicator.rank, self._communicator.size
        begin, end = (len(indices) * i // size for i in (rank, rank + 1))
        self.weight = (end - begin) * size / len(indices)
        # The last batch of an iterator that does not repeat may be smaller
        # than the number of processes. No model takes a batch of nothing.
        return [self.dataset[i] for i in indices[begin : max(end, begin + 1)]]

    def next(self) -> list[object]:
        """Return this process's part of the next batch, at least one example.

        If there are fewer examples than processes, it is one of ``weight``
        0 for some.
        """
        return self.__next__()

    def weigh(self, model: LossFunction) -> LossFunction:
        """Make a function that weights what a model computes of a part.

        It calls the model and multiplies the loss that it returns, and the
        values that it reports, by ``weight``. So their means over the
        processes, which ChainerMN's optimizer, evaluator and
        ``chainermn.extensions.ObservationAggregator`` compute, are the
        means over the examples of the batch.

        Args:
            model (callable): A model or a function that returns the mean of a
                loss over the examples and reports such means.

        Returns:
            callable: The ``loss_func`` of a
            :class:`~chainer.training.updaters.StandardUpdater` or the
            ``eval_func`` of an
            :class:`~chainer.training.extensions.Evaluator`.
        """

        def weighted(*args: object, **kwargs: object) -> Any:
            loss: Any
            try:
                reporter = chainer.get_current_reporter()
            except IndexError:  # nobody collects reports
                loss = model(*args, **kwargs)
                return self.weight * loss
            observation: dict[str, Any] = {}
            with reporter.scope(observation):
                loss = model(*args, **kwargs)
            for key, value in observation.items():
                reporter.report({key: self.weight * array_of(value)})
            return self.weight * loss

        return weighted

    @property
    def batch_size(self) -> int:
        return self._iterator.batch_size

    @property
    def repeat(self) -> bool:
        return self._iterator.repeat

    @property
    def epoch(self) -> int:
        return self._iterator.epoch

    @property
    def is_new_epoch(self) -> bool:
        return self._iterator.is_new_epoch

    @property
    def epoch_detail(self) -> float:
        return self._iterator.epoch_detail

    @property
    def previous_epoch_detail(self) -> float | None:
        return self._iterator.previous_epoch_detail

    def reset(self) -> None:
        """Go back to the first batch."""
        self._iterator.reset()

    def serialize(self, serializer: AbstractSerializer) -> None:
        self._iterator.serialize(serializer)


def _check_alike(iterator: SerialIterator, communicator: Communicator) -> None:
    """Raise in all processes if they do not have the same batches to draw."""
    saved = io.BytesIO()
    chainer.serializers.save_npz(saved, iterator, compression=False)
    order = zlib.crc32(saved.getvalue())
    state = len(iterator.dataset), iterator.batch_size, order
    states = communicator.mpi_comm.allgather(state)
    for rank, other in enumerate(states):
        if other != states[0]:
            raise ValueError(
                "iterator must draw the same batches in all processes, got "
                f"others in process {rank} than in process 0: give each the "
                "same data set, batch size and seed, by a SeededIterator, or "
                "do not shuffle"
            )
