"""The memory that the sweeps on a GPU take beyond inputs and outputs.

Computed, not measured: what ``chainer_sdtw.cuda`` asks CuPy for. Needs no GPU.
"""

from __future__ import annotations

import argparse

import numpy as np
from tables import format_memory, make_console, print_rows

from chainer_sdtw.cuda._plan import make_plan, tape_of_band
from sdtw_cpu import sakoe_chiba_band

SHAPES = ("32,512,512", "32,2048,2048", "1,16384,16384", "4,65536,65536")


def shape(text: str) -> tuple[int, ...]:
    """Read a shape ``B,M,N``."""
    sizes = tuple(int(part) for part in text.split(","))
    if len(sizes) != 3 or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"not B,M,N: {text!r}")
    return sizes


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "shapes", nargs="*", type=shape, metavar="B,M,N", help="of batches"
    )
    parser.add_argument(
        "--bandwidth", type=int, metavar="N", help="of a band; default: none"
    )
    options = parser.parse_args()
    rows = {}
    for batch, m, n in options.shapes or map(shape, SHAPES):
        strip_tape, more = None, 0
        if options.bandwidth is not None:
            band = sakoe_chiba_band(m, n, options.bandwidth)
            strip_tape = tape_of_band(band, np.array([m]), np.array([n]))
            more = band.nbytes
        for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
            plans = [
                make_plan(batch, m, n, dtype, keep, strip_tape=strip_tape)
                for keep in (True, False)
            ]
            # Besides: a bound and a value per pair, and progress per strip.
            first = plans[0].passes[0]
            each = 8 + 8 + 4 * first.strips
            with_tape, values = (
                batch * (plan.pair_bytes + each) + more for plan in plans
            )
            rows[f"{batch}, {m}, {n}", dtype.name, first.slabs] = {
                "with tape": format_memory(with_tape),
                "values alone": format_memory(values),
            }
    title = "Memory beyond inputs and outputs"
    columns = "B, m, n", "dtype", "slabs", "with tape", "values alone"
    print_rows(make_console(), title, rows, *columns)


if __name__ == "__main__":
    main()
