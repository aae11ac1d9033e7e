"""Extensions of Chainer's trainer, and what an exact resumption needs."""

from chainer_sdtw.training.alignment_plot import AlignmentPlot
from chainer_sdtw.training.attribute_shift import AttributeShift
from chainer_sdtw.training.run_settings import RunSettings
from chainer_sdtw.training.seeded_iterator import SeededIterator

__all__ = [
    "AlignmentPlot",
    "AttributeShift",
    "RunSettings",
    "SeededIterator",
]
