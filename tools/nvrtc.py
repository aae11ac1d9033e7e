#!/usr/bin/env python
"""Compile CUDA kernels without a GPU and report what they use.

Usage::

    python tools/nvrtc.py FILE.cu [--arch 90] [-DNAME=VALUE]

NVRTC, the compiler that CuPy runs, makes machine code on any Linux machine.
Here it is that of NVIDIA's wheels, as many of them as are installed:
``nvidia-cuda-nvrtc-cu11``, ``nvidia-cuda-nvrtc-cu12`` and
``nvidia-cuda-nvrtc`` (CUDA 13) live side by side. The table has a row for
every kernel, version of CUDA and architecture: registers a thread, bytes of
static shared memory a block, and bytes of local memory a thread (its stack
frame, and what is spilled to it).
"""

import argparse
import ctypes
import dataclasses
import functools
import hashlib
import os
import pathlib
import re
import sys
from concurrent.futures import ThreadPoolExecutor

# Compute capability 7.0 to 10.0, without what only boards with their own
# processor have.
ARCHITECTURES = (70, 75, 80, 86, 89, 90, 100)

# Options of every compilation that does not set them itself. CuPy always
# flushes denormal numbers; its default standard differs between releases.
DEFAULTS = {"std": "--std=c++14", "ftz": "-ftz=true"}

# The assembler's report, the same in CUDA 11.7 to 13.5.
ENTRY = re.compile(r"Compiling entry function '(.+)' for '(.+)'")
FRAME = re.compile(
    r"(\d+) bytes stack frame, (\d+) bytes spill stores,"
    r" (\d+) bytes spill loads"
)
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")

# Warnings about the source, not those about old architectures.
WARNING = re.compile(r"\bwarning #|^ptxas warning")


class CompileError(Exception):
    """The source does not compile; the text is the compiler's log."""


@dataclasses.dataclass
class Resources:
    """What a kernel uses, with the functions it calls that are not inlined.

    ``shared`` is the static shared memory a block, without what the hardware
    reserves; all else is for each thread, in bytes but for ``registers``.
    Any local memory shows in ``stack``.
    """

    registers: int = 0
    shared: int = 0
    stack: int = 0
    spill_stores: int = 0
    spill_loads: int = 0


@dataclasses.dataclass(frozen=True)
class Compiled:
    """Machine code, its log, and the resources of each kernel by name."""

    cubin: bytes
    log: str
    kernels: "dict[str, Resources]"

    @property
    def warnings(self):
        """The lines of the log that warn of something in the source."""
        return [line for line in self.log.splitlines() if WARNING.search(line)]


class Library:
    """One NVRTC."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._library = ctypes.CDLL(str(path))
        self._library.nvrtcGetErrorString.restype = ctypes.c_char_p
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        self.version = major.value, minor.value
        # Not every release looks for its second half beside the first.
        builtins = f"libnvrtc-builtins.so.{major.value}.{minor.value}"
        self._builtins = ctypes.CDLL(str(self.path.with_name(builtins)))

    def __repr__(self):
        return "CUDA {}.{}".format(*self.version)

    def architectures(self):
        """Return the architectures that it compiles for, 90 for 9.0."""
        count = ctypes.c_int()
        self._call("nvrtcGetNumSupportedArchs", ctypes.byref(count))
        values = (ctypes.c_int * count.value)()
        self._call("nvrtcGetSupportedArchs", values)
        return tuple(values)

    def report(self, source, architecture, options=(), folder=None):
        """Return what :meth:`compile` does, without the code.

        With a folder, reports are kept there and read instead of compiling
        the same again.
        """
        if folder is None:
            return self.compile(source, architecture, options)
        key = hashlib.blake2b(digest_size=16)
        parser = pathlib.Path(__file__).read_text(encoding="utf-8")
        for part in (parser, self, source, architecture, *options):
            key.update(f"{part}\0".encode())
        path = pathlib.Path(folder) / f"{key.hexdigest()}.log"
        try:
            log = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            log = self.compile(source, architecture, options).log
            part = path.with_suffix(f".{os.getpid()}")
            part.write_text(log, encoding="utf-8")
            part.replace(path)
        return Compiled(b"", log, _report(log, architecture))

    def compile(self, source, architecture, options=(), name="kernels.cu"):
        """Return the code for one architecture; ``name`` is for the log."""
        # NVRTC 11.8 leaves the thread that calls it in the locale C.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(
                self._compile, source, architecture, options, name
            ).result()

    def ptx(self, source, architecture, options=(), folder=None):
        """Return the PTX for one architecture, with the lines of the source.

        With a folder, texts are kept there.
        """
        if folder is not None:
            key = hashlib.blake2b(digest_size=16)
            for part in (self, source, architecture, *options):
                key.update(f"{part}\0".encode())
            path = pathlib.Path(folder) / f"{key.hexdigest()}.ptx"
            if not path.exists():
                part = path.with_suffix(f".{os.getpid()}")
                part.write_text(
                    self.ptx(source, architecture, options), encoding="utf-8"
                )
                part.replace(path)
            return path.read_text(encoding="utf-8")
        options = [
            f"--gpu-architecture=compute_{architecture}",
            "-lineinfo",
            *options,
        ]
        with ThreadPoolExecutor(1) as pool:
            text, _ = pool.submit(
                self._program, source, options, "kernels.cu", "PTX"
            ).result()
        return text.rstrip(b"\0").decode()

    def _compile(self, source, architecture, options, name):
        options = [
            f"--gpu-architecture=sm_{architecture}",
            "--ptxas-options=-v",
            *options,
        ]
        cubin, log = self._program(source, options, name, "CUBIN")
        return Compiled(cubin, log, _report(log, architecture))

    def _program(self, source, options, name, what):
        """Compile, and return what is asked for and the log."""
        names = {option.lstrip("-").partition("=")[0] for option in options}
        options += [DEFAULTS[key] for key in DEFAULTS if key not in names]
        if self.version >= (12, 9):
            # Code from the cache of a machine with a GPU has no report.
            options.append("--no-cache")
        encoded = [option.encode() for option in options]
        program = ctypes.c_void_p()
        self._call(
            "nvrtcCreateProgram",
            ctypes.byref(program),
            source.encode(),
            name.encode(),
            0,
            None,
            None,
        )
        try:
            status = self._library.nvrtcCompileProgram(
                program,
                len(encoded),
                (ctypes.c_char_p * len(encoded))(*encoded),
            )
            log = self._read("ProgramLog", program)
            log = log.rstrip(b"\0").decode(errors="replace").strip()
            if status:
                raise CompileError(log or self._error(status))
            return self._read(what, program), log
        finally:
            self._call("nvrtcDestroyProgram", ctypes.byref(program))

    def _read(self, what, program):
        size = ctypes.c_size_t()
        self._call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._call(f"nvrtcGet{what}", program, buffer)
        return buffer.raw

    def _error(self, status):
        return self._library.nvrtcGetErrorString(status).decode()

    def _call(self, function, *arguments):
        status = getattr(self._library, function)(*arguments)
        if status:
            raise RuntimeError(f"{function}: {self._error(status)}")


def _report(log, architecture):
    """Return the resources of every kernel in a log."""
    kernels = {}
    kernel = None
    for line in log.splitlines():
        entry, frame, used = (
            pattern.search(line) for pattern in (ENTRY, FRAME, USED)
        )
        if entry:
            name, compiled_for = entry.groups()
            if compiled_for != f"sm_{architecture}":
                raise RuntimeError(f"{name} is for {compiled_for}")
            kernel = kernels[name] = Resources()
        elif frame and kernel:
            # Those of the kernel, then those of functions that it calls.
            stack, stores, loads = map(int, frame.groups())
            kernel.stack += stack
            kernel.spill_stores += stores
            kernel.spill_loads += loads
        elif used:
            shared = SHARED.search(line)
            kernel.registers = int(used[1])
            kernel.shared = int(shared[1]) if shared else 0
    for name, kernel in kernels.items():
        if not kernel.registers:
            raise RuntimeError(f"no report on {name}:\n{log}")
    return kernels


@functools.lru_cache(None)
def libraries():
    """Return a Library for every NVRTC that is installed as a wheel."""
    versions = {}
    for folder in sys.path:
        paths = pathlib.Path(folder).glob("nvidia/*/lib/libnvrtc.so.*")
        for path in sorted(paths):
            library = Library(path)
            versions.setdefault(library.version, library)
    return [versions[version] for version in sorted(versions)]


def _arguments():
    parser = argparse.ArgumentParser(
        description="The resources that CUDA kernels use."
    )
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument(
        "--arch",
        type=int,
        action="append",
        help="a compute capability, 90 for 9.0 (default: all from 70 to 100)",
    )
    parser.add_argument(
        "-D",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="define a macro",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        help="one for the compiler, such as --option=--fmad=false",
    )
    parser.add_argument(
        "--save",
        type=pathlib.Path,
        metavar="FOLDER",
        help="write the machine code there, for a disassembler",
    )
    return parser.parse_args()


def main():
    arguments = _arguments()
    if not libraries():
        sys.exit("No NVRTC is installed: pip install nvidia-cuda-nvrtc-cu12")
    source = arguments.file.read_text()
    options = [f"--include-path={arguments.file.parent}"]
    options += [f"-D{macro}" for macro in arguments.D] + arguments.option
    print(
        "CUDA  arch registers shared  stack  spill stores, loads  kernel",
        flush=True,
    )
    for library in libraries():
        version = "{}.{}".format(*library.version)
        for arch in arguments.arch or ARCHITECTURES:
            if arch not in library.architectures():
                continue
            try:
                compiled = library.compile(
                    source, arch, options, arguments.file.name
                )
            except CompileError as error:
                sys.exit(f"{library}, sm_{arch}:\n{error}")
            for name, used in sorted(compiled.kernels.items()):
                print(
                    f"{version:5} {arch:4} {used.registers:9}"
                    f" {used.shared:6} {used.stack:6}"
                    f" {used.spill_stores:13} {used.spill_loads:6}  {name}"
                )
            for line in compiled.warnings:
                print(f"{version:5} {arch:4} {line}")
            if arguments.save:
                arguments.save.mkdir(parents=True, exist_ok=True)
                name = f"{arguments.file.stem}-{version}-sm_{arch}.cubin"
                (arguments.save / name).write_bytes(compiled.cubin)


if __name__ == "__main__":
    main()
