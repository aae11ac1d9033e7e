"""Runs an example without pictures, and lets one process fail on the way.

The environment variable ``FAULT`` names the process, the iteration after
which it fails, and how.
"""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import os
import runpy
import signal
import sys

from chainer.training.updaters import StandardUpdater

FAULTS = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "raises": lambda: [][0],
    "exits": lambda: sys.exit("gives up"),
}


def fail_after(rank, iteration, how):
    import mpi4py.MPI

    update = StandardUpdater.update

    def failing(self):
        if (mpi4py.MPI.COMM_WORLD.rank, self.iteration) == (rank, iteration):
            FAULTS[how]()
        update(self)

    StandardUpdater.update = failing


if "FAULT" in os.environ:
    rank, iteration, how = os.environ["FAULT"].split()
    fail_after(int(rank), int(iteration), how)
sys.modules["matplotlib"] = None
del sys.argv[0]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
