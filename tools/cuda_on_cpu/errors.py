"""The errors of a launch."""

from __future__ import annotations


class CudaOnCpuError(Exception):
    """A launch that fails on a GPU, or may fail."""


class RaceError(CudaOnCpuError):
    """Two threads access the same memory in no order, and one writes."""


class OutOfBoundsError(CudaOnCpuError):
    """An access outside its array."""


class MisalignedError(CudaOnCpuError):
    """An access at an address that is no multiple of its alignment."""


class DivergenceError(CudaOnCpuError):
    """A barrier or shuffle that not all threads reach."""


class DeadlockError(CudaOnCpuError):
    """All threads wait, some for what no other block will publish."""


class UninitializedError(CudaOnCpuError):
    """A read of shared memory that was not written."""


# By their number in device.hpp.
ERRORS: list[type[CudaOnCpuError]] = [
    CudaOnCpuError,
    CudaOnCpuError,
    RaceError,
    OutOfBoundsError,
    MisalignedError,
    DivergenceError,
    DeadlockError,
    UninitializedError,
]
