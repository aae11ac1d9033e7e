"""Matrices of the costs between two batches of series."""

from __future__ import annotations

import chainer

from chainer_sdtw._engine import costs
from chainer_sdtw._engine.series import as_pairs
from chainer_sdtw._engine.types import Cost, Series, Variable


def cost_matrix(x: Series, y: Series, cost: Cost = "sqeuclidean") -> Variable:
    """Costs between all elements of two series.

    =================  =====================================================
    ``'sqeuclidean'``  :math:`C_{ij} = \\|x_i - y_j\\|^2`
    ``'euclidean'``    :math:`C_{ij} = \\|x_i - y_j\\|`
    ``'manhattan'``    :math:`C_{ij} = \\sum_k |x_{ik} - y_{jk}|`
    ``'huber'``        :math:`C_{ij} = \\sum_k h(x_{ik} - y_{jk})`, where
                       :math:`h(a)` is :math:`a^2 / 2` for
                       :math:`|a| \\le 1` and :math:`|a| - 1 / 2` beyond
    ``'cosine'``       :math:`C_{ij} = 1 - \\langle x_i, y_j \\rangle /
                       (\\|x_i\\| \\|y_j\\|)`; a zero vector has the cost 1 to
                       any other, 0 to another zero vector
    a function         what it returns
    =================  =====================================================

    Differentiable any number of times. Where the Euclidean and the Manhattan
    cost have no gradient, at :math:`x_i = y_j` (in one feature, for the
    latter), it is 0, and so is that of the cosine cost at zero vectors.

    The losses make no such matrix for a cost that has a name, but where a
    mask has holes.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): ``(B, m, d)``, or
            another form that :func:`~chainer_sdtw.soft_dtw` takes.
        y (:class:`~chainer.Variable` or :ref:`ndarray`): ``(B, n, d)`` and so
            on, of the same type.
        cost (str or callable): One of the names above, or a function of two
            variables ``(B, m, d)`` and ``(B, n, d)`` that returns a variable
            ``(B, m, n)`` of their type. float16 comes to it as float32.

    Returns:
        ~chainer.Variable: ``(B, m, n)``, or ``(m, n)`` for one pair without a
        batch axis.

    Raises:
        chainer.utils.type_check.InvalidType: If types or shapes do not fit.
        TypeError: If ``cost`` is neither a name nor a function.
        ValueError: If there is no cost of that name, or the function returns
            something of another shape or type.

    .. admonition:: Example

        >>> x = np.array([[0, 1], [2, 0]], np.float32)[None]
        >>> y = np.array([[0, 1], [0, 3], [1, 1]], np.float32)[None]
        >>> chainer_sdtw.cost_matrix(x, y, 'manhattan').array
        array([[[0., 2., 1.],
                [3., 5., 2.]]], dtype=float32)

    """
    costs.check_cost(cost)
    pairs = as_pairs("cost_matrix", x, y)
    with chainer.using_device(pairs.x.device):
        return pairs.finished(costs.matrix(pairs.x, pairs.y, cost))
