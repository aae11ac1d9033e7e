import cuda_on_cpu
import numpy as np
import pytest
from emulator_kernels import SOURCE


@pytest.fixture(scope="session")
def libraries():
    """Modules are loaded once each."""
    if cuda_on_cpu.unsupported():
        pytest.skip(cuda_on_cpu.unsupported())
    return {}


@pytest.fixture
def load(libraries):
    def of(dtype=np.float32, seed=0):
        dtype = np.dtype(dtype)
        if dtype not in libraries:
            name = {"f4": "float", "f8": "double"}[dtype.str[1:]]
            libraries[dtype] = cuda_on_cpu.Module(
                SOURCE,
                (f"-DT={name}", "--std=c++17"),
                flags=("-Wall", "-Wextra", "-Werror"),
            )
        module = libraries[dtype]
        module.seed, module.launches = seed, 0
        return module

    return of


@pytest.fixture
def module(load):
    return load()
