from typing import Any

import numpy as np

from sdtw_cpu.types import IsaName

def isa() -> IsaName: ...
def isa_levels() -> list[IsaName]: ...
def set_isa(name: str) -> bool: ...
def num_threads() -> int: ...
def set_num_threads(n: int) -> None: ...
def set_own_threads(n: int) -> None: ...
def empty_pool() -> None: ...

class Sweep:
    x: np.ndarray
    y: np.ndarray | None
    x_length: np.ndarray | None
    y_length: np.ndarray | None
    direction: Any
    band: np.ndarray | None
    fused: bool
    tape_bytes: int
    swept_back: int

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray | None,
        cost: str | None,
        gamma: float,
        x_length: np.ndarray | None,
        y_length: np.ndarray | None,
        band: np.ndarray | None,
        tape: bool,
        direction: Any = None,
    ) -> None: ...
    def value(
        self, out: np.ndarray, tangent: np.ndarray | None = None
    ) -> None: ...
    def adjoint(
        self,
        grad_value: np.ndarray,
        grad_tangent: np.ndarray | None,
        gx: np.ndarray | None,
        gy: np.ndarray | None,
        e: np.ndarray | None,
    ) -> None: ...
