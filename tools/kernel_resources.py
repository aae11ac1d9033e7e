#!/usr/bin/env python
"""Print the registers and shared memory of the CUDA kernels as in docs/gpu.md.

For one architecture (by default 90, for compute capability 9.0), by the newest
NVRTC that is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nvrtc

from chainer_sdtw.cuda import _modules
from chainer_sdtw.cuda._variants import EXPLICIT, Variant

KINDS = {
    "univariate": ("sqeuclidean", True),
    "with features": ("sqeuclidean",),
    "Euclidean": ("euclidean",),
    "explicit": (EXPLICIT,),
    "explicit with tangents": (EXPLICIT, False, True),
}


def make_table(architecture: int, folder: Path | None = None) -> str:
    """Return the table in Markdown; reports are kept in the folder."""
    columns = ["", "value", "adjoint", "cells", "gradients"]
    lines = [columns, ["---"] * len(columns)]
    library = nvrtc.libraries()[-1]
    for number in ("float", "double"):
        for kind, options in KINDS.items():
            report = library.report(
                _modules.source(),
                architecture,
                Variant(number, number, *options).options,
                folder,
            )
            names = ["value", "adjoint"]
            if options[1:] != (True,):  # of univariate series there are none
                names.append("cells")
                explicit = options[0] == EXPLICIT
                names.append("cost_gradient" if explicit else "gradients")
            row = [f"{kind}, {number}"]
            for name in names:
                used = report.kernels[f"soft_dtw_{name}"]
                row.append(f"{used.registers}, {used.shared}")
            lines.append(row + ["-"] * (len(columns) - len(row)))
    return "\n".join(
        f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines
    )


if __name__ == "__main__":
    print(make_table(int(sys.argv[1]) if sys.argv[1:] else 90))
