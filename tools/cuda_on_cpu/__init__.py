"""Runs CUDA kernels on the CPU, and finds what may go wrong on a GPU.

The text of the kernels is compiled for the CPU with ``device.hpp`` in the
place of their ``device.cuh``; what it checks is told there.  ::

    module = Module(source, ("-DSDTW_T=float",))
    kernel = module.get_function("name")
    kernel((blocks,), (threads,), (array, np.int32(3)), shared_mem=0)

as with CuPy's ``RawModule``, with arrays of NumPy.
"""

from .build import cache, compiler, unsupported
from .errors import (
    CudaOnCpuError,
    DeadlockError,
    DivergenceError,
    MisalignedError,
    OutOfBoundsError,
    RaceError,
    UninitializedError,
)
from .module import Function, Module

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
