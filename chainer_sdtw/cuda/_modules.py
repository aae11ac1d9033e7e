"""Compiling the kernels, and calling them through CuPy."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, Callable, Protocol

FOLDER = Path(__file__).parent

Kernel = Callable[..., None]


class Device(Protocol):
    """Where arrays live and kernels run."""

    xp: Any
    """The module of its arrays: cupy, or one that looks like it."""

    null: Any
    """The argument that is a null pointer."""

    def kernel(self, name: str, options: tuple[str, ...]) -> Kernel:
        """Return a kernel of the source compiled with these options.

        It is called with the tuples ``grid`` and ``block`` and the tuple of
        its arguments.
        """
        raise TypeError(f"{type(self).__name__} has no kernels")


@functools.cache
def source(device: bool = True) -> str:
    """The whole source, with its own headers in the place of includes.

    In one text, CuPy's cache sees every change of it. Without ``device``,
    ``device.cuh`` is left to the compiler to include.
    """
    seen = set() if device else {"device.cuh"}

    def expand(name: str) -> str:
        text = (FOLDER / name).read_text()

        def include(match: re.Match[str]) -> str:
            header = match[1]
            if header in seen:
                return "" if device or header != "device.cuh" else match[0]
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
        import numpy

        self.xp = cupy
        self.null = numpy.uintp(0)
        # A module belongs to the device that was current when it was loaded.
        once = cupy.memoize(for_each_device=True)
        self._module = once(self._make_module)
        self._kernel = once(self._make_kernel)

    def kernel(self, name: str, options: tuple[str, ...]) -> Kernel:
        return self._kernel(name, options)

    def _make_kernel(self, name: str, options: tuple[str, ...]) -> Kernel:
        return self._module(options).get_function(name)

    def _make_module(self, options: tuple[str, ...]) -> Any:
        options = ("--std=c++14", *options)
        return self.xp.RawModule(code=source(), options=options)


@functools.cache
def cupy_device() -> Device:
    """The one :class:`CuPyDevice`."""
    return CuPyDevice()
