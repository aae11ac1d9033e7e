from chainer_sdtw.links import SoftDTWLoss  # isort: skip  (before chainer)

import chainer
import chainer.links as L
import numpy as np
import pytest
from chainer import training
from chainer.training import extensions

from chainer_sdtw.training import AttributeShift, SeededIterator


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

    def make(n_epochs, *shifts, out="out", autoload=False, **options):
        iterator = SeededIterator(data, 2, seed=0)
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
        trainer.extend(extensions.snapshot(autoload=autoload))
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


# That of the README.
SCHEDULE = (
    shift("gamma", (10, 0.1), (10, 20)),
    shift("prior", (3, 0), (5, 10)),
)


@pytest.mark.parametrize("stops", [(3,), (7,), (12,), (3, 7, 12)])
def test_autoload(make, tmp_path, stops):
    """A run that was stopped ends with the bits of one that was not."""
    whole = make(22, *SCHEDULE, out="whole")
    whole.run()
    before = 0
    for epoch in *stops, 22:
        part = make(epoch, *SCHEDULE, autoload=True)
        part.run()
        assert part.seen == whole.seen[3 * before : 3 * epoch]
        before = epoch
    files = [tmp_path / out / "snapshot_iter_66" for out in ("whole", "out")]
    with np.load(files[0]) as a, np.load(files[1]) as b:
        names = set(a.files) - {"_snapshot_elapsed_time"}
        assert names == set(b.files) - {"_snapshot_elapsed_time"}
        for name in names:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize(
    "values",
    [
        (8, 1),
        (8.0, 1),
        (8, 0.5),
        np.array([8, 1], np.int8),
        np.array([8, 0.1], np.float32),
        (np.float16(8), np.int64(1)),
    ],
)
@pytest.mark.parametrize("times", [(1, 4), np.array([-100, 100], np.int8)])
def test_types_of_numbers(make, values, times):
    args = shift("gamma", values, times), shift("prior", values, times)
    whole = make(5, *args, out="whole")
    whole.run()
    make(2, *args).run()
    second = make(5, *args, autoload=True)
    second.run()
    assert second.seen == whole.seen[6:]
    assert {type(v) for pair in second.seen for v in pair} == {float}


@pytest.mark.parametrize("type_", [int, np.int64, np.float32, float])
@pytest.mark.parametrize("autoload", [False, True])
def test_persistent_values_of_other_links(tmp_path, type_, autoload):
    def make(n_epochs):
        link = L.Linear(1, 1)
        link.weight = type_(3)
        link.register_persistent("weight")
        optimizer = chainer.optimizers.SGD().setup(link)
        iterator = chainer.iterators.SerialIterator(np.zeros((1, 1), "f"), 1)
        updater = training.StandardUpdater(
            iterator, optimizer, loss_func=lambda x: chainer.functions.sum(x)
        )
        trainer = training.Trainer(updater, (n_epochs, "epoch"), out=tmp_path)
        trainer.extend(AttributeShift("weight", (3, 1), (0, 4), link))
        trainer.extend(extensions.snapshot(autoload=autoload))
        return trainer, link

    trainer, link = make(1)
    trainer.run()
    assert link.weight == 2.5
    trainer, link = make(2)
    if not autoload:
        chainer.serializers.load_npz(tmp_path / "snapshot_iter_1", trainer)
        assert link.weight == 2.5
    trainer.run()
    assert link.weight == 2


@pytest.mark.parametrize("autoload", [False, True])
def test_attributes_that_are_not_persistent(make, tmp_path, autoload):
    def run(n_epochs, snapshot=None, **options):
        trainer = make(n_epochs, shift("nu", (1000, 10), (0, 4)), **options)
        values = []

        @training.make_extension(trigger=(1, "iteration"), priority=1)
        def read(_):
            values.append(trainer.model.loss.nu)

        trainer.extend(read)
        if snapshot is not None:
            chainer.serializers.load_npz(snapshot, trainer)
        trainer.run()
        return values

    whole = run(4, out="whole")
    run(2)
    snapshot = None if autoload else tmp_path / "out" / "snapshot_iter_6"
    assert run(4, snapshot, autoload=autoload) == whole[6:]


@pytest.mark.parametrize("autoload", [False, True])
def test_snapshots_with_integers(make, tmp_path, autoload):
    """As they were written before numbers became floats."""
    make(2, *SCHEDULE).run()
    path = tmp_path / "out" / "snapshot_iter_6"
    with np.load(path) as file:
        content = dict(file)
    for name, value in (
        ("extensions/AttributeShift/_last_value", 10),
        ("extensions/AttributeShift_1/_last_value", 3),
    ):
        assert content[name] == value
        content[name] = np.asarray(value)
    with open(path, "wb") as file:
        np.savez(file, **content)
    trainer = make(3, *SCHEDULE, autoload=autoload)
    if not autoload:
        chainer.serializers.load_npz(path, trainer)
    trainer.run()
    assert trainer.seen == [(10, 3)] * 3


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


def test_repr():
    shift = AttributeShift("gamma", (10, 0.1), (10, 20), SoftDTWLoss(10))
    assert repr(shift) == (
        "AttributeShift('gamma', (10, 0.1), (10, 20), "
        "SoftDTWLoss(gamma=10.0, loss=soft_dtw), scale='linear')"
    )


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
        (
            ("gamma", (2, None), (0, 1)),
            {},
            TypeError,
            r"value_range must be two numbers, got \(2, None\)",
        ),
        (
            ("gamma", (2, np.nan), (0, 1)),
            {},
            ValueError,
            "value_range must be finite",
        ),
        (
            ("gamma", (2, 1), 5),
            {},
            TypeError,
            "time_range must be two numbers, got 5",
        ),
    ],
)
def test_errors(args, kwargs, error, message):
    with pytest.raises(error, match=message):
        AttributeShift(*args, link=SoftDTWLoss(), **kwargs)
