#!/usr/bin/env python
"""What matrices and models larger than memory, or than one machine, cost.

Each suite is a module of its own. See README.md beside this file for what
each figure means.
"""

from __future__ import annotations

import sys

import distributed_k_means
import distributed_pairwise
import distributed_workers
import harness

import sdtw_cpu

SUITES = {
    "pairwise": "a matrix to a Zarr store, killed on the way and resumed",
    "workers": "a matrix on one and on two workers of Dask",
    "kmeans": "k-means on workers, also of a store larger than their memory",
}


class Benchmark(harness.Benchmark):
    """The suites of Dask, Zarr and clusters."""

    name = "clusters"
    suites = SUITES

    @classmethod
    def add_options(cls, parser):
        distributed_pairwise.add_options(parser)
        distributed_workers.add_options(parser)
        distributed_k_means.add_options(parser)
        harness.add_threads_option(parser)

    def __init__(self, options, console):
        super().__init__(options, console)
        self.describe_library(sdtw_cpu)

    def run_pairwise(self):
        """The matrix of a set of series with itself."""
        return distributed_pairwise.run(self)

    def run_workers(self):
        """The matrix on clusters of one and of two processes."""
        return distributed_workers.run(self)

    def run_kmeans(self):
        """K-means in memory and on clusters of one and of two processes."""
        return distributed_k_means.run(self)


def main(arguments=None):
    """Run the benchmark; return the exit status or a message."""
    return harness.main(Benchmark, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
