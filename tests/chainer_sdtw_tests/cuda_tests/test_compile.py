"""The kernels in machine code, by the compilers that CuPy may find."""

from itertools import product
from pathlib import Path

import kernel_resources
import nvrtc
import ptx_on_cpu
import pytest

from chainer_sdtw.cuda import _modules
from chainer_sdtw.cuda._variants import Variant
from sdtw_cpu.costs import COSTS

ROOT = Path(__file__).parents[3]
LIBRARIES = nvrtc.libraries()
if not LIBRARIES:
    pytest.skip(
        "needs NVIDIA's NVRTC as a wheel: nvidia-cuda-nvrtc",
        allow_module_level=True,
    )

TYPES = [("float", "float"), ("float", "double"), ("double", "double")]


def variants(types, *costs):
    return [
        Variant(*numbers, *cost).options
        for numbers, cost in product(types, costs)
    ]


VARIANTS = variants(
    TYPES, ("sqeuclidean", True), ("sqeuclidean",), ("explicit",)
)
# Compiled for fewer architectures, as it takes long. Of single numbers the
# Euclidean cost is computed as the Manhattan one.
COSTS_OF_FEATURES = [(name,) for name in COSTS if name != "sqeuclidean"]
COSTS_OF_NUMBERS = [
    (name, True) for name in COSTS if name not in ("sqeuclidean", "euclidean")
]
MORE_VARIANTS = [
    *variants(TYPES[:2], *COSTS_OF_FEATURES),
    *variants(TYPES, ("explicit", False, True)),
]
OTHER_VARIANTS = [
    *variants(TYPES[2:], *COSTS_OF_FEATURES),
    *variants(TYPES, *COSTS_OF_NUMBERS),
]
# Every architecture by the newest compiler that knows it, and the most used
# one by the others too.
NEWEST = {a: lib for lib in LIBRARIES for a in lib.architectures()}
CHOSEN = {(NEWEST[a], a) for a in nvrtc.ARCHITECTURES if a in NEWEST}
CHOSEN |= {(lib, 90) for lib in LIBRARIES}
MORE = {(NEWEST[a], a) for a in (70, 90, 100) if a in NEWEST}
CASES = [
    pytest.param(library, architecture, options, id=" ".join(map(str, name)))
    for library, architecture in sorted(
        CHOSEN, key=lambda c: (c[0].version, c[1])
    )
    for options in (
        *VARIANTS,
        *(MORE_VARIANTS if (library, architecture) in MORE else ()),
        *(
            OTHER_VARIANTS
            if (library, architecture) == (NEWEST.get(90), 90)
            else ()
        ),
    )
    for name in [(library, architecture, *options[:5])]
]


def test_every_architecture_has_a_compiler():
    assert set(nvrtc.ARCHITECTURES) <= set(NEWEST)


@pytest.mark.slow
@pytest.mark.parametrize(("library", "architecture", "options"), CASES)
def test_nothing_spills(library, architecture, options):
    found = library.report(
        _modules.source(), architecture, options, ptx_on_cpu.cache()
    )
    assert not found.warnings
    assert set(found.kernels) == {
        "soft_dtw_adjoint",
        "soft_dtw_cells",
        "soft_dtw_clear",
        "soft_dtw_cost_gradient",
        "soft_dtw_gradients",
        "soft_dtw_survey_cost",
        "soft_dtw_survey_series",
        "soft_dtw_value",
    }
    for kernel in found.kernels.items():
        _, used = kernel
        assert used.stack == 0, kernel
        assert used.spill_loads == used.spill_stores == 0, kernel
        assert 0 < used.registers <= 255, kernel
        # More than that must be asked for at every launch.
        assert used.shared <= 48 * 1024, kernel


@pytest.mark.slow
@pytest.mark.skipif(
    LIBRARIES[-1].version != (13, 5), reason="needs NVRTC of CUDA 13.5"
)
def test_the_table_is_what_is_compiled():
    table = kernel_resources.make_table(90, ptx_on_cpu.cache())
    assert table in (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
