"""The kernels of chainer_sdtw.cuda, as NVRTC compiles them, on the CPU."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import nvrtc

import ptx_on_cpu
from chainer_sdtw.cuda import _modules
from ptx_on_cpu import Module, cache


class PTXDevice:
    """Takes the place of a GPU: ``chainer_sdtw.cuda.value(..., device=...)``.

    Args:
        seed: Of the order in which threads and blocks take turns.
        resident: How many blocks there are at a time, or None for any number.
        arch: The compute capability, 90 for 9.0.
        change: Makes another text of the PTX of a module, to plant faults.
        races: Whether to look for data races.
        perturb: Whether approximate functions err at random.
        library: The NVRTC; None: the first that knows the architecture.
        source: Text of the kernels instead of the package's own.
    """

    xp = np

    def __init__(
        self,
        seed: int = 0,
        resident: int | None = None,
        arch: int = 70,
        change: Callable[[str], str] | None = None,
        races: bool = True,
        perturb: bool = False,
        library: nvrtc.Library | None = None,
        source: str | None = None,
    ) -> None:
        self.library = library or compiler(arch)
        self.seed = seed
        self.resident = resident
        self.arch = arch
        self.change = change
        self.races = races
        self.perturb = perturb
        self.source = source or _modules.source()
        self.modules: dict[tuple[str, ...], Module] = {}

    def address(self, array: np.ndarray) -> int:
        return array.ctypes.data

    def free_memory(self) -> int:
        return 1 << 33

    def kernel(self, name: str, options: tuple[str, ...]) -> Any:
        if options not in self.modules:
            text = self.library.ptx(self.source, self.arch, options, cache())
            if self.change is not None:
                text = self.change(text)
            self.modules[options] = Module(
                text,
                self.seed,
                resident=self.resident,
                races=self.races,
                perturb=self.perturb,
            )
        return self.modules[options].get_function(name)


def unsupported() -> str | None:
    """Return why these kernels cannot run here, or None."""
    if not nvrtc.libraries():
        return "needs NVIDIA's NVRTC as a wheel: nvidia-cuda-nvrtc"
    return ptx_on_cpu.unsupported()


def compiler(arch: int) -> nvrtc.Library:
    """Return the first NVRTC that knows an architecture."""
    for library in nvrtc.libraries():
        if arch in library.architectures():
            return library
    raise RuntimeError(
        f"no NVRTC for compute capability {arch / 10} is installed: pip"
        " install nvidia-cuda-nvrtc-cu12"
    )
