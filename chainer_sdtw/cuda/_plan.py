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
# slabs must be large enough to keep a device busy.
FREE_BYTES = 128 << 20
MOST_BYTES = 768 << 20
PART = 16

# A slab of less than all strips costs another value sweep of it.
_NO_SLABS = 2**30


@dataclass(frozen=True)
class Pass:
    """What one family of kernels does of the batch.

    Attributes:
        dtype: What it computes in.
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
    def packed(self) -> int:
        """Bytes of a mantissa and an exponent, and of as much for tangents."""
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
        room: What a strip takes of the tape.
        slot: Bytes per pair for the tape.
        keep: Whether there will be an adjoint sweep.
    """

    passes: tuple[Pass, ...]
    room: Room
    slot: int
    keep: bool


@dataclass(frozen=True)
class Room:
    """Pairs of mantissa and exponent that a strip takes on the fine tape.

    Attributes:
        edge: For its last row.
        states: For its state at every segment but the first.
    """

    edge: int
    states: int

    @property
    def entries(self) -> int:
        """All of them."""
        return self.edge + self.states


def room_of_table(n: int) -> Room:
    """The room for strips of all columns."""
    segments = -(-(n + ROWS - 1 + GROUP) // STEPS)
    return Room(n, (segments - 1) * 2 * ROWS)


def room_of_band(
    band: np.ndarray, rows: np.ndarray | None, columns: np.ndarray | None
) -> Room:
    """The room for the widest strip of a band.

    Args:
        band: ``(B, m, 2)`` or ``(1, m, 2)``.
        rows: Each pair's, ``(B,)`` or ``(1,)``; None if only the device knows
            them. What the band has beyond them is ignored.
        columns: The same.
    """
    m = band.shape[1]
    lead = np.arange(1, GROUP + 1)
    if rows is not None and columns is not None:
        lead = GROUP - (columns + (rows - 1) % ROWS) % GROUP
        lead = lead[:, None, None]
    end = np.array([m]) if rows is None else rows
    top = np.minimum(np.arange(0, m, ROWS), end[:, None] - 1)
    bottom = np.minimum(top + ROWS - 1, end[:, None] - 1)
    pair = np.arange(len(band))[:, None]
    first = band[pair, top, 0].astype(np.int64)[..., None]
    last, stop = band[pair, bottom].astype(np.int64).transpose(2, 0, 1)
    # As Strip::start_of and Strip::segments_of in soft_dtw.cu.
    start = (first + lead - 1) // STEPS
    segments = -(-(stop[..., None] + ROWS - 1 + lead) // STEPS) - start
    edge = int((stop - last).max())
    return Room(edge, (int(segments.max()) - 1) * 2 * ROWS)


def fine_bytes(
    batch: int, m: int, n: int, dtype: np.dtype, room: Room | None = None
) -> int:
    """Bytes of the fine tape of all strips."""
    entries = (room or room_of_table(n)).entries
    return batch * -(-m // ROWS) * entries * 2 * dtype.itemsize


def make_plan(
    batch: int,
    m: int,
    n: int,
    dtype: np.dtype,
    keep: bool,
    dual: bool = False,
    room: Room | None = None,
) -> Plan:
    """Plan the sweeps of ``batch`` tables of at most ``m`` x ``n`` cells.

    Args:
        batch: Number of pairs.
        m: Rows of the largest table.
        n: Columns of the largest table.
        dtype: Type of the arrays: float32 or float64.
        keep: Whether an adjoint sweep follows.
        dual: Whether with tangents.
        room: What a strip takes; None for all columns.
    """
    room = room or room_of_table(n)
    strips = -(-m // ROWS)
    types: list[np.dtype] = [np.dtype(np.float64)]
    if dtype.itemsize == 4:
        types.insert(0, np.dtype(np.float32))
    if not keep:
        alone = tuple(Pass(t, strips, _NO_SLABS, 1, dual) for t in types)
        return Plan(alone, room, room.edge * alone[-1].packed, False)
    whole = fine_bytes(batch, m, n, dtype, room) * (2 if dual else 1)
    limit = min(max(whole // PART, FREE_BYTES), MOST_BYTES)
    slabs = min(-(-whole // limit), strips)
    passes = []
    for kind in types:
        # Double takes twice the memory of float: half the strips at a time.
        share = kind.itemsize // dtype.itemsize
        slab_strips = -(-strips // (slabs * share))
        passes.append(
            Pass(kind, strips, slab_strips, -(-strips // slab_strips), dual)
        )
    slot = max(
        p.packed * (p.slab_strips * room.entries + p.slabs * room.edge)
        for p in passes
    )
    return Plan(tuple(passes), room, -(-slot // 32) * 32, True)
