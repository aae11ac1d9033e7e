"""The function nodes that all losses are made of.

Those of a problem's values and of its tangents call the sweeps, and so do
their gradients and the Hessian products of the values. What is beyond that
is the gradient of the same thing written in Chainer's functions.
"""

from __future__ import annotations

from typing import Any

import chainer
from chainer import FunctionNode
from chainer import functions as F
from chainer.backend import get_array_module

from chainer_sdtw._engine import graph, series
from chainer_sdtw._engine.problem import Problem
from chainer_sdtw._engine.types import Variable


class Value(FunctionNode):
    """One value per pair, or their mean or sum.

    The gradient is an adjoint sweep.
    """

    def __init__(
        self, problem: Problem, keep_tape: bool, reduce: str = "no"
    ) -> None:
        self.problem = problem
        self.keep_tape = keep_tape
        self.reduce = reduce
        self.tape: Any = None

    @property
    def label(self) -> str:
        return self.problem.label

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs(tuple(range(len(inputs))))
        swept = self.problem.value(inputs, self.keep_tape)
        value, self.tape = swept if self.keep_tape else (swept, None)
        return (_reduced(value, self.reduce),)

    def backward(
        self, target_input_indexes: tuple, grad_outputs: tuple
    ) -> tuple:
        node = Gradient(
            self.problem, target_input_indexes, self.tape, self.reduce
        )
        return _applied(node, (*self.get_retained_inputs(), *grad_outputs))


class Gradient(FunctionNode):
    """The gradient of the values with respect to the problem's arrays.

    Its inputs are the arrays and the gradient with respect to the values, or
    to what they were reduced to.
    """

    def __init__(
        self, problem: Problem, indexes: tuple, tape: Any, reduce: str = "no"
    ) -> None:
        self.problem = problem
        self.indexes = indexes
        self.tape = tape
        self.reduce = reduce

    @property
    def label(self) -> str:
        return f"gradient of {self.problem.label}"

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs(tuple(range(len(inputs))))
        *arrays, grad_value = inputs
        tape = self.tape
        if tape is None:
            _, tape = self.problem.value(tuple(arrays), True)
        grad = _spread(grad_value, len(arrays[0]), self.reduce)
        return self.problem.adjoint(
            tuple(arrays), tape, grad, indexes=self.indexes
        )

    def backward(
        self, target_input_indexes: tuple, grad_outputs: tuple
    ) -> tuple:
        pairs = zip(self.indexes, grad_outputs)
        indexes, directions = zip(*(p for p in pairs if p[1] is not None))
        node = HessianProduct(
            self.problem, indexes, target_input_indexes, self.reduce
        )
        return node.apply((*self.get_retained_inputs(), *directions))


class HessianProduct(graph.Composed):
    """The gradient of :class:`Gradient`.

    Its inputs are those of that node and the gradients with respect to its
    outputs for the arrays of ``indexes``: the direction. The outputs are for
    the inputs of that node in ``targets``: Hessian products for arrays, and
    the tangent of the values for the gradient with respect to these.
    """

    def __init__(
        self, problem: Problem, indexes: tuple, targets: tuple, reduce: str
    ) -> None:
        self.problem = problem
        self.indexes = indexes
        self.targets = targets
        self.reduce = reduce

    @property
    def label(self) -> str:
        return f"second derivative of {self.problem.label}"

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs(tuple(range(len(inputs))))
        arrays, grad_value, directions = self._split(inputs)
        problem = self.problem
        if problem.cost is None:
            (direction,) = directions
        else:
            parts = dict(zip(self.indexes, directions))
            each = tuple(parts.get(i) for i in range(problem.count))
            direction = tuple(problem.series(each))
        arrays_wanted = tuple(i for i in self.targets if i < len(arrays))
        outputs: tuple = ()
        if arrays_wanted:
            _, tangent, tape = problem.tangent(arrays, direction, True)
            grad = _spread(grad_value, len(arrays[0]), self.reduce)
            outputs = problem.adjoint_tangent(
                arrays, tape, grad, indexes=arrays_wanted
            )
        else:
            _, tangent = problem.tangent(arrays, direction, False)
        if len(arrays) in self.targets:
            outputs += (_gathered(tangent, self.reduce),)
        return outputs

    def expression(self, inputs: list) -> list:
        arrays, grad_value, directions = self._split(inputs)
        value, _ = self.problem.compose(arrays)
        value = F.cast(value, grad_value.dtype)
        value = series.reduced(value, self.reduce)
        first = chainer.grad(
            [value],
            [arrays[i] for i in self.indexes],
            [grad_value],
            enable_double_backprop=True,
        )
        return chainer.grad(
            first,
            [inputs[i] for i in self.targets],
            directions,
            enable_double_backprop=True,
        )

    def _split(self, inputs: Any) -> tuple:
        n = self.problem.count
        return inputs[:n], inputs[n], inputs[n + 1 :]


class Tangent(FunctionNode):
    """Values, and their tangents along a direction of the costs.

    The direction is an array that does not depend on anything, or 'cost' for
    the costs themselves.
    """

    def __init__(
        self, problem: Problem, direction: Any, keep_tape: bool
    ) -> None:
        self.problem = problem
        self.direction = direction
        self.keep_tape = keep_tape
        self.tape: Any = None

    @property
    def label(self) -> str:
        return self.problem.label

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs(tuple(range(len(inputs))))
        value, tangent, *tape = self.problem.tangent(
            inputs, self.direction, self.keep_tape
        )
        self.tape = tape[0] if tape else None
        return value, tangent

    def backward(
        self, target_input_indexes: tuple, grad_outputs: tuple
    ) -> tuple:
        grad_value, grad_tangent = grad_outputs
        if grad_tangent is None:
            zeros = grad_value.xp.zeros_like(grad_value.array)
            grad_tangent = Variable(zeros)
        grads = [grad_tangent]
        if grad_value is not None:
            grads.append(grad_value)
        node = TangentGradient(
            self.problem, self.direction, target_input_indexes, self.tape
        )
        return _applied(node, (*self.get_retained_inputs(), *grads))


class TangentGradient(graph.Composed):
    """The gradient of :class:`Tangent` with respect to the problem's arrays.

    Its inputs are the arrays and the gradients with respect to the tangents
    and, unless nothing depends on these, to the values.
    """

    def __init__(
        self, problem: Problem, direction: Any, indexes: tuple, tape: Any
    ) -> None:
        self.problem = problem
        self.direction = direction
        self.indexes = indexes
        self.tape = tape

    @property
    def label(self) -> str:
        return f"gradient of {self.problem.label}"

    def forward(self, inputs: tuple) -> tuple:
        self.retain_inputs(tuple(range(len(inputs))))
        arrays, grads = self._split(inputs)
        problem = self.problem
        tape = self.tape
        if tape is None:
            *_, tape = problem.tangent(arrays, self.direction, True)
        grad_tangent, grad_value = (*grads, None)[:2]
        if problem.cost is None and _is_cost(self.direction):
            # The direction changes with the cost as the cost itself does.
            others = 0 if grad_value is None else grad_value
            grad_value = grad_tangent + others
        return problem.adjoint_tangent(
            arrays, tape, grad_tangent, grad_value, indexes=self.indexes
        )

    def expression(self, inputs: list) -> list:
        arrays, grads = self._split(inputs)
        value, cost = self.problem.compose(arrays)
        (e,) = chainer.grad([value], [cost], enable_double_backprop=True)
        if _is_cost(self.direction):
            xp = get_array_module(cost.array)
            zeros = xp.zeros_like(cost.array)
            direction = F.where(xp.isfinite(cost.array), cost, zeros)
        else:
            direction = self.direction.astype(cost.dtype)
        tangent = F.sum(e * direction, axis=(1, 2))
        outputs = [F.cast(v, grads[0].dtype) for v in (tangent, value)]
        return chainer.grad(
            outputs[: len(grads)],
            [arrays[i] for i in self.indexes],
            grads,
            enable_double_backprop=True,
        )

    def _split(self, inputs: Any) -> tuple:
        n = self.problem.count
        return inputs[:n], inputs[n:]


def _applied(node: FunctionNode, inputs: tuple) -> tuple:
    """Apply the node of a gradient, for its outputs alone without a graph.

    For short series a node takes longer than its sweep.
    """
    if chainer.config.enable_backprop:
        return node.apply(inputs)
    return tuple(map(Variable, node.forward(tuple(v.array for v in inputs))))


def _reduced(values: Any, reduce: str) -> Any:
    """Return an array of values ``(B,)``, or the mean or the sum of it."""
    if reduce == "no":
        return values
    xp = get_array_module(values)
    return xp.asarray(values.mean() if reduce == "mean" else values.sum())


def _spread(grad: Any, size: int, reduce: str) -> Any:
    """Return the gradient ``(B,)`` that one of :func:`_reduced` means."""
    if reduce == "no":
        return grad
    each = get_array_module(grad).broadcast_to(grad, (size,))
    return each * _share(size, reduce)


def _gathered(tangent: Any, reduce: str) -> Any:
    """Return the product of a tangent ``(B,)`` with :func:`_spread`."""
    if reduce == "no":
        return tangent
    share = tangent.dtype.type(_share(len(tangent), reduce))
    return get_array_module(tangent).asarray(tangent.sum() * share)


def _share(size: int, reduce: str) -> float:
    return 1 / size if reduce == "mean" else 1.0


def _is_cost(direction: Any) -> bool:
    return isinstance(direction, str)
