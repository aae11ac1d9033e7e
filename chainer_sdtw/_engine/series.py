"""The forms in which a loss takes series and returns values."""

from __future__ import annotations

import numbers
from typing import Any, NamedTuple

import chainer
import numpy as np
from chainer import FunctionNode, as_variable, config
from chainer import functions as F
from chainer.backends import cuda
from chainer.utils import type_check

from chainer_sdtw._engine.types import Variable
from sdtw_cpu.checks import (
    as_array,
    as_lengths,
    check_lengths_form,
    check_unmasked,
    read_array,
)

_NUMBERS = (numbers.Number, np.generic)


class Pairs(NamedTuple):
    """Pairs of series as padded batches in a type that the sweeps have."""

    x: Variable  # (B, m, d)
    y: Variable  # (B, n, d)
    x_length: Any
    y_length: Any
    batched: bool  # otherwise one pair that came without an axis for that
    dtype: np.dtype  # of what the caller gave

    def of_x(self) -> Pairs:
        """Each first series, paired with itself."""
        return self._replace(y=self.x, y_length=self.x_length)

    def of_y(self) -> Pairs:
        """Each second series, paired with itself."""
        return self._replace(x=self.y, x_length=self.y_length)

    def finished(self, value: Variable, reduce: str = "no") -> Variable:
        """Apply ``reduce`` and undo what was done to the series' form."""
        return finished(value, reduce, self.batched, self.dtype)


def as_pairs(
    label: str, x: Any, y: Any, x_length: Any = None, y_length: Any = None
) -> Pairs:
    """Bring two batches of series, or two series, into their one form.

    An array of one or two axes is one series.

    Raises:
        chainer.utils.type_check.InvalidType: If types or shapes do not fit.
        TypeError: If something is not series, or a length not an integer.
        ValueError: If a list is empty or its series do not fit each other,
            something is masked, or a length is out of range.
    """
    like = _first_array(x, y)
    x, x_sizes = _as_padded("x", x, like, x_length)
    y, y_sizes = _as_padded("y", y, like, y_length)
    batched = not (x.ndim in (1, 2) and y.ndim in (1, 2))
    hint = ""
    if 2 in (x.ndim, y.ndim):
        hint = (
            "An array with two axes is one series (length, features); a batch "
            "has three, (B, length, features): x[:, :, None] is one of "
            "univariate series."
        )
    if not batched:
        x, y = _one_pair(x), _one_pair(y)
    SeriesArguments(label).check(x, y, hint=hint)
    if x_sizes is None:
        x_sizes = checked_lengths("x_length", x_length, x.shape[:2], batched)
    if y_sizes is None:
        y_sizes = checked_lengths("y_length", y_length, y.shape[:2], batched)
    return Pairs(
        computable(x), computable(y), x_sizes, y_sizes, batched, x.dtype
    )


def checked_lengths(
    name: str, lengths: Any, shape: tuple, batched: bool = True
) -> Any:
    """Lengths ``(B,)`` as int64, on the host or on the device; None for None.

    Those on a device are not compared with the longest one, as that would
    mean to wait for it.

    Args:
        name: What messages call them.
        lengths: ``(B,)`` integers; one integer will do for one pair.
        shape: ``B``, None for any, and the longest length.
        batched: Whether there is more than one pair that came without an axis
            for a batch.

    Raises:
        TypeError: If they are not integers.
        ValueError: If the shape is wrong or one is out of range.
    """
    if lengths is None:
        return None
    size, longest = shape
    lengths = array_of(lengths)
    on_device = isinstance(lengths, cuda.ndarray)
    if not on_device:
        lengths = as_array(name, lengths, "iu", "integers")
    if not batched and lengths.ndim == 0:
        lengths = lengths.reshape(1)
    if size is None:
        size = lengths.size
    if on_device:
        check_lengths_form(name, lengths, size)
        with lengths.device:  # of CuPy
            return lengths.astype(np.int64, copy=False)
    return as_lengths(name, lengths, size, longest)


def computable(a: Variable) -> Variable:
    """Return a variable in a type of the sweeps: float32 for float16."""
    return F.cast(a, np.float32) if a.dtype == np.float16 else a


class Arguments(FunctionNode):
    """The arguments of a function, whose types Chainer checks as a node's.

    A node is not applied to them before other arguments have been checked,
    which depends on their shapes.
    """

    def __init__(self, label: str) -> None:
        self._label = label

    @property
    def label(self) -> str:
        return self._label

    def check(self, *arguments: Variable, hint: str = "") -> None:
        """Check the types.

        Raises:
            chainer.utils.type_check.InvalidType: If one is not as expected,
                with the hint at the end of the message.
        """
        if not config.type_check:
            return
        arrays = tuple(v.array for v in arguments)
        try:
            with type_check.light_mode:
                self.check_type_forward(type_check.get_light_types(arrays))
            return
        except type_check.InvalidType:
            pass  # once more, for a message that has the names in it
        types = type_check.get_types(arrays, "in_types", False)
        try:
            with type_check.get_function_check_context(self):
                self.check_type_forward(types)
        except type_check.InvalidType as e:
            message = f"{e}\n{hint}".rstrip()
            raise type_check.InvalidType(e.expect, e.actual, message) from None


class SeriesArguments(Arguments):
    """Two batches of series."""

    def check_type_forward(self, in_types: Any) -> None:
        type_check._argname(in_types, ("x", "y"))
        x_type, y_type = in_types
        type_check.expect(
            x_type.dtype.kind == "f",
            x_type.dtype == y_type.dtype,
            x_type.ndim == 3,
            y_type.ndim == 3,
        )
        type_check.expect(
            x_type.shape[0] == y_type.shape[0],
            x_type.shape[2] == y_type.shape[2],
            x_type.shape[0] > 0,
            x_type.shape[1] > 0,
            y_type.shape[1] > 0,
            x_type.shape[2] > 0,
        )


def array_of(a: Any) -> Any:
    """Return the array of a variable that has one; anything else as it is."""
    has_array = isinstance(a, Variable) and a.array is not None
    return a.array if has_array else a


def unmasked_array(name: str, a: Any) -> Any:
    """Return the array of a variable; anything else as it is.

    But an array of objects with one axis is the same as a list of them.

    Raises:
        TypeError: If it is None or a parameter without an array.
        ValueError: If something is masked.
    """
    if isinstance(a, Variable) and a.array is None:
        raise TypeError(f"{name} is a parameter that has not been initialized")
    a = array_of(a)
    if a is None:
        raise TypeError(f"{name} must be series, got None")
    check_unmasked(name, a)
    if isinstance(a, np.ndarray) and a.dtype == object and a.ndim == 1:
        return a.tolist()
    return a


def on_host(a: Any) -> Any:
    """Return an array of a GPU as one of NumPy; anything else as it is."""
    a = array_of(a)
    return a.get() if isinstance(a, cuda.ndarray) else a


def as_list(name: str, a: Any) -> list | None:
    """Return a list of series; None for anything else, as one of numbers.

    Raises:
        TypeError: If it is None or a parameter without an array.
        ValueError: If something is masked.
    """
    return _listed(name, unmasked_array(name, a))


def _listed(name: str, a: Any) -> list | None:
    """Return the same of an array, or of anything else without a variable."""
    if not isinstance(a, (list, tuple, *chainer.get_array_types())):
        # For instance a Series of pandas that holds series.
        a = unmasked_array(name, read_array(name, a))
    if not isinstance(a, (list, tuple)):
        return None
    is_one = a and all(isinstance(s, _NUMBERS) for s in a)
    return None if is_one else list(a)


def check_reduce(reduce: Any) -> None:
    """Raise ``ValueError`` unless ``reduce`` is a known option."""
    if not isinstance(reduce, str) or reduce not in ("mean", "sum", "no"):
        raise ValueError(
            f"reduce must be 'mean', 'sum' or 'no', got {reduce!r}"
        )


def reduced(value: Variable, reduce: str) -> Variable:
    """Return values ``(B,)``, or the mean or the sum of them."""
    if reduce == "no":
        return value
    return F.mean(value) if reduce == "mean" else F.sum(value)


def finished(
    value: Variable, reduce: str, batched: bool, dtype: np.dtype
) -> Variable:
    """Apply ``reduce``; the result for one pair has no batch axis."""
    value = reduced(value, reduce)
    if not batched and value.ndim > 0:
        value = F.squeeze(value, 0)
    return value if value.dtype == dtype else F.cast(value, dtype)


def as_one_variable(name: str, a: Any, like: Any = None) -> Variable:
    """Return a variable, or anything that NumPy can read, as a variable.

    Args:
        name: What messages call it.
        a: A variable or an array of any type, whose type stays; or nested
            lists, a range, an object of pandas and the like.
        like: An array of whose type and device the latter becomes; float64 if
            there is none.

    Raises:
        TypeError: If it is not real numbers.
        ValueError: If something is masked.
    """
    return _variable_of(name, a, unmasked_array(name, a), like)


def _variable_of(name: str, a: Any, array: Any, like: Any) -> Variable:
    """Return the same, with the array that ``a`` is or has."""
    if isinstance(array, chainer.get_array_types()):
        if isinstance(array, np.ndarray) and not isinstance(a, Variable):
            # No subclass of NumPy's arrays, in the machine's byte order.
            return as_variable(
                np.asarray(array, array.dtype.newbyteorder("="))
            )
        return as_variable(a)
    array = as_array(name, array)
    if like is None:
        return as_variable(array.astype(np.float64))
    device = chainer.backend.get_device_from_array(like)
    return as_variable(device.send(array.astype(like.dtype.newbyteorder("="))))


def _first_array(*arguments: Any) -> Any:
    """Return the first array of floats of arguments or of lists of them."""
    for argument in arguments:
        some = argument if isinstance(argument, (list, tuple)) else [argument]
        for a in map(array_of, some):
            is_array = isinstance(a, chainer.get_array_types())
            if is_array and a.dtype.kind == "f":
                return a
    return None


def _as_padded(
    name: str, a: Any, like: Any, length: Any
) -> tuple[Variable, Any]:
    """Return series as one variable, and the lengths of those of a list."""
    array = unmasked_array(name, a)
    listed = _listed(name, array)
    if listed is None:
        return _variable_of(name, a, array, like), None
    if length is not None:
        raise ValueError(f"{name}_length does not go with a list of series")
    series = [
        as_one_variable(f"{name}[{i}]", s, like) for i, s in enumerate(listed)
    ]
    check_list(name, series, one_dtype=True)
    padded = F.pad_sequence(series)
    if padded.ndim == 2:
        padded = F.expand_dims(padded, 2)
    return padded, np.array([len(s) for s in series], dtype=np.int64)


def _one_pair(series: Variable) -> Variable:
    """Return a series ``(length,)`` or ``(length, d)`` as a batch of one."""
    if series.ndim == 1:
        series = F.expand_dims(series, 1)
    return F.expand_dims(series, 0)


def check_list(name: str, series: list, *, one_dtype: bool = False) -> None:
    """Raise ``ValueError`` unless a list holds series that fit each other.

    These are not empty and have the same number of features; with
    ``one_dtype``, they also have the same type.
    """
    if not series:
        raise ValueError(f"{name} must not be an empty list")
    for i, s in enumerate(series):
        check_series(f"{name}[{i}]", s)
    first = series[0]
    for i, s in enumerate(series):
        fits = s.shape[1:] == first.shape[1:]
        if one_dtype and not (fits and s.dtype == first.dtype):
            raise ValueError(
                f"the series of {name} must agree in features and dtype: "
                f"{name}[0] has shape {first.shape} and {first.dtype}, "
                f"{name}[{i}] has {s.shape} and {s.dtype}"
            )
        if not fits:
            raise ValueError(
                f"the series of {name} must agree in features: {name}[0] "
                f"has shape {first.shape}, {name}[{i}] has {s.shape}"
            )


def check_series(name: str, series: Any) -> None:
    """Raise ``ValueError`` unless this is a series that is not empty."""
    if series.ndim not in (1, 2) or 0 in series.shape:
        raise ValueError(
            f"{name} must be a series of shape (length, features) or "
            f"(length,), not empty; got shape {series.shape}"
        )
