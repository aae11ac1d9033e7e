"""A loss between series whose smoothing goes into snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, cast

import numpy as np
from chainer import backend
from chainer.link import Link

import sdtw_cpu
from chainer_sdtw import functions
from chainer_sdtw._engine.costs import check_cost
from chainer_sdtw._engine.losses import find_kind, kind_of
from chainer_sdtw._engine.series import check_reduce
from chainer_sdtw._engine.types import (
    Cost,
    LossFunction,
    LossSpec,
    Series,
    Variable,
)
from chainer_sdtw.functions.cost_matrix import cost_matrix
from chainer_sdtw.functions.diagonal_prior import check_nu, diagonal_prior
from chainer_sdtw.functions.soft_alignment import soft_alignment
from chainer_sdtw.functions.soft_dtw import soft_dtw
from sdtw_cpu.checks import as_nonnegative
from sdtw_cpu.types import Real


class SoftDTWLoss(Link):
    """A loss between series, with its smoothing and other options.

    A link without parameters. Its ``gamma`` and the weight of its diagonal
    prior are persistent values, which :mod:`chainer.serializers` save: a
    training that changes them (by
    :class:`~chainer_sdtw.training.AttributeShift`) and is interrupted goes on
    with the values that it had. Set both by assignment.

    Unless the weight is 0, the weight times
    :func:`~chainer_sdtw.diagonal_prior` is added to the costs, of which a
    matrix is made.

    Args:
        gamma (float): Smoothing, >= 0, in units of the cost.
        loss (str or callable): The name of a loss in the :ref:`table of
            losses <loss-names>`, its function, or another function of ``x``,
            ``y`` and the keyword ``gamma``, and of ``cost`` for the prior,
            such as :func:`~chainer_sdtw.dilate_loss`.
        prior (float): Weight of the diagonal prior, >= 0, in units of the
            cost.
        nu (float): Square of the prior's width, in steps.
        options: Keyword arguments for the loss, such as ``cost``,
            ``bandwidth`` or ``reduce``.

    Attributes:
        gamma (float): Smoothing.
        prior (float): Weight of the diagonal prior.
        loss (callable): The function.
        nu (float): Square of the prior's width.
        options (dict): Keyword arguments for the loss.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If there is no such loss, ``cost`` or ``reduce``, or a
            number is out of range.

    .. admonition:: Example

        >>> x = np.array([[0, 1, 2]], np.float32)[:, :, None]
        >>> y = np.array([[0, 1, 1, 2]], np.float32)[:, :, None]
        >>> loss = chainer_sdtw.links.SoftDTWLoss(gamma=0)
        >>> float(loss(x, y).array)
        0.0
        >>> loss.gamma = 1
        >>> float(loss(x, y).array) < 0
        True

    """

    gamma: float
    prior: float
    loss: LossFunction
    nu: float
    options: dict[str, object]

    def __init__(
        self,
        gamma: Real = 1.0,
        loss: LossSpec = soft_dtw,
        *,
        prior: Real = 0.0,
        nu: Real = 1e3,
        **options: object,
    ) -> None:
        super().__init__()
        # Assigning makes them floats, and a function.
        self.gamma = cast(float, gamma)
        self.prior = cast(float, prior)
        self.register_persistent("gamma")
        self.register_persistent("prior")
        self.loss = cast(LossFunction, loss)
        self.nu = cast(float, nu)
        self.options = options
        if any(self.loss is getattr(functions, f) for f in functions.__all__):
            # Of another function, what its options mean is not known.
            if "cost" in options:
                check_cost(options["cost"])
            if "reduce" in options:
                check_reduce(options["reduce"])

    def __setattr__(self, name: str, value: Any) -> None:
        # Snapshots are loaded into numbers of Python without fail.
        if name == "gamma":
            value = sdtw_cpu.check_gamma(value)
        elif name == "prior":
            value = as_nonnegative("prior", value)
        elif name == "nu":
            value = check_nu(value)
        elif name == "loss":
            kind = find_kind(value) if callable(value) else kind_of(value)
            if kind is not None:
                value = kind.function
            self._has_gamma = kind is None or kind.gamma is None
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return str(self)

    @property
    def printable_specs(self) -> Iterator[tuple[str, object]]:
        yield "gamma", self.gamma
        yield "loss", getattr(self.loss, "__name__", self.loss)
        if self.prior:
            yield "prior", self.prior
            yield "nu", self.nu
        yield from self.options.items()

    def forward(self, x: Series, y: Series, **options: object) -> Variable:
        """The loss.

        Args:
            x (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of \
                them): The first series of each pair, ``(B, m, d)`` or
                another form that :func:`~chainer_sdtw.soft_dtw` takes.
            y (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of \
                them): The second series of each pair.
            options: More keyword arguments for the loss, such as
                ``x_length``; they take precedence.

        Returns:
            ~chainer.Variable: What the loss returns.

        """
        options = self._with_prior({**self.options, **options})
        if self._has_gamma:
            options["gamma"] = self.gamma
        return cast(Variable, self.loss(x, y, **options))

    if TYPE_CHECKING:
        # Chainer's takes and returns anything, as it does not know forward().
        def __call__(
            self, x: Series, y: Series, **options: object
        ) -> Variable: ...

    def alignment(self, x: Series, y: Series, **options: object) -> Variable:
        """The expected alignments for the current smoothing and prior.

        Args:
            x (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of \
                them): The first series of each pair.
            y (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of \
                them): The second series of each pair.
            options: More keyword arguments, such as ``x_length``.

        Returns:
            ~chainer.Variable: See :func:`~chainer_sdtw.soft_alignment`.

        """
        options = self._with_prior({**self.options, **options})
        known: dict[str, Any] = {
            k: v for k, v in options.items() if k in _OF_ALIGNMENTS
        }
        kind = find_kind(self.loss)
        gamma = self.gamma if kind is None else kind.smoothing(self.gamma)
        return soft_alignment(x, y, gamma, **known)

    def _with_prior(self, options: dict) -> dict:
        if self.prior == 0:
            return options
        cost = options.get("cost", "sqeuclidean")
        return {**options, "cost": _Penalized(cost, self.prior, self.nu)}


_OF_ALIGNMENTS = ("cost", "bandwidth", "mask", "x_length", "y_length")


class _Penalized:
    """A cost plus a diagonal prior."""

    def __init__(self, cost: Cost, weight: float, nu: float) -> None:
        self.cost = cost
        self.weight = weight
        self.nu = nu

    def for_lengths(self, x_length: Any, y_length: Any) -> Callable:
        return partial(self, x_length=x_length, y_length=y_length)

    def __call__(
        self, x: Variable, y: Variable, *, x_length: Any, y_length: Any
    ) -> Variable:
        prior = diagonal_prior(
            x.shape[1],
            y.shape[1],
            self.nu,
            x_length=x_length,
            y_length=y_length,
        )
        xp = backend.get_array_module(x.array)
        with np.errstate(over="ignore"):  # an infinite one forbids a cell
            penalty = (self.weight * xp.asarray(prior)).astype(x.dtype)
        return cost_matrix(x, y, self.cost) + penalty
