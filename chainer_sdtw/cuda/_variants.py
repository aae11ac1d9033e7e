"""What the kernels are compiled for."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from chainer_sdtw.cuda import _plan
from chainer_sdtw.cuda._arguments import ARGUMENTS

EXPLICIT = "explicit"
"""The cost of sweeps that are given cost matrices."""

_C_TYPES = {4: "float", 8: "double"}


@dataclass(frozen=True)
class Variant:
    """One of the modules that the source can be compiled to.

    Attributes:
        array_type: C type of the arrays.
        type: C type that is computed in.
        cost: Name of the cost, or ``EXPLICIT``.
        univariate: Whether series have one feature.
        dual: Whether with tangents.
    """

    array_type: str
    type: str
    cost: str
    univariate: bool = False
    dual: bool = False

    @functools.cached_property
    def options(self) -> tuple[str, ...]:
        """The names that the compiler is told."""
        names = {
            "IN": self.array_type,
            "T": self.type,
            "COST": self.cost.capitalize(),  # a struct in costs.cuh
            "UNIVARIATE": int(self.univariate),
            "DUAL": int(self.dual),
            "CELL_BYTES": self.cell_bytes,
            **_CONSTANTS,
        }
        return tuple(f"-DSDTW_{key}={value}" for key, value in names.items())

    @property
    def cell_bytes(self) -> int:
        """Bytes of a cell in global memory, as told in ``cells.cuh``.

        The same for both modules of a type of arrays, which share the memory;
        0 for univariate series, of which there are no cells.
        """
        if self.univariate:
            return 0
        if self.dual:
            return 16
        factor = self.array_type == "float" and self.cost == "euclidean"
        return 12 if factor else 8


_CONSTANTS = {
    "ROWS": _plan.ROWS,
    "STEPS": _plan.STEPS,
    "GROUP": _plan.GROUP,
    "SURVEY_THREADS": _plan.SURVEY_THREADS,
    "CELL_SEGMENTS": _plan.CELL_SEGMENTS,
    "CELL_THREADS": _plan.CELL_THREADS,
    "GRADIENT_THREADS": _plan.GRADIENT_THREADS,
    "GRADIENT_FEATURES": _plan.GRADIENT_FEATURES,
    "GRADIENT_STRIPS": _plan.GRADIENT_STRIPS,
    "COST_GRADIENT_TILES": _plan.COST_GRADIENT_TILES,
    "ARGUMENT_BYTES": ARGUMENTS.itemsize,
    "FLOAT_CELL_BITS": _plan.CELL_BITS[4],
    "DOUBLE_CELL_BITS": _plan.CELL_BITS[8],
    **{f"TURN_{turn.name}": int(turn) for turn in _plan.Turn},
}


@functools.cache
def variant(
    array_size: int, size: int, cost: str, features: int, dual: bool
) -> Variant:
    """Return the variant for some arguments.

    Args:
        array_size: Bytes of a number of the arrays.
        size: Bytes of a number that is computed in.
        cost: Name of the cost, or ``EXPLICIT``.
        features: Of series.
        dual: Whether with tangents.
    """
    univariate = cost != EXPLICIT and features == 1
    if univariate and cost == "euclidean":
        # The distance of two numbers is their absolute difference.
        cost = "manhattan"
    types = _C_TYPES[array_size], _C_TYPES[size]
    return Variant(*types, cost, univariate, dual)
