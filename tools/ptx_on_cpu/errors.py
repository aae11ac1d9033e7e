"""The errors of a launch."""

from __future__ import annotations


class PTXError(Exception):
    """A launch that fails on a GPU, or may fail."""


class RaceError(PTXError):
    """Two threads access the same memory in no order, and one writes."""


class OutOfBoundsError(PTXError):
    """An access outside its array."""


class MisalignedError(PTXError):
    """An access at an address that is no multiple of its size."""


class DivergenceError(PTXError):
    """A barrier, shuffle or vote that not all threads reach."""


class DeadlockError(PTXError):
    """Threads wait for what no other thread will write."""


class UninitializedError(PTXError):
    """A read of a register or of shared memory that was not written."""


# By their number in machine.hpp.
ERRORS: list[type[PTXError]] = [
    PTXError,
    PTXError,
    RaceError,
    OutOfBoundsError,
    MisalignedError,
    DivergenceError,
    DeadlockError,
    UninitializedError,
]
