"""Runs CUDA kernels on the CPU, and finds what may go wrong on a GPU.

The text of the kernels is compiled for the CPU with ``device.hpp`` in the
place of their ``device.cuh``; what it checks is told there.  ::

    module = Module(source, ("-DSDTW_T=float",))
    kernel = module.get_function("name")
    kernel((blocks,), (threads,), (array, np.int32(3)), shared_mem=0)

as with CuPy's ``RawModule``, with arrays of NumPy.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import typing as tp
from pathlib import Path

import numpy as np

__all__ = [
    "CudaOnCpuError",
    "DeadlockError",
    "DivergenceError",
    "Function",
    "MisalignedError",
    "Module",
    "OutOfBoundsError",
    "RaceError",
    "UninitializedError",
    "cache",
    "compiler",
    "unsupported",
]

HEADER = Path(__file__).with_name("device.hpp")
ENTRY = re.compile(
    r"\bSDTW_KERNEL\s+"
    r"(?:SDTW_BOUNDS\s*\((?P<before>[^()]*(?:\([^()]*\)[^()]*)*)\)\s*)?"
    r"void\s+"
    r"(?:SDTW_BOUNDS\s*\((?P<after>[^()]*(?:\([^()]*\)[^()]*)*)\)\s*)?"
    r"(?P<name>[A-Za-z_]\w*)\s*\("
)


class CudaOnCpuError(Exception):
    """A launch that fails, or might, on a GPU."""


class RaceError(CudaOnCpuError):
    """Two threads access the same memory in no order, and one writes."""


class OutOfBoundsError(CudaOnCpuError):
    """An access outside its array."""


class MisalignedError(CudaOnCpuError):
    """An access at an address that is no multiple of its alignment."""


class DivergenceError(CudaOnCpuError):
    """A barrier or shuffle that not all threads reach."""


class DeadlockError(CudaOnCpuError):
    """All threads wait, some for what no other block will publish."""


class UninitializedError(CudaOnCpuError):
    """A read of shared memory that was not written."""


# By their number in device.hpp.
ERRORS: list[type[CudaOnCpuError]] = [
    CudaOnCpuError,
    CudaOnCpuError,
    RaceError,
    OutOfBoundsError,
    MisalignedError,
    DivergenceError,
    DeadlockError,
    UninitializedError,
]


def compiler() -> list[str] | None:
    """The command of a C++ compiler, if there is one: ``CXX`` or the usual."""
    own = shlex.split(os.environ.get("CXX", ""))
    if own:
        return own if shutil.which(own[0]) else None
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    return None


def unsupported() -> str | None:
    """Why kernels cannot be run here, or None if they can."""
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
    """The folder of what is kept, which no other user can write to."""
    own = os.environ.get("CUDA_ON_CPU_CACHE")
    if own:
        folder = Path(own)
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
def _lock(path: Path) -> tp.Iterator[None]:
    """Lets one process at a time make a file."""
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


class _Argument(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_longlong),
        ("pointer", ctypes.c_int),
    )


class _Options(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint),
        ("threads", ctypes.c_uint),
        ("shared", ctypes.c_longlong),
        ("seed", ctypes.c_ulonglong),
    )


class Module:
    """Kernels compiled from a text that includes ``device.cuh`` only.

    Of the options, those that define names are used (``-D``, ``-U``); others
    are for CUDA's compiler.  ``flags`` are for the C++ compiler.  The order in
    which threads take turns comes from ``seed`` and the number of launches.
    """

    def __init__(
        self,
        source: str,
        options: tp.Sequence[str] = (),
        seed: int = 0,
        flags: tp.Sequence[str] = (),
    ) -> None:
        reason = unsupported()
        if reason is not None:
            raise CudaOnCpuError(f"cuda_on_cpu {reason}")
        self.seed = seed
        self.launches = 0
        self._lock = threading.Lock()
        self._library = ctypes.CDLL(str(_build(source, options, flags)))
        lib = self._library
        lib.cuda_on_cpu_name.restype = ctypes.c_char_p
        lib.cuda_on_cpu_message.restype = ctypes.c_char_p
        lib.cuda_on_cpu_switches.restype = ctypes.c_ulonglong
        lib.cuda_on_cpu_describe.restype = None
        lib.cuda_on_cpu_describe.argtypes = [
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_size_t,
        ]
        self._functions: dict[str, Function] = {}
        while True:
            index = len(self._functions)
            name = lib.cuda_on_cpu_name(index)
            if name is None:
                break
            self._functions[name.decode()] = Function(
                self, name.decode(), index
            )

    @property
    def names(self) -> list[str]:
        """All kernels."""
        return list(self._functions)

    @property
    def switches(self) -> int:
        """How often threads have taken turns."""
        return int(self._library.cuda_on_cpu_switches())

    def get_function(self, name: str) -> Function:
        """The kernel of that name."""
        try:
            return self._functions[name]
        except KeyError:
            raise CudaOnCpuError(
                f"no kernel {name}; there are {', '.join(self._functions)}"
            ) from None

    def _launch(
        self,
        index: int,
        grid: int,
        threads: int,
        arguments: tp.Any,
        shared: int,
    ) -> None:
        with self._lock:
            launch = self.launches
            self.launches += 1
            digest = hashlib.blake2b(
                f"{self.seed} {launch}".encode(), digest_size=8
            ).digest()
            options = _Options(
                grid, threads, shared, int.from_bytes(digest, "little")
            )
            error = self._library.cuda_on_cpu_launch(
                index, arguments, ctypes.byref(options)
            )
            if not error:
                return
            message = self._library.cuda_on_cpu_message().decode()
        raise ERRORS[error](f"{message} (seed {self.seed}, launch {launch})")


class Function:
    """A kernel, called as CuPy's ``RawKernel``."""

    #: As on a GPU, a launch that wants more has to raise this first.
    max_dynamic_shared_size_bytes = 49152

    def __init__(self, module: Module, name: str, index: int) -> None:
        self.module = module
        self.name = name
        self._index = index
        lib = module._library
        text = ctypes.create_string_buffer(1 << 12)
        lib.cuda_on_cpu_describe(index, text, len(text))
        self._parameters = text.value.decode().split(",")[:-1]
        self._bounds = lib.cuda_on_cpu_bounds(index)

    def __repr__(self) -> str:
        return f"<kernel {self.name}({', '.join(self._parameters)})>"

    def __call__(
        self,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        args: tuple[tp.Any, ...],
        *,
        shared_mem: int = 0,
        stream: None = None,
    ) -> None:
        count = self._one_dimension("grid", grid)
        threads = self._one_dimension("block", block)
        if not 1 <= count < 2**31:
            raise CudaOnCpuError(f"{self.name}: a grid of {count} blocks")
        if not 1 <= threads <= (self._bounds or 1024):
            raise CudaOnCpuError(
                f"{self.name}: a block of {threads} threads, at most"
                f" {self._bounds or 1024} are possible"
            )
        if not 0 <= shared_mem <= self.max_dynamic_shared_size_bytes:
            raise CudaOnCpuError(
                f"{self.name}: {shared_mem} bytes of dynamic shared memory,"
                f" at most {self.max_dynamic_shared_size_bytes} are possible"
            )
        if len(args) != len(self._parameters):
            raise TypeError(
                f"{self.name}: {len(args)} arguments for"
                f" {len(self._parameters)} parameters"
            )
        arguments = (_Argument * max(1, len(args)))()
        kept = [
            self._pack(arguments[i], i, parameter, value)
            for i, (parameter, value) in enumerate(zip(self._parameters, args))
        ]
        self.module._launch(self._index, count, threads, arguments, shared_mem)
        del kept

    def _one_dimension(self, what: str, size: tuple[int, ...]) -> int:
        if not 1 <= len(size) <= 3 or any(n != 1 for n in size[1:]):
            raise CudaOnCpuError(
                f"{self.name}: only one dimension of {what} is known, got"
                f" {size}"
            )
        return int(size[0])

    def _pack(
        self, to: _Argument, i: int, parameter: str, value: tp.Any
    ) -> np.ndarray | None:
        """Fill in an argument; what is returned must outlive the launch."""
        where = f"{self.name}, argument {i}"
        if value is None or isinstance(value, np.ndarray):
            if parameter not in ("g", "c"):
                raise TypeError(
                    f"{where}: {type(value).__name__} for a parameter that is"
                    f" no pointer ({parameter})"
                )
            to.pointer = 1
            if value is None:
                return None
            if not value.flags.c_contiguous:
                raise TypeError(f"{where}: not C-contiguous")
            if parameter == "g" and not value.flags.writeable:
                raise TypeError(f"{where}: not writeable")
            to.data = value.ctypes.data
            to.size = value.nbytes
            return value
        if isinstance(value, bool):
            value = np.bool_(value)
        elif isinstance(value, int):
            value = np.int64(value)
        elif isinstance(value, float):
            value = np.float64(value)
        elif not isinstance(value, np.generic):
            raise TypeError(f"{where}: {type(value).__name__}")
        kind = {"f": "f", "i": "i", "u": "i", "b": "i"}.get(
            value.dtype.kind, "x"
        )
        given = f"{kind}{value.dtype.itemsize}"
        if given != parameter:
            raise TypeError(
                f"{where}: {value.dtype} ({given}) for a parameter {parameter}"
            )
        kept = np.array(value)
        to.data = kept.ctypes.data
        to.size = kept.nbytes
        return kept


def _build(
    source: str, options: tp.Sequence[str], flags: tp.Sequence[str]
) -> Path:
    """Path of the compiled library."""
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
        HEADER.read_text(encoding="utf-8"),
        Path(__file__).read_text(encoding="utf-8"),
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
        found = list(ENTRY.finditer(text))
        if not found:
            raise CudaOnCpuError("no kernel in the source")
        device.write_text(f'#include "{HEADER}"\n', encoding="utf-8")
        entries = "".join(
            f'    kernel<&{m["name"]}>("{m["name"]}",'
            f" {(m['before'] or m['after'] or '0').split(',')[0]}),\n"
            for m in found
        )
        main.write_text(
            f"{includes}\n"
            "const cuda_on_cpu::Kernel cuda_on_cpu::kernels[] = {\n"
            f"{entries}}};\n"
            f"const int cuda_on_cpu::kernel_count = {len(found)};\n",
            encoding="utf-8",
        )
        built = folder / "library.so"
        _run([*command, *flags, str(main), "-o", str(built)])
        os.replace(built, library)
    return library


def _directive(option: str) -> str:
    """What an option that defines a name is in the text."""
    name, _, value = option[2:].strip().partition("=")
    if option.startswith("-D"):
        return f"#define {name} {value if '=' in option else 1}\n"
    return f"#undef {name}\n" if option.startswith("-U") else ""


_versions: dict[tuple[str, ...], str] = {}


def _version(command: tuple[str, ...]) -> str:
    if command not in _versions:
        _versions[command] = _run([*command, "--version"])
    return _versions[command]
