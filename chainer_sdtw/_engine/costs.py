"""The costs between elements of series, and matrices of them."""

from __future__ import annotations

from typing import Any

import chainer
import numpy as np
from chainer import FunctionNode, as_variable
from chainer import functions as F
from chainer.backend import get_array_module

from chainer_sdtw._engine import series
from chainer_sdtw._engine.graph import Composed
from chainer_sdtw._engine.types import Cost, Series, Variable
from sdtw_cpu.checks import COSTS

# The sweeps compute all but the last themselves.
NAMES = (*COSTS, "cosine")


def cost_matrix(x: Series, y: Series, cost: Cost = "sqeuclidean") -> Variable:
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
    check_cost(cost)
    pairs = series.as_pairs("cost_matrix", x, y)
    with chainer.using_device(pairs.x.device):
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
        x, y = unit_vectors(x, y)
        return matrix(x, y, "sqeuclidean") / 2
    return CostMatrix(cost).apply((x, y))[0]


def composed_matrix(x: Variable, y: Variable, cost: str) -> Variable:
    """The matrices of a fused cost as a graph in Chainer's functions."""
    xp = get_array_module(x.array)
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


class CostMatrix(FunctionNode):
    """Matrices of a fused cost, in no more memory than they take."""

    label = "cost_matrix"

    def __init__(self, cost: str) -> None:
        self.cost = cost

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs((0, 1))
        x, y = inputs
        return (_distances(x, y, self.cost),)

    def backward(
        self, target_input_indexes: tuple, grad_outputs: tuple
    ) -> tuple:
        node = CostMatrixGradient(self.cost)
        both = node.apply((*self.get_retained_inputs(), *grad_outputs))
        return tuple(both[i] for i in target_input_indexes)


class CostMatrixGradient(Composed):
    """The gradient of :class:`CostMatrix` for both batches of series."""

    label = "gradient of cost_matrix"

    def __init__(self, cost: str) -> None:
        self.cost = cost

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs((0, 1, 2))
        x, y, weight = inputs
        xp = get_array_module(x)
        if self.cost == "sqeuclidean":
            weight = 2 * weight
        elif self.cost == "euclidean":
            c = _distances(x, y, self.cost)
            weight = xp.where(c == 0, 0, weight / xp.where(c == 0, 1, c))
        gx, gy = xp.empty_like(x), xp.empty_like(y)
        for k in range(x.shape[2]):
            g = x[:, :, None, k] - y[:, None, :, k]
            if self.cost == "manhattan":
                xp.sign(g, out=g)
            g *= weight
            gx[..., k] = g.sum(axis=2)
            gy[..., k] = -g.sum(axis=1)
        return gx, gy

    def expression(self, inputs: list) -> list:
        x, y, weight = inputs
        costs = composed_matrix(x, y, self.cost)
        return chainer.grad(
            [costs], [x, y], [weight], enable_double_backprop=True
        )


def _distances(x: Any, y: Any, cost: str) -> Any:
    xp = get_array_module(x)
    power = xp.absolute if cost == "manhattan" else xp.square
    total = xp.zeros((len(x), x.shape[1], y.shape[1]), x.dtype)
    for k in range(x.shape[2]):
        difference = x[:, :, None, k] - y[:, None, :, k]
        total += power(difference, out=difference)
    return xp.sqrt(total, out=total) if cost == "euclidean" else total


def unit_vectors(*series: Variable) -> tuple[Variable, ...]:
    """Batches of series ``(B, m, d)`` with elements scaled to length 1.

    Half their squared Euclidean cost is the cosine cost. If there are zero
    vectors, all series get another feature, 0 but for these, which it keeps
    apart from all others. On a GPU, where to look means to wait, they always
    get it.
    """
    nodes = [UnitVectors() for _ in series]
    units = tuple(node.apply((a,))[0] for node, a in zip(nodes, series))
    zeros = [node.zero for node in nodes]
    on_host = isinstance(zeros[0], np.ndarray)
    if on_host and not any(zero.any() for zero in zeros):
        return units
    return tuple(
        F.concat([unit, zero.astype(unit.dtype)], axis=2)
        for unit, zero in zip(units, zeros)
    )


class UnitVectors(FunctionNode):
    """Elements of series scaled to length 1; zero vectors stay."""

    label = "unit_vectors"

    def __init__(self) -> None:
        self.zero: Any = None

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs((0,))
        unit, inverse = _scaled_to_one(*inputs)
        self.zero = inverse == 0
        return (unit,)

    def backward(
        self, target_input_indexes: tuple, grad_outputs: tuple
    ) -> tuple:
        node = UnitVectorsGradient()
        return node.apply((*self.get_retained_inputs(), *grad_outputs))


class UnitVectorsGradient(Composed):
    """The gradient of :class:`UnitVectors`; 0 for zero vectors."""

    label = "gradient of unit_vectors"

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs((0, 1))
        a, g = inputs
        unit, inverse = _scaled_to_one(a)
        along = get_array_module(a).einsum("btd,btd->bt", unit, g)
        return ((g - unit * along[:, :, None]) * inverse,)

    def expression(self, inputs: list) -> list:
        a, g = inputs
        _, inverse = _scaled_to_one(a.array)
        zero = inverse == 0
        # Dividing by any number first changes nothing but the range.
        a = a * F.broadcast_to(inverse, a.shape)
        squares = F.sum(F.square(a), axis=2, keepdims=True)
        ones = get_array_module(inverse).ones_like(inverse)
        norm = F.sqrt(F.where(zero, ones, squares))
        unit = a / F.broadcast_to(norm, a.shape)
        return chainer.grad(
            [unit], [inputs[0]], [g], enable_double_backprop=True
        )


def _scaled_to_one(a: Any) -> tuple:
    """Unit vectors, and 1 over the lengths, both 0 for zero vectors."""
    xp = get_array_module(a)
    # Squares of float32 may be beyond its range.
    norm = xp.sqrt(xp.einsum("btd,btd->bt", a, a, dtype=np.float64))
    norm[norm == 0] = np.inf
    inverse = (1 / norm).astype(a.dtype)[:, :, None]
    return a * inverse, inverse


def _checked(c: Variable, x: Variable, y: Variable) -> Variable:
    shape = x.shape[0], x.shape[1], y.shape[1]
    if c.shape != shape or c.dtype != x.dtype:
        raise ValueError(
            f"cost must return an array of shape {shape} and type {x.dtype}, "
            f"got {c.shape} and {c.dtype}"
        )
    return c
