"""The matrix of many series in a Zarr store: time, memory, a resumed call.

The suite starts this file as a program, which computes what a store lacks:

    python distributed_pairwise.py STORE SERIES,LENGTH,DTYPE THREADS MAX_BYTES

It shows its progress, and its last line is JSON: the seconds, the rise of the
resident set while it computed, and the pairs that it computed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import relative_error
from machine import peak_memory
from options import add_number, check_folder
from problems import make_series
from tables import FORMATS, format_memory

import chainer_sdtw
import sdtw_cpu
from chainer_sdtw.pairwise import MAX_BYTES

GAMMA = 1.0
KERNEL_PAIRS = 20_000
SAMPLE = 200


def add_options(parser):
    """Add the options of this suite."""
    add_number(parser, "--series", 20_000, "series of the matrix")
    add_number(parser, "--length", 100, "length of these")
    parser.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        default="float32",
        help="type of these (default: %(default)s)",
    )
    add_number(
        parser,
        "--kill-at",
        0.2,
        "share of the matrix after which the first process is killed",
        metavar="SHARE",
    )
    add_number(
        parser,
        "--max-bytes",
        MAX_BYTES,
        "bytes of a tile, and of the series of a sweep",
    )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="FOLDER",
        help="where to write the matrix, which is kept (default: where "
        "temporary files go, and it is deleted)",
    )


def run(benchmark):
    """Compute a matrix in a process that is killed, and in another one.

    Args:
        benchmark: The benchmark whose suite this is.

    Yields:
        The row of figures.
    """
    options = benchmark.options
    with contextlib.ExitStack() as stack:
        folder = options.store
        if folder is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        check_folder(folder)
        path = Path(folder) / "matrix.zarr"
        if path.exists():
            raise FileExistsError(f"{path} exists: delete it first")
        yield from _measure(benchmark, path)


def _measure(benchmark, path):
    options = benchmark.options
    count, length = options.series, options.length
    size = f"{count},{length},{options.dtype}"
    cells = count * (count + 1) / 2 * length**2
    x = series(size)
    rates = [_kernel_rate(x)]
    command = [
        sys.executable,
        __file__,
        path,
        size,
        str(sdtw_cpu.get_num_threads()),
        str(options.max_bytes),
    ]
    first = _kill_at(benchmark, command, path, options.kill_at)
    benchmark.say("... resumed in another process")
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True
    )
    second = json.loads(done.stdout.splitlines()[-1])
    rates.append(_kernel_rate(x))
    seconds = first["seconds"] + second["seconds"]
    row = {
        "problem": f"{count} series of length {length}, {options.dtype}",
        "median_s": seconds,
        "ns_per_cell": seconds / cells * 1e9,
        "kernel_ns_per_cell": min(rates),
        "killed": first,
        "resumed": second,
        "peak_bytes": second["peak_bytes"],
        "matrix_bytes": count**2 * x.dtype.itemsize,
        "store_bytes": sum(
            file.stat().st_size for file in path.rglob("*") if file.is_file()
        ),
    }
    row["ratio"] = row["ns_per_cell"] / row["kernel_ns_per_cell"]
    _check_matrix(benchmark, path, x)
    benchmark.print_rows(
        "Matrix in a Zarr store, killed once and resumed",
        {row["problem"]: row},
        "",
        "time",
        "before the kill",
        "after it",
        "memory",
        "matrix",
        "store",
        "ns/cell",
        "kernels alone",
        "ratio",
        formats={
            "before the kill": ("killed", _time_of),
            "after it": ("resumed", _time_of),
            "matrix": ("matrix_bytes", format_memory),
            "store": ("store_bytes", format_memory),
            "kernels alone": ("kernel_ns_per_cell", "{:.3g}".format),
        },
    )
    yield row


def _time_of(row):
    return FORMATS["time"][1](row["seconds"])


def series(size):
    """Return the series ``(N, L)`` that a text tells of."""
    count, length, dtype = size.split(",")
    rng = np.random.default_rng(0)
    shape = int(count), int(length), 1
    return make_series("normalized", rng, shape)[..., 0].astype(dtype)


def _kernel_rate(x):
    """Return ns per cell of the value sweep of many pairs."""
    rng = np.random.default_rng(1)
    i, j = rng.integers(0, len(x), (2, KERNEL_PAIRS))
    a, b = x[i][..., None], x[j][..., None]
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        sdtw_cpu.value(a, b, GAMMA)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / (KERNEL_PAIRS * x.shape[1] ** 2) * 1e9


def _kill_at(benchmark, command, path, share):
    """Kill a process when it has written this share of the chunks."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while child.poll() is None and _share_of_chunks(path) < share:
            time.sleep(0.05)
        child.kill()
        status = child.wait()
    except BaseException:
        child.kill()
        raise
    seconds = time.perf_counter() - start
    if status >= 0:
        raise RuntimeError(f"the first process ended by itself: {status}")
    share = _share_of_chunks(path)
    benchmark.say(
        f"\n... killed after {seconds:.1f} s, with {share:.0%} of the chunks"
    )
    return {"seconds": seconds, "share_of_chunks": share}


def _share_of_chunks(path):
    """Return which share of the chunks of a store is there."""
    import zarr

    try:
        array = zarr.open_array(path, mode="r")
        total = np.prod(
            [-(-n // c) for n, c in zip(array.shape, array.chunks)]
        )
    except (OSError, ValueError):
        return 0.0  # not yet made
    files = sum(file.is_file() for file in path.rglob("*"))
    return max(files - 2, 0) / total


def _check_matrix(benchmark, path, x):
    """Hold entries of the matrix against single pairs in float64."""
    import zarr

    array = zarr.open_array(path, mode="r")
    rng = np.random.default_rng(2)
    missing = 0
    step = array.chunks[0]
    for top in range(0, len(x), step):
        missing += int(np.isnan(array[top : top + step]).sum())
    benchmark.check("entries that are missing", 0, missing)
    i, j = rng.integers(0, len(x), (2, SAMPLE))
    got = np.array([array[int(a), int(b)] for a, b in zip(i, j)])
    turned = np.array([array[int(b), int(a)] for a, b in zip(i, j)])
    wide = x.astype(np.float64)[..., None]
    expected = sdtw_cpu.value(wide[i], wide[j], GAMMA)
    eps = float(np.finfo(x.dtype).eps)
    benchmark.check("entries", 100 * eps, relative_error(got, expected))
    benchmark.check("symmetry", 0, float(abs(got - turned).max()))


def main():
    """Compute what a store lacks, and print figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("size", help="SERIES,LENGTH,DTYPE")
    parser.add_argument("threads", type=int)
    parser.add_argument("max_bytes", type=int)
    arguments = parser.parse_args()
    sdtw_cpu.set_num_threads(arguments.threads)
    x = series(arguments.size)
    # To load and start what is loaded and started once.
    chainer_sdtw.pairwise_soft_dtw(x[:2, :2])
    start = time.perf_counter()
    peak = peak_memory(
        lambda: chainer_sdtw.pairwise_soft_dtw(
            x,
            gamma=GAMMA,
            out=arguments.store,
            resume=True,
            max_bytes=arguments.max_bytes,
            progress=True,
        )
    )
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
