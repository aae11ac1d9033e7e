"""CUDA kernels on the CPU, with checks of what may go wrong on a GPU.

The text of the kernels is compiled for the CPU. ``device.hpp`` takes the place
of their ``device.cuh``; its head says what is checked. A module is used as
CuPy's ``RawModule``, with NumPy arrays::

    module = Module(source, ("-DSDTW_T=float",))
    kernel = module.get_function("name")
    kernel((blocks,), (threads,), (array, np.int32(3)), shared_mem=0)
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
