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
    "explicit": (EXPLICIT,),
    "explicit with tangents": (EXPLICIT, False, True),
    "Manhattan, univariate": ("manhattan", True),
    "Euclidean": ("euclidean",),
    "Manhattan": ("manhattan",),
    "Huber, univariate": ("huber", True),
    "Huber": ("huber",),
}


def make_table(architecture: int, folder: Path | None = None) -> str:
    """Return the table in Markdown; reports are kept in the folder."""
    lines = ["| | value | adjoint |", "| --- | --- | --- |"]
    library = nvrtc.libraries()[-1]
    for number in ("float", "double"):
        for kind, options in KINDS.items():
            report = library.report(
                _modules.source(),
                architecture,
                Variant(number, number, *options).options,
                folder,
            )
            value, adjoint = (
                report.kernels[f"soft_dtw_{name}"]
                for name in ("value", "adjoint")
            )
            lines.append(
                f"| {kind}, {number} "
                f"| {value.registers}, {value.shared} "
                f"| {adjoint.registers}, {adjoint.shared} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    print(make_table(int(sys.argv[1]) if sys.argv[1:] else 90))
