"""Fixtures of the tests that start several processes by mpiexec."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 120  # seconds; each takes a few where the cores are free


@pytest.fixture(scope="session")
def mpiexec():
    """The command that starts processes."""
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("needs mpi4py, of the extra mpi")
    # That of the package of an MPI is beside the interpreter.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
    found = shutil.which("mpiexec", path=path) or shutil.which("mpiexec")
    if found is None:
        pytest.skip("needs mpiexec, of the extra mpi")
    return found


class Run:
    """What processes left behind: status, output and errors."""

    def __init__(self, command, cwd, env):
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **env, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            self.out, self.err = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            pytest.fail(f"no end after {LIMIT} s: {command}\n{out}\n{err}")
        self.status = process.returncode


@pytest.fixture
def start(mpiexec, tmp_path):
    """Starts a program of Python in ``n`` processes and waits for their end.

    With ``n`` None it is one that mpiexec does not start.
    """

    def start(n, program, *args, **env):
        command = [sys.executable, str(program), *map(str, args)]
        if n is not None:
            command = [mpiexec, "-n", str(n), *command]
        return Run(command, tmp_path, env)

    return start
