"""Kernels for the tests of the emulator, and arguments for them."""

from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("emulator_kernels.cuh").read_text()


def ints(*values):
    return tuple(np.int32(v) for v in values)


def zeros(n, dtype=np.float32):
    return np.zeros(n, dtype)
