"""Distance objects, as ``sdtw.distance`` in mblondel/soft-dtw."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sdtw_cpu.checks import as_array
from sdtw_cpu.costs import SqEuclidean
from sdtw_cpu.types import Reals

__all__ = ["SquaredEuclidean"]


class SquaredEuclidean:
    """Squared Euclidean distances between the elements of two series.

    Args:
        X: ``(m, d)`` series.
        Y: ``(n, d)`` series.

    Raises:
        TypeError: If a series is not made of real numbers.
        ValueError: If the shapes do not fit, or elements are masked.
    """

    def __init__(self, X: Reals, Y: Reals) -> None:
        self.X: NDArray[np.float64] = np.asarray(
            as_array("X", X), dtype=np.float64
        )
        self.Y: NDArray[np.float64] = np.asarray(
            as_array("Y", Y), dtype=np.float64
        )
        for name, a in (("X", self.X), ("Y", self.Y)):
            if a.ndim != 2 or 0 in a.shape:
                raise ValueError(
                    f"{name} must be a series of shape (length, features), "
                    f"got shape {a.shape}"
                )
        if self.X.shape[1] != self.Y.shape[1]:
            raise ValueError(
                "X and Y must have the same number of features, got shapes "
                f"{self.X.shape} and {self.Y.shape}"
            )

    def __repr__(self) -> str:
        m, d = self.X.shape
        return f"{type(self).__name__}(m={m}, n={len(self.Y)}, d={d})"

    def compute(self) -> NDArray[np.float64]:
        """Return the distance matrix ``(m, n)``."""
        matrices = SqEuclidean().matrix(self.X[None], self.Y[None])
        matrix: NDArray[np.float64] = matrices[0]
        return matrix

    @np.errstate(over="ignore", invalid="ignore")
    def jacobian_product(self, E: Reals) -> NDArray[np.float64]:
        """Return the product of the Jacobian's transpose with a matrix.

        Args:
            E: ``(m, n)``, for instance an expected alignment.

        Returns:
            ``(m, d)``: ``sum_j E[i, j] d D[i, j] / d X[i]``, which for the
            expected alignment is the gradient of soft-DTW with respect to
            ``X``.

        Raises:
            TypeError: If it is not made of real numbers.
            ValueError: If the shape is not ``(m, n)``.
        """
        # The order of sums depends on the order in memory.
        e = np.ascontiguousarray(as_array("E", E), dtype=np.float64)
        if e.shape != (len(self.X), len(self.Y)):
            raise ValueError(
                f"E must have shape {(len(self.X), len(self.Y))}, "
                f"got {e.shape}"
            )
        return np.stack(
            [
                2 * np.einsum("ij,ij->i", e, x[:, None] - y)
                for x, y in zip(self.X.T, self.Y.T)
            ],
            axis=1,
        )
