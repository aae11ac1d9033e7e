"""A model of what training, matrices and k-means take on many workers.

A job is described by what it computes and sends, workers by what they do in a
second. The model adds what has to happen one after the other, and takes the
longer of what happens at the same time. It has no factor that is fitted to
the jobs that it predicts: all its rates are measured on their own, see
``scaling_probes``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Link:
    """What carries bytes between two processes.

    Attributes:
        latency: Seconds from one process to the other for an empty message.
        bandwidth: Bytes per second of a long message.
    """

    latency: float
    bandwidth: float

    def seconds(self, size, messages=1):
        """Return how long messages of ``size`` bytes together take."""
        return messages * self.latency + size / self.bandwidth


@dataclass(frozen=True)
class Time:
    """The seconds of a job by what they are spent on.

    Attributes:
        compute: Of the worker that has most to do.
        send: While nothing is computed.
        schedule: Of the one process that hands out tasks, while workers
            compute.
    """

    compute: float
    send: float = 0.0
    schedule: float = 0.0

    def __add__(self, other):
        """Return the time of two jobs, one after the other."""
        return Time(
            self.compute + other.compute,
            self.send + other.send,
            self.schedule + other.schedule,
        )

    def __mul__(self, times):
        """Return the time of a job that is done so often."""
        return Time(
            self.compute * times, self.send * times, self.schedule * times
        )

    @property
    def total(self):
        """The seconds from the beginning of the job to its end."""
        return max(self.compute, self.schedule) + self.send

    @property
    def limit(self):
        """What the job spends most of its time on."""
        busy = max(self.compute, self.schedule)
        if self.send > busy:
            return "sending"
        return "computing" if self.compute >= self.schedule else "scheduling"


@dataclass(frozen=True)
class Training:
    """An iteration of training with data in parallel, as ChainerMN does it.

    Attributes:
        batch: Series of all processes together.
        fixed: Seconds of an iteration that do not depend on the batch.
        per_series: Seconds of a series, forward and backward.
        parameters: Bytes of the gradients that are summed.
        messages: Into how many messages the communicator packs them.
    """

    batch: int
    fixed: float
    per_series: float
    parameters: int
    messages: int = 1

    def time(self, processes, link):
        """Return the time of an iteration.

        Gradients are summed by halving and doubling, which sends 2 (p - 1) /
        p of their bytes in 2 log2(p) steps (Thakur, Rabenseifner and Gropp,
        "Optimization of Collective Communication Operations in MPICH", 2005).
        """
        local = math.ceil(self.batch / processes)
        steps = 2 * math.ceil(math.log2(processes)) * self.messages
        size = 2 * (processes - 1) / processes * self.parameters
        return Time(
            compute=self.fixed + self.per_series * local,
            send=link.seconds(size, steps),
        )


@dataclass(frozen=True)
class Matrix:
    """The matrix of a set of series with itself, in tiles.

    Attributes:
        series: How many.
        length: Of each.
        features: Of each step.
        rows: Series of a tile in each direction.
        itemsize: Bytes of a number.
    """

    series: int
    length: int
    features: int = 1
    rows: int = 1000
    itemsize: int = 8

    @property
    def tiles(self):
        """How many tiles there are on and above the diagonal."""
        count = math.ceil(self.series / self.rows)
        return count * (count + 1) // 2

    @property
    def cells(self):
        """Cells of all pairs that are computed."""
        return self.series * (self.series + 1) / 2 * self.length**2

    @property
    def set_size(self):
        """Bytes of all series."""
        return self.series * self.length * self.features * self.itemsize

    def time(self, workers, link, rate, task, disk):
        """Return the time of the matrix.

        Args:
            workers: How many share the tiles.
            link: Between any two of them.
            rate: Cells per second of one.
            task: Seconds of the scheduler for a task.
            disk: Bytes per second that one worker writes.
        """
        share = math.ceil(self.tiles / workers) / self.tiles
        written = self.series**2 * self.itemsize
        # Every worker needs all series; those that have them pass them on.
        hops = math.ceil(math.log2(workers + 1))
        return Time(
            compute=share * (self.cells / rate + written / disk),
            send=hops * link.seconds(self.set_size),
            schedule=self.tiles * task,
        )


@dataclass(frozen=True)
class KMeans:
    """A pass of k-means over a collection in blocks.

    Attributes:
        series: Of the collection.
        length: Of each, and of the centers.
        clusters: How many centers.
        blocks: Of the collection.
        features: Of each step.
        assigned: Whether the pass compares each series with each center
            before it takes the gradient for its own, as the first pass of an
            iteration does; those of the search after it do not.
        read: Bytes read from the store in a pass.
    """

    series: int
    length: int
    clusters: int
    blocks: int
    features: int = 1
    assigned: bool = True
    read: int = 0

    @property
    def own_cells(self):
        """Cells of all series with their own centers."""
        return self.series * self.length**2

    @property
    def centers_size(self):
        """Bytes of the centers, and of the sums that come back."""
        return 8 * self.clusters * self.length * self.features

    def time(self, workers, link, rate, gradient_rate, task, disk):
        """Return the time of the pass.

        The client has one link, through which the centers go to every block
        and the sums of every block come back.

        Args:
            workers: How many share the blocks.
            link: Between any two of them and to the client.
            rate: Cells per second of one, for values.
            gradient_rate: The same, with gradients.
            task: Seconds of the scheduler for a task.
            disk: Bytes per second that one worker reads.
        """
        share = math.ceil(self.blocks / workers) / self.blocks
        seconds = self.own_cells / gradient_rate
        if self.assigned:
            seconds += self.clusters * self.own_cells / rate
        traffic = 2 * self.blocks * self.centers_size
        return Time(
            compute=share * (seconds + self.read / disk),
            send=link.seconds(traffic, 2),
            schedule=self.blocks * task,
        )


def fit_line(sizes, seconds):
    """Return the fixed part and the part per size of measured seconds."""
    slope, fixed = np.polyfit(sizes, seconds, 1)
    return max(float(fixed), 0.0), float(slope)
