"""The compiler of the kernels, and the folder of compiled modules."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import CudaOnCpuError

FOLDER = Path(__file__).parent
HEADER = FOLDER / "device.hpp"
ENTRY = re.compile(
    r"\bSDTW_KERNEL\s+"
    r"(?:SDTW_BOUNDS\s*\((?P<before>[^()]*(?:\([^()]*\)[^()]*)*)\)\s*)?"
    r"void\s+"
    r"(?:SDTW_BOUNDS\s*\((?P<after>[^()]*(?:\([^()]*\)[^()]*)*)\)\s*)?"
    r"(?P<name>[A-Za-z_]\w*)\s*\("
)


def compiler() -> list[str] | None:
    """Return the command of a C++ compiler, ``CXX`` or the usual, or None."""
    command = shlex.split(os.environ.get("CXX", ""))
    if command:
        return command if shutil.which(command[0]) else None
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    return None


def unsupported() -> str | None:
    """Return why kernels cannot be run here, or None if they can."""
    if sys.platform != "linux":
        return "runs CUDA kernels on Linux only"
    if platform.machine() not in ("x86_64", "aarch64"):
        return f"cannot switch between threads on {platform.machine()}"
    if compiler() is None:
        return "needs a C++ compiler: CXX, c++, g++ or clang++"
    return None


def _has_fma() -> bool:
    if platform.machine() != "x86_64":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"^flags\s*:.*\bfma\b", flags, re.M) is not None


def cache() -> Path:
    """Return the folder of compiled modules, which only its user can write."""
    path = os.environ.get("CUDA_ON_CPU_CACHE")
    if path:
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    user = os.getuid()
    folder = Path(tempfile.gettempdir()) / f"cuda_on_cpu-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != user or status.st_mode & 0o022:
        return Path(tempfile.mkdtemp(prefix="cuda_on_cpu-"))
    return folder


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one process at a time make a file."""
    import fcntl  # not on Windows, where this is not called

    with open(path.with_suffix(".lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> str:
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if result.returncode:
        raise CudaOnCpuError(
            f"{shlex.join(command)}\n{result.stderr}{result.stdout}"
        )
    return result.stdout


def build(source: str, options: Sequence[str], flags: Sequence[str]) -> Path:
    """Compile a module unless it is in the cache; return the library."""
    command = compiler()
    assert command is not None
    defines = "".join(_directive(o) for o in options)
    flags = [
        "-std=c++17",
        "-O1",
        "-ffp-contract=off",
        "-fPIC",
        "-shared",
        "-fvisibility=hidden",
        *(["-mfma"] if _has_fma() else []),
        *flags,
    ]
    key = hashlib.blake2b(digest_size=16)
    for part in (
        _version(tuple(command)),
        *(
            path.read_text(encoding="utf-8")
            for path in [*sorted(FOLDER.glob("*.hpp")), Path(__file__)]
        ),
        source,
        *command,
        *flags,
        defines,
    ):
        key.update(part.encode() + b"\0")
    library = cache() / f"{key.hexdigest()}.so"
    if library.exists():
        return library
    parent = library.parent
    with _lock(library), tempfile.TemporaryDirectory(dir=parent) as name:
        if library.exists():  # another process has been faster
            return library
        folder = Path(name)
        (folder / "kernels.cuh").write_text(source, encoding="utf-8")
        # Which kernels there are, after the preprocessor: with a device.cuh
        # that defines nothing, their declarations are still marked.
        device = folder / "device.cuh"
        device.write_text("", encoding="utf-8")
        main = folder / "main.cpp"
        # The names defined by options are not for device.hpp.
        includes = f'#include "device.cuh"\n{defines}#include "kernels.cuh"\n'
        main.write_text(includes, encoding="utf-8")
        text = _run([*command, "-std=c++17", "-E", "-P", str(main)])
        entries = list(ENTRY.finditer(text))
        if not entries:
            raise CudaOnCpuError("no kernel in the source")
        device.write_text(f'#include "{HEADER}"\n', encoding="utf-8")
        table = "".join(
            f'    kernel<&{m["name"]}>("{m["name"]}",'
            f" {(m['before'] or m['after'] or '0').split(',')[0]}),\n"
            for m in entries
        )
        main.write_text(
            f"{includes}\n"
            "const cuda_on_cpu::Kernel cuda_on_cpu::kernels[] = {\n"
            f"{table}}};\n"
            f"const int cuda_on_cpu::kernel_count = {len(entries)};\n",
            encoding="utf-8",
        )
        built = folder / "library.so"
        _run([*command, *flags, str(main), "-o", str(built)])
        os.replace(built, library)
    return library


def _directive(option: str) -> str:
    """Return the directive for an option that defines a name, or ''."""
    name, _, value = option[2:].strip().partition("=")
    if option.startswith("-D"):
        return f"#define {name} {value if '=' in option else 1}\n"
    return f"#undef {name}\n" if option.startswith("-U") else ""


_versions: dict[tuple[str, ...], str] = {}


def _version(command: tuple[str, ...]) -> str:
    if command not in _versions:
        _versions[command] = _run([*command, "--version"])
    return _versions[command]
