"""How a batch is spread over launches and over memory.

Everything that depends on ``(B, m, n, d)`` is decided here; what it means is
told in ``soft_dtw.cu``. The constants that the kernels need too are passed to
the compiler.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainer_sdtw.cuda._arguments import ARGUMENTS

ROWS = 32  # of a strip
STEPS = 32  # of a segment
GROUP = 8  # steps between normalisations; at most as many before column 0
SURVEY_THREADS = 256
SURVEY_CELLS = 1 << 13  # per block, so that a few pairs fill a device
SURVEY_ROWS = 32  # of series, per block, at least
CELL_SEGMENTS = 4  # of a block that computes cells, a warp for each
CELL_THREADS = 32 * CELL_SEGMENTS
GRADIENT_THREADS = 128
GRADIENT_FEATURES = 64  # of a block that makes gradients of series
GRADIENT_STRIPS = 4  # whose gradients of columns are added up, in any slab
COST_GRADIENT_TILES = 4  # of 32 columns, of a block for those of matrices
# Bits of exponent of a forbidden cell, at least, by the size of a number.
CELL_BITS = {4: 28, 8: 49}

# Strips that keep a device busy. Only with so many are pairs swept a portion
# at a time where slabs of strips of all pairs would do.
_BUSY_STRIPS = 512
# Bytes of each pair beside those that are planned: bounds and results.
_PAIR_BYTES = 64


class Turn(enum.IntEnum):
    """Which pairs a launch in float64 sweeps, and how.

    The first launch notes the pairs whose costs are capped and whose values
    are out of range. Noted pairs are swept in log space.
    """

    FIRST = 0  # all pairs, none in log space for having been noted
    ONLY_NOTED = 1  # only those noted
    AS_NOTED = 2  # all pairs, those noted in log space


def survey_blocks(rows: int, width: int, least: int) -> int:
    """Blocks for each pair that survey ``rows`` x ``width`` numbers.

    Each has ``least`` rows, or more.
    """
    return min(-(-rows * width // SURVEY_CELLS), -(-rows // least))


def survey_words(d: int, itemsize: int) -> int:
    """Zeros in ``ticket`` that a survey of series needs for each pair.

    Args:
        d: Features.
        itemsize: Bytes of a number of the arrays.

    Returns:
        Numbers of type int32.
    """
    return 2 + 4 * d * itemsize // 4


def cell_blocks(segments: int) -> int:
    """Blocks that compute the cells of a strip of so many segments."""
    return -(-segments // CELL_SEGMENTS)


def column_tiles(n: int) -> int:
    """Tiles of 32 columns that gradients are made of, for ``n`` columns.

    The first begins before the first column, as the steps of strips do.
    """
    return -(-(n + GROUP - 1) // STEPS)


@dataclass(frozen=True)
class Kind:
    """What is swept, as far as its memory depends on it.

    Attributes:
        dtype: Type of the arrays: float32 or float64.
        cell_bytes: Of each cell that a kernel of its own computes; 0 where
            there is no such kernel, for univariate series.
        dual: Whether with tangents.
    """

    dtype: np.dtype
    cell_bytes: int
    dual: bool = False

    @property
    def dtypes(self) -> tuple[np.dtype, ...]:
        """What the passes compute in."""
        wide: np.dtype = np.dtype(np.float64)
        return (wide,) if self.dtype == wide else (self.dtype, wide)

    @property
    def entry_bytes(self) -> int:
        """Bytes of an entry of the tape in float64."""
        return 24 if self.dual else 16

    @property
    def mass_bytes(self) -> int:
        """Bytes that a strip hands back for a column in float64."""
        return 16 if self.dual or not self.cell_bytes else 8


@dataclass(frozen=True, eq=False)
class PrecisionPass:
    """The launches over a batch that compute in one type.

    Attributes:
        dtype: What they compute in.
        strips: Strips of 32 rows in the longest pair.
        slab_strips: Strips per slab.
        slabs: Number of slabs.
    """

    dtype: np.dtype
    strips: int
    slab_strips: int
    slabs: int

    def slab(self, index: int) -> tuple[int, int]:
        """First and last strip of a slab, the last exclusive."""
        first = index * self.slab_strips
        return first, min(self.strips, first + self.slab_strips)


@dataclass(frozen=True)
class Plan:
    """The passes over a batch and the memory that they share.

    Pairs are swept a portion at a time, these a slab of strips at a time. The
    attributes ``pair_...`` are bytes of each pair of a portion.

    Attributes:
        passes: Float32 batches have two: one in float32, and one in float64
            for pairs whose exponents float32 cannot hold. A pair is left to
            one of them by the device, so both use the same memory.
        segments: The most segments of a strip.
        size: Pairs of the batch.
        pairs: Pairs of a portion.
        tape_pairs: Pairs that have a tape of their own: all of them, or those
            of a portion, the next of which takes its place.
        pair_edges: Of the edges of a slab.
        pair_states: Of the states of a slab; 0 if no adjoint sweep follows.
        pair_slab_edges: Of the edges below slabs.
        pair_masses: Of what strips of a slab hand back.
        pair_slab_masses: Of what a slab hands back.
        pair_cells: Of the cells of a slab.
        pair_live: Of the marks of segments whose cells have mass.
    """

    passes: tuple[PrecisionPass, ...]
    segments: int
    size: int
    pairs: int
    tape_pairs: int
    pair_edges: int
    pair_states: int
    pair_slab_edges: int
    pair_masses: int
    pair_slab_masses: int
    pair_cells: int
    pair_live: int

    @functools.cached_property
    def arguments(self) -> np.ndarray:
        """Those arguments of kernels that the plan knows; to be copied."""
        arguments = np.zeros((), ARGUMENTS)
        arguments["strip_states"] = strip_states(self.segments)
        arguments["segments"] = self.segments
        for name in (
            "pair_edges",
            "pair_states",
            "pair_slab_edges",
            "pair_masses",
            "pair_slab_masses",
        ):
            arguments[name] = getattr(self, name)
        return arguments

    @functools.cached_property
    def tape_bytes(self) -> int:
        """Bytes that the value sweep leaves to the adjoint."""
        pair = self.pair_edges + self.pair_states + self.pair_slab_edges
        return self.tape_pairs * pair

    @functools.cached_property
    def nbytes(self) -> int:
        """Bytes that the sweeps take at a time."""
        pair = self.pair_cells + self.pair_live
        pair += self.pair_masses + self.pair_slab_masses
        tickets = 4 * max(self.value_launches, self.adjoint_launches)
        each = self.size * _PAIR_BYTES
        return self.tape_bytes + self.pairs * pair + each + tickets

    @property
    def is_whole(self) -> bool:
        """Whether there is one portion of one slab."""
        slabs = max(run.slabs for run in self.passes)
        return self.pairs == self.size and slabs == 1

    @property
    def portions(self) -> range:
        """The first pair of every portion."""
        return range(0, self.size, self.pairs)

    @functools.cached_property
    def value_launches(self) -> int:
        """Launches of the value kernel at most, in all turns."""
        each = sum(
            run.slabs * (run.dtype.itemsize // 4) for run in self.passes
        )
        return len(self.portions) * each

    @functools.cached_property
    def adjoint_launches(self) -> int:
        """Launches of value and adjoint kernels on the way back, at most."""
        return len(self.portions) * sum(3 * run.slabs for run in self.passes)

    def way_back(self) -> Iterator[tuple[int, tuple[PrecisionPass, ...]]]:
        """Slabs in the order of the adjoint, and passes that sweep them.

        Where there are cells, gradients are made of those of all passes.
        """
        together = [self.passes] if self.pair_cells else zip(self.passes)
        for runs in together:
            for slab in reversed(range(runs[0].slabs)):
                yield slab, tuple(runs)


def segments_of_table(n: int) -> int:
    """Return the most segments of a strip of all columns."""
    return -(-(n + ROWS - 1 + GROUP) // STEPS)


def segments_of_band(
    band: np.ndarray, rows: np.ndarray | None, columns: np.ndarray | None
) -> int:
    """Return the segments of the widest strip of a band.

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
    end = band[pair, bottom, 1].astype(np.int64)[..., None]
    # As Strip::segment_of and Strip::segments in strip.cuh.
    start = (begin + lead - 1) // STEPS
    segments = -(-(end + ROWS - 1 + lead) // STEPS) - start
    return int(segments.max())


@functools.lru_cache(1024)
def make_plan(
    size: int,
    m: int,
    segments: int,
    kind: Kind,
    keep: bool,
    limit: int | None = None,
) -> Plan:
    """Plan the sweeps of a batch.

    If not all fits in the limit, the tape does as a rule, and cells are
    computed for a portion of the pairs at a time, and again for the adjoint;
    or portions would be too small to keep a device busy, or the tape is too
    large, and strips are swept a slab at a time, of all pairs if possible, or
    of as many as possible.

    Args:
        size: Number of pairs.
        m: Rows of the largest table.
        segments: The most segments of a strip.
        kind: What is swept.
        keep: Whether an adjoint sweep follows.
        limit: Bytes to keep below, if possible; None for no limit.
    """
    strips = -(-m // ROWS)
    make = functools.partial(_make_plan, size, strips, segments, kind, keep)
    found = make(size, strips)
    if limit is None or found.nbytes <= limit:
        return found
    if keep and kind.cell_bytes:
        pairs = (make(p, strips, size) for p in _parts(size))
        portions = next((p for p in pairs if p.nbytes <= limit), None)
        if portions and portions.pairs * strips >= _BUSY_STRIPS:
            return portions
    unit = GRADIENT_STRIPS if kind.cell_bytes else 1
    groups = _parts(-(-strips // unit))
    slab_sizes = [min(unit * count, strips) for count in groups]
    candidates = (
        (make(size, s) for s in slab_sizes),
        (make(p, strips) for p in _parts(size)),
    )
    best = [
        next((p for p in plans if p.nbytes <= limit), None)
        for plans in candidates
    ]
    fitting = [plan for plan in best if plan]
    if fitting:
        return max(fitting, key=lambda p: p.pairs * p.passes[-1].slab_strips)
    slabs = [make(1, s) for s in slab_sizes]
    least = min(slabs, key=lambda p: p.nbytes)
    return next((p for p in slabs if p.nbytes <= limit), least)


def _parts(count: int) -> Iterator[int]:
    """The sizes of the parts that make 1, 2, ... of all; each size once."""
    part = count
    while part:
        yield part
        fewer = -(-count // part) + 1
        smaller = -(-count // fewer)
        part = min(smaller, part - 1)


def _make_plan(
    size: int,
    strips: int,
    segments: int,
    kind: Kind,
    keep: bool,
    pairs: int,
    slab_strips: int,
    tape_pairs: int | None = None,
) -> Plan:
    """Return the plan with portions of so many pairs, in slabs of strips."""
    slabs = -(-strips // slab_strips)
    passes = []
    for dtype in kind.dtypes:
        own = slab_strips
        if dtype.itemsize == 4 and not kind.cell_bytes:
            # Without cells, in the same memory twice as many strips.
            own = min(2 * slab_strips, strips)
        passes.append(PrecisionPass(dtype, strips, own, -(-strips // own)))
    # Entries of an edge are those of all steps, see tape.cuh.
    edge = segments * STEPS * kind.entry_bytes
    states = strip_states(segments) * kind.entry_bytes if keep else 0
    masses = segments * STEPS * kind.mass_bytes if keep else 0
    cells = slab_strips * segments if kind.cell_bytes else 0
    return Plan(
        passes=tuple(passes),
        segments=segments,
        size=size,
        pairs=pairs,
        tape_pairs=tape_pairs or pairs,
        pair_edges=slab_strips * edge,
        pair_states=slab_strips * states,
        pair_slab_edges=slabs * edge,
        pair_masses=slab_strips * masses,
        pair_slab_masses=masses,
        pair_cells=cells * ROWS * STEPS * kind.cell_bytes,
        pair_live=4 * cells if keep else 0,
    )


def strip_states(segments: int) -> int:
    """Entries of the states of a strip, at all of its segments but one."""
    return (segments - 1) * 2 * ROWS
