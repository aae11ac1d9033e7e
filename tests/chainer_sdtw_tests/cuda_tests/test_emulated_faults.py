"""The emulator finds faults that are planted in the kernels."""

import re

import cuda_on_cpu
import numpy as np
import pytest
from emulated import swept
from reference import make

from chainer_sdtw.cuda import _modules

if cuda_on_cpu.unsupported():
    pytest.skip(str(cuda_on_cpu.unsupported()), allow_module_level=True)

from cuda_on_cpu.sweeps import CPUDevice

# Kind of cost, part of the kernels' text, and what takes its place.
ABOVE = "q + 2 < segments_above ? q + 2 : segments_above);"
BELOW = "progress_below(args, s, q - 1));"
COLUMNS = "progress_below(args, s, half ? q : q - 1, true));"
BARRIERS = {
    "after the edge above": (
        "univariate",
        "__syncwarp(); if (kHelpers) weights.use(",
        "if (kHelpers) weights.use(",
    ),
    "between strips": ("univariate", ABOVE, ABOVE.replace("q + 2", "q")),
    "between strips, backwards": (
        "univariate",
        BELOW,
        BELOW.replace("q - 1", "q"),
    ),
    "between strips, for gradients": (
        "multivariate",
        COLUMNS,
        COLUMNS.replace("? q : q - 1", "? q + 1 : q"),
    ),
    "after the costs": (
        "multivariate",
        "set_of(planes, kValuePlanes, q + 1)); __syncthreads();",
        "set_of(planes, kValuePlanes, q + 1));",
    ),
}
BOUNDS = {
    "of an edge": (
        "univariate",
        "if (columns.has(j)) edge[j - columns.begin] = below[lane];",
        "if (j < columns.end) edge[j - columns.begin] = below[lane];",
    ),
    "of a plane": (
        "univariate",
        "take<T>(memory, kSets * kAdjointPlanes * kPlane);",
        "take<T>(memory, kSets * kAdjointPlanes * kPlane - kStride);",
    ),
    "of a series": (
        "univariate",
        "s.y[within(column + i + threadIdx.x, s.n)]",
        "s.y[column + i + threadIdx.x]",
    ),
}


def planted(old, new):
    """A device whose kernels have a fault."""
    source = _modules.source(device=False)
    pattern = r"\s+".join(map(re.escape, old.split()))
    assert re.search(pattern, source)
    return CPUDevice(source=re.sub(pattern, lambda _: new, source))


@pytest.mark.parametrize("fault", BARRIERS)
def test_a_missing_barrier_is_found(rng, fault):
    kind, *change = BARRIERS[fault]
    device = planted(*change)
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 2, 100, 100, d, np.float32)
    found = (cuda_on_cpu.RaceError, cuda_on_cpu.UninitializedError)
    with pytest.raises(found):
        swept(arrays, 1.0, device=device)


@pytest.mark.parametrize("fault", BOUNDS)
def test_an_access_out_of_bounds_is_found(rng, fault):
    kind, *change = BOUNDS[fault]
    device = planted(*change)
    arrays = make(rng, kind, 1, 100, 100, 1, np.float64)
    with pytest.raises(cuda_on_cpu.OutOfBoundsError):
        swept(arrays, 1.0, device=device)
