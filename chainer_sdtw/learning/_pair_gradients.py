"""Losses of pairs of series, and their gradients."""

from __future__ import annotations

from typing import Any, Callable, Literal

import chainer
import numpy as np
from chainer.backends import cuda

from chainer_sdtw._engine.bound_problem import BoundProblem
from chainer_sdtw._engine.losses import Loss, paired
from chainer_sdtw._engine.problem import Problem
from chainer_sdtw._engine.types import Variable


class PairGradients:
    """Losses of pairs of series, a divergence less no terms.

    Args:
        loss: The loss. The gradient with respect to the second series of a
            pair is computed for a divergence of a caller's cost alone, which
            need not be symmetric.
    """

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        # What the sweeps are told; False if they do not compute it alone.
        self._problem: Problem | Literal[False] | None = None

    def __call__(self, x: Any, y: Any, y_length: Any) -> tuple:
        """Compare pairs of the same lengths in every call.

        Args:
            x: ``(B, m, d)``.
            y: ``(B, n, d)``, zero beyond the lengths.
            y_length: ``(B,)``, None where all are ``n``.

        Returns:
            Losses ``(B,)`` in float64 on the host, their gradients with
            respect to ``x``, and with respect to ``y`` or None.
        """
        if self._problem is None:
            bound = self._loss.problem(paired(x, y, None, y_length))
            by_sweeps = bound.fused and self._loss.kind.value in _SWEEPS
            self._problem = bound.problem if by_sweeps else False
        if self._problem:
            sweep = _SWEEPS[self._loss.kind.value]
            (values, gx), gy = sweep(self._problem, (x, y)), None
        else:
            values, gx, gy = self._by_graph(x, y, y_length)
        return as_float64(values), gx, gy

    def with_themselves(self, x: Any) -> tuple:
        """Compare series ``(B, m, d)`` with themselves.

        Returns:
            Losses ``(B,)`` and the gradients of these.
        """
        values, gx, gy = self(x, x, np.full(len(x), x.shape[1]))
        return values, gx + (gx if gy is None else gy)

    def _by_graph(self, x: Any, y: Any, y_length: Any) -> tuple:
        """The loss of the pairs and its gradients, by a graph of Chainer."""
        # A caller's cost need not be symmetric: see where it is used.
        needs_gy = self._loss.kind.is_divergence and callable(self._loss.cost)
        x, y = Variable(x), Variable(y, requires_grad=needs_gy)
        with chainer.using_config("enable_backprop", True):
            value: Any = self._loss.between(paired(x, y, None, y_length))
            value.grad = value.xp.ones_like(value.array)
            value.backward()
        return value.array, x.grad, y.grad


def _sweep_values(problem: Problem, arrays: tuple) -> tuple:
    """Soft-DTW of the pairs, and its gradient with respect to the first."""
    value, tape = problem.value(arrays, True)
    (gx,) = problem.adjoint(arrays, tape, indexes=(0,))
    return value, gx


def _sweep_expected_costs(problem: Problem, arrays: tuple) -> tuple:
    """Expected costs of the pairs, and the same gradient of them."""
    _, value, tape = problem.tangent(arrays, "cost", True)
    (gx,) = problem.adjoint_tangent(arrays, tape, indexes=(0,))
    return value, gx


# What is computed without a graph if the sweeps compute the costs.
_SWEEPS: dict[Callable, Callable[[Problem, tuple], tuple]] = {
    BoundProblem.values: _sweep_values,
    BoundProblem.expected_costs: _sweep_expected_costs,
}


def as_float64(a: Any) -> np.ndarray:
    """Return an array of any device in float64 on the host."""
    return cuda.to_cpu(a).astype(np.float64)
