"""How the emulator compiles kernels, and keeps what it compiled."""

import os
import subprocess
import sys
from pathlib import Path

import cuda_on_cpu
import pytest
from cuda_on_cpu import CudaOnCpuError
from emulator_kernels import SOURCE

if cuda_on_cpu.unsupported():
    pytest.skip(str(cuda_on_cpu.unsupported()), allow_module_level=True)


def test_no_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert cuda_on_cpu.compiler() is None
    with pytest.raises(CudaOnCpuError, match="needs a C\\+\\+ compiler"):
        cuda_on_cpu.Module(SOURCE, ("-DT=float",))


def test_errors_of_the_compiler():
    with pytest.raises(CudaOnCpuError, match="undeclared_name"):
        cuda_on_cpu.Module(
            '#include "device.cuh"\n'
            "SDTW_KERNEL void k(Global<int> x) { x[0] = undeclared_name; }"
        )
    with pytest.raises(CudaOnCpuError, match="no kernel"):
        cuda_on_cpu.Module('#include "device.cuh"\n// SDTW_KERNEL void k() {}')


def test_builds_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_ON_CPU_CACHE", str(tmp_path / "cache"))
    source = (
        '#include "device.cuh"\n#if N > 1\nSDTW_KERNEL void many() {}\n'
        "#else\nSDTW_KERNEL void one() {}\n#endif"
    )
    names = [
        cuda_on_cpu.Module(source, (f"-DN={n}",)).names for n in (1, 2, 1)
    ]
    assert names == [["one"], ["many"], ["one"]]
    assert len(list((tmp_path / "cache").glob("*.so"))) == 2


def test_processes_that_want_the_same_build_share_one(tmp_path):
    """One compiles, the others wait for it."""
    program = (
        "import cuda_on_cpu.build\n"
        "run = cuda_on_cpu.build._run\n"
        "def counted(command):\n"
        "    print('library' if '-shared' in command else '')\n"
        "    return run(command)\n"
        "cuda_on_cpu.build._run = counted\n"
        "source = '#include \"device.cuh\"\\nSDTW_KERNEL void one() {}'\n"
        "print(cuda_on_cpu.Module(source).names)\n"
    )
    environ = {
        **os.environ,
        "CUDA_ON_CPU_CACHE": str(tmp_path),
        "PYTHONPATH": str(Path(cuda_on_cpu.__file__).parents[1]),
    }
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    printed = "".join(child.communicate()[0] for child in children)
    assert printed.count("['one']") == 3
    assert printed.count("library") == 1
