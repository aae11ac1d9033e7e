"""The threads of BLAS."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["single_threaded"]


def single_threaded() -> AbstractContextManager[object]:
    """Return a context in which BLAS has one thread.

    SciPy's L-BFGS-B solves triangular systems of a few rows with BLAS, in
    parallel. The threads that this wakes spin for milliseconds, where those
    of the sweeps should run: on two cores a search takes up to three times as
    long.
    """
    context: AbstractContextManager[object] = _controller().limit(
        limits=1, user_api="blas"
    )
    return context


@functools.cache
def _controller() -> Any:
    # The controller does not see libraries that are loaded after it is made.
    import scipy.optimize  # noqa: F401
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()
