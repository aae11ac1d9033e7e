"""K-means of series in a Zarr store: in memory, and on one and two workers.

Workers are processes with one thread each. What they send is what Dask counts
as outgoing; their memory is the largest resident set of one of them, with all
that Python and the packages take.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import relative_error
from machine import resident_bytes
from options import add_number, check_folder
from tables import FORMATS, format_memory

import chainer_sdtw  # noqa: F401  (makes Chainer work)
import sdtw_cpu
from chainer_sdtw.estimators import SoftDTWKMeans

WALKS = 4
BLOCKS_PER_WORKER = 8
BLOCK_BYTES = 2**22
OPTIONS = {
    "n_clusters": 4,
    "max_iter": 2,
    "max_iter_barycenter": 5,
    "init_size": 1000,
    "random_state": 0,
}
# A pass over a store costs little more than to load it: a narrow band.
STORE_SHAPE = 250, 4
STORE_OPTIONS = {
    "n_clusters": 2,
    "max_iter": 1,
    "max_iter_barycenter": 1,
    "bandwidth": 2,
    "init_size": 100,
    "random_state": 0,
}


def add_options(parser):
    """Add the options of this suite."""
    add_number(parser, "--clustered", 10_000, "series of length 100")
    add_number(
        parser, "--memory-limit", 400, "of a worker, in MiB", metavar="MIB"
    )
    add_number(
        parser,
        "--store-ratio",
        4.0,
        "size of the larger store, as a multiple of the limits of two workers",
        metavar="RATIO",
    )


def run(benchmark):
    """Fit k-means to a store in memory and on workers, and to a larger one.

    Args:
        benchmark: The benchmark whose suite this is.

    Yields:
        The rows of figures.
    """
    limit = benchmark.options.memory_limit * 2**20
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        check_folder(Path(folder))
        yield from _speed(benchmark, Path(folder) / "small.zarr", limit)
        yield from _larger(benchmark, Path(folder) / "large.zarr", limit)


def _speed(benchmark, path, limit):
    """Compare workers with the same in memory."""
    count = benchmark.options.clustered
    blocks = 2 * BLOCKS_PER_WORKER
    write(path, (count, 100), -(-count // blocks))
    expected, row = _in_memory(path)
    rows = {"in memory, one thread": row}
    for workers in (1, 2):
        model, row = _on_workers(path, workers, limit, OPTIONS)
        rows[f"{workers} worker{'s' * (workers > 1)}"] = row
        for name in ("cluster_centers_", "labels_"):
            error = relative_error(
                getattr(model, name), getattr(expected, name)
            )
            benchmark.check(f"{name}, {workers} workers", 0, error)
    first = rows["in memory, one thread"]["median_s"]
    for row in rows.values():
        row["ratio"] = row["median_s"] / first
    _print(benchmark, f"K-means of {count} series of length 100", rows)
    yield from rows.values()


def _larger(benchmark, path, limit):
    """Fit to a store that is larger than the workers' memory."""
    size = int(np.prod(STORE_SHAPE)) * 4
    count = int(2 * limit * benchmark.options.store_ratio) // size
    start = time.perf_counter()
    write(path, (count, *STORE_SHAPE), BLOCK_BYTES // size)
    benchmark.say(f"... written in {time.perf_counter() - start:.0f} s")
    model, row = _on_workers(path, 2, limit, STORE_OPTIONS)
    row["store_bytes"] = count * size
    row["ratio"] = row["store_bytes"] / (2 * limit)
    _print(
        benchmark,
        f"K-means of {count} series of shape {STORE_SHAPE}, "
        f"{format_memory(row['store_bytes'])}, with limits of "
        f"{format_memory(limit)} for each of 2 workers",
        {"2 workers": row},
    )
    benchmark.check("resident set, as a share", 1, row["peak_bytes"] / limit)
    import zarr

    some = zarr.open_array(str(path), mode="r")[-2000:]
    wrong = model.predict(some) != model.labels_[-2000:]
    benchmark.check("wrong labels", 0, int(wrong.sum()))
    yield row


def _print(benchmark, title, rows):
    benchmark.print_rows(
        title,
        rows,
        "",
        "time",
        "ratio",
        "passes",
        "sent by workers",
        "memory of a worker",
        formats={
            "time": ("median_s", FORMATS["time"][1]),
            "passes": ("passes", str),
            "sent by workers": ("sent_bytes", format_memory),
            "memory of a worker": ("peak_bytes", format_memory),
        },
    )


def write(path, shape, rows):
    """Write walks that a few of them vary, ``rows`` in a chunk."""
    import zarr

    count, *shape = shape
    array = zarr.open_array(
        str(path),
        mode="w",
        shape=(count, *shape),
        chunks=(rows, *shape),
        dtype="float32",
    )
    rng = np.random.default_rng(0)
    walks = rng.standard_normal((WALKS, *shape)).cumsum(axis=1)
    noise = rng.standard_normal((rows, *shape)).astype(np.float32)
    for start in range(0, count, rows):
        size = min(rows, count - start)
        which = rng.integers(WALKS, size=size)
        scale = rng.uniform(0.8, 1.2, (size, *(1 for _ in shape)))
        array[start : start + size] = walks[which] * scale + noise[:size]


def _in_memory(path):
    import zarr

    threads = sdtw_cpu.get_num_threads()
    sdtw_cpu.set_num_threads(1)
    try:
        start = time.perf_counter()
        X = zarr.open_array(str(path), mode="r")[:]
        model = SoftDTWKMeans(**OPTIONS).fit(X)
        seconds = time.perf_counter() - start
    finally:
        sdtw_cpu.set_num_threads(threads)
    return model, {"median_s": seconds}


def _on_workers(path, workers, limit, options):
    """Fit on a cluster of processes."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=limit,
        host="127.0.0.1",
        dashboard_address=None,
    )
    with cluster, Client(cluster) as client:
        # Each imports what it needs before the time is taken.
        client.run(_warm)
        with _counted_passes() as passes:
            start = time.perf_counter()
            model = SoftDTWKMeans(**options).fit(path)
            seconds = time.perf_counter() - start
        peaks = [peak for _, peak in client.run(resident_bytes).values()]
        sent = client.run(_sent).values()
    return model, {
        "median_s": seconds,
        "passes": len(passes),
        "sent_bytes": sum(sent),
        "peak_bytes": max(peaks),
    }


@contextlib.contextmanager
def _counted_passes():
    """Note the functions of all passes."""
    from chainer_sdtw.distributed import Blocks

    passes, original = [], Blocks.map

    def noted(blocks, function, *shared, **options):
        passes.append(function.__name__)
        return original(blocks, function, *shared, **options)

    Blocks.map = noted
    try:
        yield passes
    finally:
        Blocks.map = original


def _warm():
    X = np.zeros((2, 5), np.float32)
    SoftDTWKMeans(1, max_iter=1).fit(X)


def _sent(dask_worker):
    return dask_worker.transfer_outgoing_bytes_total
