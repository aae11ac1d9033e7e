"""Programs of several processes for the tests of chainer_sdtw.compat."""

import os
import shutil
import subprocess
import sys
import textwrap

import pytest
from interpreters import root

TIME_LIMIT = 60  # seconds

PREAMBLE = """\
import warnings
warnings.filterwarnings("error", "", DeprecationWarning, "chainermn")
import chainer_sdtw.compat
"""


def mpiexec():
    """The path of mpiexec, or a skip where MPI is not installed."""
    pytest.importorskip("mpi4py")
    # That of this environment, whose MPI mpi4py loads.
    path = shutil.which("mpiexec", path=os.path.dirname(sys.executable))
    path = path or shutil.which("mpiexec")
    if path is None:
        pytest.skip("needs mpiexec")
    return path


def run(source, *, n=2, options=(), path=None, **environ):
    """Runs code in n processes and returns what became of it.

    A job that does not end within a time limit is ended and fails.
    """
    environ = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "",  # so that lines stay whole
        "PYTHONPATH": root() if path is None else path,
        **environ,
    }
    command = [mpiexec(), "-n", str(n), sys.executable, *options]
    process = subprocess.Popen(
        [*command, "-c", textwrap.dedent(source)],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        process.terminate()  # which mpiexec passes on
        out, err = process.communicate()
        pytest.fail(f"not finished after {TIME_LIMIT} s:\n{out}\n{err}")
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def check(source, **options):
    """Runs code in processes that must succeed; returns what they print.

    Chainer is repaired, and ChainerMN uses nothing that is deprecated.
    """
    result = run(PREAMBLE + textwrap.dedent(source), **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
