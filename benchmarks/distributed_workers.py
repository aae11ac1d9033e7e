"""A pairwise matrix on one and on two workers of Dask: time and traffic."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from distributed_pairwise import GAMMA, series
from harness import set_ratios
from machine import resident_bytes
from options import add_number
from tables import format_memory

import chainer_sdtw


def add_options(parser):
    """Add the options of this suite."""
    add_number(
        parser, "--worker-series", 4000, "series of the matrix on workers"
    )
    add_number(parser, "--rounds", 3, "matrices for each number of workers")


def run(benchmark):
    """Compute the matrix on clusters of processes with one thread each.

    Args:
        benchmark: The benchmark whose suite this is.

    Yields:
        The rows of figures, by the number of workers.
    """
    options = benchmark.options
    count, length = options.worker_series, options.length
    x = series(f"{count},{length},{options.dtype}")
    expected = chainer_sdtw.pairwise_soft_dtw(x, gamma=GAMMA)
    rows = {1: [], 2: []}
    for turn in range(options.rounds):
        for workers in (1, 2) if turn % 2 == 0 else (2, 1):
            benchmark.say(f"... round {turn + 1}, {_name(workers)}")
            row, matrix = _measure(x, workers)
            rows[workers].append(row)
            different = int((matrix != expected).sum())
            benchmark.check(f"{_name(workers)}, other bits", 0, different)
    cells = count * (count + 1) / 2 * length**2
    result = {}
    for workers, samples in rows.items():
        seconds = [sample["seconds"] for sample in samples]
        median = statistics.median(seconds)
        result[_name(workers)] = {
            "median_s": median,
            "min_s": min(seconds),
            "ns_per_cell": median / cells * 1e9,
            "series_bytes": x.nbytes,
            **{
                key: max(sample[key] for sample in samples)
                for key in ("sent_bytes", "tile_bytes", "peak_bytes")
            },
            "samples": samples,
        }
    set_ratios(result, _name(1))
    benchmark.print_rows(
        f"{count} series of length {length}, {options.dtype}, to a store",
        result,
        "",
        "time",
        "fastest",
        "ns/cell",
        "ratio",
        "series",
        "sent by workers",
        "written",
        "memory",
        formats={
            "series": ("series_bytes", format_memory),
            "sent by workers": ("sent_bytes", format_memory),
            "written": ("tile_bytes", format_memory),
        },
    )
    yield result


def _name(workers):
    return "1 worker" if workers == 1 else f"{workers} workers"


def _measure(x, workers):
    """Return the figures of one matrix, and the matrix."""
    import distributed

    with tempfile.TemporaryDirectory() as folder:
        with (
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=":0"
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            # To start and import what is started and imported once.
            chainer_sdtw.pairwise_soft_dtw(x[:64, :2], client=client)
            before = sum(client.run(_sent).values())
            start = time.perf_counter()
            out = chainer_sdtw.pairwise_soft_dtw(
                x,
                gamma=GAMMA,
                out=Path(folder) / "matrix.zarr",
                client=client,
                progress=True,
            )
            seconds = time.perf_counter() - start
            row = {
                "seconds": seconds,
                "sent_bytes": sum(client.run(_sent).values()) - before,
                "tile_bytes": x.shape[0] ** 2 * x.itemsize,
                "peak_bytes": max(client.run(resident_bytes).values())[1],
            }
        return row, np.asarray(out[...])


def _sent(dask_worker):
    """Return the bytes that a worker has sent to others."""
    return dask_worker.transfer_outgoing_bytes_total
