"""The former place of :func:`chainer_sdtw.cost_matrix`."""

from chainer_sdtw._engine.costs import NAMES as NAMES
from chainer_sdtw._engine.costs import check_cost as check_cost
from chainer_sdtw.functions.cost_matrix import cost_matrix as cost_matrix
