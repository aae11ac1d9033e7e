"""Calls in which one allocation after the other fails.

They run in processes of their own: a crash or a hang is a failure too.
"""

import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from memory_growth import KEEPS_MEMORY
from ptx_on_cpu.build import compiler

import sdtw_cpu

FOLDER = Path(__file__).parent
LEVELS = sdtw_cpu.isa_levels()
FLAGS = ["-std=c++17", "-O1", "-fPIC", "-shared", "-fno-builtin"]

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(
        platform.libc_ver()[0] != "glibc", reason="replaces glibc's malloc"
    ),
    pytest.mark.skipif(compiler() is None, reason="needs a C++ compiler"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("allocations") / "allocations.so"
    source = FOLDER / "allocations.cpp"
    subprocess.run(
        [*compiler(), *FLAGS, str(source), "-o", str(path), "-ldl"], check=True
    )
    return path


def failures(library, kind, *levels):
    """What came of the failures, for each call."""
    script = str(FOLDER / "allocation_failures.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, kind, *levels],
        capture_output=True,
        check=False,
        env={**os.environ, "LD_PRELOAD": str(library)},
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_kept(rows):
    assert len(rows) > 6
    for row in rows:
        assert row["wrong"] == row["leaked"] == 0, row


@pytest.mark.parametrize("kind", ["new", "arrays", "python"])
def test_no_memory(library, kind):
    if kind == "arrays" and KEEPS_MEMORY:
        pytest.skip(KEEPS_MEMORY)
    if kind == "python" and importlib.util.find_spec("_testcapi") is None:
        pytest.skip("a Python without its own tests")
    levels = LEVELS if kind == "new" else LEVELS[-1:]
    rows = failures(library, kind, *levels)
    assert_kept(rows)
    assert sum(row["raised"] for row in rows) > 100


def test_no_threads(library):
    """Fewer threads, or none besides the caller's, do the work."""
    rows = failures(library, "threads", LEVELS[0])
    assert_kept(rows)
    assert sum(row["returned"] for row in rows) > 10
    assert not any(row["raised"] for row in rows)


def test_planted_faults(library):
    bits, leak = failures(library, "new")
    assert leak["leaked"] and bits["wrong"]
