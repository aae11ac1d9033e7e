"""Snapshots that are complete whatever ends the run."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import errno
import os
import subprocess
import sys
import time
from unittest import mock

import chainer
import chainer.links as L
import numpy as np
import pytest
from chainer import training
from chainer.training import extensions

from chainer_sdtw.training import DurableWriter, RunSettings, SeededIterator

needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="no fork on this platform"
)


def make(out, n_epochs, writer=None):
    """A trainer that takes a snapshot at each of its iterations."""
    # Weights that fill more than the buffer of a file.
    W = np.random.RandomState(0).standard_normal((5000, 1))
    link = L.Linear(1, 5000, initialW=W)
    updater = training.StandardUpdater(
        SeededIterator(np.ones((2, 1), "f"), 2, seed=0),
        chainer.optimizers.SGD().setup(link),
        loss_func=lambda x: chainer.functions.sum(link(x)),
    )
    trainer = training.Trainer(updater, (n_epochs, "epoch"), out=str(out))
    trainer.extend(
        extensions.snapshot(
            writer=writer or DurableWriter(), n_retains=1, autoload=True
        )
    )
    trainer.extend(RunSettings({}))
    return trainer


def weights(path):
    with np.load(path) as file:
        return file["updater/model:main/W"]


def test_it_replaces_snapshots(tmp_path):
    make(tmp_path, 3).run()
    assert os.listdir(tmp_path) == ["snapshot_iter_3"]
    RunSettings({}).check(tmp_path / "snapshot_iter_3")
    trainer = make(tmp_path, 5)
    trainer.run()
    assert os.listdir(tmp_path) == ["snapshot_iter_5"]
    link = trainer.updater.get_optimizer("main").target
    W = weights(tmp_path / "snapshot_iter_5")
    np.testing.assert_array_equal(W, link.W.array)


# Takes two snapshots in many processes, and kills each during the second one
# before another of the calls of functions of the system and of files.
KILLS = """
import os, signal, sys
sys.path[:0] = sys.argv[1:2]
from test_durable_writer import make
from chainer_sdtw.training import DurableWriter

save, number = DurableWriter.__call__, 0

def kill_at(call):
    calls = 0

    def profile(frame, event, function):
        nonlocal calls
        if event == 'c_call' and (
            function.__module__ == os.name
            or function.__name__ == 'close'
        ):
            calls += 1
            if calls == call:
                os.kill(os.getpid(), signal.SIGKILL)

    def profiled(*args):
        sys.setprofile(profile)
        save(*args)
        sys.setprofile(None)

    DurableWriter.__call__ = profiled

status = signal.SIGKILL
while status == signal.SIGKILL:
    number += 1
    out = f'killed_{number}'
    make(out, 1).run()
    pid = os.fork()
    if pid == 0:
        kill_at(number)
        make(out, 2).run()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
sys.exit(status)
"""


@pytest.mark.slow
@needs_fork
def test_killed_at_every_step(tmp_path):
    subprocess.run(
        [sys.executable, "-c", KILLS, os.path.dirname(__file__)],
        cwd=tmp_path,
        timeout=300,
        check=True,
    )
    make(tmp_path / "whole", 3).run()
    expected = weights(tmp_path / "whole" / "snapshot_iter_3")
    left = set()
    for folder in tmp_path.glob("killed_*"):
        left.add((*sorted(os.listdir(folder)),))
        # Chainer does not look whether what it loads is complete.
        make(folder, 3).run()
        assert os.listdir(folder) == ["snapshot_iter_3"]
        W = weights(folder / "snapshot_iter_3")
        np.testing.assert_array_equal(W, expected)
    # The first snapshot, until the second is complete and in its place.
    assert left == {
        ("snapshot_iter_1",),
        ("snapshot_iter_1", "tmpsnapshot_iter_2.tmp"),
        ("snapshot_iter_1", "snapshot_iter_2"),
        ("snapshot_iter_2",),
    }


def test_a_clock_that_was_set_back(tmp_path):
    make(tmp_path, 1).run()
    later = os.stat(tmp_path).st_mtime + 3600
    os.utime(tmp_path / "snapshot_iter_1", (later, later))
    for n_epochs in 2, 3:
        trainer = make(tmp_path, n_epochs)
        trainer.run()
        assert trainer.updater.iteration == n_epochs
        assert os.listdir(tmp_path) == [f"snapshot_iter_{n_epochs}"]
        path = trainer.get_extension("settings").find_snapshot(tmp_path)
        assert later < os.stat(path).st_mtime < later + 1


def test_it_does_not_alter_a_time_that_is_the_latest(tmp_path):
    make(tmp_path, 1).run()
    first = os.stat(tmp_path / "snapshot_iter_1").st_mtime
    time.sleep(0.1)
    make(tmp_path, 2).run()
    assert os.stat(tmp_path / "snapshot_iter_2").st_mtime > first + 0.05


def run_out_of_space(path, target):
    with open(path, "wb") as file:
        file.write(b"PK")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


@pytest.mark.parametrize("fault", ["full disk", "late", "Ctrl-C"])
def test_what_cannot_be_finished_is_removed(tmp_path, monkeypatch, fault):
    make(tmp_path, 1).run()
    if fault == "full disk":
        writer, error = DurableWriter(run_out_of_space), OSError
    else:
        # A disk may tell only when it has to write that it is full.
        error = OSError(errno.ENOSPC, "late")
        if fault == "Ctrl-C":
            error = KeyboardInterrupt
        writer = DurableWriter()
        monkeypatch.setattr(os, "fsync", mock.Mock(side_effect=error))
        error = type(error) if fault == "late" else error
    trainer = make(tmp_path, 3, writer=writer)
    with pytest.raises(error):
        trainer.run(show_loop_exception_msg=False)
    assert trainer.updater.iteration == 2
    assert os.listdir(tmp_path) == ["snapshot_iter_1"]
    monkeypatch.undo()
    make(tmp_path, 3).run()
    assert os.listdir(tmp_path) == ["snapshot_iter_3"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """The file, then its name, and only then the earlier one goes."""
    done = []

    def spy_on(name):
        function = getattr(os, name)

        def spy(*args):
            place = args[-1]
            if name == "fsync":
                place = os.readlink(f"/proc/self/fd/{place}")
            done.append((name, os.path.basename(place)))
            return function(*args)

        monkeypatch.setattr(os, name, spy)

    for name in "fsync", "replace", "remove":
        spy_on(name)
    make(tmp_path, 1).run()
    assert done == [
        ("fsync", "tmpsnapshot_iter_1.tmp"),
        ("replace", "snapshot_iter_1"),
        ("fsync", tmp_path.name),
    ]
    del done[:]
    make(tmp_path, 2).run()
    assert done[2:] == [
        ("fsync", tmp_path.name),
        ("remove", "snapshot_iter_1"),
    ]


def test_other_ways_to_save(tmp_path):
    def save(path, target, text):
        with open(path, "w") as file:
            file.write(text)

    writer = DurableWriter(save, text="hello")
    assert repr(writer) == "DurableWriter(save)"
    writer("name", str(tmp_path), None)
    assert (tmp_path / "name").read_text() == "hello"
    assert os.listdir(tmp_path) == ["name"]
