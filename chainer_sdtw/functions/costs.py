"""The costs between elements of series, and matrices of them."""

from __future__ import annotations

from typing import Any

from chainer import Variable, as_variable, backend
from chainer import functions as F

from chainer_sdtw.functions import _series

FUSED = ("sqeuclidean", "euclidean", "manhattan")
"""Costs that the sweeps compute themselves."""

NAMES = (*FUSED, "cosine")


def cost_matrix(x: Any, y: Any, cost: Any = "sqeuclidean") -> Variable:
    """Costs between all elements of two series.

    =================  =====================================================
    ``'sqeuclidean'``  :math:`C_{ij} = \\|x_i - y_j\\|^2`
    ``'euclidean'``    :math:`C_{ij} = \\|x_i - y_j\\|`
    ``'manhattan'``    :math:`C_{ij} = \\sum_k |x_{ik} - y_{jk}|`
    ``'cosine'``       :math:`C_{ij} = 1 - \\langle x_i, y_j \\rangle /
                       (\\|x_i\\| \\|y_j\\|)`; a zero vector has the cost 1 to
                       any other, 0 to another zero vector
    a function         what it returns
    =================  =====================================================

    Differentiable any number of times. Where the Euclidean and the Manhattan
    cost have no gradient, at :math:`x_i = y_j` (in one feature, for the
    latter), it is 0, and so is that of the cosine cost at zero vectors.

    The losses need no such matrix for a cost that has a name. Making one
    takes memory for ``B m n d`` numbers.

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
    check_cost(cost)
    pairs = _series.as_pairs("cost_matrix", x, y)
    return pairs.finished(matrix(pairs.x, pairs.y, cost))


def check_cost(cost: Any) -> None:
    """Raise an error unless ``cost`` is a known name or a function."""
    if callable(cost):
        return
    names = ", ".join(map(repr, NAMES))
    message = f"cost must be {names} or a function, got {cost!r}"
    if not isinstance(cost, str):
        raise TypeError(message)
    if cost not in NAMES:
        raise ValueError(message)


def matrix(x: Variable, y: Variable, cost: Any) -> Any:
    """The cost matrices ``(B, m, n)`` of padded batches of series."""
    if callable(cost):
        return _checked(as_variable(cost(x, y)), x, y)
    if cost == "cosine":
        return matrix(unit_vectors(x), unit_vectors(y), "sqeuclidean") / 2
    xp = backend.get_array_module(x.array)
    difference = F.expand_dims(x, 2) - F.expand_dims(y, 1)
    if cost == "manhattan":
        return F.sum(abs(difference), axis=3)
    squared = F.sum(F.square(difference), axis=3)
    if cost == "sqeuclidean":
        return squared
    same = squared.array == 0
    ones = xp.ones_like(squared.array)
    root = F.sqrt(F.where(same, ones, squared))
    return F.where(same, xp.zeros_like(ones), root)


def unit_vectors(a: Variable) -> Variable:
    """Series ``(B, m, d + 1)`` of elements scaled to length 1.

    Half their squared Euclidean cost is the cosine cost. The last feature is
    0 but for zero vectors, which it keeps apart from all others.
    """
    xp = backend.get_array_module(a.array)
    # Dividing by any number first changes nothing but the range.
    scale = xp.abs(a.array).max(axis=2, keepdims=True)
    zero = scale == 0
    a = a / xp.where(zero, 1, scale)
    squares = F.sum(F.square(a), axis=2, keepdims=True)
    norm = F.sqrt(F.where(zero, xp.ones_like(scale), squares))
    unit = a / F.broadcast_to(norm, a.shape)
    where = xp.broadcast_to(zero, a.shape)
    unit = F.where(where, xp.zeros_like(a.array), unit)
    return F.concat([unit, zero.astype(a.dtype)], axis=2)


def _checked(c: Variable, x: Variable, y: Variable) -> Variable:
    shape = x.shape[0], x.shape[1], y.shape[1]
    if c.shape != shape or c.dtype != x.dtype:
        raise ValueError(
            f"cost must return an array of shape {shape} and type {x.dtype}, "
            f"got {c.shape} and {c.dtype}"
        )
    return c
