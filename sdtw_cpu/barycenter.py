"""Averages of series, as the seed's ``sdtw.barycenter`` has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sdtw_cpu._blas import single_threaded
from sdtw_cpu._sweeps import adjoint, check_gamma, value


def sdtw_barycenter(
    X: Any,
    barycenter_init: Any,
    gamma: float = 1.0,
    weights: Any = None,
    method: str = "L-BFGS-B",
    tol: float = 1e-3,
    max_iter: int = 50,
) -> np.ndarray:
    """Compute the barycenter of series under soft-DTW.

    A local minimum of ``sum_i weights[i] soft_dtw(Z, X[i])`` (Cuturi and
    Blondel, ICML 2017, equation 4). Each evaluation is one sweep over all
    series and back.

    Args:
        X: List of series ``(length, d)``, or an array ``(N, length, d)``.
        barycenter_init: ``(length, d)``, the initial guess.
        gamma: Smoothing, >= 0; lower means closer to DTW.
        weights: ``(N,)``; None means 1.
        method: A method of :func:`scipy.optimize.minimize` that takes
            gradients.
        tol: Its tolerance.
        max_iter: The largest number of iterations.

    Returns:
        ``(length, d)`` float64, the barycenter.

    Raises:
        ValueError: If shapes do not fit or gamma is out of range.
    """
    from scipy.optimize import minimize

    gamma = check_gamma(gamma)
    init = np.asarray(barycenter_init, dtype=np.float64)
    series = [np.asarray(x, dtype=np.float64) for x in X]
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
    weights = np.ones(len(series)) if weights is None else np.asarray(weights)
    if weights.shape != (len(series),):
        raise ValueError(
            f"weights must have shape {(len(series),)}, got {weights.shape}"
        )
    length = np.array([len(x) for x in series])
    y = np.zeros((len(series), length.max(), init.shape[1]))
    for row, x in zip(y, series):
        row[: len(x)] = x

    def objective(z: np.ndarray) -> tuple[float, np.ndarray]:
        x = np.broadcast_to(z.reshape(init.shape), (len(y), *init.shape))
        values, tape = value(x, y, gamma, y_length=length, tape=True)
        gx, _ = adjoint(tape, weights, y=False)
        assert gx is not None
        return float((weights * values).sum()), gx.sum(axis=0).ravel()

    with single_threaded():
        result = minimize(
            objective,
            init.ravel(),
            method=method,
            jac=True,
            tol=tol,
            options={"maxiter": max_iter},
        )
    return result.x.reshape(init.shape)
