"""Learns a barycenter in several processes, and saves it."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import sys

import chainer
import chainermn
import numpy as np

from chainer_sdtw import training
from chainer_sdtw.links import Barycenter

random = np.random.default_rng(0)
series = list(random.standard_normal((11, 9, 2)).cumsum(axis=1))
communicator = training.create_communicator("naive")
with training.abort_on_failure(communicator):
    # Which the first process sends to the others.
    link = Barycenter(series[communicator.rank])
    optimizer = chainermn.create_multi_node_optimizer(
        chainer.optimizers.Adam(0.1), communicator
    ).setup(link)
    optimizer.update()
    iterator = training.ScatteredIterator(
        training.SeededIterator(series, 5, seed=0), communicator
    )
    loss = iterator.weigh(link)
    while iterator.epoch < 4:
        optimizer.update(loss, next(iterator))
    if communicator.rank == communicator.size - 1:
        np.save(sys.argv[1], link.barycenter.array)
