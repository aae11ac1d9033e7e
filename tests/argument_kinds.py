"""What the arguments of a function may be, for the tests of their types."""

from dataclasses import dataclass, field
from typing import Any, Callable

import numpy as np
from hypothesis import strategies as st

INTEGERS = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i2")
FLOATS = ("f2", "f4", "f8", "g", ">f4", ">f8")
NOT_LONG = INTEGERS + tuple(t for t in FLOATS if t != "g")
# float64, or refused, where long double is not the same.
LONG = () if np.dtype("g").itemsize > 8 else ("g",)


@dataclass(frozen=True)
class Argument:
    """Values, of which one is drawn, and the types that they may have."""

    values: tuple
    types: tuple = INTEGERS + FLOATS
    of_series: bool = False  # of one type with all others that are
    only_scalars: bool = False  # no arrays without axes

    def draw(self, draw, types):
        """A value in one of the types, and what it means."""
        dtype = np.dtype(draw(st.sampled_from(types)))
        values = [v for v in self.values if _fits(v, dtype)]
        values = values or self.values[:1]
        value = values[draw(st.integers(0, len(values) - 1))]
        array = _cast(value, dtype)
        plain = array.astype(bool if dtype.kind == "b" else None)
        if dtype.kind == "f":
            plain = array.astype(np.float64)
        elif dtype.kind in "iu":
            plain = array.astype(np.int64)
        if array.ndim == 0:
            plain = plain[()].item()
            if self.only_scalars or draw(st.booleans()):
                array = array[()]
        return array, plain


def _cast(value, dtype):
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(dtype)


def _fits(value, dtype):
    return np.array_equal(_cast(_cast(value, dtype), "f8"), value)


def integer(*values):
    return Argument(values, INTEGERS)


def number(*values):
    return Argument(values)


def booleans(value):
    return Argument((value,), ("?",))


def series(value, types=("f2", "f4", "f8")):
    return Argument((value,), types, of_series=True)


def any_series(value, types=NOT_LONG):
    return Argument((value,), types, of_series=True)


@dataclass(frozen=True)
class Case:
    """A function and its arguments."""

    function: Callable
    arguments: dict
    others: tuple = ()  # parameters that are not numbers
    aliases: dict = field(default_factory=dict)  # other names in messages
    run: Any = None  # instead of the function: returns arrays
    examples: int = 25
