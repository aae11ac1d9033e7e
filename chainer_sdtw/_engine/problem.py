"""The problem that a sweep is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

import chainer
import numpy as np
from chainer import functions as F

import sdtw_cpu
from chainer_sdtw._engine import costs, graph
from chainer_sdtw._engine.series import on_host
from chainer_sdtw._engine.types import Variable


@dataclass(frozen=True, eq=False)
class Problem:
    """All that a sweep is told besides the arrays.

    The arrays are ``x`` and ``y``; or ``x`` alone if the problem is
    ``symmetric``, which pairs it with itself; or, where ``cost`` is None, a
    batch of cost matrices.
    """

    label: str
    gamma: float
    cost: str | None
    x_length: Any = None
    y_length: Any = None
    band: np.ndarray | None = None
    symmetric: bool = False

    def value(self, arrays: tuple, tape: bool) -> Any:
        """Values, or these and a tape."""
        sweeps = sweeps_for(arrays)
        options = self._options(sweeps, tape)
        if self.cost is None:
            return sweeps.value_from_cost(*arrays, self.gamma, **options)
        x, y = self.series(arrays)
        return sweeps.value(x, y, self.gamma, cost=self.cost, **options)

    def tangent(self, arrays: tuple, direction: Any, tape: bool) -> Any:
        """Values and tangents, or these and a tape."""
        sweeps = sweeps_for(arrays)
        options = self._options(sweeps, tape)
        if self.cost is None:
            return sweeps.tangent_from_cost(
                *arrays, direction, self.gamma, **options
            )
        x, y = self.series(arrays)
        return sweeps.tangent(
            x, y, direction, self.gamma, cost=self.cost, **options
        )

    def adjoint(
        self, arrays: tuple, tape: Any, grad: Any = None, *, indexes: tuple
    ) -> tuple:
        """Gradients of the values for the arrays of these indexes."""
        sweep = partial(sweeps_for(arrays).adjoint, tape, grad)
        return self._gradients(sweep, indexes)

    def adjoint_tangent(
        self,
        arrays: tuple,
        tape: Any,
        grad: Any = None,
        grad_tangent: Any = None,
        *,
        indexes: tuple,
    ) -> tuple:
        """The derivatives of the same along the direction of a tangent.

        These are the Hessian times the direction, times ``grad``, plus the
        gradient times ``grad_tangent``: so they also are the gradient of a
        tangent and, for a gradient with respect to the values in the place of
        ``grad_tangent``, of a value.
        """
        sweep = partial(
            sweeps_for(arrays).adjoint_tangent, tape, grad, grad_tangent
        )
        return self._gradients(sweep, indexes)

    def _gradients(self, sweep: Callable, indexes: tuple) -> tuple:
        if self.cost is None:
            return (sweep(),)
        if self.symmetric:
            # The other gradient is the same.
            gx, _ = sweep(x=True, y=False)
            gx *= 2
            return (gx,)
        both = sweep(x=0 in indexes, y=1 in indexes)
        return tuple(both[i] for i in indexes)

    @property
    def count(self) -> int:
        """How many arrays the problem is about."""
        return 1 if self.cost is None or self.symmetric else 2

    def series(self, arrays: Any) -> Any:
        """``x`` and ``y``, of one array if the problem is symmetric."""
        return (*arrays, *arrays) if self.symmetric else arrays

    def compose(self, inputs: list) -> tuple[Variable, Variable]:
        """Values and cost matrices as a graph in Chainer's functions."""
        inputs = [F.cast(v, np.float64) for v in inputs]
        lengths = self.x_length, self.y_length
        if self.cost is None:
            (cost,) = inputs
        else:
            x, y = map(graph.without_padding, self.series(inputs), lengths)
            cost = costs.composed_matrix(x, y, self.cost)
        value = graph.soft_dtw(cost, self.gamma, *lengths, self.band)
        return value, cost

    def _options(self, sweeps: Any, tape: bool) -> dict:
        options = {"x_length": self.x_length, "y_length": self.y_length}
        if sweeps is sdtw_cpu or chainer.is_debug():
            # On a GPU, checking lengths that are there means to wait for it.
            options = {k: on_host(v) for k, v in options.items()}
        if self.band is not None:
            options["band"] = self.band
        return {"tape": tape, **options}


def sweeps_for(arrays: tuple) -> Any:
    """The sweeps that take these arrays: sdtw_cpu's or those in CUDA."""
    if isinstance(arrays[0], np.ndarray):
        return sdtw_cpu
    from chainer_sdtw import cuda as sweeps

    return sweeps
