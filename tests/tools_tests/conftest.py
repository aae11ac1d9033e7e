import numpy as np
import ptx_kernels
import ptx_on_cpu
import pytest
from ptx_on_cpu.sweeps import unsupported


@pytest.fixture(scope="session")
def ptx_modules():
    """Modules of each type and architecture, loaded once."""
    if unsupported():
        pytest.skip(unsupported())
    return {}


@pytest.fixture
def ptx(ptx_modules):
    """Return a function that returns the kernels for a type and a seed."""

    def of(dtype=np.float32, seed=0, arch=70):
        key = np.dtype(dtype), arch
        if key not in ptx_modules:
            ptx_modules[key] = ptx_on_cpu.Module(ptx_kernels.ptx_of(*key))
        module = ptx_modules[key]
        module.seed, module.launches = seed, 0
        module.resident = None
        return module

    return of
