"""The former place of :mod:`chainer_sdtw.learning.pairwise`."""

from chainer_sdtw.learning.pairwise import MAX_BYTES as MAX_BYTES
from chainer_sdtw.learning.pairwise import fill as fill
from chainer_sdtw.learning.pairwise import (
    pairwise_soft_dtw as pairwise_soft_dtw,
)
from chainer_sdtw.learning.pairwise import self_terms as self_terms
