"""CUDA kernels on the CPU, as the compiler of CUDA made them.

PTX, what NVRTC makes of kernels, is executed with checks of what may go wrong
on a GPU; the README says which. A module is used as CuPy's ``RawModule``, with
NumPy arrays::

    module = Module(ptx, seed=0)
    kernel = module.get_function("name")
    kernel((blocks,), (threads,), (array, np.int32(3)), shared_mem=0)
"""

from .build import cache, compiler, unsupported
from .errors import (
    DeadlockError,
    DivergenceError,
    MisalignedError,
    OutOfBoundsError,
    PTXError,
    RaceError,
    UninitializedError,
)
from .module import Function, Module

__all__ = [
    "DeadlockError",
    "DivergenceError",
    "Function",
    "MisalignedError",
    "Module",
    "OutOfBoundsError",
    "PTXError",
    "RaceError",
    "UninitializedError",
    "cache",
    "compiler",
    "unsupported",
]
