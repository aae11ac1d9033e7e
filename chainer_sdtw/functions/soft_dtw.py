"""Soft-DTW of two batches of series."""

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
def soft_dtw(
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
    """Soft-DTW between batches of time series.

    For each pair of series the value is
    :math:`-\\gamma \\log \\sum_A \\exp(-\\langle A, C \\rangle / \\gamma)`
    over all monotonic alignments :math:`A` of the two, with the cost
    :math:`C_{ij} = \\|x_i - y_j\\|^2` unless another is chosen; for
    :math:`\\gamma = 0` it is the least :math:`\\langle A, C \\rangle`, which
    is DTW. Unlike a distance it can be negative, and it is least near, not
    at, :math:`x = y`: see :func:`~chainer_sdtw.soft_dtw_divergence`.

    The gradient is that of the value with respect to ``x`` and ``y``, for
    whichever of them requires it; for :math:`\\gamma = 0` it is that of one
    optimal alignment. It can be differentiated in its turn: a second
    derivative costs one more sweep over the table and back. Third and higher
    derivatives are slow.

    See: M. Cuturi and M. Blondel, `Soft-DTW: a Differentiable Loss Function
    for Time-Series <https://arxiv.org/abs/1703.01541>`_, ICML 2017, equation
    2 and Algorithms 1 and 2; for the second derivative A. Mensch and M.
    Blondel, `Differentiable Dynamic Programming for Structured Prediction and
    Attention <https://arxiv.org/abs/1802.03676>`_, ICML 2018.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of them):
            The first series of each pair. Arrays have the shape

            - ``(B, m, d)``: :math:`B` series of length :math:`m` with
              :math:`d` features;
            - ``(m, d)`` or ``(m,)``: one series.

            An array with two axes is always one series; a batch has three:
            of univariate series ``(B, m)`` make ``x[:, :, None]``.

            A list holds series of shape ``(length, d)`` or ``(length,)``;
            one of numbers is a univariate series, like a range or a Series
            of pandas. Numbers that are not in arrays become of the type of
            the arrays beside them, or float64.
        y (:class:`~chainer.Variable` or :ref:`ndarray`, or a list of them):
            The second series of each pair, ``(B, n, d)`` and so on, of the
            same type: float16 (computed in float32), float32 or float64.
        gamma (float): Smoothing, >= 0, in units of the cost.
        cost (str or callable): ``'sqeuclidean'``, ``'euclidean'``,
            ``'manhattan'``, ``'huber'``, ``'cosine'``, or a function of two
            variables ``(B, m, d)`` and ``(B, n, d)`` that returns a variable
            ``(B, m, n)``; see :func:`~chainer_sdtw.cost_matrix`.
        bandwidth (int or :ref:`ndarray`): The radius of Sakoe and Chiba's
            band, or ``(B,)`` of them: of the alignments only those count
            that stay in :math:`|i - j| \\le` ``bandwidth``, for equal
            lengths; for others the difference of the lengths is added on the
            side of the longer. Time and memory shrink with it. None, the
            default, means no band.
        mask (:ref:`ndarray`): ``(m, n)`` or ``(B, m, n)`` booleans, true for
            the cells that alignments may use; see
            :func:`~chainer_sdtw.itakura_mask`. As cheap as a band where each
            row is without holes; otherwise a matrix of all costs is made.
        x_length (:ref:`ndarray`): ``(B,)`` integers, the valid length of each
            padded series in ``x``, or an integer if ``x`` is one series; not
            with lists. What lies beyond is ignored and has gradient zero.
            With a bandwidth or a mask, lengths on a GPU are copied to the
            host.
        y_length (:ref:`ndarray`): The same for ``y``.
        reduce (str): ``'mean'`` or ``'sum'`` over the batch, or ``'no'``.

    Returns:
        ~chainer.Variable: A scalar; with ``reduce='no'`` of shape ``(B,)``,
        or ``()`` for one pair without a batch axis. The value of a pair with
        a NaN or an infinity is NaN; it is ``inf``, and the gradient zero,
        where a mask leaves no alignment.

    Raises:
        chainer.utils.type_check.InvalidType: If types or shapes do not fit.
        TypeError: If any other argument is of a wrong type.
        ValueError: If an argument is out of range or has masked elements.

    .. admonition:: Example

        >>> x = np.array([[0, 1, 2], [0, 0, 1]], np.float32)[:, :, None]
        >>> y = np.array([[0, 1, 1, 2], [1, 1, 1, 1]], np.float32)[:, :, None]
        >>> chainer_sdtw.soft_dtw(x, y, gamma=0, reduce='no').array
        array([0., 2.], dtype=float32)

    """
    return compute(
        "soft_dtw",
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
