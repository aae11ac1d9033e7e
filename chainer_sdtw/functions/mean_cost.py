"""The mean cost of all alignments of two batches of series."""

from __future__ import annotations

from chainer_sdtw._engine.losses import compute, public_loss
from chainer_sdtw._engine.types import Cost, Counts, Reduce, Series, Variable


@public_loss
def mean_cost(
    x: Series,
    y: Series,
    *,
    cost: Cost = "sqeuclidean",
    bandwidth: Counts | None = None,
    x_length: Counts | None = None,
    y_length: Counts | None = None,
    reduce: Reduce = "mean",
) -> Variable:
    """Mean cost of all alignments between batches of time series.

    For each pair of series the value is the mean of :math:`\\langle A, C
    \\rangle` over all monotonic alignments :math:`A`, each of which weighs
    the same. It is what :func:`~chainer_sdtw.sharp_soft_dtw` becomes for
    :math:`\\gamma \\to \\infty`, and a linear function of the costs
    :math:`C`.

    See: M. Blondel, A. Mensch and J.-P. Vert, `Differentiable Divergences
    Between Time Series <https://arxiv.org/abs/2010.08354>`_, AISTATS 2021.

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
        x_length (:ref:`ndarray`): ``(B,)`` integers, the valid length of each
            padded series in ``x``; not with lists.
        y_length (:ref:`ndarray`): The same for ``y``.
        reduce (str): ``'mean'`` or ``'sum'`` over the batch, or ``'no'``.

    Returns:
        ~chainer.Variable: A scalar; with ``reduce='no'`` of shape ``(B,)``,
        or ``()`` for one pair without a batch axis. The value of a pair with
        a NaN or an infinity is NaN.

    Raises:
        chainer.utils.type_check.InvalidType: If types or shapes do not fit.
        TypeError: If any other argument is of a wrong type.
        ValueError: If an argument is out of range or has masked elements.

    .. admonition:: Example

        >>> x = np.array([[0, 1]], np.float64)[:, :, None]
        >>> y = np.array([[0, 1]], np.float64)[:, :, None]
        >>> # The alignments cost 0, 1 and 1.
        >>> round(float(chainer_sdtw.mean_cost(x, y).array), 6)
        0.666667

    """
    return compute(
        "mean_cost",
        x,
        y,
        cost=cost,
        bandwidth=bandwidth,
        x_length=x_length,
        y_length=y_length,
        reduce=reduce,
    )
