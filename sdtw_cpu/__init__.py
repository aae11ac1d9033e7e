"""Soft-DTW on the CPU: NumPy in, NumPy out, no deep learning framework.

The sweeps
    :func:`value`, :func:`value_from_cost`
        soft-DTW of every pair of a batch
    :func:`adjoint`
        its gradient, from the tape that the value sweep kept
    :func:`tangent`, :func:`tangent_from_cost`
        its derivative along a direction
    :func:`adjoint_tangent`
        the product of its Hessian with the direction
Bands
    :func:`sakoe_chiba_band`, :func:`band_from_mask`
        which columns each row may use
The interface of mblondel/soft-dtw
    :class:`SoftDTW`, :mod:`sdtw_cpu.distance`, :mod:`sdtw_cpu.barycenter`
Settings
    :func:`set_num_threads`, :func:`get_num_threads`, :func:`isa`,
    :func:`isa_levels`, :func:`set_isa`
"""

import importlib.util

if importlib.util.find_spec("sdtw_cpu._kernels") is None:
    raise ImportError(
        f"{__path__[0]} is source code that has not been built. To import "
        "the installed package, run Python in another folder; to build the "
        "source code where it is: pip install -e .",
        name="sdtw_cpu._kernels",
    )

from sdtw_cpu import barycenter, distance
from sdtw_cpu._adjoint import adjoint, adjoint_tangent
from sdtw_cpu._bands import band_from_mask, sakoe_chiba_band
from sdtw_cpu._settings import (
    get_num_threads,
    isa,
    isa_levels,
    set_isa,
    set_num_threads,
)
from sdtw_cpu._soft_dtw import SoftDTW
from sdtw_cpu._tangent import tangent, tangent_from_cost
from sdtw_cpu._tape import CostTape, SeriesTape, Tape
from sdtw_cpu._value import value, value_from_cost
from sdtw_cpu._version import __version__
from sdtw_cpu.checks import check_gamma

__all__ = [
    "CostTape",
    "SeriesTape",
    "SoftDTW",
    "Tape",
    "__version__",
    "adjoint",
    "adjoint_tangent",
    "band_from_mask",
    "barycenter",
    "check_gamma",
    "distance",
    "get_num_threads",
    "isa",
    "isa_levels",
    "sakoe_chiba_band",
    "set_isa",
    "set_num_threads",
    "tangent",
    "tangent_from_cost",
    "value",
    "value_from_cost",
]
