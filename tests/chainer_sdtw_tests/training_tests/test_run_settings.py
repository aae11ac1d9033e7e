import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import os
import warnings

import chainer
import chainer.links as L
import numpy as np
import pytest
from chainer import training
from chainer.training import extensions

from chainer_sdtw.training import RunSettings, SeededIterator

SETTINGS = {"unit": 3, "dataset": "GunPoint", "schedule": [1, 2.5, None]}


def make(out, settings, n_epochs=2, **options):
    """A trainer, and its settings."""
    link = L.Linear(1, 1)
    optimizer = chainer.optimizers.SGD().setup(link)
    updater = training.StandardUpdater(
        SeededIterator(np.zeros((2, 1), "f"), 2, seed=0),
        optimizer,
        loss_func=lambda x: chainer.functions.sum(link(x)),
    )
    trainer = training.Trainer(updater, (n_epochs, "epoch"), out=str(out))
    trainer.extend(extensions.snapshot(**options))
    settings = RunSettings(settings)
    trainer.extend(settings)
    return trainer, settings


@pytest.fixture
def out(tmp_path):
    """A folder with two snapshots."""
    trainer, _ = make(tmp_path, SETTINGS)
    trainer.run()
    for iteration in 1, 2:
        os.utime(tmp_path / f"snapshot_iter_{iteration}", (iteration,) * 2)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "different"),
    [
        ({"unit": 4}, "unit 3"),
        ({"unit": 4, "dataset": "Coffee"}, "dataset GunPoint, unit 3"),
        ({"schedule": [1]}, r"schedule \[1, 2.5, None\]"),
        ({"seed": 0}, "no seed"),
    ],
)
@pytest.mark.parametrize("autoload", [False, True])
def test_another_run(out, change, different, autoload):
    message = f"^snapshot of another run, with {different}$"
    path = out / "snapshot_iter_2"
    trainer, settings = make(out, {**SETTINGS, **change}, 3, autoload=autoload)
    with pytest.raises(ValueError, match=message):
        settings.check(path)
    with pytest.raises(ValueError, match=message):
        if autoload:
            trainer.run()
        else:
            chainer.serializers.load_npz(path, trainer)
    with pytest.warns(UserWarning, match=message[1:]):
        assert settings.find_snapshot(out) is None


def test_more_settings_in_the_snapshot(out):
    less = {"unit": 3, "dataset": "GunPoint"}
    _, settings = make(out, less)
    with pytest.raises(ValueError, match="another run, with schedule"):
        settings.check(out / "snapshot_iter_2")


def test_the_same_run(out):
    # The order does not matter, nor does a tuple for a list.
    again = {**dict(reversed(SETTINGS.items())), "schedule": (1, 2.5, None)}
    trainer, settings = make(out, again, 3, autoload=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        path = settings.find_snapshot(str(out))
        assert path == str(out / "snapshot_iter_2")
        trainer.run()
    assert trainer.updater.iteration == 3
    assert sorted(os.listdir(out)) == [f"snapshot_iter_{i}" for i in (1, 2, 3)]


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped"])
def test_damaged(out, damage):
    path = out / "snapshot_iter_2"
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "empty":
        del data[:]
    else:
        # The last byte before the second array.
        data[data.index(b"PK\3\4", 4) - 1] ^= 0xFF
    path.write_bytes(data)
    os.utime(path, (2, 2))
    _, settings = make(out, SETTINGS)
    with pytest.raises(ValueError, match="not a complete snapshot"):
        settings.check(path)
    with pytest.warns(UserWarning, match=r"Skipping .*snapshot_iter_2: not a"):
        found = settings.find_snapshot(out)
    assert found == str(out / "snapshot_iter_1")


def test_without_settings(out):
    path = out / "link.npz"
    chainer.serializers.save_npz(path, L.Linear(1, 1))
    with pytest.raises(ValueError, match="not a snapshot with settings"):
        RunSettings(SETTINGS).check(path)


def test_nothing_there(tmp_path):
    settings = RunSettings(SETTINGS)
    assert settings.find_snapshot(tmp_path) is None
    with pytest.raises(FileNotFoundError):
        settings.check(tmp_path / "snapshot_iter_1")


def test_other_names(tmp_path):
    link = L.Linear(1, 1)
    updater = training.StandardUpdater(
        SeededIterator(np.zeros((2, 1), "f"), 2, seed=0),
        chainer.optimizers.SGD().setup(link),
        loss_func=lambda x: chainer.functions.sum(link(x)),
    )
    trainer = training.Trainer(updater, (1, "epoch"), out=str(tmp_path))
    trainer.extend(extensions.snapshot(filename="at_{.updater.epoch}.npz"))
    settings = RunSettings(SETTINGS)
    trainer.extend(settings, name="run")
    trainer.run()
    found = settings.find_snapshot(str(tmp_path), prefix="at_")
    assert found == str(tmp_path / "at_1.npz")


def test_not_json():
    with pytest.raises(TypeError, match="not JSON serializable"):
        RunSettings({"gamma": np.float32(1)})


def test_repr():
    assert repr(RunSettings({"unit": 3, "b": None})) == (
        "RunSettings({'b': None, 'unit': 3})"
    )
