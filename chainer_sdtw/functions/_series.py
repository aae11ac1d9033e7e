"""The forms in which a loss takes series and returns values."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, NamedTuple

import numpy as np
from chainer import Variable, as_variable, config
from chainer import functions as F
from chainer.utils import type_check


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
    """Bring two batches of series, or two series, into their one form."""
    x_length, y_length = array_of(x_length), array_of(y_length)
    x, x_length = _as_padded("x", x, x_length)
    y, y_length = _as_padded("y", y, y_length)
    batched = not _is_one_pair(x, y, x_length, y_length)
    if not batched:
        x, y = F.expand_dims(x, 0), F.expand_dims(y, 0)
    if x.ndim == y.ndim == 2:
        x, y = F.expand_dims(x, 2), F.expand_dims(y, 2)
    check_types(label, _expect_series, x=x, y=y)
    dtype = x.dtype
    return Pairs(
        computable(x), computable(y), x_length, y_length, batched, dtype
    )


def computable(a: Variable) -> Variable:
    """A variable in a type that the sweeps have: float16 is widened."""
    return F.cast(a, np.float32) if a.dtype == np.float16 else a


def check_types(label: str, expect: Callable, **arguments: Variable) -> None:
    """Check arguments as a :class:`~chainer.FunctionNode` does.

    Raises:
        chainer.utils.type_check.InvalidType: If one is not as expected.
    """
    if not config.type_check:
        return
    arrays = tuple(v.array for v in arguments.values())
    try:
        with type_check.light_mode:
            expect(*type_check.get_light_types(arrays))
        return
    except type_check.InvalidType:
        pass  # once more, for a message that has the names in it
    types = type_check.get_types(arrays, "in_types", False)
    type_check._argname(types, tuple(arguments))
    with type_check.get_function_check_context(SimpleNamespace(label=label)):
        expect(*types)


def _expect_series(x_type: Any, y_type: Any) -> None:
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
    """What is in a variable; anything else as it is."""
    return a.array if isinstance(a, Variable) else a


def check_reduce(reduce: Any) -> None:
    """Raise ``ValueError`` unless ``reduce`` is a known option."""
    if reduce not in ("mean", "sum", "no"):
        raise ValueError(
            f"reduce must be 'mean', 'sum' or 'no', got {reduce!r}"
        )


def finished(
    value: Variable, reduce: str, batched: bool, dtype: np.dtype
) -> Variable:
    """Apply ``reduce``; the result for one pair has no batch axis."""
    if reduce == "mean":
        value = F.mean(value)
    elif reduce == "sum":
        value = F.sum(value)
    elif not batched:
        value = F.squeeze(value, 0)
    return value if value.dtype == dtype else F.cast(value, dtype)


def _as_padded(name: str, a: Any, length: Any) -> tuple[Variable, Any]:
    """One padded variable and the lengths that go with it."""
    if not isinstance(a, (list, tuple)):
        return as_variable(a), length
    if length is not None:
        raise ValueError(f"{name}_length does not go with a list of series")
    series = [as_variable(s) for s in a]
    check_list(name, series)
    first = series[0]
    for i, s in enumerate(series):
        if s.shape[1:] != first.shape[1:] or s.dtype != first.dtype:
            raise ValueError(
                f"the series of {name} must agree in features and dtype: "
                f"{name}[0] has shape {first.shape} and {first.dtype}, "
                f"{name}[{i}] has {s.shape} and {s.dtype}"
            )
    padded = F.pad_sequence(series)
    if padded.ndim == 2:
        padded = F.expand_dims(padded, 2)
    return padded, np.array([len(s) for s in series])


def check_list(name: str, series: list) -> None:
    """Raise ``ValueError`` unless a list holds series, none of them empty."""
    if not series:
        raise ValueError(f"{name} must not be an empty list")
    for i, s in enumerate(series):
        if s.ndim not in (1, 2) or 0 in s.shape:
            raise ValueError(
                f"{name}[{i}] must be a series of shape (length, features) "
                f"or (length,), not empty; got shape {s.shape}"
            )


def _is_one_pair(
    x: Variable, y: Variable, x_length: Any, y_length: Any
) -> bool:
    """Whether the arrays are one pair of series, without a batch axis."""
    if x.ndim == y.ndim == 1:
        return True
    if not x.ndim == y.ndim == 2:
        return False
    same_first = x.shape[0] == y.shape[0]
    same_last = x.shape[1] == y.shape[1]
    if same_first and (x_length is not None or y_length is not None):
        return False
    if same_first and same_last and x.shape != (1, 1):
        raise ValueError(
            f"x and y of shape {x.shape} can be {x.shape[0]} pairs of "
            f"univariate series or one pair with {x.shape[1]} features: give "
            "(B, m, 1) for the former, (1, m, d) for the latter"
        )
    return same_last and not same_first
