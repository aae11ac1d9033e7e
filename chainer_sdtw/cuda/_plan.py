"""How a batch is spread over launches and over memory.

Everything that depends on ``(B, m, n, d)`` is decided here; what it means is
told in ``soft_dtw.cu``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROWS = 32  # of a strip
STEPS = 32  # of a segment
GROUP = 8  # the steps before the first column are at most as many

# Bytes of the fine tape that no batch is split up for, and the most that is
# taken for it. In between it may take a part of what it would take whole:
# bands must be large enough to keep a device busy.
FREE_BYTES = 128 << 20
MOST_BYTES = 768 << 20
PART = 16

# A band of less than all strips costs another value sweep of it.
_NO_BANDS = 2**30


@dataclass(frozen=True)
class Pass:
    """What one family of kernels does of the batch.

    Attributes:
        dtype: What it computes in.
        strips: Strips of 32 rows in the longest pair.
        band_strips: Strips per band.
        bands: Number of bands.
        dual: Whether with tangents.
    """

    dtype: np.dtype
    strips: int
    band_strips: int
    bands: int
    dual: bool = False

    @property
    def packed(self) -> int:
        """Bytes of a mantissa and an exponent, and of as much for tangents."""
        return (4 if self.dual else 2) * self.dtype.itemsize

    def band(self, index: int) -> tuple[int, int]:
        """First and last strip of a band, the last exclusive."""
        first = index * self.band_strips
        return first, min(self.strips, first + self.band_strips)


@dataclass(frozen=True)
class Plan:
    """The passes over a batch and the memory that they share.

    Attributes:
        passes: Float32 batches have two: one in float32, and one in float64
            for pairs whose exponents float32 cannot hold. A pair is left to
            one of them by the device, so both use the same memory.
        slot: Bytes per pair for the tape.
        keep: Whether there will be an adjoint sweep.
    """

    passes: tuple[Pass, ...]
    slot: int
    keep: bool


def strip_entries(n: int) -> int:
    """Pairs of mantissa and exponent that the fine tape has per strip."""
    segments = -(-(n + ROWS - 1 + GROUP) // STEPS)
    return n + (segments - 1) * 2 * ROWS


def fine_bytes(batch: int, m: int, n: int, dtype: np.dtype) -> int:
    """Bytes of the fine tape of all strips."""
    return batch * -(-m // ROWS) * strip_entries(n) * 2 * dtype.itemsize


def make_plan(
    batch: int, m: int, n: int, dtype: np.dtype, keep: bool, dual: bool = False
) -> Plan:
    """Plan the sweeps of ``batch`` tables of at most ``m`` x ``n`` cells.

    Args:
        batch: Number of pairs.
        m: Rows of the largest table.
        n: Columns of the largest table.
        dtype: Type of the arrays: float32 or float64.
        keep: Whether an adjoint sweep follows.
        dual: Whether with tangents.
    """
    strips = -(-m // ROWS)
    types: list[np.dtype] = [np.dtype(np.float64)]
    if dtype.itemsize == 4:
        types.insert(0, np.dtype(np.float32))
    if not keep:
        alone = tuple(Pass(t, strips, _NO_BANDS, 1, dual) for t in types)
        return Plan(alone, n * alone[-1].packed, False)
    whole = fine_bytes(batch, m, n, dtype) * (2 if dual else 1)
    limit = min(max(whole // PART, FREE_BYTES), MOST_BYTES)
    bands = min(-(-whole // limit), strips)
    passes = []
    for kind in types:
        # Double takes twice the memory of float: half the strips at a time.
        share = kind.itemsize // dtype.itemsize
        band_strips = -(-strips // (bands * share))
        passes.append(
            Pass(kind, strips, band_strips, -(-strips // band_strips), dual)
        )
    slot = max(
        p.packed * (p.band_strips * strip_entries(n) + p.bands * n)
        for p in passes
    )
    return Plan(tuple(passes), -(-slot // 32) * 32, True)
