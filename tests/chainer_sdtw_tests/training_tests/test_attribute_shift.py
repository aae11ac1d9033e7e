from chainer_sdtw.links import SoftDTWLoss  # isort: skip  (before chainer)

import chainer
import chainer.links as L
import numpy as np
import pytest
from chainer import training
from chainer.training import extensions

from chainer_sdtw.training import AttributeShift


class Model(chainer.Chain):
    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.linear = L.Linear(4, 5, initialW=0.1)
            self.loss = SoftDTWLoss()

    def forward(self, x, y):
        loss = self.loss(self.linear(x)[:, :, None], y[:, :, None])
        chainer.report({"loss": loss}, self)
        return loss


@pytest.fixture
def make(tmp_path, rng):
    """Makes trainers of a data set of three batches."""
    x = rng.standard_normal((6, 4)).astype("f")
    data = chainer.datasets.TupleDataset(x, x[:, 1:].copy())

    def make(n_epochs, *shifts, out="out", **options):
        iterator = chainer.iterators.SerialIterator(data, 2, shuffle=False)
        model = Model()
        optimizer = chainer.optimizers.Adam().setup(model)
        trainer = training.Trainer(
            training.StandardUpdater(iterator, optimizer),
            (n_epochs, "epoch"),
            out=tmp_path / out,
        )
        for args, kwargs in shifts:
            shift = AttributeShift(*args, link=model.loss, **kwargs)
            trainer.extend(shift, **options)
        trainer.seen = []

        @training.make_extension(trigger=(1, "iteration"), priority=1)
        def record(_):
            trainer.seen.append((model.loss.gamma, model.loss.prior))

        trainer.extend(record)
        trainer.extend(extensions.snapshot(), trigger=(1, "epoch"))
        trainer.model = model
        return trainer

    return make


def shift(*args, **kwargs):
    return args, kwargs


def of_epochs(values):
    return np.repeat(values, 3)


def test_hold_and_decay(make):
    trainer = make(
        6, shift("gamma", (9, 1), (1, 5)), shift("prior", (3, 0), (2, 3))
    )
    trainer.run()
    gamma, prior = zip(*trainer.seen)
    # Six epochs: two of them, before and after the first call, at the first.
    np.testing.assert_allclose(gamma, of_epochs([9, 9, 7, 5, 3, 1]))
    np.testing.assert_allclose(prior, of_epochs([3, 3, 3, 0, 0, 0]))


def test_log(make):
    trainer = make(5, shift("gamma", (10, 0.1), (0, 4), scale="log"))
    trainer.run()
    gamma, _ = zip(*trainer.seen)
    np.testing.assert_allclose(
        gamma, of_epochs(10.0 ** -np.arange(-1, 1.5, 0.5))
    )
    assert trainer.model.loss.gamma == 0.1


def test_iterations(make):
    trainer = make(2, shift("gamma", (4, 1), (0, 3)), trigger=(1, "iteration"))
    trainer.run()
    gamma, _ = zip(*trainer.seen)
    np.testing.assert_allclose(gamma, [4, 3, 2, 1, 1, 1])


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_resume(make, tmp_path, epoch, scale):
    shifts = (
        shift("gamma", (8, 1), (1, 4), scale=scale),
        shift("prior", (3, 0), (2, 3)),
    )
    whole = make(5, *shifts, out="whole")
    whole.run()
    second = make(5, *shifts)
    chainer.serializers.load_npz(
        tmp_path / "whole" / f"snapshot_iter_{3 * epoch}", second
    )
    # Before any extension is called.
    assert second.model.loss.gamma == whole.seen[3 * epoch][0]
    second.run()
    assert second.seen == whole.seen[3 * epoch :]
    for a, b in zip(whole.model.params(), second.model.params()):
        np.testing.assert_array_equal(a.array, b.array)


def test_resume_with_another_initial_value(make, tmp_path):
    # Without a schedule the snapshot's value counts, not the constructor's.
    first = make(1)
    first.model.loss.gamma = 0.25
    first.run()
    second = make(2)
    chainer.serializers.load_npz(tmp_path / "out" / "snapshot_iter_3", second)
    second.run()
    assert second.seen == [(0.25, 0.0)] * 3


def test_readers_see_the_value_of_their_epoch(make):
    # Also those that are added later.
    trainer = make(3, shift("gamma", (3, 1), (0, 2)))
    read = []

    @training.make_extension(trigger=(1, "epoch"))
    def reader(trainer):
        read.append(trainer.model.loss.gamma)

    trainer.extend(reader)
    trainer.run()
    assert read == [3, 2, 1]
    assert trainer.model.loss.gamma == 1


@pytest.mark.parametrize(
    "args, kwargs, error, message",
    [
        (("gama", (2, 1), (0, 1)), {}, AttributeError, "no attribute 'gama'"),
        (("gamma", (2, 1), (2, 1)), {}, ValueError, "must not decrease"),
        (
            ("gamma", (2, 1), (0, 1)),
            {"scale": "sqrt"},
            ValueError,
            "'linear' or 'log', got 'sqrt'",
        ),
        (
            ("gamma", (2, 0), (0, 1)),
            {"scale": "log"},
            ValueError,
            "must be positive",
        ),
    ],
)
def test_errors(args, kwargs, error, message):
    with pytest.raises(error, match=message):
        AttributeShift(*args, link=SoftDTWLoss(), **kwargs)
