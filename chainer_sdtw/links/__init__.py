"""Links: losses that have a state."""

from chainer_sdtw.links.barycenter import Barycenter
from chainer_sdtw.links.soft_dtw_loss import SoftDTWLoss

__all__ = ["Barycenter", "SoftDTWLoss"]
