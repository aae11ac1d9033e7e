"""The optimisation behind barycenters, of one or several at once."""

from __future__ import annotations

import math
import threading
from typing import Any, Callable, Optional

import chainer
import numpy as np
from chainer import Parameter
from chainer.backends import cuda

from chainer_sdtw._engine import nodes
from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import Batch
from chainer_sdtw._engine.types import Variable
from sdtw_cpu.blas import single_threaded
from sdtw_cpu.checks import as_integer, as_nonnegative
from sdtw_cpu.search import Point, Units, descend, power_of_two

# Called with the barycenters (K, length, d) and the objective.
Callback = Optional[Callable[[Any, float], Any]]

# The costs grow as this power of the series.
_DEGREES = {"sqeuclidean": 2, "euclidean": 1, "manhattan": 1, "cosine": 0}


class Objective:
    """Weighted sums of a loss between series and their barycenters.

    One call is one sweep over a batch of all series and back, whatever the
    number of barycenters. The divergences' terms of series with themselves
    are constants and left out.

    Args:
        batch: ``N`` series.
        loss: The loss.
        weights: ``(N,)``, >= 0, on the host; None means 1.
        labels: ``(N,)`` integers on the host, the barycenter of each series;
            None means that there is one.
        count: The number ``K`` of barycenters.
    """

    def __init__(
        self,
        batch: Batch,
        loss: Loss,
        weights: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        count: int = 1,
    ) -> None:
        if labels is None:
            labels = np.zeros(len(batch), int)
        if weights is None:
            weights = np.ones(len(batch))
        if count > 1:
            # Those of one barycenter side by side.
            order = np.argsort(labels, kind="stable")
            batch, labels = batch.take(order), labels[order]
            weights = weights[order]
        self.batch = batch
        self.loss = loss
        self.weights = weights
        bounds = np.searchsorted(labels, np.arange(count + 1))
        self._slices = [slice(*ends) for ends in zip(bounds, bounds[1:])]
        self._labels = batch.xp.asarray(labels)
        self._weights = batch.xp.asarray(weights.astype(batch.array.dtype))
        self._problem: Any = None

    @property
    def count(self) -> int:
        """The number of barycenters."""
        return len(self._slices)

    def units(self, barycenters: Any) -> list[Units]:
        """What the search for each of the barycenters measures in."""
        matrices, cost = None, self.loss.cost
        if callable(cost):
            # How large its costs are, only the costs themselves can tell.
            x, y, y_length = self._pairs(barycenters)
            with chainer.no_backprop_mode():
                pairs = Variable(x), Variable(y), None, y_length
                matrices = self.loss.table(*pairs).inputs[0].array
        units = []
        for part in self._slices:
            if part.start == part.stop:
                units.append(Units(1.0, 1.0))
                continue
            series = self._deviation(part)
            if matrices is None:
                objective = series ** _DEGREES[cost]
            else:
                xp = self.batch.xp
                size = xp.absolute(matrices[part])
                size = size[xp.isfinite(size)]
                mean = float(size.mean(dtype=np.float64)) if size.size else 1.0
                objective = power_of_two(mean)
            weight = float(self.weights[part].max()) or 1.0
            units.append(Units(series, objective * weight))
        return units

    def _deviation(self, part: slice) -> float:
        """The standard deviation of some series, as a power of two."""
        batch, xp = self.batch, self.batch.xp
        if self.count > 1:
            batch = batch.take(np.arange(part.start, part.stop))
        elements = batch.elements()
        if self.loss.cost == "cosine":  # which does not forgive an offset
            square = xp.square(elements, dtype=np.float64).mean()
        else:
            square = elements.var(dtype=np.float64)
        return power_of_two(math.sqrt(float(square)))

    def part(self, members: list[int]) -> Objective:
        """The objective of some of the barycenters, in their order."""
        if len(members) == self.count:
            return self
        indexes = np.concatenate(
            [
                np.arange(*self._slices[k].indices(len(self.batch)))
                for k in members
            ]
        )
        sizes = [self._slices[k].stop - self._slices[k].start for k in members]
        labels = np.repeat(np.arange(len(members)), sizes)
        return Objective(
            *(self.batch.take(indexes), self.loss, self.weights[indexes]),
            *(labels, len(members)),
        )

    def __call__(self, barycenters: Any) -> tuple[np.ndarray, Any]:
        """Objectives ``(K,)`` in float64 and gradients ``(K, length, d)``.

        Args:
            barycenters: ``(K, length, d)``, where the series are.
        """
        x, y, y_length = self._pairs(barycenters)
        if self._problem is None:
            table = self.loss.table(Variable(x), Variable(y), None, y_length)
            # A cost that is not fused is in the way from series to sweeps.
            fused = table.inputs[0].array is x
            self._problem = table.problem if fused else False
        sweep = self._swept if self._problem else self._composed
        value, gx, gy = sweep(x, y, y_length)
        value, size = _host(value), len(self.batch)
        weighted = self.weights * value[:size]
        values = np.array([weighted[part].sum() for part in self._slices])
        # Not by BLAS, whose threads keep spinning where the sweeps' are.
        xp = self.batch.xp
        gradient = xp.stack(
            [
                xp.einsum("i,ijk->jk", self._weights[part], gx[:size][part])
                for part in self._slices
            ]
        )
        if self.loss.divergence:
            half = [self.weights[part].sum() / 2 for part in self._slices]
            values -= half * value[size:]
            # The other half of the gradient is the same, except with a
            # caller's cost, which need not be symmetric.
            own = gx[size:]
            other = own if gy is None else gy[size:, : own.shape[1]]
            share = xp.asarray(np.array(half, gradient.dtype))
            gradient -= share[:, None, None] * (own + other)
        return values, gradient

    def _swept(self, x: Any, y: Any, y_length: Any) -> tuple:
        """The loss of the pairs and its gradient, by sweeps alone."""
        problem, sweeps = self._problem, nodes.sweeps_for((x,))
        if self.loss.sharp:
            _, value, tape = problem.tangent((x, y), "cost", True)
            adjoint = sweeps.adjoint_tangent
        else:
            value, tape = problem.value((x, y), True)
            adjoint = sweeps.adjoint
        (gx,) = problem.gradients(adjoint, tape, indexes=(0,))
        return value, gx, None

    def _composed(self, x: Any, y: Any, y_length: Any) -> tuple:
        """The same for costs that are not fused, by Chainer."""
        lopsided = self.loss.divergence and callable(self.loss.cost)
        x, y = Variable(x), Variable(y, requires_grad=lopsided)
        with chainer.using_config("enable_backprop", True):
            value: Any = self.loss.between(x, y, None, y_length)
            value.grad = value.xp.ones_like(value.array)
            value.backward()
        return value.array, x.grad, y.grad

    def _pairs(self, z: Any) -> tuple:
        xp, batch = self.batch.xp, self.batch
        more = z[:0]
        y, y_length = batch.array, batch.length
        if self.loss.divergence:
            # The barycenters follow the series, to be paired with themselves.
            more = z
            longest = max(y.shape[1], z.shape[1])
            y = xp.zeros((len(batch) + len(z), longest, z.shape[2]), z.dtype)
            y[: len(batch), : batch.array.shape[1]] = batch.array
            y[len(batch) :, : z.shape[1]] = z
            own = np.full(len(z), z.shape[1])
            y_length = np.concatenate([batch.lengths, own])
        if len(z) == 1:
            x = xp.broadcast_to(z, (len(y), *z.shape[1:]))
        else:
            x = xp.concatenate([z[self._labels], more])
        return x, y, y_length


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
    starts = list(zip(_host(init), values, _host(gradient)))
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
    return values, _host(gradient)


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


def _host(a: Any) -> np.ndarray:
    return cuda.to_cpu(a).astype(np.float64)


def resampled(batch: Batch, length: int) -> Any:
    """The series ``(N, length, d)``, by linear interpolation."""
    xp, last = batch.xp, batch.lengths - 1
    if batch.length is None and length == batch.array.shape[1]:
        return batch.array
    at = last[:, None] * np.linspace(0, 1, length)
    before = np.minimum(at.astype(int), np.maximum(last - 1, 0)[:, None])
    after = np.minimum(before + 1, last[:, None])
    rows = xp.arange(len(batch))[:, None]
    share = xp.asarray((at - before)[:, :, None].astype(batch.array.dtype))
    low, high = (batch.array[rows, xp.asarray(i)] for i in (before, after))
    return low + share * (high - low)


def usual_length(batch: Batch) -> int:
    """The mean length of the series, rounded."""
    return int(np.rint(batch.lengths.mean()))
