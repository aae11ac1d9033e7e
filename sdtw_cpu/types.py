"""Types of arguments and results, for type checkers and editors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Optional, Protocol, Union

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DeviceArray",
    "Direction",
    "FloatArray",
    "HasArray",
    "Integer",
    "Integers",
    "IsaName",
    "Real",
    "Reals",
]

#: Arrays of any shape and width, which are checked when functions are called.
FloatArray = NDArray[np.floating[Any]]

# NumPy's integers are no int, and its float32 is no float.
#: An integer of Python or NumPy.
Integer = Union[int, np.integer[Any]]
#: A real number of Python or NumPy.
Real = Union[float, np.floating[Any], np.integer[Any]]


class HasArray(Protocol):
    """An object that NumPy reads as an array, such as a series of pandas."""

    def __array__(self) -> NDArray[np.generic]: ...


class DeviceArray(Protocol):
    """An array of NumPy or CuPy."""

    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


# numpy.typing.ArrayLike would allow any string, so misspelt options too. These
# nest one sequence at a time, or mypy misjudges lists of integers and floats.
#: What NumPy reads as an array of integers.
Integers = Union[
    HasArray,
    Sequence[Union[HasArray, int, Sequence[Union[int, Sequence[int]]]]],
]
#: What NumPy reads as an array of real numbers.
Reals = Union[
    HasArray,
    Sequence[Union[HasArray, float, Sequence[Union[float, Sequence[float]]]]],
]

#: Directions of :func:`sdtw_cpu.tangent`.
Direction = Union[
    Literal["cost"], HasArray, tuple[Optional[HasArray], Optional[HasArray]]
]
#: The names of instruction sets.
IsaName = Literal["generic", "neon", "avx2", "avx512"]
