"""Extensions of Chainer's trainer."""

from chainer_sdtw.training.alignment_plot import AlignmentPlot
from chainer_sdtw.training.attribute_shift import AttributeShift

__all__ = ["AlignmentPlot", "AttributeShift"]
