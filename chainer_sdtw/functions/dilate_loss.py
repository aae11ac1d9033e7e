"""DILATE, a loss of shape and time, of two batches of series."""

from __future__ import annotations

from typing import Any

import chainer
from chainer.backend import get_array_module

import sdtw_cpu
from chainer_sdtw._engine.bound_problem import bind_series
from chainer_sdtw._engine.series import Pairs, as_pairs, check_reduce
from chainer_sdtw._engine.types import (
    Cost,
    Counts,
    Mask,
    Reduce,
    Series,
    Variable,
)
from sdtw_cpu.checks import as_number
from sdtw_cpu.types import Real


def dilate_loss(
    x: Series,
    y: Series,
    alpha: Real = 0.5,
    gamma: Real = 0.01,
    *,
    cost: Cost = "sqeuclidean",
    bandwidth: Counts | None = None,
    mask: Mask | None = None,
    x_length: Counts | None = None,
    y_length: Counts | None = None,
    reduce: Reduce = "mean",
) -> Variable:
    """DILATE: distortion in shape and time between batches of time series.

    For each pair of series

    .. math::
        \\alpha \\, \\mathrm{sdtw}(x, y)
        + (1 - \\alpha) \\langle E, \\Omega \\rangle

    with :math:`\\mathrm{sdtw}` as in :func:`~chainer_sdtw.soft_dtw`, which
    forgives delays, and the expected alignment :math:`E` as in
    :func:`~chainer_sdtw.soft_alignment`, which tells of them: :math:`\\Omega`
    penalises cells by their distance from the diagonal,

    .. math::
        \\Omega_{ij} = \\left(\\frac{i - \\frac12}{m}
                       - \\frac{j - \\frac12}{n}\\right)^2, \\qquad
        i = 1, \\dots, m, \\quad j = 1, \\dots, n.

    For series of one length :math:`N` that is the :math:`(i - j)^2 / N^2` of
    the paper's code; for others it compares positions relative to each
    series' own length.

    Both terms come out of one sweep and their gradient out of another one
    back.

    See: V. Le Guen and N. Thome, `Shape and Time Distortion Loss for Training
    Deep Time Series Forecasting Models <https://arxiv.org/abs/1909.09020>`_,
    NeurIPS 2019.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of them):
            The first series of each pair, ``(B, m, d)`` or another form that
            :func:`~chainer_sdtw.soft_dtw` takes.
        y (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of them):
            The second series of each pair, ``(B, n, d)`` and so on, of the
            same type: float16 (computed in float32), float32 or float64.
        alpha (float): The weight of the shape, from 0 to 1; the rest is that
            of time.
        gamma (float): Smoothing, >= 0, in units of the cost.
        cost (str or callable): A cost as in
            :func:`~chainer_sdtw.cost_matrix`.
        bandwidth (int or :ref:`ndarray`): The radius of Sakoe and Chiba's
            band, or ``(B,)`` of them, as for
            :func:`~chainer_sdtw.soft_dtw`. None means no band.
        mask (:ref:`ndarray`): ``(m, n)`` or ``(B, m, n)`` booleans, true for
            the cells that alignments may use.
        x_length (:ref:`ndarray`): ``(B,)`` integers, the valid length of each
            padded series in ``x``; not with lists.
        y_length (:ref:`ndarray`): The same for ``y``.
        reduce (str): ``'mean'`` or ``'sum'`` over the batch, or ``'no'``.

    Returns:
        ~chainer.Variable: A scalar; with ``reduce='no'`` of shape ``(B,)``,
        or ``()`` for one pair without a batch axis. The value of a pair with
        a NaN or an infinity is NaN;
        ``inf`` where a mask leaves no alignment.

    Raises:
        chainer.utils.type_check.InvalidType: If types or shapes do not fit.
        TypeError: If any other argument is of a wrong type.
        ValueError: If an argument is out of range or has masked elements.

    .. admonition:: Example

        >>> x = np.array([[0, 0, 1, 0, 0]], np.float64)[:, :, None]
        >>> y = np.array([[0, 0, 0, 1, 0]], np.float64)[:, :, None]
        >>> # Hardly a distortion in shape, but one in time:
        >>> round(float(chainer_sdtw.dilate_loss(x, y, alpha=1).array), 3)
        -0.016
        >>> round(float(chainer_sdtw.dilate_loss(x, y, alpha=0).array), 3)
        0.184

    """
    check_reduce(reduce)
    alpha = as_number("alpha", alpha)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be from 0 to 1, got {alpha!r}")
    gamma = sdtw_cpu.check_gamma(gamma)
    label = "dilate_loss"
    pairs = as_pairs(label, x, y, x_length, y_length)
    bound = bind_series(label, pairs, gamma, cost, bandwidth, mask)
    shape, time = bound.tangents(distance_from_diagonal(pairs))
    # Each alone: a weight of 0 times an infinite value would be NaN.
    if alpha == 1:
        return pairs.finished(shape, reduce)
    if alpha == 0:
        return pairs.finished(time, reduce)
    return pairs.finished(alpha * shape + (1 - alpha) * time, reduce)


def distance_from_diagonal(pairs: Pairs) -> Any:
    """Return the penalties of cells, ``(B, m, n)`` or ``(1, m, n)`` for all.

    Those beyond the lengths do not mean anything.
    """
    x, y, x_length, y_length = pairs[:4]
    xp = get_array_module(x.array)

    def positions(longest: int, length: Any) -> Any:
        length = xp.asarray(longest if length is None else length)
        return (xp.arange(longest) + 0.5) / length.reshape(-1, 1)

    with chainer.using_device(x.device):
        i = positions(x.shape[1], x_length)[:, :, None]
        j = positions(y.shape[1], y_length)[:, None]
        return ((i - j) ** 2).astype(x.dtype)
