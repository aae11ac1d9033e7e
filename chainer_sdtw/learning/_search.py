"""The search for barycenters that have the least objective."""

from __future__ import annotations

from typing import Any, Callable, Optional

import chainer
import numpy as np
from chainer import Parameter
from chainer.backend import get_array_module

from chainer_sdtw.learning._lockstep import LockstepSearch
from chainer_sdtw.learning._objective import AnyObjective
from chainer_sdtw.learning._pair_gradients import as_float64
from chainer_sdtw.learning._stopping import Stopping
from sdtw_cpu.blas import single_threaded
from sdtw_cpu.search import METHODS, check_method, descend

# Called with the barycenters (K, length, d) and the objective.
Callback = Optional[Callable[[Any, float], Any]]


def minimize(
    objective: AnyObjective,
    init: Any,
    stopping: Stopping,
    optimizer: Any = "l-bfgs",
    callback: Callback = None,
) -> tuple[Any, np.ndarray]:
    """Minimise the objectives.

    Each barycenter has a search of its own by one of SciPy's methods, which
    ends by itself; all of them share the sweeps. A Chainer optimizer has all
    barycenters in one parameter.

    Args:
        objective: What to minimise.
        init: ``(K, length, d)``, where the series are.
        stopping: When to end.
        optimizer: ``'l-bfgs'``, a method of
            :func:`scipy.optimize.minimize`, or a Chainer optimizer.
        callback: Called after each iteration, if there is one barycenter.

    Returns:
        The barycenters ``(K, length, d)`` and their objectives ``(K,)``.

    Raises:
        TypeError: If the optimizer is not one.
        ValueError: If the optimizer is unknown.
        FloatingPointError: If the objective is not finite at ``init``.
    """
    if isinstance(optimizer, str):
        check_method("optimizer", optimizer, ("l-bfgs", *METHODS))
    values, gradient = objective(init)
    if not np.isfinite(values).all():
        raise FloatingPointError(
            f"the loss of the initial guess is {values.sum()}: the costs are "
            f"beyond the range of {init.dtype}"
        )
    if not isinstance(optimizer, str):
        return _updated(
            objective, init, values, gradient, stopping, optimizer, callback
        )
    method = "l-bfgs-b" if optimizer.lower() == "l-bfgs" else optimizer
    units = objective.units(init)
    starts = list(zip(as_float64(init), values, as_float64(gradient)))
    with single_threaded():
        if len(init) > 1:
            search = LockstepSearch(objective, method, stopping)
            ends = search.run(starts, units)
        else:
            ends = [
                descend(
                    lambda z: _first(objective.on_host(z[None])),
                    starts[0],
                    method,
                    stopping.tol,
                    stopping.max_iter,
                    units[0],
                    lambda z, value: callback and callback(z[None], value),
                )
            ]
    barycenters = np.stack([z for z, _ in ends]).astype(init.dtype)
    least = np.array([value for _, value in ends])
    return get_array_module(init).asarray(barycenters), least


def _first(evaluated: tuple) -> tuple:
    """Objective and gradient of the only barycenter."""
    values, gradients = evaluated
    return values[0], gradients[0]


def _updated(
    objective: AnyObjective,
    init: Any,
    values: np.ndarray,
    gradient: Any,
    stopping: Stopping,
    optimizer: Any,
    callback: Callback,
) -> tuple[Any, np.ndarray]:
    """Search with a Chainer optimizer, and return the best update."""
    if not isinstance(optimizer, chainer.GradientMethod):
        raise TypeError(
            "optimizer must be 'l-bfgs', a method of scipy.optimize.minimize "
            f"or a chainer.GradientMethod, got {optimizer!r}"
        )
    link = chainer.Link()
    with link.init_scope():
        link.z = Parameter(init.copy())
    optimizer.setup(link)
    best = init, values
    for _ in range(stopping.max_iter):
        link.z.grad = gradient
        optimizer.update()
        values, gradient = objective(link.z.array)
        if values.sum() < best[1].sum():
            best = link.z.array.copy(), values
        if callback is not None:
            callback(link.z.array.copy(), float(values.sum()))
    return best
