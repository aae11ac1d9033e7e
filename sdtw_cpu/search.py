"""The search for a barycenter by one of SciPy's methods."""

from __future__ import annotations

import math
from typing import Callable, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "METHODS",
    "Point",
    "Units",
    "check_method",
    "descend",
    "power_of_two",
]

#: The methods of :func:`scipy.optimize.minimize` that take gradients and need
#: no more, in lower case.
METHODS = (
    "bfgs",
    "cg",
    "l-bfgs-b",
    "newton-cg",
    "slsqp",
    "tnc",
    "trust-constr",
)

Float64s = NDArray[np.float64]

#: A barycenter ``(length, d)``, its objective and the gradient of that.
Point = tuple[Float64s, float, Float64s]


class Units(NamedTuple):
    """The units of a search, which make its tolerances relative.

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


def check_method(
    name: str, method: object, methods: tuple[str, ...] = METHODS
) -> None:
    """Check the name of a method, in any case of letters.

    Raises:
        TypeError: If it is not a string.
        ValueError: If it is none of the methods.
    """
    names = ", ".join(map(repr, methods))
    message = f"{name} must be one of {names}, got {method!r}"
    if not isinstance(method, str):
        raise TypeError(message)
    if method.lower() not in methods:
        raise ValueError(message)


# What is beyond the range ends a search.
@np.errstate(over="ignore", invalid="ignore")
def descend(
    evaluate: Callable[[Float64s], tuple[float, Float64s]],
    start: Point,
    method: str,
    tol: float,
    max_iter: int,
    units: Units,
    callback: Callable[[Float64s, float], object] | None = None,
) -> tuple[Float64s, float]:
    """Search for the least objective.

    Args:
        evaluate: Returns objective and gradient at a barycenter.
        start: Where to begin, with objective and gradient there.
        method: One of ``METHODS``.
        tol: Its tolerance, in ``units``.
        max_iter: The largest number of iterations, or of evaluations with
            the method "tnc".
        units: The units of the search.
        callback: Called after each iteration with barycenter and objective.

    Returns:
        The barycenter and its objective.
    """
    from scipy import optimize

    # Larger ones end a search just as soon, and SciPy's sums overflow.
    tol = min(tol, 1e100)
    z, objective, gradient = start
    shape = z.shape
    slope = units.series / units.objective

    # SciPy sees flat barycenters, objectives and gradients in these units.
    # Its callback has the last evaluation's barycenter in most iterations.
    last_z = z.ravel() / units.series
    last = float(objective / units.objective), gradient.ravel() * slope

    def barycenter(flat: Float64s) -> Float64s:
        return flat.reshape(shape) * units.series

    def function(flat: Float64s) -> tuple[float, Float64s]:
        nonlocal last_z, last
        if not np.array_equal(flat, last_z):
            value, gradient = evaluate(barycenter(flat))
            last_z = flat.copy()
            last = float(value / units.objective), gradient.ravel() * slope
        return last

    def after_iteration(flat: Float64s, *state: object) -> None:
        if callback is not None:
            value, _ = function(flat)
            callback(barycenter(flat), value * units.objective)

    limit = "maxfun" if method.lower() == "tnc" else "maxiter"
    result = optimize.minimize(
        function,
        last_z,
        method=method,
        jac=True,
        tol=tol,
        callback=after_iteration,
        options={limit: max_iter},
    )
    return barycenter(result.x), float(result.fun) * units.objective
