"""Soft-DTW of two batches of series."""

from __future__ import annotations

from typing import Any

import numpy as np
from chainer import Variable, as_variable
from chainer import functions as F
from chainer.utils import type_check

import sdtw_cpu
from chainer_sdtw.functions import _node


class SoftDTW(_node.SoftDTWNode):
    """Soft-DTW under the squared Euclidean cost, one value per pair."""

    label = "soft_dtw"

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

    def _sweep(
        self, sweeps: Any, arrays: tuple, lengths: dict, tape: bool
    ) -> Any:
        return sweeps.value(*arrays, self.gamma, tape=tape, **lengths)


def soft_dtw(
    x: Any,
    y: Any,
    gamma: float = 1.0,
    *,
    x_length: Any = None,
    y_length: Any = None,
    reduce: str = "mean",
) -> Variable:
    """Soft-DTW between batches of time series.

    For each pair of series the value is
    :math:`-\\gamma \\log \\sum_A \\exp(-\\langle A, C \\rangle / \\gamma)`
    over all monotonic alignments :math:`A` of the two, with the cost
    :math:`C_{ij} = \\|x_i - y_j\\|^2`; for :math:`\\gamma = 0` it is the
    least :math:`\\langle A, C \\rangle`, which is DTW. Unlike a distance it
    can be negative, and it is least near, not at, :math:`x = y`.

    The gradient is that of the value with respect to ``x`` and ``y``, for
    whichever of them requires it; for :math:`\\gamma = 0` it is that of one
    optimal alignment.

    See: M. Cuturi and M. Blondel, `Soft-DTW: a Differentiable Loss Function
    for Time-Series <https://arxiv.org/abs/1703.01541>`_, ICML 2017, equation
    2 and Algorithms 1 and 2.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of them):
            The first series of each pair. Arrays have the shape

            - ``(B, m, d)``: :math:`B` series of length :math:`m` with
              :math:`d` features;
            - ``(m, d)`` or ``(m,)``: one series;
            - ``(B, m)``: :math:`B` univariate series.

            Arrays with two axes are read as whichever of the two fits:
            univariate series if ``x`` and ``y`` agree in the first axis (or
            lengths are given), one pair if they agree in the last. If they
            agree in both, add an axis to say which: ``x[:, :, None]`` or
            ``x[None]``.

            A list holds series of shape ``(length, d)`` or ``(length,)``.
        y (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of them):
            The second series of each pair, ``(B, n, d)`` and so on, of the
            same type: float16 (computed in float32), float32 or float64.
        gamma (float): Smoothing, >= 0, in units of the cost.
        x_length (:ref:`ndarray`): ``(B,)`` integers, the valid length of each
            padded series in ``x``; not with lists. What lies beyond is
            ignored and has gradient zero.
        y_length (:ref:`ndarray`): The same for ``y``.
        reduce (str): ``'mean'`` or ``'sum'`` over the batch, or ``'no'``.

    Returns:
        ~chainer.Variable: A scalar; with ``reduce='no'`` of shape ``(B,)``,
        or ``()`` for one pair without a batch axis. The value of a pair with
        a NaN or an infinity is NaN.

    Raises:
        chainer.utils.type_check.InvalidType: If types or shapes do not fit.
        ValueError: If the shapes fit two readings, or ``gamma``, a length or
            ``reduce`` is out of range.

    .. admonition:: Example

        >>> x = np.array([[0, 1, 2], [0, 0, 1]], np.float32)[:, :, None]
        >>> y = np.array([[0, 1, 1, 2], [1, 1, 1, 1]], np.float32)[:, :, None]
        >>> chainer_sdtw.soft_dtw(x, y, gamma=0, reduce='no').array
        array([0., 2.], dtype=float32)

    """
    _node.check_reduce(reduce)
    gamma = sdtw_cpu.check_gamma(gamma)
    x_length = _node.length_array(x_length)
    y_length = _node.length_array(y_length)
    x, x_length = _as_padded("x", x, x_length)
    y, y_length = _as_padded("y", y, y_length)
    batched = not _is_one_pair(x, y, x_length, y_length)
    if not batched:
        x, y = F.expand_dims(x, 0), F.expand_dims(y, 0)
    if x.ndim == y.ndim == 2:
        x, y = F.expand_dims(x, 2), F.expand_dims(y, 2)
    node = SoftDTW(gamma, x_length, y_length, _node.needs_tape(x, y))
    return _node.reduced(node.apply((x, y))[0], reduce, batched)


def _as_padded(name: str, a: Any, length: Any) -> tuple[Variable, Any]:
    """One padded variable and the lengths that go with it."""
    if not isinstance(a, (list, tuple)):
        return as_variable(a), length
    if length is not None:
        raise ValueError(f"{name}_length does not go with a list of series")
    series = [as_variable(s) for s in a]
    if not series:
        raise ValueError(f"{name} must not be an empty list")
    first = series[0]
    for i, s in enumerate(series):
        if s.ndim not in (1, 2) or 0 in s.shape:
            raise ValueError(
                f"{name}[{i}] must be a series of shape (length, features) "
                f"or (length,), not empty; got shape {s.shape}"
            )
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
