"""The class for one pair, as in mblondel/soft-dtw."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sdtw_cpu._adjoint import adjoint
from sdtw_cpu._tape import CostTape
from sdtw_cpu._value import value_from_cost
from sdtw_cpu.checks import as_array, check_gamma
from sdtw_cpu.types import Real, Reals


class Distance(Protocol):
    """What can compute a distance matrix."""

    def compute(self) -> Reals: ...


class SoftDTW:
    """Soft-DTW of one pair of series, as in mblondel/soft-dtw.

    Args:
        D: A distance matrix ``(m, n)``, or an object whose ``compute()``
            returns one, such as
            :class:`sdtw_cpu.distance.SquaredEuclidean`.
        gamma: Smoothing, >= 0; lower means closer to DTW, 0 is DTW.

    Raises:
        TypeError: If ``D`` is not numbers.
        ValueError: If ``D`` is not a matrix or gamma is out of range.
    """

    def __init__(self, D: Distance | Reals, gamma: Real = 1.0) -> None:
        compute = getattr(D, "compute", None)
        what = "a matrix of real numbers or have a compute() that returns one"
        matrix = as_array("D", D if compute is None else compute(), what=what)
        self.D = matrix.astype(np.float64)
        if self.D.ndim != 2 or 0 in self.D.shape:
            raise ValueError(
                f"D must have shape (m, n) with m, n >= 1, got {self.D.shape}"
            )
        self.gamma = check_gamma(gamma)
        self._tape: CostTape | None = None

    def __repr__(self) -> str:
        m, n = self.D.shape
        return f"{type(self).__name__}(m={m}, n={n}, gamma={self.gamma:g})"

    def compute(self) -> float:
        """Return the soft-DTW discrepancy."""
        values, self._tape = value_from_cost(
            self.D[None], self.gamma, tape=True
        )
        return float(values[0])

    def grad(self) -> NDArray[np.float64]:
        """Return the gradient ``(m, n)`` with respect to ``D``.

        It is also the expected alignment matrix.

        Raises:
            ValueError: If :meth:`compute` has not been called.
        """
        if self._tape is None:
            raise ValueError("call compute() before grad()")
        e = adjoint(self._tape)
        assert isinstance(e, np.ndarray)
        return e[0]
