"""The search for barycenters that have the least objective."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

import chainer
import numpy as np
from chainer import Parameter

from chainer_sdtw.learning._objective import Objective, host
from sdtw_cpu.blas import single_threaded
from sdtw_cpu.checks import as_integer, as_nonnegative
from sdtw_cpu.search import Point, Units, descend

# Called with the barycenters (K, length, d) and the objective.
Callback = Optional[Callable[[Any, float], Any]]


def minimize(
    objective: Objective,
    init: Any,
    optimizer: Any = "l-bfgs",
    tol: Any = 1e-5,
    max_iter: Any = 100,
    callback: Callback = None,
) -> tuple[Any, np.ndarray]:
    """Minimise the objectives.

    Each barycenter has a search of its own by one of scipy's methods, which
    ends by itself; all of them share the sweeps. A Chainer optimizer has all
    barycenters in one parameter.

    Args:
        objective: What to minimise.
        init: ``(K, length, d)``, where the series are.
        optimizer: ``'l-bfgs'``, a method of
            :func:`scipy.optimize.minimize`, or a Chainer optimizer.
        tol: Tolerance of scipy's methods.
        max_iter: The largest number of iterations.
        callback: Called after each iteration, if there is one barycenter.

    Returns:
        The barycenters ``(K, length, d)`` and their objectives ``(K,)``.

    Raises:
        TypeError: If the optimizer is not one.
        ValueError: If the optimizer is unknown, or an argument out of range.
        FloatingPointError: If the objective is not finite at ``init``.
    """
    tol, max_iter = check_stopping(tol, max_iter)
    values, gradient = objective(init)
    if not np.isfinite(values).all():
        raise FloatingPointError(
            f"the loss of the initial guess is {values.sum()}: the costs are "
            f"beyond the range of {init.dtype}"
        )
    if not isinstance(optimizer, str):
        start = values, gradient
        return _updated(objective, init, optimizer, max_iter, callback, start)
    method = "L-BFGS-B" if optimizer == "l-bfgs" else optimizer
    units = objective.units(init)
    starts = list(zip(host(init), values, host(gradient)))
    with single_threaded():
        if len(init) > 1:
            search = _Lockstep(objective, init.dtype)
            ends = search.run(starts, units, method, tol, max_iter)
        else:
            ends = [
                descend(
                    lambda z: _one(_evaluated(objective, z[None], init.dtype)),
                    starts[0],
                    method,
                    tol,
                    max_iter,
                    units[0],
                    lambda z, value: callback and callback(z[None], value),
                )
            ]
    barycenters = np.stack([z for z, _ in ends]).astype(init.dtype)
    least = np.array([value for _, value in ends])
    return objective.batch.xp.asarray(barycenters), least


def check_stopping(tol: Any, max_iter: Any) -> tuple[float, int]:
    """Return the limits of a search.

    Raises:
        TypeError: If they are not numbers.
        ValueError: If they are out of range.
    """
    return as_nonnegative("tol", tol), as_integer("max_iter", max_iter, 1)


def _evaluated(objective: Objective, z: np.ndarray, dtype: Any) -> tuple:
    values, gradient = objective(objective.batch.xp.asarray(z, dtype))
    return values, host(gradient)


def _one(evaluated: tuple) -> tuple:
    return tuple(a[0] for a in evaluated)


class _Stopped(Exception):
    """Ends a search that nobody waits for any more."""


class _Lockstep:
    """Searches in threads of their own that share the sweeps.

    When every search that has not ended has asked for an evaluation, the
    thread that called :meth:`run` makes them all in one sweep: it has the
    device, the stream and Chainer's configuration.
    """

    def __init__(self, objective: Objective, dtype: Any) -> None:
        self._objective = objective
        self._dtype = dtype
        self._condition = threading.Condition()
        self._asked: dict[int, np.ndarray] = {}
        self._answers: dict[int, tuple] = {}
        self._ends: dict[int, tuple[np.ndarray, float]] = {}
        self._error: BaseException | None = None

    def run(
        self,
        starts: list[Point],
        units: list[Units],
        method: str,
        tol: float,
        max_iter: int,
    ) -> list:
        """The barycenters and their objectives."""
        threads = [
            threading.Thread(
                target=self._search,
                args=(k, start, method, tol, max_iter, units[k]),
            )
            for k, start in enumerate(starts)
        ]
        try:
            for thread in threads:
                thread.start()
            self._serve()
        except BaseException as e:
            self._stop(e)
            raise
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        return [self._ends[k] for k in range(len(starts))]

    def _serve(self) -> None:
        count = self._objective.count
        part, members = self._objective, list(range(count))
        while True:
            with self._condition:
                self._condition.wait_for(
                    lambda: (
                        self._error
                        or len(self._asked) + len(self._ends) == count
                    )
                )
                if self._error is not None:
                    raise self._error
                asked = sorted(self._asked.items())
                self._asked.clear()
            if not asked:
                return
            if members != [k for k, _ in asked]:
                members = [k for k, _ in asked]
                part = self._objective.part(members)
            z = np.stack([z for _, z in asked])
            answers = zip(*_evaluated(part, z, self._dtype))
            with self._condition:
                self._answers.update(zip(members, answers))
                self._condition.notify_all()

    def _search(self, k: int, start: Point, *options: Any) -> None:
        try:
            end = descend(lambda z: self._evaluate(k, z), start, *options)
        except _Stopped:
            pass
        except BaseException as e:
            self._stop(e)
        else:
            with self._condition:
                self._ends[k] = end
                self._condition.notify_all()

    def _evaluate(self, k: int, z: np.ndarray) -> tuple:
        with self._condition:
            self._asked[k] = z
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._error or k in self._answers)
            if self._error is not None:
                raise _Stopped
            return self._answers.pop(k)

    def _stop(self, error: BaseException) -> None:
        with self._condition:
            self._error = error
            self._condition.notify_all()


def _updated(
    objective: Objective,
    init: Any,
    optimizer: Any,
    max_iter: int,
    callback: Callback,
    start: tuple,
) -> tuple[Any, np.ndarray]:
    """Search with a Chainer optimizer; the best update counts."""
    if not isinstance(optimizer, chainer.GradientMethod):
        raise TypeError(
            "optimizer must be 'l-bfgs', a method of scipy.optimize.minimize "
            f"or a chainer.GradientMethod, got {optimizer!r}"
        )
    link = chainer.Link()
    with link.init_scope():
        link.z = Parameter(init.copy())
    optimizer.setup(link)
    values, gradient = start
    best = init, values
    for _ in range(max_iter):
        link.z.grad = gradient
        optimizer.update()
        values, gradient = objective(link.z.array)
        if values.sum() < best[1].sum():
            best = link.z.array.copy(), values
        if callback is not None:
            callback(link.z.array.copy(), float(values.sum()))
    return best
