"""Modules and functions as those of CuPy, and their arguments."""

from __future__ import annotations

import ctypes
import hashlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from .build import build, unsupported
from .errors import ERRORS, CudaOnCpuError


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


# The modules launched last, of which stacks are kept. A process may have some
# 65,000 mappings on Linux, and the stacks of one module can be 4,000.
_MOST_RECENT = 6
_recent: list[Module] = []
_recent_lock = threading.Lock()


def _keep_stacks_of(module: Module) -> None:
    """Note that a module was launched, and release those of an old one."""
    with _recent_lock:
        if module in _recent:
            _recent.remove(module)
        _recent.append(module)
        old = _recent.pop(0) if len(_recent) > _MOST_RECENT else None
    if old is not None:
        with old._lock:
            old._library.cuda_on_cpu_release()


class Module:
    """Kernels compiled from a text that includes ``device.cuh`` only.

    Of the options, those that define names are used (``-D``, ``-U``); others
    are for CUDA's compiler. ``flags`` are for the C++ compiler. The order in
    which threads take turns comes from ``seed`` and the number of launches.
    """

    def __init__(
        self,
        source: str,
        options: Sequence[str] = (),
        seed: int = 0,
        flags: Sequence[str] = (),
    ) -> None:
        reason = unsupported()
        if reason is not None:
            raise CudaOnCpuError(f"cuda_on_cpu {reason}")
        self.seed = seed
        self.launches = 0
        self._lock = threading.Lock()
        self._library = ctypes.CDLL(str(build(source, options, flags)))
        lib = self._library
        lib.cuda_on_cpu_name.restype = ctypes.c_char_p
        lib.cuda_on_cpu_message.restype = ctypes.c_char_p
        lib.cuda_on_cpu_release.restype = None
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
        """The names of all kernels."""
        return list(self._functions)

    def get_function(self, name: str) -> Function:
        """Return the kernel of that name."""
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
        arguments: Any,
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
            message = self._library.cuda_on_cpu_message().decode()
        _keep_stacks_of(self)
        if not error:
            return
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
        args: tuple[Any, ...],
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
        self, to: _Argument, i: int, parameter: str, value: Any
    ) -> np.ndarray | None:
        """Fill in an argument; the array returned must outlive the launch."""
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
        code = f"{kind}{value.dtype.itemsize}"
        if code != parameter:
            raise TypeError(
                f"{where}: {value.dtype} ({code}) for a parameter {parameter}"
            )
        kept = np.array(value)
        to.data = kept.ctypes.data
        to.size = kept.nbytes
        return kept
