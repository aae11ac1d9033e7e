"""The launches that sweep a batch."""

from __future__ import annotations

import abc
import math
from typing import Any, NamedTuple

import numpy as np

from chainer_sdtw._engine.types import GpuArray
from chainer_sdtw.cuda._arrays import Limits
from chainer_sdtw.cuda._modules import Device
from chainer_sdtw.cuda._plan import (
    CELL_BITS,
    SURVEY_CELLS,
    SURVEY_THREADS,
    Plan,
    PrecisionPass,
    Turn,
    make_plan,
    tape_of_band,
)
from chainer_sdtw.cuda._variants import Variant, variant


class SweepArguments(NamedTuple):
    """What every sweep is given, as ``SDTW_ARGUMENTS`` in ``arguments.cuh``.

    Nones are null pointers.
    """

    x: GpuArray
    y: GpuArray | None
    x_length: GpuArray | None
    y_length: GpuArray | None
    cost_bounds: GpuArray
    noted: GpuArray
    turn: np.int32
    batch: np.int32
    m: np.int32
    n: np.int32
    d: np.int32
    rate: np.float64
    forbidden: np.float64
    band: GpuArray | None
    band_rows: np.int32
    tape: GpuArray
    pair_bytes: np.int64
    edge: np.int32
    states: np.int64
    slab_strips: np.int32
    slabs: np.int32
    fine_slab: np.int32
    strip_begin: np.int32
    strip_end: np.int32
    progress: GpuArray
    direction: GpuArray | None
    direction_stride: np.int64


class Tape(metaclass=abc.ABCMeta):
    """What a value or tangent sweep keeps for its adjoint. Opaque.

    It refers to the arrays that it was made from, which must not change
    before :func:`adjoint` or :func:`adjoint_tangent` has been called.
    """

    _dual: bool  # whether of a tangent sweep

    def __repr__(self) -> str:
        return f"{type(self).__name__}(nbytes={self.nbytes})"

    @property
    @abc.abstractmethod
    def nbytes(self) -> int:
        """Bytes kept besides the input arrays."""


class SweepTape(Tape):
    """The tape of a batch that has been swept."""

    def __init__(
        self, batch: DeviceBatch, plan: Plan, memory: GpuArray
    ) -> None:
        self._batch = batch
        self._plan = plan
        self._memory = memory
        # The slab that has a fine tape, for every pass.
        self._fine_slabs = [p.slabs - 1 for p in plan.passes]
        self._dual = batch.dual

    @property
    def nbytes(self) -> int:
        batch = self._batch
        arrays = [self._memory, batch.cost_bounds, batch.noted, batch.result]
        if batch.band is not None:
            arrays.append(batch.band)
        return sum(a.nbytes for a in arrays)


class DeviceBatch:
    """A batch on the device, and the launches that sweep it.

    Args:
        device: Where the kernels run.
        cost: Name of the cost of two series, or ``EXPLICIT``.
        x: Series, or cost matrices.
        y: Series, or None.
        gamma: Smoothing.
        limits: Lengths and band of the pairs.
        direction: ``(B, m, n)`` or ``(1, m, n)``: the direction of cost
            matrices for a tangent.

    Attributes:
        dual: Whether with tangents.
    """

    def __init__(
        self,
        device: Device,
        cost: str,
        x: Any,
        y: Any,
        gamma: float,
        limits: Limits,
        direction: Any = None,
    ) -> None:
        xp = device.xp
        self.device = device
        self.cost = cost
        self.x = xp.ascontiguousarray(x)
        self.y: Any = None if y is None else xp.ascontiguousarray(y)
        self.gamma = gamma
        self.limits = limits
        self._rate = 0.0 if gamma == 0 else 1 / (gamma * math.log(2))
        self.direction = direction
        self.dual = direction is not None
        if self.dual:
            self.direction = xp.ascontiguousarray(direction)
        self.size, self.m, self.n = self.x.shape
        self.features = 1
        if self.y is not None:
            self.n, self.features = self.y.shape[1:]
        self.strip_tape = None
        self.band: Any = None
        if limits.band is not None:
            self.strip_tape = tape_of_band(
                limits.band, limits.rows, limits.columns
            )
            self.band = xp.asarray(limits.band)
        # Two bounds on the costs of each pair, and whether it is noted.
        zeros = xp.zeros(3 * self.size, np.float64)
        self.cost_bounds = zeros[: 2 * self.size]
        self.noted = zeros[2 * self.size :].view(np.int32)
        # Values, then tangents.
        self.result = xp.empty((1 + self.dual) * self.size, np.float64)
        bands = 0 if self.band is None else len(self.band)
        directions = len(self.direction) if self.dual else 0
        # The arguments that all sweeps of this batch have.
        self._arguments = {
            "x": self.x,
            "y": self.y,
            "x_length": limits.x_length,
            "y_length": limits.y_length,
            "cost_bounds": self.cost_bounds,
            "noted": self.noted,
            "batch": np.int32(self.size),
            "m": np.int32(self.m),
            "n": np.int32(self.n),
            "d": np.int32(self.features),
            "rate": np.float64(self._rate),
            "band": self.band,
            "band_rows": np.int32(self.m if bands > 1 else 0),
            "direction": self.direction,
            "direction_stride": np.int64(
                self.m * self.n if directions > 1 else 0
            ),
        }

    def survey(self, dtype: np.dtype) -> None:
        """Bound the costs of each pair."""
        names = "x_length", "y_length", "band", "band_rows", "m", "n"
        limits = [self._arguments[name] for name in names]
        arrays: tuple[Any, ...]
        if self.y is None:
            rows = max(1, min(self.m, SURVEY_CELLS // self.n))
            name, blocks = "survey_cost", self.size * -(-self.m // rows)
            arrays, last = (self.x,), np.int32(rows)
        else:
            name, blocks = "survey_series", self.size
            arrays, last = (self.x, self.y), np.int32(self.features)
        self._launch(
            name,
            self._variant(dtype),
            blocks,
            SURVEY_THREADS,
            (*arrays, *limits, last, self.cost_bounds),
        )

    def sweep(
        self,
        name: str,
        plan: Plan,
        run: PrecisionPass,
        tape: GpuArray,
        fine_slab: int,
        strips: tuple[int, int],
        turn: Turn,
        *outputs: Any,
    ) -> None:
        """Launch the blocks of some strips.

        Args:
            name: Of the kernel.
            plan: That of the batch.
            run: The pass that the strips belong to.
            tape: Memory for the tape.
            fine_slab: The slab that has a fine tape, or -1.
            strips: The first one and the one after the last.
            turn: Which pairs are swept.
            outputs: The arguments of this kernel alone.
        """
        begin, end = strips
        blocks = self.size * (end - begin)
        arguments = SweepArguments(
            **self._arguments,
            turn=np.int32(turn),
            forbidden=self._forbidden(run.dtype),
            tape=tape,
            pair_bytes=np.int64(plan.pair_bytes),
            edge=np.int32(plan.strip_tape.edge),
            states=np.int64(plan.strip_tape.states),
            slab_strips=np.int32(run.slab_strips),
            slabs=np.int32(run.slabs),
            fine_slab=np.int32(fine_slab),
            strip_begin=np.int32(begin),
            strip_end=np.int32(end),
            progress=self.device.xp.zeros(1 + 2 * blocks, np.int32),
        )
        variant = self._variant(run.dtype)
        self._launch(
            name, variant, blocks, variant.threads, (*arguments, *outputs)
        )

    def _variant(self, dtype: np.dtype) -> Variant:
        sizes = self.x.dtype.itemsize, dtype.itemsize
        return variant(*sizes, self.cost, self.features, self.dual)

    def _launch(
        self,
        name: str,
        variant: Variant,
        blocks: int,
        threads: int,
        arguments: tuple[Any, ...],
    ) -> None:
        null = self.device.null
        kernel = self.device.kernel(f"soft_dtw_{name}", variant.options)
        kernel(
            (blocks,),
            (threads,),
            tuple(null if a is None else a for a in arguments),
        )

    def _forbidden(self, dtype: np.dtype) -> np.float64:
        """Return the cost that stands for inf: a power of four."""
        if self.gamma == 0:
            return np.float64(np.inf)
        cell = 2.0 ** CELL_BITS[dtype.itemsize]
        power = 2 * math.ceil(math.log2(cell / self._rate) / 2)
        return np.float64(2.0**power if power < 1024 else np.inf)


def sweep_values(batch: DeviceBatch, keep: bool) -> Any:
    """Return values, tangents along the direction, and a tape if to keep."""
    xp = batch.device.xp
    plan = make_plan(
        batch.size,
        batch.m,
        batch.n,
        batch.x.dtype,
        keep,
        batch.dual,
        batch.strip_tape,
    )
    memory = xp.empty(batch.size * plan.pair_bytes, np.uint8)
    value = xp.empty(batch.size, batch.x.dtype)
    tangent = xp.empty_like(value) if batch.dual else None
    batch.survey(plan.passes[0].dtype)
    for run in plan.passes:
        turns = [Turn.FIRST]
        # None are noted in float, nor for gamma 0.
        if run.dtype.itemsize == 8 and batch.gamma > 0:
            turns.append(Turn.ONLY_NOTED)
        for turn in turns:
            batch.sweep(
                "value",
                plan,
                run,
                memory,
                run.slabs - 1 if keep else -1,
                (0, run.strips),
                turn,
                batch.result,
                value,
                tangent,
            )
    values = (value, tangent) if batch.dual else (value,)
    if keep:
        return (*values, SweepTape(batch, plan, memory))
    return values if batch.dual else value


def sweep_back(
    tape: SweepTape,
    grad: Any,
    gx: Any,
    gy: Any,
    grad_tangent: Any = None,
    alignment: Any = None,
) -> None:
    """Add gradients to zeros, or write tangents of those of costs.

    Args:
        tape: Of the values.
        grad: The gradient with respect to the values.
        gx: Gradient for x, or for the cost, or None.
        gy: Gradient for y, or None.
        grad_tangent: The tangent of ``grad``; ``gx`` is then the tangent of
            the gradient for the cost.
        alignment: With tangents, the alignment times ``grad``, or None.
    """
    batch, plan, memory = tape._batch, tape._plan, tape._memory
    unused = batch.device.xp.empty_like(grad)
    for i, run in enumerate(plan.passes):
        for slab in reversed(range(run.slabs)):
            strips = run.slab(slab)
            where = plan, run, memory, slab, strips, Turn.AS_NOTED
            if tape._fine_slabs[i] != slab:
                batch.sweep("value", *where, batch.result, unused, unused)
                tape._fine_slabs[i] = slab
            outputs = grad, gx, gy, grad_tangent, alignment
            batch.sweep("adjoint", *where, batch.result, *outputs)
