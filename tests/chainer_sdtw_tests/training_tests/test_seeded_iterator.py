import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import io
import itertools

import chainer
import numpy as np
import pytest

from chainer_sdtw.training import SeededIterator

SIZE = 7


def batches(iterator, count):
    return list(itertools.islice(iterator, count))


def saved(obj):
    file = io.BytesIO()
    chainer.serializers.save_npz(file, obj)
    file.seek(0)
    return file


@pytest.mark.parametrize("batch_size", [1, 3, 7])
@pytest.mark.parametrize("before", [0, 1, 2, 5, 20])
def test_goes_on(batch_size, before):
    """With the same batches, as if it had not been interrupted."""
    iterator = SeededIterator(range(SIZE), batch_size, seed=3)
    batches(iterator, before)
    file = saved(iterator)
    expected = batches(iterator, 30)
    # Another seed: what counts is in the file.
    other = SeededIterator(range(SIZE), batch_size, seed=4)
    batches(other, 2)
    chainer.serializers.load_npz(file, other)
    assert batches(other, 30) == expected
    assert other.epoch_detail == iterator.epoch_detail


def test_order():
    """That of Chainer's iterator with the same random state."""
    sampler = chainer.iterators.ShuffleOrderSampler(np.random.RandomState(5))
    expected = chainer.iterators.SerialIterator(
        range(SIZE), 2, order_sampler=sampler
    )
    iterator = SeededIterator(range(SIZE), 2, seed=5)
    np.random.seed(0)  # noqa: NPY002  (which does not matter)
    found = batches(iterator, 50)
    assert found == batches(expected, 50)
    epochs = np.concatenate(found)[: 14 * SIZE].reshape(14, SIZE)
    np.testing.assert_array_equal(np.sort(epochs), [range(SIZE)] * 14)
    assert found != batches(SeededIterator(range(SIZE), 2, seed=6), 50)


def test_an_empty_data_set():
    """Is refused at once, not when a batch is drawn."""
    with pytest.raises(ValueError, match="dataset must not be empty"):
        SeededIterator([], 1, seed=0)


def test_without_repeat():
    iterator = SeededIterator(range(SIZE), 3, seed=0, repeat=False)
    assert sorted(itertools.chain(*iterator)) == list(range(SIZE))


def test_snapshot_of_another_iterator():
    plain = chainer.iterators.SerialIterator(range(SIZE), 3)
    batches(plain, 1)
    file = saved(plain)
    rest = batches(plain, 1)
    iterator = SeededIterator(range(SIZE), 3, seed=0)
    with pytest.warns(UserWarning, match="has no random state"):
        chainer.serializers.load_npz(file, iterator)
    assert batches(iterator, 1) == rest


def test_repr():
    iterator = SeededIterator(range(SIZE), 3, seed=0)
    batches(iterator, 3)
    assert repr(iterator) == (
        "SeededIterator(7 examples, batch_size=3, epoch=1.286)"
    )
