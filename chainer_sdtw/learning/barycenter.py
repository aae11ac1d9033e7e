"""Averages of time series."""

from __future__ import annotations

from typing import Any, Callable, Literal

import chainer
import numpy as np
from chainer.backend import get_device_from_array
from chainer.backends import cuda
from chainer.optimizer import GradientMethod

from chainer_sdtw._engine.losses import Loss, as_loss
from chainer_sdtw._engine.series import array_of, on_host
from chainer_sdtw._engine.series_set import (
    SeriesSet,
    as_one_series,
    as_series_set,
    check_finite,
)
from chainer_sdtw._engine.types import ArrayLike, Cost, LossSpec, Series
from chainer_sdtw.learning._matrix import matrix
from chainer_sdtw.learning._objective import Objective
from chainer_sdtw.learning._progress import converged, progress
from chainer_sdtw.learning._resampling import (
    checked_length,
    resampled,
    usual_length,
)
from chainer_sdtw.learning._search import minimize
from chainer_sdtw.learning._stopping import as_stopping
from sdtw_cpu.checks import as_integer, as_weights
from sdtw_cpu.types import FloatArray, Integer, Real

_INITS = ("mean", "medoid", "random")


def barycenter(
    series: Series,
    gamma: Real = 1.0,
    weights: ArrayLike | None = None,
    init: Literal["mean", "medoid", "random"] | ArrayLike | None = None,
    length: Integer | None = None,
    optimizer: str | GradientMethod = "l-bfgs",
    tol: Real = 1e-5,
    max_iter: Integer = 100,
    *,
    loss: LossSpec = "soft_dtw",
    cost: Cost = "sqeuclidean",
    bandwidth: Integer | None = None,
    random_state: (
        Integer | np.random.RandomState | np.random.Generator | None
    ) = None,
    callback: Callable[[FloatArray, float], object] | None = None,
    verbose: bool = False,
) -> FloatArray:
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
        weights (:ref:`ndarray`): ``(N,)``, >= 0, of which only the ratios
            matter; None means 1.
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
        tol (float): Tolerance of SciPy's methods, as they define it: for
            L-BFGS, the least relative decrease in an iteration and the least
            entry of the gradient worth going on for. They see the objective
            of series scaled to a standard deviation of about 1, with a
            largest weight of 1, so that units do not matter.
        max_iter (int): The largest number of iterations.
        loss (str or callable): A loss by its name, or its function, of those
            in the :ref:`table of losses <loss-names>`.
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
    options = as_loss(loss, gamma, cost, bandwidth)
    stopping = as_stopping(tol, max_iter)
    series_set = as_series_set("series", series)
    weights = on_host(weights)
    weights = as_weights("weights", weights, len(series_set), nonzero=True)
    largest = float(weights.max())
    weights = weights / largest
    with chainer.using_device(get_device_from_array(series_set.array)):
        check_finite("series", series_set)
        start = _initial(
            series_set, options, weights, init, length, random_state
        )
        objective = Objective(series_set, options, weights)
        with progress(verbose, stopping.max_iter, "barycenter") as bar:

            def after(z: Any, value: float) -> None:
                bar.set_postfix_str(f"{value:.6g}", refresh=False)
                bar.update()
                if callback is not None:
                    callback(series_set.as_given(z[0]), value * largest)

            z, _ = minimize(objective, start[None], stopping, optimizer, after)
            converged(bar)
        return series_set.as_given(z[0])


def _initial(
    series: SeriesSet,
    loss: Loss,
    weights: np.ndarray,
    init: Any,
    length: Any,
    random_state: Any,
) -> Any:
    """Return the initial guess ``(length, d)``, where the series are."""
    length = checked_length(length)
    if not (random_state is None or hasattr(random_state, "standard_normal")):
        random_state = as_integer("random_state", random_state, 0, 2**32 - 1)
    if not (init is None or isinstance(init, str)):
        return _init_array(series, init, length)
    if init is not None and init not in _INITS:
        names = ", ".join(map(repr, _INITS))
        raise ValueError(f"init must be {names} or an array, got {init!r}")
    length = length or usual_length(series)
    if init == "random":
        return _random(series, length, random_state)
    xp = series.xp
    if init == "medoid":
        objectives = cuda.to_cpu(matrix(series, None, loss)) @ weights
        series = series.take(np.array([objectives.argmin()]))
        return resampled(series, length)[0]
    weights = (weights / weights.sum()).astype(series.array.dtype)
    same_length = resampled(series, length)
    return xp.einsum("i,ijk->jk", xp.asarray(weights), same_length)


def _init_array(series: SeriesSet, init: Any, length: int | None) -> Any:
    """Check that an array fits the series, and copy it to their device."""
    guess = as_one_series("init", init)
    if guess.univariate != series.univariate:
        expected = "(length,)" if series.univariate else "(length, features)"
        shape = np.shape(array_of(init))
        raise ValueError(f"init must have shape {expected}, got {shape}")
    if guess.features != series.features:
        raise ValueError(
            f"init must have {series.features} features like the series, got "
            f"{guess.features}"
        )
    guess_length = guess.array.shape[1]
    if length not in (None, guess_length):
        raise ValueError(f"init has length {guess_length}, not {length}")
    check_finite("init", guess)
    # A search that finds nothing better returns it: not the caller's array.
    return series.xp.array(guess.array[0], series.array.dtype)


def _random(series: SeriesSet, length: int, random_state: Any) -> Any:
    """Noise with the mean and the standard deviation of the series."""
    if not hasattr(random_state, "standard_normal"):
        random_state = np.random.RandomState(random_state)
    elements = series.elements()
    noise = random_state.standard_normal((length, series.features))
    noise = series.xp.asarray(noise.astype(elements.dtype))
    return elements.mean(axis=0) + elements.std(axis=0) * noise
