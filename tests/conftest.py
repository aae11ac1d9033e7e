"""Fixtures of all tests."""

import numpy as np
import pytest
from hypothesis import settings

import sdtw_cpu

settings.register_profile(
    "repeatable", database=None, deadline=None, derandomize=True
)
settings.load_profile("repeatable")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def restore_settings():
    isa, threads = sdtw_cpu.isa(), sdtw_cpu.get_num_threads()
    yield
    sdtw_cpu.set_isa(isa)
    sdtw_cpu.set_num_threads(threads)


@pytest.fixture(params=sdtw_cpu.isa_levels())
def isa(request, restore_settings):
    """Every instruction set of this machine, one after the other."""
    sdtw_cpu.set_isa(request.param)
    return request.param
