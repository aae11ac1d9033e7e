"""The memory that the sweeps on a GPU take beyond inputs and outputs.

Computed, not measured: what ``chainer_sdtw.cuda`` asks CuPy for. Needs no GPU.
"""

from __future__ import annotations

import argparse

import numpy as np
from options import add_number, positive
from tables import MEGABYTE, format_memory, make_console, print_rows

from chainer_sdtw.cuda import memory_limit
from chainer_sdtw.cuda._arrays import as_limits
from chainer_sdtw.cuda._batch import DeviceBatch
from chainer_sdtw.cuda._modules import Device
from sdtw_cpu import sakoe_chiba_band

SHAPES = (
    "32,512,512,64",
    "32,2048,2048,64",
    "512,128,128,1",
    "1,16384,16384,8",
    "4,65536,65536,1",
)


class Memory(Device):
    """A device with so much free memory, and with nothing else.

    Args:
        size: Bytes.
    """

    xp = np

    def __init__(self, size: int) -> None:
        self.size = size

    def free_memory(self) -> int:
        return self.size


def shape(text: str) -> tuple[int, ...]:
    """Read a shape ``B,M,N,D``."""
    sizes = tuple(int(part) for part in text.split(","))
    if len(sizes) != 4 or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"not B,M,N,D: {text!r}")
    return sizes


def batch_of(
    sizes: tuple[int, ...], dtype: str, bandwidth: int | None, device: Device
) -> DeviceBatch:
    """Return a batch of series."""
    batch, m, n, d = sizes
    x, y = np.zeros((batch, m, d), dtype), np.zeros((batch, n, d), dtype)
    band = None if bandwidth is None else sakoe_chiba_band(m, n, bandwidth)
    limits = as_limits(device, x, (batch, m, n), None, None, band)
    return DeviceBatch(device, "sqeuclidean", x, y, 1.0, limits)


def main(arguments: list[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "shapes", nargs="*", type=shape, metavar="B,M,N,D", help="of batches"
    )
    parser.add_argument(
        "--bandwidth", type=int, metavar="N", help="of a band; default: none"
    )
    parser.add_argument(
        "--limit",
        type=positive(float),
        metavar="MB",
        help="as set by chainer_sdtw.cuda.memory_limit; default: none",
    )
    text = "free memory of the device in gigabytes"
    add_number(parser, "--free", 80.0, text, "GB")
    options = parser.parse_args(arguments)
    limit = options.limit and int(options.limit * MEGABYTE)
    device = Memory(int(options.free * 1000 * MEGABYTE))
    rows = {}
    with memory_limit(limit):
        for sizes in options.shapes or map(shape, SHAPES):
            for dtype in ("float32", "float64"):
                batch = batch_of(sizes, dtype, options.bandwidth, device)
                tape, values = batch.plan(keep=True), batch.plan(keep=False)
                band = 0 if batch.band is None else batch.band.nbytes
                rows[", ".join(map(str, sizes)), dtype] = {
                    "portions": len(tape.portions),
                    "slabs": tape.passes[0].slabs,
                    "with tape": format_memory(tape.nbytes + band),
                    "values alone": format_memory(values.nbytes + band),
                }
    columns = "B, m, n, d", "dtype", "portions", "slabs"
    columns += "with tape", "values alone"
    title = "Memory beyond inputs and outputs"
    print_rows(make_console(), title, rows, *columns)


if __name__ == "__main__":
    main()
