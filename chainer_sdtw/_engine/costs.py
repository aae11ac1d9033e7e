"""Costs of series as functions of Chainer, and those that are not fused."""

from __future__ import annotations

from typing import Any

import chainer
import numpy as np
from chainer import FunctionNode, as_variable
from chainer import functions as F
from chainer.backend import get_array_module

from chainer_sdtw._engine.graph import Composed
from chainer_sdtw._engine.series import array_of
from chainer_sdtw._engine.types import Variable
from sdtw_cpu.costs import COSTS
from sdtw_cpu.search import power_of_two

# The sweeps compute all but the last themselves.
NAMES = (*COSTS, "cosine")


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


def scale(cost: str, deviation: float) -> float:
    """Return a power of two like the costs of series.

    Args:
        cost: A name.
        deviation: That of the series, a power of two.
    """
    if cost not in COSTS:
        return 1.0
    kind = COSTS[cost]
    if kind.degree:
        return deviation**kind.degree
    term = kind.term(np.array([deviation]), np)
    return power_of_two(float(kind.finish(term, np)[0]))


def matrix(x: Variable, y: Variable, cost: Any) -> Any:
    """Return the cost matrices ``(B, m, n)`` of padded batches of series."""
    if callable(cost):
        return _checked(cost(x, y), x, y)
    if cost == "cosine":
        x, y = unit_vectors(x, y)
        return matrix(x, y, "sqeuclidean") / 2
    return CostMatrix(cost).apply((x, y))[0]


def composed_matrix(x: Variable, y: Variable, cost: str) -> Variable:
    """Return the matrices of a fused cost as a graph of functions."""
    difference = F.expand_dims(x, 2) - F.expand_dims(y, 1)
    kind: Any = COSTS[cost]  # whose types are those of arrays
    total: Variable = F.sum(kind.term(difference, _graph), axis=3)
    matrices: Variable = kind.finish(total, _graph)
    return matrices


class _GraphFunctions:
    """The functions of variables of which formulas of costs make graphs."""

    def __getattr__(self, name: str) -> Any:
        return getattr(F, name)

    def sqrt(self, a: Variable) -> Variable:
        """Return the root, whose gradient of 0 is 0."""
        xp = get_array_module(a.array)
        zero = a.array == 0
        ones = xp.ones_like(a.array)
        root = F.sqrt(F.where(zero, ones, a))
        return F.where(zero, xp.zeros_like(ones), root)


_graph: Any = _GraphFunctions()


class CostMatrix(FunctionNode):
    """Matrices of a fused cost, in no more memory than they take."""

    label = "cost_matrix"

    def __init__(self, cost: str) -> None:
        self.cost = cost

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs((0, 1))
        x, y = inputs
        return (COSTS[self.cost].matrix(x, y, get_array_module(x)),)

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
        kind = COSTS[self.cost]
        return kind.gradients(x, y, weight, get_array_module(x))

    def expression(self, inputs: list) -> list:
        x, y, weight = inputs
        matrices = composed_matrix(x, y, self.cost)
        return chainer.grad(
            [matrices], [x, y], [weight], enable_double_backprop=True
        )


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
        unit, factor, _ = _scaled_to_one(*inputs)
        self.zero = factor == 0
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
        xp = get_array_module(a)
        g = xp.ascontiguousarray(g)
        unit, factor, power = _scaled_to_one(a)
        with np.errstate(over="ignore", invalid="ignore"):
            along = xp.einsum("btd,btd->bt", unit, g)
            across = (g - unit * along[:, :, None]) * factor
            return (xp.ldexp(across, -power),)

    def expression(self, inputs: list) -> list:
        a, g = inputs
        xp = get_array_module(a.array)
        _, factor, power = _scaled_to_one(a.array)
        zero, ones = factor == 0, xp.ones_like(factor)
        # Dividing by any number first changes nothing but the range.
        limit = np.finfo(a.dtype).maxexp - 1
        scale = xp.ldexp(ones, xp.clip(-power, -limit, limit))
        a = a * F.broadcast_to(scale, a.shape)
        squares = F.sum(F.square(a), axis=2, keepdims=True)
        norm = F.sqrt(F.where(zero, ones, squares))
        unit = a / F.broadcast_to(norm, a.shape)
        return chainer.grad(
            [unit], [inputs[0]], [g], enable_double_backprop=True
        )


def _scaled_to_one(a: Any) -> tuple:
    """Unit vectors, and 1 over the lengths, both 0 for zero vectors.

    The latter as numbers ``(B, m, 1)`` and powers of two that divide them.
    """
    xp = get_array_module(a)
    # The order of sums depends on the order in memory.
    a = xp.ascontiguousarray(a)
    # Squares may be beyond the range of a type: those of elements scaled by
    # a power of two are not, and the digits are the same.
    _, power = xp.frexp(abs(a).max(axis=2, keepdims=True))
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = xp.ldexp(a, -power)
        norm = xp.sqrt(
            xp.einsum("btd,btd->bt", scaled, scaled, dtype=np.float64)
        )
        norm[norm == 0] = np.inf
        factor = (1 / norm).astype(a.dtype)[:, :, None]
        return scaled * factor, factor, power


def _checked(c: Any, x: Variable, y: Variable) -> Variable:
    """Return what a function of two series has returned as a variable."""
    shape = x.shape[0], x.shape[1], y.shape[1]
    array = array_of(c)
    got = type(array).__name__
    if isinstance(array, chainer.get_array_types()):
        if array.shape == shape and array.dtype == x.dtype:
            return as_variable(c)
        got = f"{array.shape} and {array.dtype}"
    raise ValueError(
        f"cost must return an array of shape {shape} and type {x.dtype}, "
        f"got {got}"
    )
