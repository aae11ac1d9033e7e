"""What a training in several processes adds to one in a single process."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import io
import os
import sys

import chainer

from chainer_sdtw.training import ScatteredIterator, create_communicator

# ChainerMN starts MPI when it is imported, so only functions import it.


def connect(name):
    """Return a communicator between the processes, of which one prints.

    Without a name there is one process and no communicator.
    """
    if name is None:
        return None
    try:
        comm = create_communicator(name)
    except (ImportError, RuntimeError) as e:
        sys.exit(f"--communicator {name}: {e}")
    if comm.rank:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    print(f"Processes: {comm.size}, {comm.intra_size} on this machine")
    if comm.size == 1:
        print("To start more: mpiexec -n 2 python train_ucr.py ...")
    return comm


def is_first(comm):
    """Whether this process is the one that reports and saves."""
    return comm is None or comm.rank == 0


def scatter(optimizer, train_iter, test_iter, comm):
    """Let each process compute a part of each batch."""
    import chainermn

    optimizer = chainermn.create_multi_node_optimizer(optimizer, comm)
    # ChainerMN's first call sends the weights to all and does no step.
    optimizer.update()
    train_iter, test_iter = (
        ScatteredIterator(iterator, comm)
        for iterator in (train_iter, test_iter)
    )
    return optimizer, train_iter, test_iter


def aggregate_loss(trainer, comm):
    """Let a trainer report the mean loss of all processes."""
    import chainermn

    trainer.extend(
        chainermn.extensions.ObservationAggregator(comm, "main/loss"),
        # Chainer's own triggers would add to snapshots, which training in one
        # process loads, too.
        trigger=lambda trainer: True,
    )


def join_evaluator(evaluator, comm):
    """Let an evaluator report the means of all processes."""
    import chainermn

    return chainermn.create_multi_node_evaluator(evaluator, comm)


def join_snapshot(snapshot, comm):
    """Let the first process save and load a snapshot for all."""
    import chainermn

    filename = snapshot.filename
    joint = chainermn.extensions.multi_node_snapshot(comm, snapshot, [])
    # Without the number of a process, as training in one process calls it.
    snapshot.filename = filename
    return joint


def load_snapshot(path, trainer, comm):
    """Load a snapshot that the first process can read."""
    content = None
    if is_first(comm):
        with open(path, "rb") as file:
            content = file.read()
    if comm:
        content = comm.bcast_obj(content)
    chainer.serializers.load_npz(io.BytesIO(content), trainer)
