"""Types of arguments and results, for type checkers and editors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Optional, Protocol, Union

import numpy as np
from numpy.typing import NDArray

# Arrays of any shape and width: these are checked when functions are called.
FloatArray = NDArray[np.floating[Any]]

# Numbers of Python or NumPy, whose float32 and integers are no subclasses.
Integer = Union[int, np.integer[Any]]
Real = Union[float, np.floating[Any], np.integer[Any]]


class HasArray(Protocol):
    """What NumPy reads as an array: arrays, series of pandas and so on."""

    def __array__(self) -> NDArray[np.generic]: ...


# Not numpy.typing.ArrayLike: any string would be one, misspelt options too.
# With one sequence at a time, mypy understands lists of integers and floats.
Integers = Union[
    HasArray,
    Sequence[Union[HasArray, int, Sequence[Union[int, Sequence[int]]]]],
]
Reals = Union[
    HasArray,
    Sequence[Union[HasArray, float, Sequence[Union[float, Sequence[float]]]]],
]

CostName = Literal["sqeuclidean", "euclidean", "manhattan"]
Direction = Union[
    Literal["cost"], HasArray, tuple[Optional[HasArray], Optional[HasArray]]
]
IsaName = Literal["generic", "avx2", "avx512"]
