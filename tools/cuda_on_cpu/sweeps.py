"""The kernels of chainer_sdtw.cuda on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainer_sdtw.cuda import _modules
from cuda_on_cpu import Module


class CPUDevice:
    """Takes the place of a GPU: ``chainer_sdtw.cuda.value(..., device=...)``.

    Args:
        seed: Of the order in which threads and blocks take turns.
        source: Text of the kernels instead of the package's own.
    """

    xp = np
    null = None

    def __init__(self, seed: int = 0, source: str | None = None) -> None:
        self.seed = seed
        self.source = source or _modules.source(device=False)
        self.modules: dict[tuple[str, ...], Module] = {}

    def kernel(self, name: str, options: tuple[str, ...]) -> Any:
        if options not in self.modules:
            self.modules[options] = Module(self.source, options, self.seed)
        return self.modules[options].get_function(name)
