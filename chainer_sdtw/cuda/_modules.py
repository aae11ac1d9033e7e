"""Compiling the kernels, and calling them through CuPy."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, Protocol

import numpy as np

FOLDER = Path(__file__).parent

Kernel = Callable[[int, int, np.ndarray, Sequence[Any]], None]
"""Called with the number of blocks, that of threads of a block, the arguments
(``ARGUMENTS`` without axes), and the arrays that pointers among these point
into."""


class Device(Protocol):
    """Where arrays live and kernels run."""

    xp: Any
    """The module of its arrays: cupy, or one that looks like it."""

    def kernel(self, name: str, options: tuple[str, ...]) -> Kernel:
        """Return a kernel of the source compiled with these options."""
        raise TypeError(f"{type(self).__name__} has no kernels")

    def address(self, array: Any) -> int:
        """Return the pointer to the first number of an array."""
        raise TypeError(f"{type(self).__name__} has no pointers")

    def free_memory(self) -> int:
        """Return how many bytes can be allocated."""
        raise TypeError(f"{type(self).__name__} has no memory")


@functools.cache
def source() -> str:
    """The whole source, with its own headers in the place of includes.

    In one text, CuPy's cache sees every change of it.
    """
    seen = set()

    def expand(name: str) -> str:
        text = (FOLDER / name).read_text()

        def include(match: re.Match[str]) -> str:
            header = match[1]
            if header in seen:
                return ""
            seen.add(header)
            line = text.count("\n", 0, match.start()) + 2
            return f'#line 1 "{header}"\n{expand(header)}#line {line} "{name}"'

        body = re.sub(r'^#include "([^"]+)"$', include, text, flags=re.M)
        return body.replace("#pragma once\n", "\n")

    return expand("soft_dtw.cu")


class CuPyDevice:
    """The current device of CuPy."""

    def __init__(self) -> None:
        import cupy

        self.xp = cupy
        # A module belongs to the device that was current when it was loaded.
        once = cupy.memoize(for_each_device=True)
        self._module = once(self._make_module)
        self.kernel = once(self._make_kernel)
        self._last = threading.local()  # arguments, and how CuPy takes them

    def address(self, array: Any) -> int:
        pointer: int = array.data.ptr
        return pointer

    def free_memory(self) -> int:
        # What the pool holds of the device can be allocated too, but not more
        # than its user has allowed.
        free, _ = self.xp.cuda.runtime.memGetInfo()
        pool = self.xp.get_default_memory_pool()
        free += pool.free_bytes()
        limit: int = pool.get_limit()
        return min(free, limit - pool.used_bytes()) if limit else free

    def _make_kernel(self, name: str, options: tuple[str, ...]) -> Kernel:
        function = self._module(options).get_function(name)
        by_value = self.xp.cuda.function.CPointer
        last = self._last

        def launch(
            blocks: int, threads: int, record: np.ndarray, _: Sequence[Any]
        ) -> None:
            if getattr(last, "record", None) is not record:
                last.record = record
                last.argument = by_value(record.ctypes.data)
            function((blocks,), (threads,), (last.argument,))

        return launch

    def _make_module(self, options: tuple[str, ...]) -> Any:
        options = ("--std=c++14", *options)
        return self.xp.RawModule(code=source(), options=options)


@functools.cache
def cupy_device() -> Device:
    """The one :class:`CuPyDevice`."""
    return CuPyDevice()
