#!/usr/bin/env python
"""The rates of a machine that the scaling model takes, each measured alone.

As a script it is one of the processes that exchange messages under mpiexec.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import tempfile
import time

import numpy as np
from mpi import run_python
from scaling_model import Link

SIZES = (2**20, 2**22, 2**24)
"""Bytes of the messages from which a bandwidth is measured."""


def _rate(call, cells, start, seconds, results):
    import sdtw_cpu

    sdtw_cpu.set_num_threads(1)
    call()
    start.wait()
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        call()
        count += 1
    results.put(count * cells / (time.perf_counter() - begin))


class Sweeps:
    """A call that computes a batch, with or without its gradients."""

    def __init__(self, problem, gradient):
        self.problem = problem
        self.gradient = gradient

    def __call__(self):
        import sdtw_cpu

        if not hasattr(self, "arrays"):
            self.arrays = self.problem.arrays()
        x, y = self.arrays
        if not self.gradient:
            return sdtw_cpu.value(x, y, self.problem.gamma)
        _, tape = sdtw_cpu.value(x, y, self.problem.gamma, tape=True)
        return sdtw_cpu.adjoint(tape, x=True, y=False)


def cells_per_second(problem, gradient, processes, seconds=1.0):
    """Return the rate of one process while so many compute at once.

    Each has one thread. That is less than the rate of a single process where
    they share caches, memory or a core.
    """
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(processes), context.Queue()
    call = Sweeps(problem, gradient)
    workers = [
        context.Process(
            target=_rate,
            args=(call, problem.cells, start, seconds, results),
            daemon=True,
        )
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    rates = [results.get(timeout=60 + seconds) for _ in workers]
    for worker in workers:
        worker.join()
    return statistics.mean(rates)


def link_of(exchange, sizes=SIZES, repeats=20):
    """Measure a link between two processes.

    Args:
        exchange: Sends so many bytes there and nothing back, or all of them
            back; returns the seconds of one direction.
        sizes: Bytes of long messages.
        repeats: Of each exchange, the median of which counts.
    """

    def median(size):
        exchange(size)
        return statistics.median(exchange(size) for _ in range(repeats))

    latency = median(0)
    slope = np.polyfit(sizes, [median(size) for size in sizes], 1)[0]
    return Link(latency=latency, bandwidth=float(1 / slope))


def mpi_link():
    """Return the link between two processes of MPI on this machine."""
    return Link(**run_python([__file__], processes=2))


def _ping_pong():
    """Exchange messages with the other process; print the link."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    other = 1 - comm.rank

    def exchange(size):
        data = np.zeros(size, np.uint8)
        comm.Barrier()
        start = time.perf_counter()
        for _ in range(10):
            if comm.rank == 0:
                comm.Send(data, other)
                comm.Recv(data, other)
            else:
                comm.Recv(data, other)
                comm.Send(data, other)
        return (time.perf_counter() - start) / 20

    link = link_of(exchange)
    if comm.rank == 0:
        print(json.dumps(vars(link)))


def _nothing(_):
    return None


def dask_rates(client, tasks=2000):
    """Return the link between a client and a worker, and seconds per task.

    The link's latency is half of what a task without work takes from the
    client and back; a task's seconds are those of many of them, when the
    scheduler has no time to wait.
    """
    worker = next(iter(client.scheduler_info()["workers"]))

    def exchange(size):
        data = np.zeros(size, np.uint8)
        start = time.perf_counter()
        if size:
            client.scatter(data, workers=[worker], direct=True, hash=False)
            return time.perf_counter() - start
        client.submit(_nothing, 0, pure=False, workers=[worker]).result()
        return (time.perf_counter() - start) / 2

    def many():
        start = time.perf_counter()
        client.gather(client.map(_nothing, range(tasks), pure=False))
        return (time.perf_counter() - start) / tasks

    many()
    task = statistics.median(many() for _ in range(5))
    return link_of(exchange), task


def disk_rate(folder=None, size=2**27):
    """Return the bytes per second that are written to a file and synced."""
    data = np.random.default_rng(0).bytes(size)
    with tempfile.TemporaryFile(dir=folder) as file:
        start = time.perf_counter()
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        return size / (time.perf_counter() - start)


if __name__ == "__main__":
    _ping_pong()
