"""Modules and functions as those of CuPy, and their arguments."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .build import build, unsupported
from .errors import ERRORS, PTXError


class _Options(ctypes.Structure):
    _fields_ = (
        ("blocks", ctypes.c_uint32),
        ("threads", ctypes.c_uint32),
        ("resident", ctypes.c_uint32),
        ("races", ctypes.c_uint32),
        ("perturb", ctypes.c_uint32),
        ("dynamic_bytes", ctypes.c_uint32),
        ("seed", ctypes.c_uint64),
    )


class _Argument(ctypes.Structure):
    _fields_ = (
        ("host", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
    )


class Parameter(NamedTuple):
    """Where a parameter is, in bytes, and what: ``f``, ``i`` or ``x``."""

    offset: int
    size: int
    kind: str


class Pointers:
    """The bytes of parameters, and which of them are addresses of arrays."""

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size)
        self.arrays: list[np.ndarray] = []
        self.names: list[str] = []
        self.places: list[tuple[int, int]] = []  # offset, array

    def add(self, name: str, array: np.ndarray) -> int:
        """Add an array that may be accessed; return its number."""
        if not array.flags.c_contiguous:
            raise TypeError(f"{name}: not C-contiguous")
        self.arrays.append(array)
        self.names.append(name)
        return len(self.arrays) - 1


@functools.lru_cache(None)
def _library() -> Any:
    reason = unsupported()
    if reason is not None:
        raise PTXError(f"ptx_on_cpu {reason}")
    lib = ctypes.CDLL(str(build()))
    lib.ptx_on_cpu_load.restype = ctypes.c_void_p
    lib.ptx_on_cpu_load.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    lib.ptx_on_cpu_unload.restype = None
    lib.ptx_on_cpu_unload.argtypes = [ctypes.c_void_p]
    for name in ("message", "name", "describe"):
        function = getattr(lib, f"ptx_on_cpu_{name}")
        function.restype = ctypes.c_char_p
        if name != "message":
            function.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.ptx_on_cpu_launch.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
    ]
    return lib


class Module:
    """Kernels that are given as PTX.

    The order of threads comes from ``seed`` and the number of launches.

    Args:
        ptx: What NVRTC made.
        seed: Of the order in which threads and blocks take turns.
        resident: How many blocks there are at a time; None: any number up to
            eight, by the seed.
        races: Whether to look for data races.
        perturb: Whether approximate functions err by a unit in the last place
            at random.
    """

    def __init__(
        self,
        ptx: str,
        seed: int = 0,
        *,
        resident: int | None = None,
        races: bool = True,
        perturb: bool = False,
    ) -> None:
        self.seed = seed
        self.resident = resident
        self.races = races
        self.perturb = perturb
        self.launches = 0
        self.executed = 0  # instructions of warps
        self._lock = threading.Lock()
        self._handle = None
        library = _library()
        text = ptx.encode()
        self._handle = library.ptx_on_cpu_load(text, len(text))
        if not self._handle:
            raise PTXError(library.ptx_on_cpu_message().decode())
        self._functions: dict[str, Function] = {}
        while True:
            index = len(self._functions)
            name = library.ptx_on_cpu_name(self._handle, index)
            if name is None:
                break
            self._functions[name.decode()] = Function(
                self, name.decode(), index
            )

    def __del__(self) -> None:
        if self._handle:
            _library().ptx_on_cpu_unload(self._handle)

    @property
    def names(self) -> list[str]:
        """The names of all kernels."""
        return list(self._functions)

    def get_function(self, name: str) -> Function:
        """Return the kernel of that name."""
        try:
            return self._functions[name]
        except KeyError:
            raise PTXError(
                f"no kernel {name}; there are {', '.join(self._functions)}"
            ) from None

    def _describe(self, index: int) -> list[str]:
        text = _library().ptx_on_cpu_describe(self._handle, index)
        return text.decode().split()

    def _launch(
        self,
        index: int,
        blocks: int,
        threads: int,
        pointers: Pointers,
        shared: int,
    ) -> None:
        library = _library()
        arguments = (_Argument * max(1, len(pointers.arrays)))()
        for to, array, name in zip(arguments, pointers.arrays, pointers.names):
            to.host = array.ctypes.data
            to.size = array.nbytes
            to.name = name.encode()
        places = np.array(pointers.places, np.int64).reshape(-1, 2)
        parameters = np.frombuffer(bytes(pointers.bytes), np.uint8)
        executed = ctypes.c_uint64(0)
        with self._lock:
            launch = self.launches
            self.launches += 1
            digest = hashlib.blake2b(
                f"{self.seed} {launch}".encode(), digest_size=9
            ).digest()
            options = _Options(
                blocks,
                threads,
                self.resident or 1 + digest[8] % 8,
                self.races,
                self.perturb,
                shared,
                int.from_bytes(digest[:8], "little"),
            )
            error = library.ptx_on_cpu_launch(
                self._handle,
                index,
                ctypes.byref(options),
                arguments,
                len(pointers.arrays),
                parameters.ctypes.data,
                places.ctypes.data,
                len(places),
                ctypes.byref(executed),
            )
            self.executed += executed.value
        if error:
            message = library.ptx_on_cpu_message().decode()
            raise ERRORS[error](
                f"{message} (seed {self.seed}, launch {launch})"
            )


class Function:
    """A kernel, called as CuPy's ``RawKernel``, or with a record.

    ``kernel((blocks,), (threads,), (argument, ...))`` takes each parameter;
    ``kernel(blocks, threads, record, arrays)`` a structure of all of them by
    value, in which fields of 64 bits without a sign that are the address of
    one of the arrays are pointers into it.
    """

    #: As on a GPU, a launch that wants more has to raise this first.
    max_dynamic_shared_size_bytes = 49152

    def __init__(self, module: Module, name: str, index: int) -> None:
        self.module = module
        self.name = name
        self._index = index
        threads, shared, *parameters = module._describe(index)
        self._most_threads = int(threads)
        self.shared_size_bytes = int(shared)
        self.parameters = [
            Parameter(int(offset), int(size), kind)
            for offset, size, kind in (p.split(":") for p in parameters)
        ]

    def __repr__(self) -> str:
        names = ", ".join(f"{p.kind}{p.size}" for p in self.parameters)
        return f"<kernel {self.name}({names})>"

    def __call__(
        self,
        grid: tuple[int, ...] | int,
        block: tuple[int, ...] | int,
        args: Any,
        arrays: Sequence[np.ndarray] | None = None,
        *,
        shared_mem: int = 0,
        stream: None = None,
    ) -> None:
        blocks = self._one_dimension("grid", grid)
        threads = self._one_dimension("block", block)
        if not 1 <= blocks < 2**31:
            raise PTXError(f"{self.name}: a grid of {blocks} blocks")
        if not 1 <= threads <= self._most_threads:
            raise PTXError(
                f"{self.name}: a block of {threads} threads, at most"
                f" {self._most_threads} are possible"
            )
        if not 0 <= shared_mem <= self.max_dynamic_shared_size_bytes:
            raise PTXError(
                f"{self.name}: {shared_mem} bytes of dynamic shared memory,"
                f" at most {self.max_dynamic_shared_size_bytes} are possible"
            )
        if arrays is None:
            pointers = self._pack(args)
        else:
            pointers = self._pack_record(args, arrays)
        self.module._launch(self._index, blocks, threads, pointers, shared_mem)

    def _one_dimension(self, what: str, size: tuple[int, ...] | int) -> int:
        if isinstance(size, (int, np.integer)):
            return int(size)
        if not 1 <= len(size) <= 3 or any(n != 1 for n in size[1:]):
            raise PTXError(
                f"{self.name}: only one dimension of {what} is known, got"
                f" {size}"
            )
        return int(size[0])

    def _size(self) -> int:
        return max((p.offset + p.size for p in self.parameters), default=0)

    def _pack(self, args: tuple[Any, ...]) -> Pointers:
        """Return the bytes of parameters that are given one by one."""
        if len(args) != len(self.parameters):
            raise TypeError(
                f"{self.name}: {len(args)} arguments for"
                f" {len(self.parameters)} parameters"
            )
        pointers = Pointers(self._size())
        for i, (parameter, value) in enumerate(zip(self.parameters, args)):
            where = f"{self.name}, argument {i}"
            offset, size, kind = parameter
            if value is None or isinstance(value, np.ndarray):
                if (size, kind) != (8, "i"):
                    raise TypeError(
                        f"{where}: {type(value).__name__} for a parameter that"
                        f" is no pointer ({kind}{size})"
                    )
                if value is None:
                    continue
                array = pointers.add("", value)
                pointers.names[array] = f"argument {i}"
                pointers.places.append((offset, array))
                address = int(value.ctypes.data)
                pointers.bytes[offset : offset + 8] = address.to_bytes(
                    8, "little"
                )
                continue
            data = self._value(where, parameter, value)
            pointers.bytes[offset : offset + size] = data
        return pointers

    def _value(self, where: str, parameter: Parameter, value: Any) -> bytes:
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
        if (value.dtype.itemsize, kind) != (parameter.size, parameter.kind):
            raise TypeError(
                f"{where}: {value.dtype} ({kind}{value.dtype.itemsize}) for a"
                f" parameter {parameter.kind}{parameter.size}"
            )
        return value.tobytes()

    def _pack_record(
        self, record: Any, arrays: Sequence[np.ndarray]
    ) -> Pointers:
        """Return the bytes of a structure, and the addresses in it."""
        record = np.asarray(record)
        fields = record.dtype.fields
        if fields is None or record.size != 1:
            raise TypeError(
                f"{self.name}: the record must be one structure, got "
                f"{record.dtype} {record.shape}"
            )
        if record.nbytes != self._size():
            raise TypeError(
                f"{self.name}: a record of {record.nbytes} bytes for "
                f"parameters of {self._size()}"
            )
        pointers = Pointers(0)
        pointers.bytes = bytearray(record.tobytes())
        starts = {}
        for i, array in enumerate(arrays):
            number = pointers.add(f"array {i}", array)
            if array.nbytes or array.ctypes.data not in starts:
                starts[array.ctypes.data] = number
        for name, (dtype, offset, *_) in fields.items():
            if dtype != np.uint64:
                continue
            address = int(record[name].reshape(())[()])
            number = starts.get(address, self._containing(address, arrays))
            if number is not None:
                pointers.places.append((offset, number))
                pointers.names[number] = name
        return pointers

    @staticmethod
    def _containing(address: int, arrays: Sequence[np.ndarray]) -> int | None:
        """Return the number of the array that an address is in."""
        for i, array in enumerate(arrays):
            if 0 <= address - array.ctypes.data < array.nbytes:
                return i
        return None
