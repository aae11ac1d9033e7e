"""Kernels for the tests of the executor of PTX, and arguments for them."""

from pathlib import Path

import numpy as np
import ptx_on_cpu
from ptx_on_cpu.sweeps import compiler

from chainer_sdtw import cuda

SOURCE = Path(__file__).with_name("ptx_kernels.cu").read_text()
INCLUDE = f"--include-path={Path(cuda.__file__).parent}"
NAMES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}


def ptx_of(dtype, arch=70, library=None):
    """Return the PTX of the kernels, which is kept."""
    library = library or compiler(arch)
    return library.ptx(
        SOURCE,
        arch,
        (INCLUDE, f"-DSDTW_NUMBER={NAMES[np.dtype(dtype)]}"),
        ptx_on_cpu.cache(),
    )


def ints(*values):
    return tuple(np.int32(v) for v in values)


def zeros(n, dtype=np.float32):
    return np.zeros(n, dtype)
