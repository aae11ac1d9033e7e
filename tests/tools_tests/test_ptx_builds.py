"""How the executor is compiled, and what is kept."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import nvrtc
import ptx_on_cpu
import pytest
from ptx_on_cpu import build

if ptx_on_cpu.unsupported():
    pytest.skip(str(ptx_on_cpu.unsupported()), allow_module_level=True)

# Compiles one line of C++ in place of the executor.
PROGRAM = """
import sys
from pathlib import Path
from ptx_on_cpu import build
build.FOLDER = Path(sys.argv[1])
run = build._run
def counted(command):
    if "-c" in command:
        # In one piece: threads compile.
        name = Path(command[command.index("-c") + 1]).name
        print(f"compiled {name}\\n", end="")
    return run(command)
build._run = counted
print(build.build())
"""


def start(folder, cache):
    environ = {
        **os.environ,
        "PTX_ON_CPU_CACHE": str(cache),
        "PYTHONPATH": str(Path(ptx_on_cpu.__file__).parents[1]),
    }
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_share_one_build(tmp_path):
    """One compiles, the others wait for it; a change is compiled again."""
    sources, cache = tmp_path / "sources", tmp_path / "cache"
    sources.mkdir()
    (sources / "one.hpp").write_text("constexpr int kOne = 1;")
    (sources / "one.cpp").write_text('#include "one.hpp"\nint f();')
    (sources / "two.cpp").write_text("int g();")
    children = [start(sources, cache) for _ in range(3)]
    printed = "".join(c.communicate(timeout=300)[0] for c in children)
    assert printed.count("compiled one.cpp") == 1
    assert printed.count("compiled two.cpp") == 1
    assert len({s for s in printed.split() if s.endswith(".so")}) == 1
    (sources / "one.hpp").write_text("constexpr int kOne = 2;")
    assert "compiled" in start(sources, cache).communicate(timeout=300)[0]
    assert len(list(cache.glob("*.so"))) == 2


def test_errors_of_the_compiler(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    monkeypatch.setenv("PTX_ON_CPU_CACHE", str(tmp_path / "cache"))
    (tmp_path / "one.cpp").write_text("undeclared_name;")
    with pytest.raises(ptx_on_cpu.PTXError, match="undeclared_name"):
        build.build()


def test_no_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert ptx_on_cpu.compiler() is None
    assert "needs a C++ compiler" in ptx_on_cpu.unsupported()


@pytest.mark.skipif(not nvrtc.libraries(), reason="no NVRTC is installed")
def test_ptx_is_kept(tmp_path, monkeypatch):
    library = nvrtc.libraries()[-1]
    source = 'extern "C" __global__ void k(int* x) { *x = N; }'
    first = library.ptx(source, 90, ("-DN=5",), tmp_path)
    assert ".visible .entry k(" in first and ".loc" in first
    out = np.zeros(1, np.int32)
    ptx_on_cpu.Module(first).get_function("k")((1,), (1,), (out,))
    assert out == 5
    other = library.ptx(source, 90, ("-DN=6",), tmp_path)
    assert other != first
    monkeypatch.setattr(nvrtc.Library, "_program", None)
    assert library.ptx(source, 90, ("-DN=5",), tmp_path) == first
    with pytest.raises(TypeError):
        library.ptx(source, 80, ("-DN=5",), tmp_path)
