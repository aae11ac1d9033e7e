"""How a batch is spread over launches and over memory.

Everything that depends on ``(B, m, n, d)`` is decided here; what it means is
told in ``soft_dtw.cu``. The constants that the kernels need too are passed to
the compiler.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

ROWS = 32  # of a strip
STEPS = 32  # of a segment
GROUP = 8  # steps between normalisations; at most as many before column 0
SURVEY_THREADS = 256
SURVEY_CELLS = 1 << 16  # per block, so that a few matrices fill a device
# Bits of exponent of a forbidden cell, at least, by the size of a number.
CELL_BITS = {4: 28, 8: 49}

# A fine tape of up to this many bytes is kept whole. A larger one is split
# into slabs, each a fraction of it: large enough to keep a device busy, but
# not above the maximum.
WHOLE_TAPE_BYTES = 128 << 20
MAX_SLAB_BYTES = 768 << 20
SLABS = 16

# A slab of less than all strips costs another value sweep of it.
_NO_SLABS = 2**30


class Turn(enum.IntEnum):
    """Which pairs a launch in float64 sweeps, and how.

    The first launch notes the pairs whose costs are capped and whose values
    are out of range. Noted pairs are swept in log space.
    """

    FIRST = 0  # all pairs, none in log space for having been noted
    ONLY_NOTED = 1  # only those noted
    AS_NOTED = 2  # all pairs, those noted in log space


@dataclass(frozen=True)
class PrecisionPass:
    """The launches over a batch that compute in one type.

    Attributes:
        dtype: What they compute in.
        strips: Strips of 32 rows in the longest pair.
        slab_strips: Strips per slab.
        slabs: Number of slabs.
        dual: Whether with tangents.
    """

    dtype: np.dtype
    strips: int
    slab_strips: int
    slabs: int
    dual: bool = False

    @property
    def entry_bytes(self) -> int:
        """Bytes of a mantissa and an exponent, with tangents of two."""
        return (4 if self.dual else 2) * self.dtype.itemsize

    def slab(self, index: int) -> tuple[int, int]:
        """First and last strip of a slab, the last exclusive."""
        first = index * self.slab_strips
        return first, min(self.strips, first + self.slab_strips)


@dataclass(frozen=True)
class Plan:
    """The passes over a batch and the memory that they share.

    Attributes:
        passes: Float32 batches have two: one in float32, and one in float64
            for pairs whose exponents float32 cannot hold. A pair is left to
            one of them by the device, so both use the same memory.
        strip_tape: What a strip takes of the tape.
        pair_bytes: Bytes of the tape for each pair.
    """

    passes: tuple[PrecisionPass, ...]
    strip_tape: StripTape
    pair_bytes: int


@dataclass(frozen=True)
class StripTape:
    """Pairs of mantissa and exponent that a strip takes on the fine tape.

    Attributes:
        edge: For its last row.
        states: For its state at every segment but the first.
    """

    edge: int
    states: int

    @property
    def entries(self) -> int:
        """All entries."""
        return self.edge + self.states


def tape_of_table(n: int) -> StripTape:
    """Return what strips of all columns take."""
    segments = -(-(n + ROWS - 1 + GROUP) // STEPS)
    return StripTape(n, (segments - 1) * 2 * ROWS)


def tape_of_band(
    band: np.ndarray, rows: np.ndarray | None, columns: np.ndarray | None
) -> StripTape:
    """Return what the widest strip of a band takes.

    Args:
        band: ``(B, m, 2)`` or ``(1, m, 2)``.
        rows: Number of rows of each pair, ``(B,)`` or ``(1,)``; None if only
            the device knows them. The band beyond them is ignored.
        columns: The same for columns.
    """
    m = band.shape[1]
    lead = np.arange(1, GROUP + 1)
    if rows is not None and columns is not None:
        lead = GROUP - (columns + (rows - 1) % ROWS) % GROUP
        lead = lead[:, None, None]
    height = np.array([m]) if rows is None else rows
    top = np.minimum(np.arange(0, m, ROWS), height[:, None] - 1)
    bottom = np.minimum(top + ROWS - 1, height[:, None] - 1)
    pair = np.arange(len(band))[:, None]
    begin = band[pair, top, 0].astype(np.int64)[..., None]
    last, end = band[pair, bottom].astype(np.int64).transpose(2, 0, 1)
    # As Strip::segment_of and Strip::segments_of in strip.cuh.
    start = (begin + lead - 1) // STEPS
    segments = -(-(end[..., None] + ROWS - 1 + lead) // STEPS) - start
    edge = int((end - last).max())
    return StripTape(edge, (int(segments.max()) - 1) * 2 * ROWS)


def fine_bytes(
    batch: int,
    m: int,
    n: int,
    dtype: np.dtype,
    strip_tape: StripTape | None = None,
) -> int:
    """Bytes of the fine tape of all strips."""
    entries = (strip_tape or tape_of_table(n)).entries
    return batch * -(-m // ROWS) * entries * 2 * dtype.itemsize


def make_plan(
    batch: int,
    m: int,
    n: int,
    dtype: np.dtype,
    keep: bool,
    dual: bool = False,
    strip_tape: StripTape | None = None,
) -> Plan:
    """Plan the sweeps of ``batch`` tables of at most ``m`` x ``n`` cells.

    Args:
        batch: Number of pairs.
        m: Rows of the largest table.
        n: Columns of the largest table.
        dtype: Type of the arrays: float32 or float64.
        keep: Whether an adjoint sweep follows.
        dual: Whether with tangents.
        strip_tape: What a strip takes; None for all columns.
    """
    strip_tape = strip_tape or tape_of_table(n)
    strips = -(-m // ROWS)
    types: list[np.dtype] = [np.dtype(np.float64)]
    if dtype.itemsize == 4:
        types.insert(0, np.dtype(np.float32))
    if not keep:
        alone = tuple(
            PrecisionPass(t, strips, _NO_SLABS, 1, dual) for t in types
        )
        pair_bytes = strip_tape.edge * alone[-1].entry_bytes
        return Plan(alone, strip_tape, pair_bytes)
    whole = fine_bytes(batch, m, n, dtype, strip_tape) * (2 if dual else 1)
    limit = min(max(whole // SLABS, WHOLE_TAPE_BYTES), MAX_SLAB_BYTES)
    slabs = min(-(-whole // limit), strips)
    passes = []
    for kind in types:
        # Double takes twice the memory of float: half the strips at a time.
        share = kind.itemsize // dtype.itemsize
        slab_strips = -(-strips // (slabs * share))
        passes.append(
            PrecisionPass(
                kind, strips, slab_strips, -(-strips // slab_strips), dual
            )
        )
    pair_bytes = max(
        p.entry_bytes
        * (p.slab_strips * strip_tape.entries + p.slabs * strip_tape.edge)
        for p in passes
    )
    return Plan(tuple(passes), strip_tape, -(-pair_bytes // 32) * 32)
