"""The former place of :mod:`chainer_sdtw.learning.barycenter`."""

from chainer_sdtw.learning.barycenter import barycenter as barycenter
