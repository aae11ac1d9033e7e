"""What the divergences share."""

from __future__ import annotations

from typing import Any, Callable

import chainer
from chainer.backends import cuda

from chainer_sdtw._engine.bound_problem import Table, series_table
from chainer_sdtw._engine.series import Pairs, array_of, check_reduce
from chainer_sdtw._engine.types import Variable
from sdtw_cpu.checks import as_array


def divergence(
    label: str,
    loss: Callable[[Table], Variable],
    pairs: Pairs,
    gamma: float,
    cost: Any,
    bandwidth: Any,
    y_term: Any,
    reduce: str,
) -> Variable:
    """A loss less half of what it is between each series and itself."""
    check_reduce(reduce)
    given = _given(y_term, pairs)

    def term(pairs: Pairs, symmetric: bool) -> Any:
        options = label, pairs, gamma, cost, bandwidth
        return loss(series_table(*options, symmetric=symmetric))

    value = term(pairs, False) - term(pairs.of_x(), True) / 2
    if given is not None:
        with chainer.using_device(value.device):
            value -= value.xp.asarray(given, value.dtype) / 2
    elif y_term is None:
        value -= term(pairs.of_y(), True) / 2
    return pairs.finished(value, reduce)


def _given(y_term: Any, pairs: Pairs) -> Any:
    """The values of the y-term, None if they do not come from outside."""
    if y_term is None or (isinstance(y_term, str) and y_term == "skip"):
        return None
    if isinstance(y_term, str):
        raise ValueError(
            f"y_term must be None, 'skip' or an array, got {y_term!r}"
        )
    given = array_of(y_term)
    if not isinstance(given, cuda.ndarray):
        given = as_array("y_term", given)
    shape = (len(pairs.x),) if pairs.batched else ()
    if given.shape != shape:
        raise ValueError(f"y_term must have shape {shape}, got {given.shape}")
    return given.reshape(-1)
