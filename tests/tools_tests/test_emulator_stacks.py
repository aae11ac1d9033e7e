"""The stacks of the emulator's threads, of which a process has a limit."""

from pathlib import Path

import cuda_on_cpu
import numpy as np
import pytest
from cuda_on_cpu import module as emulator_module

MAPS = Path("/proc/self/maps")
SOURCE = """#include "device.cuh"
SDTW_KERNEL void k(Global<int> x) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  __syncthreads();
  x[i] = N + i;
}"""

if cuda_on_cpu.unsupported():
    pytest.skip(str(cuda_on_cpu.unsupported()), allow_module_level=True)


@pytest.mark.skipif(not MAPS.exists(), reason="no list of mappings here")
def test_stacks_of_old_modules_are_released(monkeypatch):
    monkeypatch.setattr(emulator_module, "_MOST_RECENT", 1)
    monkeypatch.setattr(emulator_module, "_recent", [])
    mappings = []
    modules = [cuda_on_cpu.Module(SOURCE, (f"-DN={n}",)) for n in range(3)]
    for _ in range(2):
        for n, module in enumerate(modules):
            x = np.zeros(2048, np.int32)
            module.get_function("k")((8,), (256,), (x,))
            np.testing.assert_array_equal(x, n + np.arange(2048))
            mappings.append(len(MAPS.read_text().splitlines()))
    # Two for each thread that was ready to run.
    assert mappings[0] > 500
    assert max(mappings) < mappings[0] + 100
