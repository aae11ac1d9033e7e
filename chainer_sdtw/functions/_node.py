"""What all soft-DTW function nodes share."""

from __future__ import annotations

from typing import Any

import numpy as np
from chainer import FunctionNode, config, is_debug, variable
from chainer import functions as F
from chainer.backends import cuda

import sdtw_cpu


class SoftDTWNode(FunctionNode):
    """A value sweep whose gradient is an adjoint sweep on the same tape.

    Subclasses call ``_sweep`` with the arrays of the inputs and the module
    that has the sweeps for their device. The output is one value per pair.
    """

    def __init__(
        self, gamma: float, x_length: Any, y_length: Any, keep_tape: bool
    ) -> None:
        self.gamma = gamma
        self.lengths = {"x_length": x_length, "y_length": y_length}
        self.keep_tape = keep_tape
        self._tape: Any = None

    def _sweep(
        self, sweeps: Any, arrays: tuple, lengths: dict, tape: bool
    ) -> Any:
        raise TypeError(f"{type(self).__name__} has no sweep")

    def forward_cpu(self, inputs: tuple) -> tuple:
        return self._forward(inputs)

    def forward_gpu(self, inputs: tuple) -> tuple:
        return self._forward(inputs)

    def _forward(self, inputs: tuple) -> tuple:
        self.retain_inputs(tuple(range(len(inputs))))
        swept = self._swept(inputs, self.keep_tape)
        value, self._tape = swept if self.keep_tape else (swept, None)
        return (value.astype(inputs[0].dtype, copy=False),)

    def _swept(self, inputs: tuple, tape: bool) -> Any:
        lengths = self.lengths
        if _sweeps_for(inputs) is sdtw_cpu or is_debug():
            # On a GPU, checking lengths that are there means to wait for it.
            lengths = {k: _on_host(v) for k, v in lengths.items()}
        arrays = _computable(inputs)
        return self._sweep(_sweeps_for(inputs), arrays, lengths, tape)

    def backward(
        self, target_input_indexes: tuple, grad_outputs: tuple
    ) -> tuple:
        node = _Adjoint(self, target_input_indexes)
        return node.apply((*self.get_retained_inputs(), *grad_outputs))

    def adjoint(self, inputs: tuple, grad: Any, indexes: tuple) -> tuple:
        """Gradients with respect to the inputs of these indexes."""
        sweeps = _sweeps_for(inputs)
        tape = self._tape
        if tape is None:
            _, tape = self._swept(inputs, True)
        wanted: Any
        if len(inputs) == 1:
            wanted = [sweeps.adjoint(tape, grad)]
        else:
            both = sweeps.adjoint(tape, grad, x=0 in indexes, y=1 in indexes)
            wanted = [both[i] for i in indexes]
        return tuple(g.astype(inputs[0].dtype, copy=False) for g in wanted)


class _Adjoint(FunctionNode):
    """The gradient as a function of the inputs and the values' gradient."""

    def __init__(self, node: SoftDTWNode, indexes: tuple) -> None:
        self.node = node
        self.indexes = indexes

    @property
    def label(self) -> str:
        return f"gradient of {self.node.label}"

    def forward(self, inputs: tuple) -> tuple:
        *series, grad = inputs
        return self.node.adjoint(tuple(series), grad, self.indexes)

    def backward(
        self, target_input_indexes: tuple, grad_outputs: tuple
    ) -> tuple:
        raise RuntimeError(
            f"{self.node.label} can be differentiated once; its second "
            "derivative is not implemented"
        )


def _sweeps_for(arrays: tuple) -> Any:
    """The sweeps that take these arrays: sdtw_cpu's or those in CUDA."""
    if isinstance(arrays[0], np.ndarray):
        return sdtw_cpu
    from chainer_sdtw import cuda as sweeps

    return sweeps


def _computable(arrays: tuple) -> tuple:
    """Arrays in the types that the sweeps have: float16 goes to float32."""
    return tuple(
        a.astype(np.float32) if a.dtype == np.float16 else a for a in arrays
    )


def needs_tape(*variables: variable.Variable) -> bool:
    """Whether a backward pass through these inputs can follow."""
    return config.enable_backprop and any(v.requires_grad for v in variables)


def _on_host(length: Any) -> Any:
    return None if length is None else np.asarray(cuda.to_cpu(length))


def length_array(length: Any) -> Any:
    """Lengths without the Variable around them; on any device, or None."""
    return length.array if isinstance(length, variable.Variable) else length


def check_reduce(reduce: Any) -> None:
    """Raise ``ValueError`` unless ``reduce`` is a known option."""
    if reduce not in ("mean", "sum", "no"):
        raise ValueError(
            f"reduce must be 'mean', 'sum' or 'no', got {reduce!r}"
        )


def reduced(value: variable.Variable, reduce: str, batched: bool) -> Any:
    """Apply ``reduce``; the result for one pair has no batch axis."""
    if reduce == "mean":
        return F.mean(value)
    if reduce == "sum":
        return F.sum(value)
    return value if batched else F.squeeze(value, 0)
