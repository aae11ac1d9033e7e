"""Optimal alignments of two batches of series."""

from __future__ import annotations

import chainer
import numpy as np
from numpy.typing import NDArray

from chainer_sdtw._engine.series import on_host
from chainer_sdtw._engine.types import Cost, Counts, Mask, Series
from chainer_sdtw.functions.soft_alignment import soft_alignment


def alignment_path(
    x: Series,
    y: Series,
    *,
    cost: Cost = "sqeuclidean",
    bandwidth: Counts | None = None,
    mask: Mask | None = None,
    x_length: Counts | None = None,
    y_length: Counts | None = None,
) -> NDArray[np.intp] | list[NDArray[np.intp]]:
    """Optimal alignments between batches of time series.

    For each pair of series the cells of one monotonic alignment :math:`A` of
    the least cost :math:`\\langle A, C \\rangle`, which is that of DTW. Of
    equal predecessors the diagonal one is taken, then the one above.

    See: H. Sakoe and S. Chiba, `Dynamic programming algorithm optimization
    for spoken word recognition
    <https://doi.org/10.1109/TASSP.1978.1163055>`_, IEEE Transactions on
    Acoustics, Speech, and Signal Processing 26(1), 1978.

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

    Returns:
        numpy.ndarray or list: ``(K, 2)`` integers, the index in ``x`` and the
        index in ``y`` of each step from ``(0, 0)`` on; for a batch the list
        of them. On the host, wherever the series are. ``(0, 2)`` where a mask
        leaves no alignment and for a pair with a NaN.

    Raises:
        chainer.utils.type_check.InvalidType: If types or shapes do not fit.
        TypeError: If any other argument is of a wrong type.
        ValueError: If an argument is out of range or has masked elements.

    .. admonition:: Example

        >>> x = np.array([[0, 1, 2]], np.float64)[:, :, None]
        >>> y = np.array([[0, 2]], np.float64)[:, :, None]
        >>> chainer_sdtw.alignment_path(x, y)
        [array([[0, 0],
               [1, 0],
               [2, 1]])]

    """
    with chainer.no_backprop_mode():
        e = soft_alignment(
            x,
            y,
            0.0,
            cost=cost,
            bandwidth=bandwidth,
            mask=mask,
            x_length=x_length,
            y_length=y_length,
        )
    cells = on_host(e) > 0.5
    # In the order of rows, then of columns: that of a monotonic alignment.
    if cells.ndim == 2:
        return np.argwhere(cells)
    return [np.argwhere(c) for c in cells]
