"""Soft-DTW of a batch of cost matrices."""

from __future__ import annotations

from typing import Any

from chainer import functions as F
from chainer.utils import type_check

import sdtw_cpu
from chainer_sdtw._engine import series
from chainer_sdtw._engine.bound_problem import bind_costs
from chainer_sdtw._engine.types import (
    ArrayLike,
    Counts,
    Mask,
    Reduce,
    Variable,
)
from sdtw_cpu.types import Real


def soft_dtw_from_cost(
    cost: ArrayLike,
    gamma: Real = 1.0,
    *,
    bandwidth: Counts | None = None,
    mask: Mask | None = None,
    x_length: Counts | None = None,
    y_length: Counts | None = None,
    reduce: Reduce = "mean",
) -> Variable:
    """Soft-DTW of cost matrices.

    As :func:`~chainer_sdtw.soft_dtw`, for any cost :math:`C` that one can
    compute; differentiable with respect to it. The gradient is the expected
    alignment :math:`E`, the gradient of that a product with the Hessian.

    See: M. Cuturi and M. Blondel, `Soft-DTW: a Differentiable Loss Function
    for Time-Series <https://arxiv.org/abs/1703.01541>`_, ICML 2017, equation
    2 and Algorithms 1 and 2.

    Args:
        cost (:class:`~chainer.Variable` or :ref:`ndarray`): ``(B, m, n)``, or
            ``(m, n)`` for one pair; float16 (computed in float32), float32 or
            float64. ``+inf`` forbids a cell.
        gamma (float): Smoothing, >= 0, in units of the cost.
        bandwidth (int or :ref:`ndarray`): The radius of Sakoe and Chiba's
            band, as for :func:`~chainer_sdtw.soft_dtw`.
        mask (:ref:`ndarray`): ``(m, n)`` or ``(B, m, n)`` booleans, true for
            the cells that alignments may use.
        x_length (:ref:`ndarray`): ``(B,)`` integers, the number of valid rows
            of each matrix. What lies beyond is ignored and has gradient zero.
        y_length (:ref:`ndarray`): The same for columns.
        reduce (str): ``'mean'`` or ``'sum'`` over the batch, or ``'no'``.

    Returns:
        ~chainer.Variable: A scalar; with ``reduce='no'`` of shape ``(B,)``,
        or ``()`` for one matrix. The value is ``inf``, and the gradient zero,
        where forbidden cells leave no path; NaN where a matrix has a NaN or
        ``-inf``.

    Raises:
        chainer.utils.type_check.InvalidType: If the type or shape is wrong.
        TypeError: If ``bandwidth`` or a length is not made of integers.
        ValueError: If any other argument is out of range.

    .. admonition:: Example

        >>> cost = np.array([[[0., 1.], [1., 0.]]])
        >>> chainer_sdtw.soft_dtw_from_cost(cost, gamma=0).array
        array(0.)

    """
    label = "soft_dtw_from_cost"
    series.check_reduce(reduce)
    gamma = sdtw_cpu.check_gamma(gamma)
    matrices = series.as_one_variable("cost", cost)
    batched = matrices.ndim != 2
    if not batched:
        matrices = F.expand_dims(matrices, 0)
    CostArguments(label).check(matrices)
    size, m, n = matrices.shape
    x_length, y_length = (
        series.checked_lengths(name, given, (size, longest), batched)
        for name, given, longest in (
            ("x_length", x_length, m),
            ("y_length", y_length, n),
        )
    )
    bound = bind_costs(
        label,
        series.computable(matrices),
        gamma,
        bandwidth,
        mask,
        x_length,
        y_length,
    )
    value = bound.values(reduce)
    return series.finished(value, "no", batched, matrices.dtype)


class CostArguments(series.Arguments):
    """A batch of cost matrices."""

    def check_type_forward(self, in_types: Any) -> None:
        type_check._argname(in_types, ("cost",))
        (cost_type,) = in_types
        type_check.expect(
            cost_type.dtype.kind == "f",
            cost_type.ndim == 3,
        )
        type_check.expect(
            cost_type.shape[0] > 0,
            cost_type.shape[1] > 0,
            cost_type.shape[2] > 0,
        )
