"""Soft-DTW in Chainer's own functions: slow, differentiable to any order.

What the sweeps do not differentiate is written here once more, as a graph:
the recursion in log space, one antidiagonal of the table at a time. A node
whose gradient is that of such a graph is a :class:`Composed`.
"""

from __future__ import annotations

from typing import Any

import chainer
import numpy as np
from chainer import FunctionNode
from chainer import functions as F
from chainer.backend import get_array_module

from chainer_sdtw._engine.types import Variable


class Composed(FunctionNode):
    """A node whose gradient is that of its expression in a graph."""

    def expression(self, inputs: list) -> list:
        """The outputs as variables, None for what is constant."""
        raise TypeError(f"{type(self).__name__} has no expression")

    def backward(
        self, target_input_indexes: tuple, grad_outputs: tuple
    ) -> tuple:
        twice = chainer.config.enable_backprop
        with chainer.force_backprop_mode(), np.errstate(all="ignore"):
            # New variables, as one input may depend on another.
            inputs = [
                F.identity(v) if v.requires_grad else Variable(v.array)
                for v in self.get_retained_inputs()
            ]
            pairs = [
                (y, g)
                for y, g in zip(self.expression(inputs), grad_outputs)
                if y is not None and g is not None
            ]
            grads = chainer.grad(
                [y for y, _ in pairs],
                [inputs[i] for i in target_input_indexes],
                [g for _, g in pairs],
                enable_double_backprop=twice,
            )
        return tuple(grads)


def soft_dtw(
    cost: Any,
    gamma: float,
    x_length: Any = None,
    y_length: Any = None,
    band: np.ndarray | None = None,
) -> Variable:
    """Soft-DTW of cost matrices ``(B, m, n)``, one value per matrix.

    Means the same as :func:`sdtw_cpu.value_from_cost`; ``gamma`` 0 gives the
    derivatives of one optimal alignment.
    """
    xp = get_array_module(cost.array)
    size, m, n = cost.shape
    rows = within(xp, x_length, m)
    columns = within(xp, y_length, n)
    allowed = (cost.array != np.inf) & rows[:, :, None] & columns[:, None]
    if band is not None:
        allowed &= xp.asarray(inside(band, n))
    cost = F.where(allowed, cost, xp.zeros_like(cost.array))
    cost = F.separate(_skewed(cost), axis=2)
    allowed = _skewed(Variable(allowed.astype(np.int8))).array > 0

    # Rows are shifted by one: the first entry lies above the table.
    border = xp.zeros((size, 1), cost[0].dtype)
    nothing = xp.zeros((size, 1), dtype=bool)
    r1: Any = Variable(xp.zeros((size, m + 1), cost[0].dtype))
    r2 = r1
    ok1 = xp.zeros((size, m + 1), dtype=bool)
    ok2 = ok1.copy()
    ok2[:, 0] = True
    diagonals, reached = [], []
    for k, c in enumerate(cost):
        # Diagonal, above, left.
        before = F.stack([r2[:, :-1], r1[:, :-1], r1[:, 1:]])
        usable = xp.stack([ok2[:, :-1], ok1[:, :-1], ok1[:, 1:]])
        r = c + _softmin(xp, before, usable, gamma)
        ok = allowed[:, :, k] & usable.any(axis=0)
        diagonals.append(r)
        reached.append(ok)
        r2, r1 = r1, F.concat([border, r])
        ok2, ok1 = ok1, xp.concatenate([nothing, ok], axis=1)

    i = xp.asarray(m if x_length is None else x_length).reshape(-1, 1, 1) - 1
    j = xp.asarray(n if y_length is None else y_length).reshape(-1, 1, 1) - 1
    k = xp.arange(m + n - 1)[:, None]
    last = (xp.arange(m) == i) & (k == i + j)
    last = xp.broadcast_to(last, (size, m + n - 1, m))
    r = F.stack(diagonals, axis=1)
    value = F.sum(F.where(last, r, xp.zeros_like(r.array)), axis=(1, 2))
    has_path = (xp.stack(reached, axis=1) & last).any(axis=(1, 2))
    return F.where(has_path, value, xp.full_like(value.array, np.inf))


def inside(band: np.ndarray, n: int) -> np.ndarray:
    """Return the cells ``(B, m, n)`` of a band of :mod:`sdtw_cpu`."""
    j = np.arange(n)
    return (band[..., :1] <= j) & (j < band[..., 1:])


def within(xp: Any, length: Any, longest: int) -> Any:
    """Return which elements ``(B, longest)`` of padded series are valid."""
    if length is None:
        return xp.ones((1, longest), dtype=bool)
    return xp.arange(longest) < xp.asarray(length)[:, None]


def without_padding(a: Variable, length: Any) -> Variable:
    """Series with copies of their first elements in the place of padding.

    The copies have no gradient. A cost has a finite gradient for them wherever
    it has one for the series. With zeros in their place it might not (the
    cosine cost has none), and zero times NaN would be NaN.
    """
    if length is None:
        return a
    array: Any = a.array
    xp = get_array_module(array)
    valid = within(xp, length, a.shape[1])[:, :, None]
    valid = xp.broadcast_to(valid, a.shape)
    first = xp.broadcast_to(array[:, :1], a.shape)
    return F.where(valid, a, first)


def _skewed(a: Variable) -> Any:
    """Cell (i, j) of ``(B, m, n)`` at (i, i + j) of ``(B, m, m + n - 1)``."""
    xp = get_array_module(a.array)
    size, m, n = a.shape
    wide = F.concat([a, xp.zeros((size, m, m), a.dtype)], axis=2)
    flat = F.reshape(wide, (size, m * (m + n)))[:, :-m]
    return F.reshape(flat, (size, m, m + n - 1))


def _softmin(xp: Any, before: Variable, usable: Any, gamma: float) -> Variable:
    """Return the soft minimum of usable elements of axis 0; 0 of none."""
    zeros = xp.zeros_like(before.array)
    known = xp.where(usable, before.array, xp.inf)
    if gamma == 0:
        first = xp.arange(3)[:, None, None] == known.argmin(axis=0)
        return F.sum(F.where(first & usable, before, zeros), axis=0)
    least = known.min(axis=0)
    least[xp.isinf(least)] = 0
    gap = F.where(usable, before - least, zeros)
    mass = F.where(usable, F.exp(gap * (-1 / gamma)), zeros)
    # No more than a sum: log(1) where there is nothing.
    total = F.sum(mass, axis=0) + (~usable.any(axis=0)).astype(zeros.dtype)
    return F.log(total) * -gamma + least
