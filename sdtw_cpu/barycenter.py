"""Averages of series, as ``sdtw.barycenter`` in mblondel/soft-dtw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sdtw_cpu._adjoint import adjoint
from sdtw_cpu._value import value
from sdtw_cpu.blas import single_threaded
from sdtw_cpu.checks import (
    as_array,
    as_integer,
    as_nonnegative,
    as_weights,
    check_gamma,
    check_unmasked,
    read_array,
)
from sdtw_cpu.search import Units, check_method, descend, power_of_two
from sdtw_cpu.types import Integer, Real, Reals

__all__ = ["sdtw_barycenter"]


def sdtw_barycenter(
    X: NDArray[np.generic] | Sequence[Reals],
    barycenter_init: Reals,
    gamma: Real = 1.0,
    weights: Reals | None = None,
    method: str = "L-BFGS-B",
    tol: Real = 1e-3,
    max_iter: Integer = 50,
) -> NDArray[np.float64]:
    """Compute the barycenter of series under soft-DTW.

    A local minimum of ``sum_i weights[i] soft_dtw(Z, X[i])`` (Cuturi and
    Blondel, ICML 2017, equation 4). Each evaluation is one sweep over all
    series and back.

    Args:
        X: List of series ``(length, d)``, or an array ``(N, length, d)``.
        barycenter_init: ``(length, d)``, the initial guess.
        gamma: Smoothing, >= 0; lower means closer to DTW.
        weights: ``(N,)``, >= 0, of which only the ratios matter; None means
            1.
        method: A method of :func:`scipy.optimize.minimize` that takes
            gradients, one of ``sdtw_cpu.search.METHODS``.
        tol: Its tolerance, with the series and the weights scaled to a
            standard deviation and a largest weight of about 1.
        max_iter: The largest number of iterations.

    Returns:
        ``(length, d)`` float64, the barycenter.

    Raises:
        TypeError: If an argument is not made of real numbers, or the method
            no string.
        ValueError: If shapes do not fit, an argument is out of range or there
            is no such method.
    """
    gamma = check_gamma(gamma)
    init = as_array("barycenter_init", barycenter_init).astype(np.float64)
    check_unmasked("X", X)
    if not isinstance(X, (list, tuple)):
        X = np.atleast_1d(read_array("X", X))
    series = [
        as_array(f"X[{i}]", x).astype(np.float64) for i, x in enumerate(X)
    ]
    for name, a in (
        ("barycenter_init", init),
        *((f"X[{i}]", x) for i, x in enumerate(series)),
    ):
        if a.ndim != 2 or 0 in a.shape or a.shape[1] != init.shape[1]:
            raise ValueError(
                f"{name} must be a series of shape (length, features), with "
                f"as many features as barycenter_init; got shape {a.shape}"
            )
    if not series:
        raise ValueError("X must not be empty")
    ratios = as_weights("weights", weights, len(series), nonzero=True)
    ratios /= ratios.max()
    check_method("method", method)
    tol = as_nonnegative("tol", tol)
    max_iter = as_integer("max_iter", max_iter, 1)
    length = np.array([len(x) for x in series])
    y = np.zeros((len(series), length.max(), init.shape[1]))
    for row, x in zip(y, series):
        row[: len(x)] = x

    def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
        x = np.broadcast_to(z, (len(y), *init.shape))
        values, tape = value(x, y, gamma, y_length=length, tape=True)
        gx, _ = adjoint(tape, ratios, y=False)
        assert gx is not None
        return float((ratios * values).sum()), gx.sum(axis=0)

    with np.errstate(over="ignore", invalid="ignore"):
        unit = power_of_two(float(np.concatenate(series).std()))
    units = Units(unit, unit**2)
    start = init, *objective(init)
    with single_threaded():
        z, _ = descend(objective, start, method, tol, max_iter, units)
    return z
