"""Trainings that are ended from outside, and that go on."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from same_runs import assert_same_run

SCRIPT = "sequence_prediction/train_ucr.py"
pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="no fork on this platform"
)
# A snapshot after each epoch, which has 3 iterations or 2.
SMALL = ["--dataset", "Toy", "--unit", "4", "-b", "4", "-f", "1"]

# Imports the example once and forks for each run of it, which saves seconds.
# What a process has in memory ends with it, as if it had not been forked.
SERVER = """
import json, os, resource, signal, sys, warnings
sys.path[0] = os.path.dirname(sys.argv[1])
sys.modules['matplotlib'] = None  # pictures take longer than all the rest
import train_ucr
warnings.simplefilter('ignore')

for line in sys.stdin:
    folder, args, limit = json.loads(line)
    pid = os.fork()
    if pid == 0:
        # Jobs in the background ignore it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder)
        for number, name in (1, 'out.txt'), (2, 'err.txt'):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(name, flags, 0o666), number)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        sys.exit(train_ucr.main(args))
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Run:
    """A training in a process of its own."""

    def __init__(self, server, folder, args, limit):
        self.server, self.folder = server, folder
        line = json.dumps([str(folder), [*SMALL, *args], limit])
        print(line, file=server.stdin, flush=True)
        self.pid = int(server.stdout.readline())

    def wait_for(self, condition):
        limit = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < limit, self.errors()
            time.sleep(0.001)

    def end(self, number):
        """Send a signal and return the exit status."""
        os.kill(self.pid, number)
        return self.status()

    def status(self):
        """Return the exit status, or the signal that killed it, negative."""
        status = int(self.server.stdout.readline())
        if os.WIFSIGNALED(status):
            return -os.WTERMSIG(status)
        return os.WEXITSTATUS(status)

    def errors(self):
        return (self.folder / "err.txt").read_text()


@pytest.fixture(scope="module")
def server(script, root):
    """A process that starts trainings, one at a time."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(script)],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        yield server
        server.stdin.close()


@pytest.fixture
def start(server, tmp_path):
    """Starts a training in the folder of the test."""

    def start(*args, limit=None):
        return Run(server, tmp_path, args, limit)

    return start


def iterations(folder):
    """Return how many iterations the snapshots of all losses have."""
    newest = {}
    for path in folder.glob("*/snapshot_iter_*"):
        number = int(path.name.rpartition("_")[2])
        newest[path.parent] = max(newest.get(path.parent, 0), number)
    return sum(newest.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "options, kills",
    [
        (["--loss", "soft_dtw", "mse", "-e", "50"], 30),
        (["--model", "lstm", "--dataset", "Uneven", "-e", "7"], 2),
    ],
    ids=["mlp", "lstm"],
)
def test_killed_again_and_again(start, tmp_path, options, kills):
    """One run, killed at random moments, ends as one that was not."""
    began = time.monotonic()
    run = start(*options, "-o", "whole")
    assert run.status() == 0, run.errors()
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    seconds = (time.monotonic() - began) / iterations(whole)
    moments = random.Random(0)
    for _ in range(kills):
        run = start(*options, "-o", "killed", "--autoload")
        goal = iterations(killed) + moments.randrange(6)
        run.wait_for(lambda goal=goal: iterations(killed) >= goal)
        time.sleep(moments.uniform(0, 3) * seconds)
        assert run.end(signal.SIGKILL) == -signal.SIGKILL, run.errors()
    run = start(*options, "-o", "killed", "--autoload")
    assert run.status() == 0, run.errors()
    assert_same_run(killed, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(start, tmp_path, number):
    options = ["--loss", "mse"]
    folder = tmp_path / "result"
    run = start(*options, "-e", "1000000")
    run.wait_for(lambda: iterations(folder) > 3)
    assert run.end(number) == 128 + number
    assert run.errors() == (
        "\nInterrupted. To go on from the last snapshot, give the same "
        "command with --autoload.\n"
    )
    more = ["-e", str(iterations(folder) + 2)]
    assert start(*options, *more, "--autoload").status() == 0
    assert start(*options, *more, "-o", "whole").status() == 0
    assert_same_run(folder, tmp_path / "whole")


def test_no_space(start, tmp_path):
    """A file that cannot be written ends the run and costs nothing."""
    options = ["--loss", "mse"]
    assert start(*options, "-e", "1").status() == 0
    (path,) = tmp_path.glob("result/mse/snapshot_iter_*")
    before = path.read_bytes()
    run = start(*options, "-e", "3", "--autoload", limit=len(before) // 2)
    assert run.status() == 1
    # Python 3.9 adds that it cannot close the archive.
    assert run.errors().startswith(
        "Cannot write to result: [Errno 27] File too large. When that is "
        "possible again, to go on from the last snapshot, give the same "
        "command with --autoload.\n"
    )
    assert path.read_bytes() == before
    names = ["log", path.name]
    assert sorted(os.listdir(tmp_path / "result/mse")) == names
    assert start(*options, "-e", "3", "--autoload").status() == 0
    assert start(*options, "-e", "3", "-o", "whole").status() == 0
    assert_same_run(tmp_path / "result", tmp_path / "whole")
