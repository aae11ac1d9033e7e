"""What the kernels and Python must have in common."""

import re

import pytest

from chainer_sdtw.cuda import _launch, _modules
from chainer_sdtw.cuda._variants import Variant, variant

C_TYPES = {
    "int": "np.int32",
    "long long": "np.int64",
    "double": "np.float64",
}


def test_arguments_are_those_of_the_kernels():
    text = _modules.source(device=False)
    arguments = re.findall(r"^  ARGUMENT\((.+), (\w+)\)", text, re.M)
    assert len(arguments) > 20
    fields = _launch.SweepArguments._fields
    assert [name for _, name in arguments] == list(fields)
    for kind, name in arguments:
        hint = _launch.SweepArguments.__annotations__[name]
        hint = getattr(hint, "__forward_arg__", hint)
        if kind.startswith("Global"):
            assert hint.startswith("GpuArray")
        else:
            assert hint == C_TYPES[kind]


@pytest.mark.parametrize("cost", ["sqeuclidean", "explicit"])
def test_options_are_those_of_the_source(cost):
    options = Variant("float", "double", cost).options
    names = [option[2:].partition("=")[0] for option in options]
    text = re.sub(r"//.*", "", _modules.source(device=False))
    defined = set(re.findall(r"# *define +(SDTW_\w+)", text))
    marks = {"SDTW_DEVICE", "SDTW_KERNEL", "SDTW_BOUNDS"}
    marks |= {"SDTW_UNROLL", "SDTW_UNROLL_BY"}
    used = set(re.findall(r"\bSDTW_[A-Z_]+\b", text)) - defined - marks
    assert used == set(names) and len(names) == len(used)


def test_one_feature():
    assert variant(4, 4, "euclidean", 1, False) == Variant(
        "float", "float", "manhattan", univariate=True
    )
    assert variant(4, 8, "euclidean", 2, False) == Variant(
        "float", "double", "euclidean"
    )
    # An explicit cost has no features.
    assert variant(8, 8, "explicit", 1, True) == Variant(
        "double", "double", "explicit", dual=True
    )
    assert variant(4, 4, "manhattan", 3, False).threads == 128
    assert variant(4, 4, "manhattan", 1, False).threads == 32
