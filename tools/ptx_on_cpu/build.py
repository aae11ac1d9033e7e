"""The compiler of the executor, and the folder of what was compiled."""

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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .errors import PTXError

FOLDER = Path(__file__).parent
FLAGS = [
    "-std=c++17",
    "-O3",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fPIC",
    "-fvisibility=hidden",
]


def compiler() -> list[str] | None:
    """Return the command of a C++ compiler, ``CXX`` or the usual, or None."""
    command = shlex.split(os.environ.get("CXX", ""))
    if command:
        return command if shutil.which(command[0]) else None
    for name in ("g++", "c++", "clang++"):
        if shutil.which(name):
            return [name]
    return None


def unsupported() -> str | None:
    """Return why kernels cannot be run here, or None if they can."""
    if sys.platform != "linux":
        return "executes PTX on Linux only"
    if compiler() is None:
        return "needs a C++ compiler: CXX, g++, c++ or clang++"
    return None


def processor() -> str:
    """Return what the instruction set of this machine depends on."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    features = re.search(r"^(?:flags|Features)\s*:(.*)", text, re.M)
    return f"{platform.machine()} {features[1] if features else ''}"


def cache() -> Path:
    """Return the folder of what was compiled, which only its user can write.

    ``PTX_ON_CPU_CACHE`` names another one.
    """
    path = os.environ.get("PTX_ON_CPU_CACHE")
    if path:
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    user = os.getuid()
    folder = Path(tempfile.gettempdir()) / f"ptx_on_cpu-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != user or status.st_mode & 0o022:
        return Path(tempfile.mkdtemp(prefix="ptx_on_cpu-"))
    return folder


def digest(*parts: str) -> str:
    """Return a name for what is made of these texts."""
    key = hashlib.blake2b(digest_size=16)
    for part in parts:
        key.update(part.encode() + b"\0")
    return key.hexdigest()


@contextlib.contextmanager
def made_once(path: Path) -> Iterator[Path | None]:
    """Let one process at a time make a file.

    Yields a path to write to, which takes the place of ``path`` at the end,
    or None if the file is there.
    """
    if path.exists():
        yield None
        return
    import fcntl  # not on Windows, where this is not called

    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():  # another process has been faster
            yield None
            return
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            part = Path(folder) / path.name
            yield part
            os.replace(part, path)


def _run(command: list[str]) -> str:
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if result.returncode:
        raise PTXError(
            f"{shlex.join(command)}\n{result.stderr}{result.stdout}"
        )
    return result.stdout


def build() -> Path:
    """Compile the executor unless it is in the cache; return the library."""
    command = compiler()
    assert command is not None
    flags = list(FLAGS)
    # The folder of one machine may be that of another one.
    flags.append(
        "-mcpu=native" if platform.machine() == "aarch64" else "-march=native"
    )
    sources = sorted(FOLDER.glob("*.cpp"))
    texts = [
        path.read_text(encoding="utf-8")
        for path in [*sources, *sorted(FOLDER.glob("*.hpp"))]
    ]
    version = _run([*command, "--version"])
    name = digest(version, processor(), *command, *flags, *texts)
    library = cache() / f"{name}.so"
    with made_once(library) as part:
        if part is not None:
            objects = [str(part.with_name(f"{s.stem}.o")) for s in sources]
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                jobs = [
                    pool.submit(
                        _run, [*command, *flags, "-c", str(source), "-o", to]
                    )
                    for source, to in zip(sources, objects)
                ]
                for job in jobs:
                    job.result()
            _run([*command, "-shared", *objects, "-o", str(part)])
    return library
