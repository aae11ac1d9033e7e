"""Trains a model in the processes of mpiexec and prints what an epoch costs.

``mpi.py`` starts this for every figure:

    mpiexec -n 2 python mpi_training.py N,length,B,units EPOCHS

It predicts the second half of N random walks from the first half, with one
hidden layer, soft-DTW and batches of B. The first process prints a line of
JSON. Without mpiexec there is one process and no communicator.
"""

from __future__ import annotations

import argparse
import json
import time

import chainer_sdtw  # isort: skip  (before chainer)

import chainer
import chainer.links as L
import numpy as np
from chainer.training.updaters import StandardUpdater
from options import integers, positive

from chainer_sdtw import training


class Model(chainer.Chain):
    """A network with one hidden layer, and its loss."""

    def __init__(self, n_past, n_future, n_unit):
        super().__init__()
        with self.init_scope():
            self.hidden = L.Linear(n_past, n_unit)
            self.output = L.Linear(n_unit, n_future)

    def forward(self, past, future):
        y = self.output(chainer.functions.sigmoid(self.hidden(past)))
        return chainer_sdtw.soft_dtw(y[:, :, None], future[:, :, None])


def timed(call, stop):
    """Return the seconds that a call takes in the slowest process."""
    stop()
    start = time.perf_counter()
    call()
    stop()
    return time.perf_counter() - start


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problem", type=integers(4))
    parser.add_argument("epochs", type=positive(int))
    parser.add_argument("--communicator", action="store_true")
    arguments = parser.parse_args()
    n, length, batch_size, n_unit = arguments.problem

    walks = np.random.default_rng(0).standard_normal((n, length))
    walks = walks.cumsum(axis=1)
    walks = (walks / walks.std()).astype(np.float32)
    train = chainer.datasets.TupleDataset(*np.split(walks, 2, axis=1))
    np.random.seed(0)  # noqa: NPY002  (Chainer's own)
    model = Model(length // 2, length // 2, n_unit)
    optimizer = chainer.optimizers.Adam().setup(model)
    iterator = training.SeededIterator(train, batch_size, seed=0)
    loss_func, rank, size = model, 0, 1

    def stop():
        pass

    if arguments.communicator:
        import chainermn

        comm = training.create_communicator("naive")
        rank, size, stop = comm.rank, comm.size, comm.mpi_comm.barrier
        optimizer = chainermn.create_multi_node_optimizer(optimizer, comm)
        optimizer.update()
        iterator = training.ScatteredIterator(iterator, comm)
        loss_func = iterator.weigh(model)
    updater = StandardUpdater(iterator, optimizer, loss_func=loss_func)

    def epoch():
        end = updater.epoch + 1
        while updater.epoch < end:
            updater.update()

    epoch()  # not timed
    first = updater.iteration
    row = {
        "epoch_s": [timed(epoch, stop) for _ in range(arguments.epochs)],
        "iterations": (updater.iteration - first) / arguments.epochs,
        "arrays": len(list(model.params())),
        "bytes": sum(p.array.nbytes for p in model.params()),
        "processes": size,
        "loss": float(model(*chainer.dataset.concat_examples(train)).array),
    }
    if arguments.communicator:
        # Of gradients that are ready in all processes at once.
        row["allreduce_s"] = [
            timed(lambda: comm.multi_node_mean_grad(model), stop)
            for _ in range(200)
        ]
    if rank == 0:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
