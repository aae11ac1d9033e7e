"""Expected alignments of two batches of series."""

from __future__ import annotations

import sdtw_cpu
from chainer_sdtw._engine.bound_problem import bind_series
from chainer_sdtw._engine.series import as_pairs
from chainer_sdtw._engine.types import Cost, Counts, Mask, Series, Variable
from sdtw_cpu.types import Real


def soft_alignment(
    x: Series,
    y: Series,
    gamma: Real = 1.0,
    *,
    cost: Cost = "sqeuclidean",
    bandwidth: Counts | None = None,
    mask: Mask | None = None,
    x_length: Counts | None = None,
    y_length: Counts | None = None,
) -> Variable:
    """Expected alignments between batches of time series.

    For each pair of series the matrix :math:`E` of the probabilities with
    which an alignment passes through each cell, if alignments :math:`A` have
    probabilities in proportion to :math:`\\exp(-\\langle A, C \\rangle /
    \\gamma)`. It is the gradient of :func:`~chainer_sdtw.soft_dtw` with
    respect to the costs :math:`C`, and for :math:`\\gamma = 0` one optimal
    alignment.

    Differentiable like a loss: its gradient is a product with the Hessian of
    soft-DTW.

    See: M. Cuturi and M. Blondel, `Soft-DTW: a Differentiable Loss Function
    for Time-Series <https://arxiv.org/abs/1703.01541>`_, ICML 2017, equation
    3 and Algorithm 2; A. Mensch and M. Blondel, `Differentiable Dynamic
    Programming for Structured Prediction and Attention
    <https://arxiv.org/abs/1802.03676>`_, ICML 2018.

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

    Returns:
        ~chainer.Variable: ``(B, m, n)``, or ``(m, n)`` for one pair without a
        batch axis; from 0 to 1. Zero beyond the lengths and where a mask
        leaves no alignment, NaN for a pair with a NaN or an infinity.

    Raises:
        chainer.utils.type_check.InvalidType: If types or shapes do not fit.
        TypeError: If any other argument is of a wrong type.
        ValueError: If an argument is out of range or has masked elements.

    .. admonition:: Example

        >>> x = np.array([[0, 1, 2]], np.float64)[:, :, None]
        >>> y = np.array([[0, 2]], np.float64)[:, :, None]
        >>> chainer_sdtw.soft_alignment(x, y).array.round(3)
        array([[[1.   , 0.008],
                [0.576, 0.576],
                [0.008, 1.   ]]])

    """
    gamma = sdtw_cpu.check_gamma(gamma)
    label = "soft_alignment"
    pairs = as_pairs(label, x, y, x_length, y_length)
    bound = bind_series(
        label, pairs, gamma, cost, bandwidth, mask, explicit=True
    )
    return pairs.finished(bound.alignments())
