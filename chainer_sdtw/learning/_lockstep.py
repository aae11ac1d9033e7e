"""Searches for several barycenters that are evaluated at once."""

from __future__ import annotations

import threading

import numpy as np

from chainer_sdtw.learning._objective import AnyObjective
from chainer_sdtw.learning._stopping import Stopping
from sdtw_cpu.search import Point, Units, descend


class _Stopped(Exception):
    """Ends a search that nobody waits for any more."""


class LockstepSearch:
    """Searches for barycenters, one a thread, that share the sweeps.

    When every search that has not ended has asked for an evaluation, the
    thread that called :meth:`run` makes them all in one sweep: it has the
    device, the stream and Chainer's configuration.

    Args:
        objective: What to minimise.
        method: A method of :func:`scipy.optimize.minimize`.
        stopping: When each search is to end.
    """

    def __init__(
        self, objective: AnyObjective, method: str, stopping: Stopping
    ) -> None:
        self._objective = objective
        self._method = method
        self._stopping = stopping
        self._condition = threading.Condition()
        self._asked: dict[int, np.ndarray] = {}
        self._answers: dict[int, tuple] = {}
        self._ends: dict[int, tuple[np.ndarray, float]] = {}
        self._error: BaseException | None = None

    def run(
        self, starts: list[Point], units: list[Units]
    ) -> list[tuple[np.ndarray, float]]:
        """Return the barycenters and their objectives.

        Args:
            starts: Where each search begins.
            units: What each search measures in.
        """
        threads = [
            threading.Thread(target=self._search, args=(k, start, units[k]))
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
        """Evaluate what the searches ask for until all have ended."""
        count = self._objective.count
        part, indexes = self._objective, list(range(count))
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
            if indexes != [k for k, _ in asked]:
                indexes = [k for k, _ in asked]
                part = self._objective.part(indexes)
            z = np.stack([z for _, z in asked])
            answers = zip(*part.on_host(z))
            with self._condition:
                self._answers.update(zip(indexes, answers))
                self._condition.notify_all()

    def _search(self, k: int, start: Point, units: Units) -> None:
        """Search one barycenter, in a thread of its own."""
        try:
            end = descend(
                lambda z: self._evaluate(k, z),
                start,
                self._method,
                self._stopping.tol,
                self._stopping.max_iter,
                units,
            )
        except _Stopped:
            pass
        except BaseException as e:
            self._stop(e)
        else:
            with self._condition:
                self._ends[k] = end
                self._condition.notify_all()

    def _evaluate(self, k: int, z: np.ndarray) -> tuple:
        """Ask for an evaluation, and wait for it."""
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
