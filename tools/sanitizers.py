"""Run tests with kernels that sanitizers of gcc watch.

``python tools/sanitizers.py NAME [OPTIONS OF PYTEST]`` builds the packages
with the sanitizer of that name into ``build/sanitize-NAME`` and runs its tests
there.  It fails if a test fails, or if a sanitizer reported something in any
process.

Python itself is not built with sanitizers: their libraries are loaded before
it.  What NumPy allocates is watched as well, and so is memory that kernels
keep, as ``sdtw_cpu/src/memory.hpp`` tells.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COMPILER = "g++"


class Sanitizer(NamedTuple):
    """What gcc checks, and with what.

    Attributes:
        checks: The value of ``-fsanitize``.
        library: What Python loads before anything else.
        options: Options of the libraries.
        tests: Files and folders of tests.
        left_out: Those of the tests that cannot pass.
    """

    checks: str
    library: str
    options: str
    tests: list[str]
    left_out: list[str]


# Whose leaks are not those of the kernels, by parts of paths: those of Python,
# of OpenSSL, which its module of hashes loads, and of programs that it starts,
# as gcc to find a library.
OTHERS = ["libpython", "/bin/", "lib-dynload", "site-packages", "libcrypto"]

# Sanitizers take more time and memory, and end a program that gets none.
MEASURES = [
    "tests/sdtw_cpu_tests/test_interrupts.py::test_many_features",
    "tests/sdtw_cpu_tests/test_threads.py::TestMemory::test_peak",
    "tests/sdtw_cpu_tests/test_threads.py::TestMemory::test_no_room_for_threads",
]

SANITIZERS = {
    "address": Sanitizer(
        # All of "undefined", which leaves out the division of floats by zero:
        # the kernels rely on its result, as IEEE 754 defines it.
        "address,undefined,float-cast-overflow",
        "libasan.so",
        # Of where memory comes from, three calls tell whether Python, which
        # does not free all, took it; more would lead to Python from anywhere.
        "malloc_context_size=3:handle_abort=1:print_stacktrace=1",
        ["tests/sdtw_cpu_tests"],
        MEASURES,
    ),
    "thread": Sanitizer(
        "thread",
        "libtsan.so",
        # The child of a process that had threads may start others.
        "die_after_fork=0:ignore_noninstrumented_modules=1",
        [
            "tests/sdtw_cpu_tests/test_threads.py",
            "tests/sdtw_cpu_tests/test_interrupts.py",
        ],
        MEASURES,
    ),
}


def flags(name: str) -> list[str]:
    """Return the flags of the compiler, which the linker takes too."""
    return [
        "-O1",
        "-g1",
        "-w",
        "-DSDTW_INLINE=inline",
        "-D_GLIBCXX_ASSERTIONS",
        "-fno-omit-frame-pointer",
        "-fno-sanitize-recover=undefined,float-cast-overflow",
        f"-fsanitize={SANITIZERS[name].checks}",
    ]


def run(name: str, folder: Path, command: list[str]) -> tuple[int, str]:
    """Run a command of Python in a folder, which its packages come from.

    Returns:
        The exit status, and the reports of all processes that it started.
    """
    sanitizer = SANITIZERS[name]
    reports = folder / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    suppressions = folder / "suppressions.txt"
    suppressions.write_text("".join(f"leak:{part}\n" for part in OTHERS))
    # Without libstdc++, what is thrown would be looked for too late.
    libraries = [
        subprocess.check_output(
            [COMPILER, f"-print-file-name={library}"], text=True
        ).strip()
        for library in (sanitizer.library, "libstdc++.so")
    ]
    options = f"{sanitizer.options}:log_path={reports / 'report'}"
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "PYTHONPATH": str(folder),
        "ASAN_OPTIONS": options,
        "LSAN_OPTIONS": f"suppressions={suppressions}:print_suppressions=0",
        "TSAN_OPTIONS": options,
        "UBSAN_OPTIONS": options,
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, *command], check=False, cwd=folder, env=environment
    )
    texts = [path.read_text() for path in sorted(reports.iterdir())]
    return done.returncode, "\n".join(texts)


def build(name: str) -> Path:
    """Build the packages; return the folder that they are in."""
    folder = ROOT / "build" / f"sanitize-{name}"
    command = ["setup.py", "--quiet", "build", "--build-base", str(folder)]
    command += ["--build-lib", str(folder / "lib")]
    environment = {
        **os.environ,
        "SDTW_CXXFLAGS": " ".join(flags(name)),
        "LDFLAGS": " ".join(flags(name)),
    }
    subprocess.run(
        [sys.executable, *command], check=True, cwd=ROOT, env=environment
    )
    return folder / "lib"


def main(name: str, *options: str) -> None:
    folder = build(name)
    tests = [str(ROOT / path) for path in SANITIZERS[name].tests]
    left_out = [f"--deselect={test}" for test in SANITIZERS[name].left_out]
    command = ["-m", "pytest", "-c", str(ROOT / "pyproject.toml")]
    # What is undefined is reported on the standard error.
    command += ["--capture=sys", *left_out, *options, *tests]
    status, reports = run(name, folder, command)
    sys.exit(reports or status)


if __name__ == "__main__":
    main(*sys.argv[1:])
