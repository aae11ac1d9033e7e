"""The loop over all allocations of a call, for ``allocation_failures.py``."""

from __future__ import annotations

import ctypes
import time

import numpy as np
from chainer import Variable

from sdtw_cpu import _kernels

KINDS = {"new": 1, "arrays": 2, "threads": 4}
MANY = 2**31
# Right results one after the other, after which a call is taken to have no
# more allocations of Python's, which are not counted.
ENOUGH = 50


def bits(result):
    """The bytes of all numbers in a result."""
    if isinstance(result, (tuple, list)):
        return [bits(a) for a in result]
    if isinstance(result, Variable):
        result = result.array
    return None if result is None else np.asarray(result).tobytes()


def allocate_arrays_by(library):
    """Let NumPy take the memory of arrays from the library."""
    core = getattr(np, "_core", None) or np.core
    python = ctypes.pythonapi
    python.PyCapsule_GetPointer.restype = ctypes.POINTER(ctypes.c_void_p)
    python.PyCapsule_GetPointer.argtypes = ctypes.py_object, ctypes.c_char_p
    python.PyCapsule_New.restype = ctypes.py_object
    python.PyCapsule_New.argtypes = (ctypes.c_void_p, ctypes.c_char_p) + (
        ctypes.c_void_p,
    )
    # PyDataMem_SetHandler has this place in NumPy's C API.
    functions = python.PyCapsule_GetPointer(core.multiarray._ARRAY_API, None)
    kind = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)
    handler = ctypes.addressof(ctypes.c_char.in_dll(library, "array_memory"))
    kind(functions[304])(python.PyCapsule_New(handler, b"mem_handler", None))


class Allocations:
    """The library, and the loop over all allocations of a call."""

    def __init__(self, kind):
        self.kind = KINDS[kind]
        self.library = ctypes.CDLL(None)
        self.library.arm.argtypes = ctypes.c_int, ctypes.c_long, ctypes.c_long
        self.library.disarm.restype = ctypes.c_long
        if kind == "arrays":
            allocate_arrays_by(self.library)

    def run(self, call, first, count):
        """Call with allocations failing: the bits or None, and how many."""
        _kernels.empty_pool()
        self.library.arm(self.kind, first, first + count)
        try:
            result = (call(),)
        except MemoryError:
            result = None
        finally:
            failed = self.library.disarm()
        return bits(result), failed

    def leaked(self):
        """Whether something is left of a call; threads may still be ending."""
        _kernels.empty_pool()
        for _ in range(200):
            if not self.library.leaked():
                return False
            time.sleep(0.01)
        return True

    def check(self, call, alone):
        """Fail each allocation of a call and count what came of it."""
        expected = bits((call(),))
        counts = dict.fromkeys(("raised", "returned", "wrong", "leaked"), 0)
        for count in (1, MANY) if alone else (MANY,):
            failed, first = 1, 0
            while failed and not counts["leaked"]:
                result, failed = self.run(call, first, count)
                if failed:
                    counts["raised" if result is None else "returned"] += 1
                counts["wrong"] += result not in (None, expected)
                counts["leaked"] += self.leaked()
                counts["wrong"] += bits((call(),)) != expected
                first += 1
            if counts["leaked"]:
                break
        return counts


class Python:
    """The same for allocations of Python's, which does not count them."""

    def run(self, call, first):
        """Call with one allocation failing, and return the bits or None."""
        import _testcapi

        try:
            _testcapi.set_nomemory(first, first + 1)
            result = (call(),)
        # NumPy loses the error in some places.
        except (MemoryError, SystemError):
            result = None
        finally:
            _testcapi.remove_mem_hooks()
        return bits(result)

    def check(self, call, alone):
        """Fail each allocation of a call and count what came of it."""
        expected = bits((call(),))
        counts = dict.fromkeys(("raised", "returned", "wrong", "leaked"), 0)
        first = in_a_row = 0
        while in_a_row < ENOUGH:
            result = self.run(call, first)
            in_a_row = 0 if result is None else in_a_row + 1
            counts["raised"] += result is None
            counts["wrong"] += result not in (None, expected)
            counts["wrong"] += bits((call(),)) != expected
            first += 1
        counts["returned"] = first - counts["raised"] - ENOUGH
        return counts
