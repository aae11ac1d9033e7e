"""Averages of time series."""

from __future__ import annotations

from typing import Any

import chainer
import numpy as np
from chainer.backend import get_device_from_array
from chainer.backends import cuda

from chainer_sdtw import _barycenters
from chainer_sdtw._batch import Batch, as_batch, check_finite
from chainer_sdtw._losses import Loss
from chainer_sdtw._progress import converged, progress
from chainer_sdtw.functions._series import array_of
from chainer_sdtw.pairwise import fill

_INITS = ("mean", "medoid", "random")


def barycenter(
    series: Any,
    gamma: float = 1.0,
    weights: Any = None,
    init: Any = None,
    length: int | None = None,
    optimizer: Any = "l-bfgs",
    tol: float = 1e-5,
    max_iter: int = 100,
    *,
    loss: str = "soft_dtw",
    cost: Any = "sqeuclidean",
    bandwidth: int | None = None,
    random_state: Any = None,
    callback: _barycenters.Callback = None,
    verbose: bool = False,
) -> Any:
    """Barycenter of time series under soft-DTW.

    The series :math:`z` of a given length that minimises :math:`\\sum_i w_i
    \\, \\mathrm{loss}(z, y_i)`, or a local minimum of it near the initial
    guess, as the loss is not convex. Two series with the weights :math:`1 -
    t` and :math:`t` are interpolated so. One evaluation of the objective and
    its gradient is one sweep over a batch of all series and back.

    See: M. Cuturi and M. Blondel, `Soft-DTW: a Differentiable Loss Function
    for Time-Series <https://arxiv.org/abs/1703.01541>`_, ICML 2017, equation
    4; for the divergences M. Blondel, A. Mensch and J.-P. Vert,
    `Differentiable Divergences Between Time Series
    <https://arxiv.org/abs/2010.08354>`_, AISTATS 2021.

    Args:
        series (list or :ref:`ndarray`): ``(N, L, d)``, ``(N, L)`` for
            univariate series, or a list of series ``(length, d)`` or
            ``(length,)``, on one device.
        gamma (float): Smoothing, >= 0, in units of the cost.
        weights (:ref:`ndarray`): ``(N,)``, >= 0; None means 1.
        init (str or :ref:`ndarray`): The initial guess. ``'mean'``, the
            default, is the weighted Euclidean mean; ``'medoid'`` is the one
            of the series that has the least objective, found by ``N * N``
            losses; both after linear interpolation of the series to
            ``length`` where theirs is another. ``'random'`` is normal noise
            with each feature's mean and standard deviation. An array
            ``(length, d)``, or ``(length,)`` for univariate series, is taken
            as it is.
        length (int): The barycenter's length; by default that of ``init`` if
            it is an array, otherwise the mean of the series' lengths,
            rounded.
        optimizer (str or ~chainer.GradientMethod): ``'l-bfgs'``; another
            method of :func:`scipy.optimize.minimize` that takes gradients,
            such as ``'cg'``; or a Chainer optimizer, which makes ``max_iter``
            updates, of which the best counts.
        tol (float): Tolerance of scipy's methods, as they define it: for
            L-BFGS, the least relative decrease in an iteration and the least
            entry of the gradient worth going on for.
        max_iter (int): The largest number of iterations.
        loss (str): ``'soft_dtw'``, ``'divergence'``
            (:func:`~chainer_sdtw.soft_dtw_divergence`), ``'sharp'``,
            ``'sharp_divergence'``, ``'mean_cost'`` or
            ``'mean_cost_divergence'``, the last two without a ``gamma``.
            The very last has no minimum where lengths differ.
        cost (str or callable): A cost as in
            :func:`~chainer_sdtw.cost_matrix`.
        bandwidth (int): Radius of Sakoe and Chiba's band, as for
            :func:`~chainer_sdtw.soft_dtw`. None means no band.
        random_state (int or numpy.random.RandomState): For ``'random'``.
        callback (callable): Called after each iteration with the barycenter
            so far and its objective, in which the divergences' terms of the
            series with themselves, constants, are left out. What it raises,
            and Ctrl-C, ends the search.
        verbose (bool): Whether to show a progress bar, which needs tqdm.

    Returns:
        :ref:`ndarray`: ``(length, d)``, or ``(length,)`` if the series came
        without an axis for features; on their device and of their type.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a shape is wrong, an argument out of range, or a series
            has a NaN or an infinity.
        FloatingPointError: If the objective overflows at the initial guess.

    .. admonition:: Example

        >>> series = [np.array([0, 0, 1, 2.]), np.array([0, 1, 2.])]
        >>> z = chainer_sdtw.barycenter(series, gamma=0.01, length=3)
        >>> np.allclose(z, [0, 1, 2], atol=0.01)
        True

    """
    options = Loss(loss, gamma, cost, bandwidth)
    batch = as_batch("series", series)
    weights = _weights(weights, len(batch))
    with chainer.using_device(get_device_from_array(batch.array)):
        check_finite("series", batch)
        start = _initial(batch, options, weights, init, length, random_state)
        objective = _barycenters.Objective(batch, options, weights)
        with progress(verbose, max_iter, "barycenter") as bar:

            def after(z: Any, value: float) -> None:
                bar.set_postfix_str(f"{value:.6g}", refresh=False)
                bar.update()
                if callback is not None:
                    callback(batch.as_given(z[0]), value)

            z, _ = _barycenters.minimize(
                objective, start[None], optimizer, tol, max_iter, after
            )
            converged(bar)
        return batch.as_given(z[0])


def _weights(weights: Any, size: int) -> np.ndarray:
    if weights is None:
        return np.ones(size)
    a = np.asarray(cuda.to_cpu(array_of(weights)), dtype=np.float64)
    if a.shape != (size,):
        raise ValueError(
            f"weights must have shape {(size,)}, one for each series, got "
            f"{a.shape}"
        )
    if not (np.isfinite(a).all() and (a >= 0).all() and a.any()):
        raise ValueError(
            f"weights must be >= 0, finite and not all 0, got {a}"
        )
    return a


def _initial(
    batch: Batch,
    loss: Loss,
    weights: np.ndarray,
    init: Any,
    length: int | None,
    random_state: Any,
) -> Any:
    """The initial guess ``(length, d)``, where the series are."""
    if length is not None and (length != int(length) or length < 1):
        raise ValueError(f"length must be an integer >= 1, got {length!r}")
    if not (init is None or isinstance(init, str)):
        return _given(batch, init, length)
    if init is not None and init not in _INITS:
        names = ", ".join(map(repr, _INITS))
        raise ValueError(f"init must be {names} or an array, got {init!r}")
    length = length or _barycenters.usual_length(batch)
    if init == "random":
        return _random(batch, length, random_state)
    xp = batch.xp
    if init == "medoid":
        matrix = xp.empty((len(batch), len(batch)), batch.array.dtype)
        fill(matrix, batch, None, loss)
        objectives = cuda.to_cpu(matrix) @ weights
        batch = batch.take(np.array([objectives.argmin()]))
        return _barycenters.resampled(batch, length)[0]
    share = xp.asarray((weights / weights.sum()).astype(batch.array.dtype))
    series = _barycenters.resampled(batch, length)
    return xp.einsum("i,ijk->jk", share, series)


def _given(batch: Batch, init: Any, length: int | None) -> Any:
    init = array_of(init)
    if isinstance(init, (list, tuple)):
        init = np.asarray(init)
    given = as_batch("init", init[None])
    if given.univariate != batch.univariate:
        wanted = "(length,)" if batch.univariate else "(length, features)"
        raise ValueError(f"init must have shape {wanted}, got {init.shape}")
    if given.features != batch.features:
        raise ValueError(
            f"init must have {batch.features} features like the series, got "
            f"{given.features}"
        )
    if length not in (None, len(init)):
        raise ValueError(f"init has length {len(init)}, not {length}")
    check_finite("init", given)
    return batch.xp.asarray(given.array[0], batch.array.dtype)


def _random(batch: Batch, length: int, random_state: Any) -> Any:
    if not hasattr(random_state, "standard_normal"):
        random_state = np.random.RandomState(random_state)
    # Of the elements there are, without the padding.
    array, lengths = batch.array, batch.lengths
    inside = np.arange(array.shape[1]) < lengths[:, None]
    elements = array[batch.xp.asarray(inside)]
    noise = random_state.standard_normal((length, batch.features))
    noise = batch.xp.asarray(noise.astype(array.dtype))
    return elements.mean(axis=0) + elements.std(axis=0) * noise
