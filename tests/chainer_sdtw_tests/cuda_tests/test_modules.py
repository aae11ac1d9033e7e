"""What CuPy is given to compile, and what it is asked for."""

import sys
import types

import numpy as np
import pytest

from chainer_sdtw.cuda import _modules
from chainer_sdtw.cuda._arguments import ARGUMENTS


def test_the_source_is_one_text():
    text = _modules.source()
    assert "#include" not in text and "#pragma once" not in text
    assert text.count("struct Soft {") == 1
    assert text.count("__shfl_up_sync(kAllLanes, v.m, 1)") == 1
    assert '#line 1 "numerics.cuh"' in text
    assert "__nanosleep" in text


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
            def launch(*arguments):
                cupy.launched.append((name, self, *arguments))

            return launch

    class CPointer:
        def __init__(self, address):
            self.address = address

    cupy.launched = []
    cupy.RawModule = RawModule
    pool = types.SimpleNamespace(
        free_bytes=lambda: 300,
        get_limit=lambda: cupy.limit,
        used_bytes=lambda: 40,
    )
    cupy.limit = 0
    cupy.get_default_memory_pool = lambda: pool
    cupy.cuda = types.SimpleNamespace(
        function=types.SimpleNamespace(CPointer=CPointer),
        runtime=types.SimpleNamespace(memGetInfo=lambda: (1000, 8000)),
    )

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
    record = np.zeros((), ARGUMENTS)
    kernel = device.kernel("soft_dtw_value", one)
    assert device.kernel("soft_dtw_value", one) is kernel
    kernel(7, 32, record, ())
    device.kernel("soft_dtw_adjoint", one)(1, 32, record, ())
    device.kernel("soft_dtw_value", two)(1, 32, record, ())
    first, second, third = fake_cupy.launched
    assert first[0] == third[0] == "soft_dtw_value"
    assert second[0] == "soft_dtw_adjoint"
    assert first[1] is second[1] and first[1] is not third[1]
    assert fake_cupy.made == [
        (_modules.source(), ("--std=c++14", *options))
        for options in (one, two)
    ]
    assert device.xp is fake_cupy


def test_the_structure_is_passed_by_its_address(fake_cupy):
    record = np.zeros((), ARGUMENTS)
    kernel = _modules.CuPyDevice().kernel("soft_dtw_value", ())
    kernel(7, 32, record, ())
    ((_, _, grid, block, arguments),) = fake_cupy.launched
    assert grid == (7,) and block == (32,)
    assert [a.address for a in arguments] == [record.ctypes.data]


def test_memory_of_the_device_and_of_the_pool(fake_cupy):
    device = _modules.CuPyDevice()
    assert device.free_memory() == 1300
    fake_cupy.limit = 100
    assert device.free_memory() == 60
    pointer = types.SimpleNamespace(ptr=4096)
    assert device.address(types.SimpleNamespace(data=pointer)) == 4096
