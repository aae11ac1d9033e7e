import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import io
import itertools
from types import SimpleNamespace

import chainer
import numpy as np
import pytest
from chainer.iterators import SerialIterator
from chainer.training import extensions

from chainer_sdtw.training import ScatteredIterator, SeededIterator

N = 7


def processes(size, make):
    """What processes would have, here beside each other in one process."""
    # That others are not alike is tested with processes of MPI.
    alike = SimpleNamespace(allgather=lambda state: [state] * size)
    return [
        ScatteredIterator(
            make(), SimpleNamespace(rank=rank, size=size, mpi_comm=alike)
        )
        for rank in range(size)
    ]


def seeded(batch_size=4):
    return SeededIterator([f"example {i}" for i in range(N)], batch_size, 3)


def in_order():
    return SerialIterator(range(N), 5, repeat=False, shuffle=False)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_parts_of_the_batches_of_one_process(size):
    iterators = processes(size, seeded)
    for expected in itertools.islice(seeded(), 20):
        parts = [next(iterator) for iterator in iterators]
        assert list(itertools.chain(*parts)) == expected
        lengths = [len(part) for part in parts]
        assert max(lengths) - min(lengths) <= 1
        weights = [iterator.weight for iterator in iterators]
        np.testing.assert_allclose(weights, np.array(lengths) * size / 4)


def test_last_batch_smaller_than_the_number_of_processes():
    iterators = processes(3, in_order)
    assert [len(next(iterator)) for iterator in iterators] == [1, 2, 2]
    parts = [next(iterator) for iterator in iterators]
    # Two examples for three processes.
    assert parts == [[5], [5], [6]]
    assert [iterator.weight for iterator in iterators] == [0, 1.5, 1.5]
    for iterator in iterators:
        with pytest.raises(StopIteration):
            next(iterator)


def test_loads_its_part_only():
    loaded = []

    class Examples:
        def __len__(self):
            return N

        def __getitem__(self, i):
            loaded.append(i)
            return i

    first, second = processes(
        2, lambda: SerialIterator(Examples(), 4, shuffle=False)
    )
    assert next(first) == [0, 1] == loaded
    assert next(second) == [2, 3] == loaded[2:]


@pytest.mark.parametrize("before", [0, 1, 5])
def test_goes_on_with_another_number_of_processes(before):
    """Snapshots are those of the iterator, with one process or with many."""
    expected = seeded()
    iterators = processes(3, seeded)
    for _ in range(before):
        for iterator in (expected, *iterators):
            next(iterator)
    files = [io.BytesIO() for _ in range(4)]
    for file, iterator in zip(files, (expected, *iterators)):
        chainer.serializers.save_npz(file, iterator)
    assert len({file.getvalue() for file in files}) == 1
    others = processes(2, lambda: SeededIterator(expected.dataset, 4, 99))
    for other in others:
        chainer.serializers.load_npz(io.BytesIO(files[0].getvalue()), other)
        assert other.epoch_detail == expected.epoch_detail
        assert other.previous_epoch_detail == expected.previous_epoch_detail
    for batch in itertools.islice(expected, 10):
        parts = [next(other) for other in others]
        assert list(itertools.chain(*parts)) == batch
        assert {other.is_new_epoch for other in others} == {
            expected.is_new_epoch
        }
        assert {other.epoch for other in others} == {expected.epoch}


class Model(chainer.Chain):
    def forward(self, x):
        loss = chainer.functions.mean(x * x)
        chainer.report({"loss": loss, "mean": x.mean()}, self)
        return loss


@pytest.mark.parametrize("size", [2, 3])
def test_means_over_processes_are_those_of_one(size):
    """Of all that an evaluator reports, also where batches are small."""

    def evaluate(iterator, function):
        options = {
            "eval_func": function(model),
            "converter": lambda batch, device: np.array(batch, np.float64),
        }
        return extensions.Evaluator(iterator, model, **options)()

    model = Model()
    expected = evaluate(in_order(), lambda model: model)
    found = [evaluate(part, part.weigh) for part in processes(size, in_order)]
    for key, value in expected.items():
        mean = np.mean([values[key] for values in found])
        np.testing.assert_allclose(mean, value, rtol=1e-14)
    assert {len(values) for values in found} == {2} == {len(expected)}


def test_weighted_gradients():
    """Also where nobody collects what is reported."""
    iterators = processes(3, seeded)
    x = chainer.Parameter(np.array(2.0))
    examples = np.arange(4.0)
    for iterator, part in zip(iterators, np.split(examples, [1, 2])):
        next(iterator)
        loss = iterator.weigh(lambda y: chainer.functions.mean(x * y))
        loss(part).backward()
    np.testing.assert_allclose(x.grad / 3, examples.mean())


def test_reset():
    (iterator,) = processes(1, in_order)
    assert list(iterator) == [[0, 1, 2, 3, 4], [5, 6]]
    iterator.reset()
    assert list(iterator) == [[0, 1, 2, 3, 4], [5, 6]]
    assert not iterator.repeat
    assert iterator.batch_size == 5


def test_repr():
    iterator = processes(2, seeded)[1]
    assert repr(iterator) == (
        "ScatteredIterator(SeededIterator(7 examples, batch_size=4, "
        "epoch=0), process 1 of 2)"
    )


def test_errors():
    with pytest.raises(ValueError, match="each of the 5 processes, got a "):
        processes(5, seeded)
    with pytest.raises(ValueError, match="must not be empty"):
        processes(1, lambda: SerialIterator([], 1))
