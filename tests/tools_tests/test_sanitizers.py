"""Sanitizers report faults, and only faults, as tests of kernels use them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sanitizers

SOURCE = Path(__file__).with_name("planted_faults.cpp")
INCLUDED = sanitizers.ROOT / "sdtw_cpu" / "src"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not sys.platform.startswith("linux")
        or shutil.which(sanitizers.COMPILER) is None
        or not INCLUDED.exists(),
        reason="needs Linux, gcc and the sources of the kernels",
    ),
]

FAULTS = [
    ("address", "read_past_the_end", "heap-buffer-overflow"),
    ("address", "write_before_the_begin", "heap-buffer-overflow"),
    ("address", "use_after_free", "heap-use-after-free"),
    ("address", "use_after_return_to_the_pool", "use-after-poison"),
    ("address", "read_past_what_was_asked_for", "use-after-poison"),
    ("address", "write_past_the_stack", "index 4 out of bounds"),
    ("address", "index_past_a_vector", "__n < this->size()"),
    ("address", "leak", "detected memory leaks"),
    ("address", "overflow_of_signed", "signed integer overflow"),
    ("address", "shift_too_far", "shift exponent 32 is too large"),
    ("address", "double_too_large_for_int", "outside the range"),
    ("address", "misaligned", "misaligned address"),
    ("address", "null", "null pointer"),
    ("thread", "data_race", "data race"),
    ("thread", "data_race_after_a_flag_without_order", "data race"),
]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """The faults, built as the kernels are: the path for each sanitizer."""
    paths = {}
    for name in sanitizers.SANITIZERS:
        paths[name] = tmp_path_factory.mktemp(name) / "faults.so"
        command = [sanitizers.COMPILER, "-std=c++17", "-shared", "-fPIC"]
        command += [*sanitizers.flags(name), f"-I{INCLUDED}", str(SOURCE)]
        subprocess.run([*command, "-o", str(paths[name])], check=True)
    return paths


def call(sanitizer, library, function):
    code = f"import ctypes; ctypes.CDLL('{library}').{function}()"
    return sanitizers.run(sanitizer, library.parent, ["-c", code])


@pytest.mark.parametrize(("sanitizer", "function", "report"), FAULTS)
def test_fault(capfd, libraries, sanitizer, function, report):
    status, reports = call(sanitizer, libraries[sanitizer], function)
    reports += capfd.readouterr().err
    assert status != 0
    assert report in reports
    assert SOURCE.name in reports  # TSan may lose a thread's function


@pytest.mark.parametrize("sanitizer", sanitizers.SANITIZERS)
def test_no_fault(libraries, sanitizer):
    assert call(sanitizer, libraries[sanitizer], "no_fault") == (0, "")
