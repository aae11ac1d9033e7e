"""The losses by their public names, and how they are computed.

A loss that can be computed of a set of series has one line in ``LOSSES``. Its
public function, and all that takes a ``loss=``, computes it by that line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, TypeVar

import chainer
import numpy as np
from chainer import as_variable
from chainer.backends import cuda

import sdtw_cpu
from chainer_sdtw._engine import costs
from chainer_sdtw._engine.bound_problem import BoundProblem, bind_series
from chainer_sdtw._engine.series import Pairs, array_of, as_pairs, check_reduce
from chainer_sdtw._engine.types import (
    Counts,
    LossFunction,
    Mask,
    Variable,
)
from sdtw_cpu.checks import as_array, as_integer

Function = TypeVar("Function", bound=LossFunction)

_EQUAL_SHARES = 1e285
"""Smoothing under which all alignments weigh the same.

Those whose costs differ by 1e269 do so up to 1e-16.
"""


@dataclass(frozen=True)
class LossKind:
    """A loss by its public name.

    Args:
        name: The name of its public function.
        value: Computes it of a problem and reduces it; of a divergence the
            loss that it is made of.
        divergence: The name of the divergence that belongs to it, its own
            name for a divergence; None if there is none.
        alias: Another name that ``loss=`` takes.
        gamma: The smoothing of a loss that has none to choose.
        signed: Whether it can be negative although no cost is.
    """

    name: str
    value: Callable[[BoundProblem, str], Variable]
    divergence: str | None = None
    alias: str | None = None
    gamma: float | None = None
    signed: bool = False

    @property
    def is_divergence(self) -> bool:
        """Whether terms of series with themselves are taken off."""
        return self.divergence == self.name

    @property
    def function(self) -> LossFunction:
        """The public function."""
        return _FUNCTIONS[self.name]

    def smoothing(self, gamma: Any) -> float:
        """Check the smoothing; return the loss' own one if it has one."""
        gamma = sdtw_cpu.check_gamma(gamma)
        return gamma if self.gamma is None else self.gamma


LOSSES: dict[str, LossKind] = {
    kind.name: kind
    for kind in (
        LossKind(
            name="soft_dtw",
            value=BoundProblem.values,
            divergence="soft_dtw_divergence",
            signed=True,
        ),
        LossKind(
            name="soft_dtw_divergence",
            value=BoundProblem.values,
            divergence="soft_dtw_divergence",
            alias="divergence",
        ),
        LossKind(
            name="sharp_soft_dtw",
            value=BoundProblem.expected_costs,
            divergence="sharp_soft_dtw_divergence",
            alias="sharp",
        ),
        LossKind(
            name="sharp_soft_dtw_divergence",
            value=BoundProblem.expected_costs,
            divergence="sharp_soft_dtw_divergence",
            alias="sharp_divergence",
        ),
        LossKind(
            name="mean_cost",
            value=BoundProblem.expected_costs,
            divergence="mean_cost_divergence",
            gamma=_EQUAL_SHARES,
        ),
        LossKind(
            name="mean_cost_divergence",
            value=BoundProblem.expected_costs,
            divergence="mean_cost_divergence",
            gamma=_EQUAL_SHARES,
        ),
    )
}
_FUNCTIONS: dict[str, LossFunction] = {}


def public_loss(function: Function) -> Function:
    """Decorate the public function of the loss that has its name."""
    _FUNCTIONS[function.__name__] = function
    return function


def find_kind(loss: Any) -> LossKind | None:
    """Return the same as :func:`kind_of`, or None for all others."""
    for kind in LOSSES.values():
        if loss is kind.function or (
            isinstance(loss, str) and loss in (kind.name, kind.alias)
        ):
            return kind
    return None


def kind_of(loss: Any) -> LossKind:
    """Return the loss of a public name, an alias or a public function.

    Raises:
        TypeError: If it is neither a name nor a function.
        ValueError: If there is no such loss.
    """
    kind = find_kind(loss)
    if kind is not None:
        return kind
    names = ", ".join(map(repr, LOSSES))
    message = (
        f"loss must be one of {names} or the function of that name, got "
        f"{loss!r}"
    )
    if isinstance(loss, str) or callable(loss):
        raise ValueError(message)
    raise TypeError(message)


class Loss(NamedTuple):
    """A loss with its options."""

    kind: LossKind
    gamma: float  # checked
    cost: Any = "sqeuclidean"  # a name or a function
    bandwidth: Counts | None = None  # None for no band
    mask: Mask | None = None

    @property
    def divergence(self) -> Loss:
        """The divergence that belongs to it, itself if there is none."""
        if self.kind.divergence is None or self.kind.is_divergence:
            return self
        return self._replace(kind=LOSSES[self.kind.divergence])

    def between(self, pairs: Pairs, reduce: str = "no") -> Variable:
        """Return the loss ``(B,)`` of pairs, a divergence less no terms.

        Or the mean or the sum of it.
        """
        return self.kind.value(self.problem(pairs), reduce)

    def self_terms(self, pairs: Pairs) -> Variable:
        """Return the same of the first series of each pair with itself."""
        problem = self.problem(pairs.of_x(), symmetric=True)
        return self.kind.value(problem, "no")

    def problem(
        self, pairs: Pairs, *, symmetric: bool = False
    ) -> BoundProblem:
        """Return the problem that pairs pose."""
        return bind_series(
            self.kind.name,
            pairs,
            self.gamma,
            self.cost,
            self.bandwidth,
            self.mask,
            symmetric=symmetric,
        )


def as_loss(
    loss: Any = "soft_dtw",
    gamma: Any = 1.0,
    cost: Any = "sqeuclidean",
    bandwidth: Any = None,
) -> Loss:
    """Check the loss and the options that sets of series have.

    Args:
        loss: As :func:`kind_of` takes it.
        gamma: A number; of no influence on a loss without smoothing.
        cost: As :class:`Loss` has it.
        bandwidth: An integer or None.

    Raises:
        TypeError: If an option is of a wrong type.
        ValueError: If one is unknown or out of range.
    """
    kind = kind_of(loss)
    gamma = kind.smoothing(gamma)
    costs.check_cost(cost)
    if bandwidth is not None:
        bandwidth = as_integer("bandwidth", bandwidth, 0)
    return Loss(kind, gamma, cost, bandwidth)


# Of infinite losses there is no divergence.
@np.errstate(invalid="ignore")
def less_half(value: Any, *self_terms: Any) -> Any:
    """Return a loss less half of each term of series with themselves.

    That is the divergence; of the gradients of the loss and the terms, it is
    the gradient of the divergence.
    """
    for term in self_terms:
        value = value - term / 2
    return value


def paired(
    x: Any, y: Any, x_length: Any = None, y_length: Any = None
) -> Pairs:
    """Return pairs of padded batches of series, which are not checked."""
    x, y = as_variable(x), as_variable(y)
    return Pairs(x, y, x_length, y_length, True, x.dtype)


def compute(
    name: str,
    x: Any,
    y: Any,
    gamma: Any = 1.0,
    *,
    cost: Any,
    bandwidth: Any,
    mask: Any = None,
    x_length: Any,
    y_length: Any,
    y_term: Any = None,
    reduce: Any,
) -> Variable:
    """Compute what the public function of this name returns.

    The arguments are those of the public function.
    """
    kind = LOSSES[name]
    check_reduce(reduce)
    gamma = kind.smoothing(gamma)
    pairs = as_pairs(name, x, y, x_length, y_length)
    constants = _checked_y_term(y_term, pairs)
    loss = Loss(kind, gamma, cost, bandwidth, mask)
    if not kind.is_divergence:
        return pairs.finished(loss.between(pairs, reduce))
    value = less_half(loss.between(pairs), loss.self_terms(pairs))
    if constants is not None:
        with chainer.using_device(value.device):
            constants = value.xp.asarray(constants, value.dtype)
            value = less_half(value, constants)
    elif y_term is None:
        value = less_half(value, loss.self_terms(pairs.of_y()))
    return pairs.finished(value, reduce)


def _checked_y_term(y_term: Any, pairs: Pairs) -> Any:
    """Return the values ``(B,)`` of the term of y if they are given."""
    if y_term is None or (isinstance(y_term, str) and y_term == "skip"):
        return None
    if isinstance(y_term, str):
        raise ValueError(
            f"y_term must be None, 'skip' or an array, got {y_term!r}"
        )
    values = array_of(y_term)
    if not isinstance(values, cuda.ndarray):
        values = as_array("y_term", values)
    shape = (len(pairs.x),) if pairs.batched else ()
    if values.shape != shape:
        raise ValueError(f"y_term must have shape {shape}, got {values.shape}")
    return values.reshape(-1)
