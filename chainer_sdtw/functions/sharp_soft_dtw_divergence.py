"""The sharp soft-DTW divergence of two batches of series."""

from __future__ import annotations

from chainer_sdtw._engine.losses import compute, public_loss
from chainer_sdtw._engine.types import (
    Cost,
    Counts,
    Reduce,
    Series,
    Variable,
    YTerm,
)
from sdtw_cpu.types import Real


@public_loss
def sharp_soft_dtw_divergence(
    x: Series,
    y: Series,
    gamma: Real = 1.0,
    *,
    cost: Cost = "sqeuclidean",
    bandwidth: Counts | None = None,
    x_length: Counts | None = None,
    y_length: Counts | None = None,
    y_term: YTerm | None = None,
    reduce: Reduce = "mean",
) -> Variable:
    """Sharp soft-DTW divergence between batches of time series.

    For each pair of series

    .. math::
        S(x, y) = \\mathrm{sharp}(x, y)
                  - \\tfrac{1}{2} \\mathrm{sharp}(x, x)
                  - \\tfrac{1}{2} \\mathrm{sharp}(y, y)

    with :math:`\\mathrm{sharp}` as in :func:`~chainer_sdtw.sharp_soft_dtw`. It
    is zero, and so is its gradient, for :math:`x = y`. For :math:`\\gamma = 0`
    it is DTW, and for :math:`\\gamma \\to \\infty` it becomes
    :func:`~chainer_sdtw.mean_cost_divergence`.

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
        x_length (:ref:`ndarray`): ``(B,)`` integers, the valid length of each
            padded series in ``x``; not with lists.
        y_length (:ref:`ndarray`): The same for ``y``.
        y_term (str or :ref:`ndarray`): What to do about the term of ``y``
            with itself. None computes it. ``'skip'`` leaves it out, which
            changes the value by a constant and the gradient with respect to
            ``x`` not at all. An array ``(B,)`` has the values of
            ``sharp_soft_dtw(y, y, ..., reduce='no')``, once computed; they
            count as constants.
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

        >>> x = np.array([[0, 1, 2]], np.float64)[:, :, None]
        >>> y = np.array([[0, 0, 1, 2]], np.float64)[:, :, None]
        >>> round(float(chainer_sdtw.sharp_soft_dtw(x, x).array), 3)
        0.95
        >>> float(chainer_sdtw.sharp_soft_dtw_divergence(x, x).array)
        0.0
        >>> loss = chainer_sdtw.sharp_soft_dtw_divergence(x, y)
        >>> round(float(loss.array), 3)
        0.135

    """
    return compute(
        "sharp_soft_dtw_divergence",
        x,
        y,
        gamma,
        cost=cost,
        bandwidth=bandwidth,
        x_length=x_length,
        y_length=y_length,
        y_term=y_term,
        reduce=reduce,
    )
