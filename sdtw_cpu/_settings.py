"""Threads and instruction sets."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import cast

from sdtw_cpu import _kernels
from sdtw_cpu.checks import as_integer
from sdtw_cpu.types import Integer, IsaName

_MAX_THREADS = 1024


def get_num_threads() -> int:
    """Return the largest number of threads that one call uses."""
    return _kernels.num_threads()


def set_num_threads(n: Integer) -> None:
    """Set the largest number of threads that one call uses.

    At import it is the first number of the environment variable
    ``OMP_NUM_THREADS``, or else the number of processors that the process may
    run on. Threads live as long as a call, so a process that has used them
    can be forked; small calls use fewer.

    Args:
        n: From 1 to 1024.

    Raises:
        TypeError: If ``n`` is not an integer.
        ValueError: If it is out of range.
    """
    n = as_integer("the number of threads", n, 1, _MAX_THREADS)
    _kernels.set_num_threads(n)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let calls of this thread use no other ones.

    For tasks of which as many run at once as there are processors.
    """
    _kernels.set_own_threads(1)
    try:
        yield
    finally:
        _kernels.set_own_threads(0)


def isa() -> IsaName:
    """Return the instruction set in use, one of :func:`isa_levels`."""
    return _kernels.isa()


def isa_levels() -> tuple[IsaName, ...]:
    """Return the instruction sets usable here, the fastest last.

    ``'generic'`` always; on aarch64 also ``'neon'``; on x86-64 also ``'avx2'``
    and ``'avx512'`` if the processor has them and the compiler knew them.
    """
    return tuple(_kernels.isa_levels())


def set_isa(name: IsaName) -> None:
    """Use another instruction set, for tests and comparisons.

    At import it is the environment variable ``SDTW_CPU_ISA``, or else the
    fastest.

    Args:
        name: One of :func:`isa_levels`.

    Raises:
        TypeError: If it is not a string.
        ValueError: If this machine does not have it.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r}")
    if name not in isa_levels() or not _kernels.set_isa(str(name)):
        raise ValueError(
            f"instruction set {name!r} is not usable here; "
            f"usable: {', '.join(isa_levels())}"
        )


def _default_threads() -> int:
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if first.isdecimal() and int(first) > 0:
        return min(int(first), _MAX_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


set_num_threads(_default_threads())
if os.environ.get("SDTW_CPU_ISA"):
    set_isa(cast(IsaName, os.environ["SDTW_CPU_ISA"]))
