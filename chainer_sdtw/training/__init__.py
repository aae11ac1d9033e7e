"""Chainer's trainer: extensions, exact resumption and several processes."""

from chainer_sdtw.training.alignment_plot import AlignmentPlot
from chainer_sdtw.training.attribute_shift import AttributeShift
from chainer_sdtw.training.communicator import (
    abort_on_failure,
    create_communicator,
)
from chainer_sdtw.training.durable_writer import DurableWriter
from chainer_sdtw.training.run_settings import RunSettings
from chainer_sdtw.training.scattered_iterator import ScatteredIterator
from chainer_sdtw.training.seeded_iterator import SeededIterator

__all__ = [
    "AlignmentPlot",
    "AttributeShift",
    "DurableWriter",
    "RunSettings",
    "ScatteredIterator",
    "SeededIterator",
    "abort_on_failure",
    "create_communicator",
]
