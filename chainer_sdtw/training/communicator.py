"""Communicators of ChainerMN, with words for what is missing."""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any, Literal

from chainer.backends import cuda

from chainer_sdtw._engine.optional import import_error
from chainer_sdtw._engine.types import Communicator

CommunicatorName = Literal["naive", "flat", "hierarchical", "pure_nccl"]
# Chainer 7 renamed one.
CHAINERMN_NAMES = {
    "naive": "naive",
    "flat": "flat",
    "hierarchical": "non_cuda_aware",
    "pure_nccl": "pure_nccl",
}
# Seconds for mpiexec to pass on what a process prints before it aborts all:
# what it has not passed on by then is lost.
_FORWARDING = 0.5


def create_communicator(name: CommunicatorName) -> Communicator:
    """Create a communicator of ChainerMN between the processes of mpiexec.

    It calls ``chainermn.create_communicator``, after checks of what the
    communicator needs. Processes that were not started together, by
    ``mpiexec -n 2 python ...`` or a scheduler of jobs, are on their own: the
    communicator of each has size 1.

    Args:
        name (str): ``'naive'`` for arrays on the CPU or on GPUs; for arrays
            on GPUs ``'pure_nccl'``, by NCCL alone, which is the fastest;
            ``'hierarchical'``, by NCCL within a machine and MPI between
            machines, which Chainer 7 calls ``'non_cuda_aware'``; and
            ``'flat'``, by an MPI that was built for CUDA.

    Returns:
        ``chainermn.CommunicatorBase``: The communicator.

    Raises:
        ImportError: If mpi4py is missing, or finds no MPI.
        RuntimeError: If CuPy or its NCCL is missing.
        ValueError: If there is no such communicator.

    """
    if name not in CHAINERMN_NAMES:
        raise ValueError(
            f"name must be one of {', '.join(CHAINERMN_NAMES)}, got {name!r}"
        )
    try:
        # Loads the library of MPI and initialises it.
        import mpi4py.MPI  # noqa: F401
    except Exception as e:  # of a broken installation, too
        raise import_error(
            "Training in several processes", "mpi4py", "mpi4py", "mpi", e
        ) from e
    if name != "naive":
        _check_gpu(name)
    import chainermn

    communicator: Any = chainermn.create_communicator(CHAINERMN_NAMES[name])
    return communicator


def _check_gpu(name: str) -> None:
    if not cuda.available:
        raise RuntimeError(
            f"the communicator {name!r} needs CuPy and a GPU; on the CPU use "
            "'naive'"
        )
    from chainermn import nccl

    if name != "flat" and not nccl._available:
        raise RuntimeError(
            f"the communicator {name!r} needs NCCL, which this CuPy lacks: "
            "python -m cupyx.tools.install_library --library nccl --cuda "
            "VERSION"
        )


@contextlib.contextmanager
def abort_on_failure(communicator: Communicator | None) -> Iterator[None]:
    """A context that ends all processes when one of them fails.

    The others would wait for it without end. It prints why it ends, the
    traceback of an exception or the message of :func:`sys.exit`, with the
    number of the process, and calls MPI's ``Abort``.
    ``chainermn.global_except_hook`` does so for exceptions alone.

    Args:
        communicator (``chainermn.CommunicatorBase``): What connects the
            processes. None stands for one process, which fails as usual.

    .. admonition:: Example

        .. code-block:: python

            communicator = create_communicator('naive')
            with abort_on_failure(communicator):
                train(communicator)

    """
    try:
        yield
    except SystemExit as e:
        if communicator is not None and e.code not in (None, 0):
            is_status = isinstance(e.code, int)
            reason = f"exit status {e.code}" if is_status else str(e.code)
            _abort(communicator, reason, e.code if is_status else 1)
        raise
    except BaseException:
        if communicator is not None:
            _abort(communicator, traceback.format_exc(), 1)
        raise


def _abort(communicator: Communicator, reason: str, status: Any) -> None:
    rank, size = communicator.rank, communicator.size
    text = f"Process {rank} of {size} ends them all: {reason}"
    print(text, file=sys.stderr, flush=True)
    time.sleep(_FORWARDING)
    communicator.mpi_comm.Abort(status)
    sys.exit(status)  # where Abort returns before the process is ended
