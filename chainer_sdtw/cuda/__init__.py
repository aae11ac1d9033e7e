"""The sweeps on a GPU: as :mod:`sdtw_cpu`, for arrays of CuPy.

``soft_dtw.cu`` has the kernels. CuPy is imported with the first call.
"""

from chainer_sdtw.cuda._launch import Tape
from chainer_sdtw.cuda._memory import memory_limit, set_memory_limit
from chainer_sdtw.cuda._sweeps import adjoint, value, value_from_cost
from chainer_sdtw.cuda._tangents import (
    adjoint_tangent,
    tangent,
    tangent_from_cost,
)

__all__ = [
    "Tape",
    "adjoint",
    "adjoint_tangent",
    "memory_limit",
    "set_memory_limit",
    "tangent",
    "tangent_from_cost",
    "value",
    "value_from_cost",
]
