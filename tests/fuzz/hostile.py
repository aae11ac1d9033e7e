"""What is put in the place of a valid argument, and what must come of it."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import decimal
import fractions
from dataclasses import dataclass
from typing import Any

import numpy as np
from chainer import Parameter, Variable

from fuzz import forms

SAME, EITHER, ERROR = "the same", "an error or an answer", "an error"


@dataclass
class Change:
    """Another value of an argument.

    Attributes:
        name: The argument.
        label: What it is, in words.
        given: The value.
        verdict: What must come of it: the same result as of ``plain``,
            an error, or either, where a result is compared with that of
            ``plain`` if this is not None.
        plain: The same in the plainest form, for comparison.
        harmless: Whether the arguments are as valid as they were.
    """

    name: str
    label: str
    given: Any
    verdict: str
    plain: Any = None
    harmless: bool = False


class Raiser:
    """What raises an error wherever it is looked at."""

    def _fail(self, *_, **__):
        raise TypeError("of the object that was given")

    __array__ = __float__ = __index__ = __len__ = __iter__ = _fail
    __bool__ = _fail

    def __repr__(self):
        return "Raiser()"


def nested_in_itself():
    a = []
    a.append(a)
    return a


# Of no argument a value, but of some optional ones.
NOTHING = {
    "None": lambda: None,
    "an object": object,
    "a dict": lambda: {"a": 1},
    "an unusable object": Raiser,
    "a complex number": lambda: 1j,
    "a date": lambda: np.datetime64("2020-01-01"),
    "an uninitialized parameter": Parameter,
}
NO_ARRAYS = {
    **NOTHING,
    "a string": lambda: "abc",
    "bytes": lambda: b"abc",
    "a set": lambda: {1.0, 2.0},
    "a generator": lambda: (x for x in (1.0, 2.0)),
    "a list in itself": nested_in_itself,
    "an empty list": list,
    "nothing": lambda: np.zeros(0),
    "nothing in an axis": lambda: np.zeros((2, 0, 1)),
    "a list of None": lambda: [None, None],
    "a list of strings": lambda: ["a", "b"],
    "unequal rows": lambda: [[[1.0, 2.0], [3.0]], [[1.0]]],
    "huge integers": lambda: [10**30, 1],
    "a masked array": lambda: np.ma.masked_less(np.ones((2, 3, 1)), 2),
    "a masked number": lambda: np.ma.masked,
    "complex numbers": lambda: np.ones((2, 3, 1), complex),
    "dates": lambda: np.zeros((2, 3, 1), "M8[s]"),
    "durations": lambda: np.zeros((2, 3, 1), "m8[s]"),
    "strings": lambda: np.full((2, 3, 1), "1"),
    "records": lambda: np.zeros((2, 3), [("a", "f8")]),
    "objects": lambda: np.full((2, 3, 1), object()),
    "a deep list": lambda: np.ones((1,) * 7).tolist(),
}
NO_NUMBERS = {
    **NOTHING,
    "a string": lambda: "1",
    "bytes": lambda: b"1",
    "a list": lambda: [1.0],
    "an array": lambda: np.array([1.0]),
    "two numbers": lambda: np.array([1.0, 2.0]),
    "a variable": lambda: Variable(np.array(1.0)),
    "a masked number": lambda: np.ma.masked,
    "no number": lambda: float("nan"),
}
NO_INTEGERS = {
    **NO_NUMBERS,
    "a float": lambda: 1.0,
    "half": lambda: 1.5,
    "infinity": lambda: float("inf"),
    "a truth": lambda: True,
    "a float of NumPy": lambda: np.float64(2.0),
    "negative": lambda: -1,
    "very negative": lambda: -(10**30),
}
NO_NAMES = {
    **NOTHING,
    "an empty name": str,
    "a wrong name": lambda: "Abc",
    "a name with a space": lambda: "soft_dtw ",
    "a name in bytes": lambda: b"mean",
    "a name in a list": lambda: ["mean"],
    "a name in an array": lambda: np.array(["mean", "sum"]),
    "numbers": lambda: np.array([1.0, np.nan]),
    "a name with a zero": lambda: "mean\0",
    "a surrogate": lambda: "\ud800",
}
COSTS = {
    "a cost of None": lambda x, y: None,
    "a cost of a number": lambda x, y: 1.0,
    "a cost of another shape": lambda x, y: np.ones((1, 2, 3, 1), x.dtype),
    "a cost of integers": lambda x, y: np.ones(
        (len(x), x.shape[1], y.shape[1]), int
    ),
    "a cost of another precision": lambda x, y: np.ones(
        (len(x), x.shape[1], y.shape[1]),
        "f4" if x.dtype == np.float64 else "f8",
    ),
}
NUMBERS = (
    *(0, -0.0, 5e-324, 1e-310, 1e-300, 1e-290, 1e-20, 1, 2.5, 1e20),
    *(1e290, 1.1e290, 1e300, 1.7e308, float("inf"), float("-inf")),
    *(-1, -1e-300, 10**400, -(10**400)),
    *(np.float32(0.5), np.float16(0.5), np.longdouble(0.5), np.int8(1)),
    *(np.array(0.5), np.ma.array(0.5), fractions.Fraction(1, 2)),
    *(decimal.Decimal("0.5"), np.array(1, ">i4"), True, np.bool_(True)),
)
INTEGERS = (0, 1, 2, 3, 7, 100, np.int8(3), np.uint64(2), np.array(2))
HUGE_INTEGERS = (2**31 - 1, 2**31, 2**32 + 1, 2**63 - 1, 2**63, 2**64, 10**30)
CONTENTS = {
    "NaN": np.nan,
    "infinity": np.inf,
    "minus infinity": -np.inf,
    "a denormal": 1e-310,
    "a huge number": 1e308,
    "a number whose square is huge": 1.5e154,
    "minus zero": -0.0,
    "a number beyond float16": 1e5,
    "a number beyond float32": 4e38,
}


def altered(draw, a):
    """An array with other values in it, of the same type and shape."""
    label = draw.one(tuple(CONTENTS))
    made = a.copy()
    with np.errstate(all="ignore"):
        if draw.chance(0.2):
            made[...] = CONTENTS[label]
        else:
            at = tuple(draw.integer(0, size - 1) for size in a.shape)
            made[at] = CONTENTS[label]
    return f"{label} in it", made


def scaled(draw, a):
    """An array times a number that may be too large or too small for it."""
    factor = draw.one((0.0, 1e-320, 1e-30, 1e3, 1e10, 1e30, 1e150, 1e300))
    with np.errstate(all="ignore"):
        return f"times {factor:g}", (a * factor).astype(a.dtype)


def reshaped(draw, a):
    """An array of another shape."""
    ways = {
        "without an axis": lambda: a[0],
        "with another axis": lambda: a[None],
        "with a last axis": lambda: a[..., None],
        "flat": lambda: a.ravel(),
        "transposed": lambda: a.T,
        "one less": lambda: a[1:],
        "one more": lambda: np.concatenate([a, a[:1]]),
        "no rows": lambda: a[:, :0] if a.ndim > 1 else a[:0],
        "one row": lambda: a[:, :1] if a.ndim > 1 else a[:1],
        "no features": lambda: a[..., :0],
        "features twice": lambda: np.concatenate([a, a], -1),
        "one element": lambda: a.ravel()[:1],
        "a scalar": lambda: a.ravel()[0],
        "without axes": lambda: a.ravel()[0].reshape(()),
    }
    label = draw.one(tuple(ways))
    return label, ways[label]()


def change_array(draw, name, a):
    """Something in the place of an array of floating-point numbers."""
    way = draw.integer(0, 9)
    if way < 3:
        label, made = (altered if way else scaled)(draw, a)
        return Change(name, label, made, SAME, made)
    if way < 6:
        return _form(draw, name, a, draw.one(forms.SAME))
    if way < 8:
        return _form(draw, name, a, draw.one(forms.OTHER + forms.NO_NUMBERS))
    if way == 8:
        label, made = reshaped(draw, a)
        return Change(name, label, made, EITHER)
    return _no(draw, name, NO_ARRAYS)


def _of_any_type(draw, name, a, way):
    """Something in the place of an array of any type, by a number below 5."""
    if way < 2:
        return _form(draw, name, a, draw.one(forms.SAME))
    if way == 2:
        return _form(draw, name, a, draw.one(forms.OTHER + forms.NO_NUMBERS))
    if way == 3:
        label, made = reshaped(draw, a)
        return Change(name, label, made, EITHER)
    return _no(draw, name, NO_ARRAYS)


def change_integers(draw, name, a):
    """Something in the place of lengths, a band or labels."""
    way = draw.integer(0, 7)
    if way < 5:
        return _of_any_type(draw, name, a, way)
    made = a.astype(draw.one((np.int64, np.int64, np.uint64, np.int32)))
    at = tuple(draw.integer(0, size - 1) for size in a.shape)
    lie = draw.one((-1, 0, 1, 2, 50, 2**31 - 1, -(2**31), 2**31, 2**63 - 1))
    with np.errstate(all="ignore"):
        made[at] = np.array(lie).astype(made.dtype)
    return Change(name, f"{made[at]} at {at}", made, EITHER)


def change_booleans(draw, name, a):
    """Something in the place of a mask."""
    way = draw.integer(0, 6)
    if way < 5:
        return _of_any_type(draw, name, a, way)
    made = a.copy()
    label = draw.one(("nothing", "all", "a row", "the first", "the last"))
    where = {"nothing": ..., "all": ..., "the last": (..., -1, -1)}
    at = where.get(label, (..., 0, slice(None)))
    made[at if label != "the first" else (..., 0, 0)] = label == "all"
    return Change(name, f"{label} set", made, SAME, made, harmless=True)


def change_number(draw, name, domain):
    """Something in the place of a number."""
    if draw.chance(0.4):
        return _no(draw, name, NO_NUMBERS)
    value = draw.one(NUMBERS)
    low, high = domain or (None, None)
    try:
        number = float(value)
    except OverflowError:
        number = np.inf if value > 0 else -np.inf
    label = f"{value!r:.40}"
    if low is None:
        return Change(name, label, value, EITHER)
    if not low <= number <= high:
        return Change(name, label, value, ERROR)
    return Change(name, label, value, SAME, number, harmless=True)


def change_integer(draw, name, domain):
    """Something in the place of an integer."""
    way = draw.integer(0, 3)
    if way == 0:
        return _no(draw, name, NO_INTEGERS)
    huge = domain != "small"
    value = draw.one(INTEGERS + HUGE_INTEGERS if huge else INTEGERS)
    if isinstance(value, int):
        return Change(name, f"{value}", value, EITHER)
    return Change(name, f"{value!r}", value, SAME, int(value))


def change_name(draw, name):
    """Something in the place of a name, such as that of a cost."""
    if name == "cost" and draw.chance(0.3):
        label = draw.one(tuple(COSTS))
        return Change(name, label, COSTS[label], ERROR)
    return _no(draw, name, NO_NAMES)


def _no(draw, name, options):
    label = draw.one(tuple(options))
    return Change(name, label, options[label](), ERROR)


def _form(draw, name, a, form):
    """An array in another form; how much must be the same tells the form."""
    if form in forms.NO_NUMBERS:
        return Change(name, form.__name__, form(a), ERROR)
    given = form(a)
    if form in forms.SAME:
        plain = np.array(given, a.dtype, order="C")
        same_values = form not in (forms.repeated, forms.overlapping)
        return Change(name, form.__name__, given, SAME, plain, same_values)
    return Change(name, form.__name__, given, EITHER)
