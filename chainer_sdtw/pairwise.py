"""The former place of :mod:`chainer_sdtw.learning.pairwise`."""

from chainer_sdtw.learning._matrix import MAX_BYTES as MAX_BYTES
from chainer_sdtw.learning._matrix import fill as fill
from chainer_sdtw.learning._matrix import self_terms as self_terms
from chainer_sdtw.learning.pairwise import (
    pairwise_soft_dtw as pairwise_soft_dtw,
)
