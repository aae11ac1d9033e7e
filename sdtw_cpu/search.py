"""The search for one barycenter by one of SciPy's methods."""

from __future__ import annotations

import math
from typing import Any, Callable, NamedTuple

import numpy as np

# A point of a search: barycenter (length, d), objective and gradient, all of
# them in float64.
Point = tuple[np.ndarray, float, np.ndarray]


class Units(NamedTuple):
    """What the search measures in, so that its tolerances are relative.

    The tolerances of SciPy's methods are absolute. In these units the series
    have a standard deviation of about 1 and the largest weight is 1, whatever
    the caller measures in.
    """

    series: float
    objective: float


def power_of_two(a: float) -> float:
    """The power of two nearest to a positive number; 1 for all others.

    Scaling by powers of two does not round.
    """
    if not 0 < a < math.inf:
        return 1.0
    return 2.0 ** min(max(round(math.log2(a)), -500), 500)


def descend(
    evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: Point,
    method: str,
    tol: float,
    max_iter: int,
    units: Units,
    callback: Callable[[np.ndarray, float], Any] | None = None,
) -> tuple[np.ndarray, float]:
    """Search the least objective.

    Args:
        evaluate: Returns objective and gradient at a barycenter.
        start: Where to begin, with what is known there.
        method: A method of :func:`scipy.optimize.minimize`.
        tol: Its tolerance, in ``units``.
        max_iter: The largest number of iterations.
        units: What the search measures in.
        callback: Called after each iteration with barycenter and objective.

    Returns:
        The barycenter and its objective.
    """
    from scipy import optimize

    shape = start[0].shape
    slope = units.series / units.objective

    def measured(value: float, gradient: np.ndarray) -> tuple:
        return value / units.objective, gradient.ravel() * slope

    # Where an iteration ends there has been an evaluation, mostly the last.
    last: list[Any] = [start[0].ravel() / units.series, *measured(*start[1:])]

    def given(flat: np.ndarray) -> np.ndarray:
        return flat.reshape(shape) * units.series

    def function(flat: np.ndarray) -> tuple[float, np.ndarray]:
        if not np.array_equal(flat, last[0]):
            last[:] = flat.copy(), *measured(*evaluate(given(flat)))
        return float(last[1]), last[2]

    def after(flat: np.ndarray) -> None:
        if callback is not None:
            callback(given(flat), function(flat)[0] * units.objective)

    result = optimize.minimize(
        function,
        last[0],
        method=method,
        jac=True,
        tol=tol,
        callback=after,
        options={"maxiter": max_iter},
    )
    return given(result.x), float(result.fun) * units.objective
