"""Draws batches that differ between the processes."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import sys

from chainer.iterators import SerialIterator

from chainer_sdtw import training

communicator = training.create_communicator("naive")
rank = communicator.rank
iterator = {
    "seed": lambda: training.SeededIterator(range(9), 4, seed=rank),
    "random": lambda: SerialIterator(range(99), 4),
    "data": lambda: SerialIterator(range(9 + rank), 4, shuffle=False),
    "batches": lambda: SerialIterator(range(9), 4 + rank, shuffle=False),
}[sys.argv[1]]()
try:
    training.ScatteredIterator(iterator, communicator)
except ValueError as e:
    print(e)
