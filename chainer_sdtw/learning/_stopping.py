"""When the search for barycenters ends."""

from __future__ import annotations

from typing import Any, NamedTuple

from sdtw_cpu.checks import as_integer, as_nonnegative


class Stopping(NamedTuple):
    """When a search ends at the latest."""

    tol: float  # as SciPy's methods define it
    max_iter: int


def as_stopping(tol: Any, max_iter: Any, suffix: str = "") -> Stopping:
    """Check when a search is to end.

    Args:
        tol: A number >= 0.
        max_iter: An integer >= 1.
        suffix: What the names of the two arguments end with.

    Raises:
        TypeError: If they are not numbers.
        ValueError: If they are out of range.
    """
    return Stopping(
        as_nonnegative(f"tol{suffix}", tol),
        as_integer(f"max_iter{suffix}", max_iter, 1),
    )
