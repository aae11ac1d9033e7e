"""The arguments of all kernels: one structure, which is passed by value."""

from __future__ import annotations

import numpy as np

_POINTERS = (
    "x",
    "y",
    "x_length",
    "y_length",
    "band",
    "direction",
    "cost_bounds",
    "noted",
    "counts",
    "result",
    "result_tangent",
    "value",
    "tangent",
    "grad",
    "grad_tangent",
    "gx",
    "gy",
    "alignment",
    "edges",
    "states",
    "slab_edges",
    "masses",
    "slab_masses",
    "cells",
    "live",
    "ticket",
)
_DOUBLES = "rate", "forbidden"
_LONGS = (
    "strip_states",
    "pair_edges",
    "pair_states",
    "pair_slab_edges",
    "pair_masses",
    "pair_slab_masses",
    "direction_stride",
)
_INTS = (
    "m",
    "n",
    "d",
    "band_rows",
    "pair_begin",
    "pairs",
    "strip_begin",
    "strip_end",
    "turn",
    "segments",
    "slab_strips",
)

ARGUMENTS = np.dtype(
    [(name, np.uint64) for name in _POINTERS]
    + [(name, np.float64) for name in _DOUBLES]
    + [(name, np.int64) for name in _LONGS]
    + [(name, np.int32) for name in _INTS],
    align=True,
)
"""``Arguments`` of ``arguments.cuh``. A null pointer is 0."""
