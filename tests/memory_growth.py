"""By how much the memory in use grows when something is called repeatedly."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, NamedTuple

import scipy

# Its L-BFGS was in Fortran before.
KEEPS_MEMORY = (
    None
    if tuple(map(int, scipy.__version__.split(".")[:2])) >= (1, 15)
    else "searches of SciPy before 1.15 keep memory"
)

# The names of the members of glibc's struct mallinfo2.
FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks")
FIELDS += ("fsmblks", "uordblks", "fordblks", "keepcost")


@dataclass(frozen=True)
class Call:
    """A call, and the functions and classes that it shows.

    Attributes:
        run: A function without arguments.
        shows: What is called in it.
        slow: How many times slower than others it is, as a power of ten.
        cycles: Why its objects refer to each other, so that only Python's
            garbage collector frees them.
    """

    run: Callable[[], Any]
    shows: tuple = ()
    slow: int = 0
    cycles: str = ""


class Memory(NamedTuple):
    """What is in use, or by how much that has grown.

    Attributes:
        allocated: Bytes of ``malloc``.
        blocks: Small objects of Python.
        resident: Bytes of the resident set.
        cycles: Objects that only Python's garbage collector frees.
    """

    allocated: int
    blocks: int
    resident: int
    cycles: int


class _Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS]


def unsupported():
    """Return why memory cannot be measured here, or None if it can."""
    if not sys.platform.startswith("linux"):
        return "reads /proc"
    if not hasattr(ctypes.CDLL(None), "mallinfo2"):
        return "needs glibc 2.33 or newer"
    return None


@functools.cache
def _mallinfo():
    function = ctypes.CDLL(None).mallinfo2
    function.restype = _Mallinfo
    return function


def in_use():
    """Collect garbage, and return what is in use then."""
    cycles = gc.collect()
    info = _mallinfo()()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Memory(
        info.uordblks + info.hblkhd,
        sys.getallocatedblocks(),
        pages * os.sysconf("SC_PAGE_SIZE"),
        cycles,
    )


def growth(call, count, warm_up):
    """Call so many times, and return by how much the memory in use grows.

    Meanwhile there is no garbage collector of Python, unless the call needs
    it.
    """
    was_enabled = gc.isenabled()
    if not call.cycles:
        gc.disable()
    try:
        for _ in range(warm_up):
            call.run()
        before = in_use()
        for _ in range(count):
            call.run()
        after = in_use()
    finally:
        if was_enabled:
            gc.enable()
    grown = Memory(*(a - b for a, b in zip(after, before)))
    return grown._replace(cycles=0 if call.cycles else after.cycles)


def leak(call, count, doubled=6):
    """Return what calls leave, or None if it is nothing.

    That is an object, 64 bytes or a cycle of objects for each call, also when
    there are twice as many of them, and so on: caches that fill are no leak.
    """
    for _ in range(doubled + 1):
        grown = growth(call, count, count)
        some = grown.blocks >= count or grown.allocated >= 64 * count
        if not some and not grown.cycles:
            return None
        count *= 2
    return grown
