"""Threads that are not ours."""

from __future__ import annotations

import functools
from typing import Any


def single_threaded() -> Any:
    """A context in which BLAS has one thread.

    scipy's L-BFGS-B has it solve triangular systems of a few rows in
    parallel. The threads that this wakes spin for milliseconds, where those
    of the sweeps should run: on two cores a search takes up to three times as
    long.
    """
    return _controller().limit(limits=1, user_api="blas")


@functools.cache
def _controller() -> Any:
    import scipy.optimize  # noqa: F401  (what is loaded later is not seen)
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()
