"""Communicators of ChainerMN, with words for what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from chainer.backends import cuda

from chainer_sdtw._engine.optional import import_error

if TYPE_CHECKING:
    from chainer_sdtw._engine.types import Communicator

CommunicatorName = Literal["naive", "flat", "hierarchical", "pure_nccl"]
# Chainer 7 renamed one.
CHAINERMN_NAMES = {
    "naive": "naive",
    "flat": "flat",
    "hierarchical": "non_cuda_aware",
    "pure_nccl": "pure_nccl",
}


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
