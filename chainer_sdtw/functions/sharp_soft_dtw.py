"""Sharp soft-DTW of two batches of series."""

from __future__ import annotations

from chainer_sdtw._engine.losses import compute, public_loss
from chainer_sdtw._engine.types import (
    Cost,
    Counts,
    Mask,
    Reduce,
    Series,
    Variable,
)
from sdtw_cpu.types import Real


@public_loss
def sharp_soft_dtw(
    x: Series,
    y: Series,
    gamma: Real = 1.0,
    *,
    cost: Cost = "sqeuclidean",
    bandwidth: Counts | None = None,
    mask: Mask | None = None,
    x_length: Counts | None = None,
    y_length: Counts | None = None,
    reduce: Reduce = "mean",
) -> Variable:
    """Sharp soft-DTW between batches of time series.

    For each pair of series the value is :math:`\\langle E, C \\rangle`, the
    expected cost of an alignment: :math:`C` is the matrix of costs, and
    :math:`E` the expected alignment, which is the gradient of
    :func:`~chainer_sdtw.soft_dtw` with respect to :math:`C`. That is soft-DTW
    without its entropy: never negative, above DTW, and for :math:`\\gamma =
    0` the same as DTW.

    The value comes out of one sweep, as the tangent of soft-DTW along the
    cost, and the gradient out of another one back.

    See: M. Blondel, A. Mensch and J.-P. Vert, `Differentiable Divergences
    Between Time Series <https://arxiv.org/abs/2010.08354>`_, AISTATS 2021.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of them):
            The first series of each pair, ``(B, m, d)`` or another form that
            :func:`~chainer_sdtw.soft_dtw` takes.
        y (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of them):
            The second series of each pair, ``(B, n, d)`` and so on, of the
            same type: float16 (computed in float32), float32 or float64.
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

        >>> x = np.array([[0, 1, 2]], np.float64)[:, :, None]
        >>> y = np.array([[0, 0, 1, 2]], np.float64)[:, :, None]
        >>> float(chainer_sdtw.sharp_soft_dtw(x, y, gamma=0).array)
        0.0
        >>> round(float(chainer_sdtw.sharp_soft_dtw(x, y).array), 3)
        1.163

    """
    return compute(
        "sharp_soft_dtw",
        x,
        y,
        gamma,
        cost=cost,
        bandwidth=bandwidth,
        mask=mask,
        x_length=x_length,
        y_length=y_length,
        reduce=reduce,
    )
