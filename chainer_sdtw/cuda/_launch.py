"""The launches that sweep a batch, and the tape between them."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np

from chainer_sdtw.cuda._batch import DeviceBatch
from chainer_sdtw.cuda._plan import (
    CELL_THREADS,
    COST_GRADIENT_TILES,
    GRADIENT_FEATURES,
    GRADIENT_THREADS,
    ROWS,
    SURVEY_ROWS,
    SURVEY_THREADS,
    PrecisionPass,
    Turn,
    cell_blocks,
    column_tiles,
    survey_blocks,
    survey_words,
)


class Tape(metaclass=abc.ABCMeta):
    """What a value or tangent sweep keeps for its adjoint. Opaque.

    It refers to the arrays that it was made from, which must not change
    before :func:`adjoint` or :func:`adjoint_tangent` has been called. Where
    costs of cells are kept for the first adjoint, those after it compute them
    again. A tape belongs to one thread at a time, and to the stream in which
    it was made, or to one that waits for that.
    """

    _dual: bool  # whether of a tangent sweep

    def __repr__(self) -> str:
        return f"{type(self).__name__}(nbytes={self.nbytes})"

    @property
    @abc.abstractmethod
    def nbytes(self) -> int:
        """Bytes kept besides the input arrays."""


class _Memory:
    """An array of bytes with room for several others.

    Attributes:
        array: The array.
        places: Where each of the others begins.
        addresses: The same as pointers, null for what has no bytes.
    """

    def __init__(self, batch: DeviceBatch, create: Any, *sizes: int) -> None:
        self.places = []
        end = 0
        for size in sizes:
            self.places.append(end)
            end += -(-size // 256) * 256
        self.array = create(end, np.uint8)
        start = batch.device.address(self.array)
        self.addresses = [
            start + place if size else 0
            for place, size in zip(self.places, sizes)
        ]


class SweepTape(Tape):
    """A batch that is swept, and the memory that it is swept in.

    Args:
        batch: What is swept.
        keep: Whether an adjoint sweep follows.

    Attributes:
        result: ``(B,)`` float64, values, then tangents.
    """

    def __init__(self, batch: DeviceBatch, keep: bool) -> None:
        self.batch = batch
        self.plan = plan = batch.plan(keep)
        self._dual = batch.dual
        xp = batch.device.xp
        size, count = batch.size, plan.tape_pairs
        tickets = 4 * plan.value_launches
        if batch.y is not None:
            words = survey_words(batch.features, batch.x.dtype.itemsize)
            tickets += 4 * size * words
        self._zeros = _Memory(
            batch,
            xp.zeros,
            24 * size,  # kBounds in arguments.cuh
            4 * size,
            8,
            count * plan.pair_edges,
            tickets,
        )
        self._memory = _Memory(
            batch,
            xp.empty,
            count * plan.pair_states,
            count * plan.pair_slab_edges,
            16 * size,  # values, tangents
            16 * size,  # the same again, in the type of arrays
        )
        self._cells: Any = None
        self._masses = 0
        self._record = record = batch.record(plan)
        bounds, noted, counts, self._edges, ticket = self._zeros.addresses
        self._states, self._slab_edges, result, _ = self._memory.addresses
        self._ticket = ticket
        record["cost_bounds"] = bounds
        record["noted"] = noted
        record["counts"] = counts
        record["result"] = result
        record["result_tangent"] = result + 8 * size
        # Where the memory has cells of, and the tape states of each pass: the
        # first pair of a portion, and a slab.
        self._cells_of: tuple[int, int] | None = None
        self._states_of: dict[PrecisionPass, tuple[int, int]] = {}

    @property
    def result(self) -> Any:
        place = self._memory.places[2]
        size = 8 * self.batch.size * (1 + self._dual)
        return self._memory.array[place : place + size].view(np.float64)

    @property
    def nbytes(self) -> int:
        arrays = [self._zeros.array, self._memory.array]
        arrays += [a for a in (self._cells, self.batch.band) if a is not None]
        return sum(a.nbytes for a in arrays)

    # --- Launches ---

    def _launch(
        self, name: str, run: PrecisionPass, blocks: int, threads: int = ROWS
    ) -> None:
        options = self.batch.family.options[run.dtype]
        kernel = self.batch.device.kernel(name, options)
        kernel(blocks, threads, self._record, self._arrays)

    def _survey(self) -> None:
        """Bound the costs of each pair."""
        batch = self.batch
        record, m, n = self._record, batch.m, batch.n
        record["pairs"] = batch.size
        record["ticket"] = self._ticket
        if batch.y is None:
            name, each = "soft_dtw_survey_cost", survey_blocks(m, n, 1)
        else:
            name = "soft_dtw_survey_series"
            each = survey_blocks(m + n, batch.features, SURVEY_ROWS)
            words = survey_words(batch.features, batch.x.dtype.itemsize)
            self._ticket += 4 * batch.size * words
        blocks = batch.size * each
        self._launch(name, self.plan.passes[0], blocks, SURVEY_THREADS)

    def _select_portion(self, first: int) -> None:
        """Choose the pairs that the next launches sweep."""
        record, plan = self._record, self.plan
        self._pairs = min(plan.pairs, plan.size - first)
        record["pair_begin"] = first
        record["pairs"] = self._pairs
        # Where they are on the tape.
        place = first if plan.tape_pairs == plan.size else 0
        record["edges"] = self._edges + place * plan.pair_edges
        record["states"] = self._states + place * plan.pair_states
        record["slab_edges"] = self._slab_edges + place * plan.pair_slab_edges

    def _select(self, run: PrecisionPass, slab: int, turn: Turn) -> int:
        """Choose their strips; return how many of all pairs."""
        record = self._record
        begin, end = run.slab(slab)
        record["forbidden"] = self.batch.forbidden(run.dtype)
        record["strip_begin"] = begin
        record["strip_end"] = end
        record["turn"] = turn
        record["slab_strips"] = run.slab_strips
        return self._pairs * (end - begin)

    def _compute_cells(self, run: PrecisionPass, strips: int) -> None:
        if self._cells is not None:
            blocks = strips * cell_blocks(self.plan.segments)
            self._launch("soft_dtw_cells", run, blocks, CELL_THREADS)

    def _sweep(
        self, name: str, run: PrecisionPass, strips: int, clear: bool
    ) -> None:
        """Launch a kernel that sweeps, which finds zeros where it writes."""
        # Without masses, edges are cleared.
        back = name == "soft_dtw_adjoint"
        self._record["masses"] = self._masses if back else 0
        if clear:
            self._launch("soft_dtw_clear", run, strips)
        self._record["ticket"] = self._ticket
        self._ticket += 4
        self._launch(name, run, strips)

    def _allocate_cells(self) -> None:
        plan, batch = self.plan, self.batch
        if plan.pair_cells and self._cells is None:
            room = plan.pairs * plan.pair_cells
            self._cells = batch.device.xp.empty(room, np.uint8)
            self._record["cells"] = batch.device.address(self._cells)

    def _collect(self, *arrays: Any) -> None:
        """List the arrays that the arguments of kernels point into."""
        own = self._zeros.array, self._memory.array, self._cells
        more = [a for a in (*own, *arrays) if a is not None]
        self._arrays = self.batch.arrays + more

    # --- Sweeps ---

    def sweep_values(self, value: Any, tangent: Any) -> None:
        """Sweep all pairs, and write their values and tangents."""
        record, address = self._record, self.batch.device.address
        self._allocate_cells()
        self._collect(value, tangent)
        record["value"] = address(value)
        if tangent is not None:
            record["tangent"] = address(tangent)
        self._survey()
        for first in self.plan.portions:
            self._select_portion(first)
            self._sweep_forwards(first)
        # When the adjoint sweeps again, it must not write to these.
        unused = self._memory.addresses[3]
        record["value"] = unused
        record["tangent"] = unused + 8 * self.batch.size
        self._arrays = []
        if not self.plan.is_whole:
            self._cells = self._cells_of = None

    def _sweep_forwards(self, first: int, again: bool = False) -> None:
        """Sweep the portion of a pair, for the first time or again."""
        plan = self.plan
        shared = first > 0 and plan.tape_pairs < plan.size
        for run in plan.passes:
            if run.slabs > 1 and not again and self._raises_bounds(run):
                for slab in range(run.slabs):
                    strips = self._select(run, slab, Turn.FIRST)
                    self._compute_cells(run, strips)
            for turn in (Turn.AS_NOTED,) if again else self._turns(run):
                noted = turn == Turn.ONLY_NOTED
                for slab in range(run.slabs):
                    strips = self._select(run, slab, turn)
                    if run.slabs > 1 or not noted:
                        self._compute_cells(run, strips)
                    # Passes sweep different pairs, and so write apart.
                    clear = again or noted or shared or slab > 0
                    self._sweep("soft_dtw_value", run, strips, clear)
            self._states_of[run] = self._key(first, run.slabs - 1)
        self._cells_of = first, run.slabs - 1

    def _raises_bounds(self, run: PrecisionPass) -> bool:
        """Whether the cells of all slabs tell what a pass leaves to others."""
        of_series = self.batch.y is not None and self.plan.pair_cells > 0
        return of_series and run.dtype.itemsize == 4

    def _turns(self, run: PrecisionPass) -> tuple[Turn, ...]:
        # None are noted in float, nor for gamma 0.
        if run.dtype.itemsize == 4 or self.batch.gamma == 0:
            return (Turn.FIRST,)
        return Turn.FIRST, Turn.ONLY_NOTED

    def _key(self, first: int, slab: int) -> tuple[int, int]:
        """Which pairs and which slab of them the tape has states of."""
        whole = self.plan.tape_pairs == self.plan.size
        return (0 if whole else first), slab

    def new_gradient(self, series: Any) -> Any:
        """Return an array for the gradient for series, or for the cost.

        The kernels write all of it, except that gradients of univariate
        series are left alone where no cells are.
        """
        # Before that, where those of the value were: in pieces, the memory
        # that they have given back would not do for them.
        self._allocate_cells()
        batch, limits = self.batch, self.batch.limits
        given = batch.band, limits.x_length, limits.y_length
        partly = not self.plan.pair_cells and any(a is not None for a in given)
        create = batch.device.xp.zeros if partly else batch.device.xp.empty
        return create(series.shape, series.dtype)

    def sweep_back(
        self,
        grad: Any,
        gx: Any,
        gy: Any,
        grad_tangent: Any = None,
        alignment: Any = None,
    ) -> None:
        """Write gradients, or tangents of those of costs.

        Args:
            grad: The gradient with respect to the values; None for 1.
            gx: Gradient for x, or for the cost, or None.
            gy: Gradient for y, or None.
            grad_tangent: The tangent of ``grad``, None for 0; ``gx`` is then
                the tangent of the gradient for the cost.
            alignment: With tangents, for the alignment times ``grad``, or
                None.
        """
        plan, batch, record = self.plan, self.batch, self._record
        xp, address = batch.device.xp, batch.device.address
        zeros = _Memory(
            batch,
            xp.zeros,
            plan.pairs * plan.pair_masses,
            plan.pairs * plan.pair_live,
            4 * plan.adjoint_launches,
            plan.pairs * plan.pair_slab_masses,
        )
        self._masses, record["live"], self._ticket, last = zeros.addresses
        # None of those of a call before is there any more.
        record["masses"], record["slab_masses"] = self._masses, last
        record["ticket"] = self._ticket
        live = zeros.array[zeros.places[1] : zeros.places[2]]
        for name, array in (
            ("grad", grad),
            ("gx", gx),
            ("gy", gy),
            ("grad_tangent", grad_tangent),
            ("alignment", alignment),
        ):
            record[name] = 0 if array is None else address(array)
        self._allocate_cells()
        self._collect(grad, gx, gy, grad_tangent, alignment, zeros.array)
        swept: set[PrecisionPass] = set()
        turn = Turn.AS_NOTED
        for first in reversed(plan.portions):
            self._select_portion(first)
            states = self._states_of[plan.passes[-1]]
            if states[0] != self._key(first, 0)[0]:
                self._sweep_forwards(first, again=True)
            for slab, runs in plan.way_back():
                if self._cells_of != (first, slab):
                    for run in runs:
                        strips = self._select(run, slab, turn)
                        self._compute_cells(run, strips)
                for run in runs:
                    key = self._key(first, slab)
                    if self._states_of[run] != key:
                        strips = self._select(run, slab, turn)
                        self._sweep("soft_dtw_value", run, strips, True)
                        self._states_of[run] = key
                if plan.pair_live and swept:
                    live.fill(0)
                for run in runs:
                    strips = self._select(run, slab, turn)
                    clear = run in swept
                    self._sweep("soft_dtw_adjoint", run, strips, clear)
                    swept.add(run)
                if plan.pair_cells:
                    self._make_gradients(slab, gx, gy)
                self._cells_of = None
        self._arrays, self._cells = [], None

    def _make_gradients(self, slab: int, gx: Any, gy: Any) -> None:
        """Launch the kernel that makes gradients of the alignment."""
        run, batch = self.plan.passes[0], self.batch
        strips = self._select(run, slab, Turn.AS_NOTED)
        tiles = column_tiles(batch.n)
        if batch.y is None:
            blocks = strips * -(-tiles // COST_GRADIENT_TILES)
            self._launch("soft_dtw_cost_gradient", run, blocks, CELL_THREADS)
            return
        blocks = 0 if gx is None else strips
        if gy is not None:
            blocks += self._pairs * tiles
        blocks *= -(-batch.features // GRADIENT_FEATURES)
        self._launch("soft_dtw_gradients", run, blocks, GRADIENT_THREADS)


def sweep_values(batch: DeviceBatch, keep: bool) -> Any:
    """Return values, tangents along the direction, and a tape if to keep."""
    xp = batch.device.xp
    value = xp.empty(batch.size, batch.x.dtype)
    tangent = xp.empty(batch.size, batch.x.dtype) if batch.dual else None
    tape = SweepTape(batch, keep)
    tape.sweep_values(value, tangent)
    values = (value, tangent) if batch.dual else (value,)
    if keep:
        return (*values, tape)
    return values if batch.dual else value
