"""How much memory of a device the sweeps may take."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from chainer_sdtw.cuda._modules import Device
from sdtw_cpu.checks import as_integer
from sdtw_cpu.types import Integer

# The part of the free memory that is taken unless there is a limit. What is
# below ASK_BYTES is taken without asking, which would take longer than the
# sweeps of short series.
PART = 20
ASK_BYTES = 256 << 20

_limit: int | None = None
_of_thread = threading.local()


def set_memory_limit(size: Integer | None) -> None:
    """Limit the memory of a device that sweeps take beside their arrays.

    That is the tape, from a value to its adjoint, and what both work with
    meanwhile; not the series and matrices given, nor the results. The limit
    is one for each call, of all threads; :func:`memory_limit` has one for a
    part of a program. Results have the same bits whatever the limit.

    Without a limit, sweeps take what they need up to 256 MiB, or up to 1/20
    of the free memory of the device if that is more. With less than they
    need, costs are computed a few pairs, or some rows, at a time, and again
    for the adjoint, and so are values of the longest series. With less than a
    pair needs for 32 rows, and for an edge of every 32 rows that it has,
    sweeps take what these need all the same.

    Args:
        size: Bytes, at least 1; or None for the default.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is less than 1.
    """
    global _limit
    _limit = _checked(size)


@contextlib.contextmanager
def memory_limit(size: Integer | None) -> Iterator[None]:
    """Limit the memory of sweeps, as :func:`set_memory_limit`, for a while.

    The limit holds in this thread, for values and tangents computed inside of
    the ``with`` statement and for their adjoints wherever they are called.

    Args:
        size: Bytes, at least 1; or None for the default.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is less than 1.

    .. admonition:: Example

        >>> x = np.zeros((2, 5, 3), np.float32)  # or an array of CuPy
        >>> with chainer_sdtw.cuda.memory_limit(150 * 10**6):
        ...     loss = chainer_sdtw.soft_dtw(x, x)

    """
    size = _checked(size)
    before = getattr(_of_thread, "limits", ())
    _of_thread.limits = (*before, size)
    try:
        yield
    finally:
        _of_thread.limits = before


def _checked(size: Integer | None) -> int | None:
    return None if size is None else as_integer("size", size, 1)


def limit_for(device: Device, needed: int) -> int | None:
    """Return how many bytes of those needed may be taken; None for all."""
    limits = getattr(_of_thread, "limits", None)
    limit = limits[-1] if limits else _limit
    if limit is None and needed > ASK_BYTES:
        part = device.free_memory() // PART
        # A few bits, so that a plan is seldom another one.
        digits = max(part.bit_length() - 5, 0)
        limit = max(part >> digits << digits, ASK_BYTES)
    return None if limit is None or needed <= limit else limit
