"""What CuPy is given to compile, and what it is asked for."""

import sys
import types

import numpy as np
import pytest

from chainer_sdtw.cuda import _modules


def test_the_source_is_one_text():
    text = _modules.source()
    assert "#include" not in text and "#pragma once" not in text
    assert text.count("struct Soft {") == 1
    assert text.count("__shfl_up_sync(0xffffffffu, v.m, 1)") == 1
    assert '#line 1 "numerics.cuh"' in text
    left = _modules.source(device=False)
    assert '#include "device.cuh"' in left
    assert "__nanosleep" in text and "__nanosleep" not in left


def test_lines_are_those_of_the_files():
    lines = _modules.source().splitlines()
    place = None
    for line in lines:
        if line.startswith("#line"):
            _, number, name = line.split()
            place = int(number), name.strip('"')
            continue
        if place:
            number, name = place
            own = (_modules.FOLDER / name).read_text().splitlines()
            if line:  # or what has been replaced
                assert own[number - 1] == line
            place = number + 1, name


@pytest.fixture
def fake_cupy(monkeypatch):
    """A CuPy whose modules remember what they were made with."""
    cupy = types.ModuleType("cupy")
    cupy.made = []

    class RawModule:
        def __init__(self, code, options):
            cupy.made.append((code, options))

        def get_function(self, name):
            return name, self

    cupy.RawModule = RawModule

    def memoize(for_each_device):
        assert for_each_device
        known = {}

        def wrap(function):
            def wrapped(*args):
                if args not in known:
                    known[args] = function(*args)
                return known[args]

            return wrapped

        return wrap

    cupy.memoize = memoize
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return cupy


def test_every_variant_is_compiled_once(fake_cupy):
    device = _modules.CuPyDevice()
    one, two = ("-DSDTW_COST=Sqeuclidean",), ("-DSDTW_COST=Manhattan",)
    first = device.kernel("soft_dtw_value", one)
    assert device.kernel("soft_dtw_value", one) == first
    assert device.kernel("soft_dtw_adjoint", one)[1] is first[1]
    assert device.kernel("soft_dtw_value", two)[1] is not first[1]
    assert fake_cupy.made == [
        (_modules.source(), ("--std=c++14", *options))
        for options in (one, two)
    ]
    assert device.xp is fake_cupy
    assert device.null == 0 and device.null.itemsize == np.intp().itemsize
