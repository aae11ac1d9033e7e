"""The losses that have a name where a set of series is concerned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from chainer import as_variable

import sdtw_cpu
from chainer_sdtw._engine import costs
from chainer_sdtw._engine.bound_problem import Table, series_table
from chainer_sdtw._engine.series import Pairs
from chainer_sdtw._engine.types import Variable
from chainer_sdtw.functions.mean_cost import GAMMA
from sdtw_cpu.checks import as_integer

# What is computed of a table, whether half of what series have with
# themselves is taken off, and whether all alignments weigh the same.
_LOSSES: dict[str, tuple[Callable[[Table], Variable], bool, bool]] = {
    "soft_dtw": (Table.values, False, False),
    "divergence": (Table.values, True, False),
    "sharp": (Table.expected_costs, False, False),
    "sharp_divergence": (Table.expected_costs, True, False),
    "mean_cost": (Table.expected_costs, False, True),
    "mean_cost_divergence": (Table.expected_costs, True, True),
}
NAMES = tuple(_LOSSES)


@dataclass(frozen=True)
class Loss:
    """A loss with its options.

    Args:
        name: One of ``NAMES``.
        gamma: Smoothing, >= 0, in units of the cost.
        cost: A name or a function, as :func:`~chainer_sdtw.cost_matrix` takes
            them.
        bandwidth: Radius of Sakoe and Chiba's band, None for no band.

    Raises:
        TypeError: If an option is of a wrong type.
        ValueError: If one is unknown or out of range.
    """

    name: str = "soft_dtw"
    # Of any type until they are checked; then of Python's.
    gamma: Any = 1.0
    cost: Any = "sqeuclidean"
    bandwidth: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in _LOSSES:
            names = ", ".join(map(repr, NAMES))
            raise ValueError(f"loss must be one of {names}, got {self.name!r}")
        gamma = sdtw_cpu.check_gamma(self.gamma)
        if _LOSSES[self.name][2]:
            gamma = GAMMA
        object.__setattr__(self, "gamma", gamma)
        costs.check_cost(self.cost)
        if self.bandwidth is not None:
            bandwidth = as_integer("bandwidth", self.bandwidth, 0)
            object.__setattr__(self, "bandwidth", bandwidth)

    @property
    def divergence(self) -> bool:
        """Whether terms of series with themselves are to be taken off."""
        return _LOSSES[self.name][1]

    @property
    def sharp(self) -> bool:
        """Whether it is the expected cost of alignments."""
        return _LOSSES[self.name][0] is Table.expected_costs

    def between(self, x: Any, y: Any, *lengths: Any) -> Variable:
        """The loss of pairs ``(B, m, d)`` and ``(B, n, d)``, as ``(B,)``.

        For a divergence only the term of the pairs.
        """
        x, y = as_variable(x), as_variable(y)
        return _LOSSES[self.name][0](self.table(x, y, *lengths))

    def itself(self, x: Any, length: Any = None) -> Variable:
        """The same, ``(B,)``, of series ``(B, m, d)`` with themselves."""
        x = as_variable(x)
        table = self.table(x, x, length, length, symmetric=True)
        return _LOSSES[self.name][0](table)

    def table(
        self,
        x: Variable,
        y: Variable,
        x_length: Any = None,
        y_length: Any = None,
        **how: Any,
    ) -> Table:
        """The table of pairs ``(B, m, d)`` and ``(B, n, d)``."""
        pairs = Pairs(x, y, x_length, y_length, True, x.dtype)
        options = self.gamma, self.cost, self.bandwidth
        return series_table(self.name, pairs, *options, **how)
