"""How far from the diagonal optimal alignments are."""

from __future__ import annotations

import chainer

from chainer_sdtw._engine.bound_problem import bind_series
from chainer_sdtw._engine.series import as_pairs, check_reduce
from chainer_sdtw._engine.types import (
    Cost,
    Counts,
    Mask,
    Reduce,
    Series,
    Variable,
)
from chainer_sdtw.functions.dilate_loss import distance_from_diagonal


def temporal_distortion_index(
    x: Series,
    y: Series,
    *,
    cost: Cost = "sqeuclidean",
    bandwidth: Counts | None = None,
    mask: Mask | None = None,
    x_length: Counts | None = None,
    y_length: Counts | None = None,
    reduce: Reduce = "mean",
) -> Variable:
    """Temporal distortion index between batches of time series.

    For each pair of series :math:`\\langle A, \\Omega \\rangle`, where
    :math:`A` is one optimal alignment, that of DTW, and :math:`\\Omega` the
    penalty of :func:`~chainer_sdtw.dilate_loss`: for series of one length
    :math:`N` the sum of :math:`(i - j)^2 / N^2` over the cells of the
    alignment. It is a metric to report, without a gradient: 0 if the
    alignment is the diagonal.

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
        >>> float(chainer_sdtw.temporal_distortion_index(x, y).array)
        0.16

    """
    check_reduce(reduce)
    label = "temporal_distortion_index"
    with chainer.no_backprop_mode():
        pairs = as_pairs(label, x, y, x_length, y_length)
        bound = bind_series(label, pairs, 0.0, cost, bandwidth, mask)
        _, time = bound.tangents(distance_from_diagonal(pairs))
        return pairs.finished(time, reduce)
