"""The launches that sweep a batch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainer_sdtw._engine.types import GpuArray
from chainer_sdtw.cuda._arrays import known_lengths, lengths_of
from chainer_sdtw.cuda._modules import Device
from chainer_sdtw.cuda._plan import (
    Pass,
    Plan,
    Room,
    make_plan,
    room_of_band,
)
from sdtw_cpu import checks

_SURVEY_THREADS = 256
_SURVEY_CELLS = 1 << 16  # per block, so that a few matrices fill a device
_C_TYPES = {4: "float", 8: "double"}
# Bits of exponent of a forbidden cell, at least: kCell in numerics.cuh.
_FORBIDDEN_BITS = {4: 2.0**28, 8: 2.0**49}
EXPLICIT = "explicit"
# Turn in soft_dtw.cu.
_FIRST, _AGAIN, _NOTED = range(3)


class Tape:
    """What a value sweep keeps for its adjoint sweep. Opaque.

    It refers to the arrays that it was made from, which must not change
    before :func:`adjoint` has been called.
    """

    def __init__(self, batch: Batch, plan: Plan, memory: GpuArray) -> None:
        self._batch = batch
        self._plan = plan
        self._memory = memory
        # The slab that the fine tape is of, for every pass.
        self._kept = [p.slabs - 1 for p in plan.passes]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(nbytes={self.nbytes})"

    @property
    def nbytes(self) -> int:
        """Bytes kept besides the input arrays."""
        batch = self._batch
        kept = [self._memory, batch.most, batch.outside, batch.result]
        if batch.room:
            kept.append(batch.band)
        return sum(a.nbytes for a in kept)


@dataclass
class Batch:
    """The arguments of a sweep, on the device."""

    device: Device
    cost: str  # its name, or EXPLICIT
    x: Any  # series, or cost matrices
    y: Any  # series, or None
    gamma: float
    m: int
    n: int
    x_length: Any
    y_length: Any
    band: Any = None  # (B, m, 2) or (1, m, 2), given on the host
    direction: Any = None  # (B, m, n) or (1, m, n): tangents of cost matrices
    room: Room | None = field(init=False)  # that a strip needs for the band
    band_rows: Any = field(init=False)  # from one pair's band to the next
    most: Any = field(init=False)  # two bounds on each pair's costs
    outside: Any = field(init=False)  # whether its value is out of range
    result: Any = field(init=False)  # values in float64, then tangents

    def __post_init__(self) -> None:
        xp = self.device.xp
        self.x = xp.ascontiguousarray(self.x)
        if self.y is not None:
            self.y = xp.ascontiguousarray(self.y)
        if self.direction is not None:
            self.direction = xp.ascontiguousarray(self.direction)
        place = self.device, self.x
        known = []
        for name, longest in (("x_length", self.m), ("y_length", self.n)):
            given = getattr(self, name)
            setattr(self, name, lengths_of(*place, name, given, longest))
            known.append(known_lengths(given, longest))
        shape = self.size, self.m, self.n
        band = checks.as_band(self.band, shape, known[0])
        self.room, self.band_rows = None, np.int32(0)
        if band is not None:
            self.room = room_of_band(band, *known)
            self.band = xp.asarray(band)
            if len(band) > 1:
                self.band_rows = np.int32(self.m)
        zeros = xp.zeros(3 * self.size, np.float64)
        self.most = zeros[: 2 * self.size]
        self.outside = zeros[2 * self.size :].view(np.int32)
        dual = self.direction is not None
        self.result = xp.empty((1 + dual) * self.size, np.float64)

    @property
    def size(self) -> int:
        return int(self.x.shape[0])

    @property
    def features(self) -> int:
        return 1 if self.y is None else int(self.x.shape[2])

    @property
    def univariate(self) -> bool:
        return self.y is not None and self.features == 1

    @property
    def _struct(self) -> str:
        """The cost's struct in costs.cuh."""
        # The distance of two numbers is their absolute difference.
        if self.cost == "euclidean" and self.univariate:
            return "Manhattan"
        return self.cost.capitalize()

    @property
    def rate(self) -> float:
        return 0.0 if self.gamma == 0 else 1 / (self.gamma * math.log(2))

    def forbidden(self, dtype: np.dtype) -> float:
        """The cost that stands for inf: the power of four that weighs it."""
        if self.gamma == 0:
            return math.inf
        bits = _FORBIDDEN_BITS[dtype.itemsize]
        power = 2 * math.ceil(math.log2(bits / self.rate) / 2)
        return math.ldexp(1.0, power) if power < 1024 else math.inf

    def launch(
        self, name: str, dtype: np.dtype, blocks: int, threads: int, args: Any
    ) -> None:
        options: tuple[str, ...] = (
            f"-DSDTW_IN={_C_TYPES[self.x.dtype.itemsize]}",
            f"-DSDTW_T={_C_TYPES[dtype.itemsize]}",
            f"-DSDTW_COST={self._struct}",
        )
        if self.univariate:
            options += ("-DSDTW_UNIVARIATE=1",)
        if self.direction is not None:
            options += ("-DSDTW_DUAL=1",)
        null = self.device.null
        args = tuple(null if a is None else a for a in args)
        kernel = self.device.kernel(f"soft_dtw_{name}", options)
        kernel((blocks,), (threads,), args)

    @property
    def _directions(self) -> tuple[Any, np.int64]:
        """The directions and how far apart those of two pairs are."""
        if self.direction is None or len(self.direction) == 1:
            return self.direction, np.int64(0)
        return self.direction, np.int64(self.m * self.n)

    def survey(self, dtype: np.dtype) -> None:
        """Bound the costs of each pair."""
        m, n = np.int32(self.m), np.int32(self.n)
        more = self.x_length, self.y_length, self.band, self.band_rows
        if self.y is None:
            rows = max(1, min(self.m, _SURVEY_CELLS // self.n))
            blocks = self.size * -(-self.m // rows)
            self.launch(
                *("survey_cost", dtype, blocks, _SURVEY_THREADS),
                (self.x, *more, m, n, np.int32(rows), self.most),
            )
        else:
            d = np.int32(self.features)
            self.launch(
                *("survey_series", dtype, self.size, _SURVEY_THREADS),
                (self.x, self.y, *more, m, n, d, self.most),
            )

    def sweep(
        self,
        name: str,
        plan: Plan,
        run: Pass,
        memory: Any,
        kept: int,
        strips: tuple[int, int],
        turn: int,
        *more: Any,
    ) -> None:
        """Launch the blocks of some strips; ``more`` ends the arguments."""
        first, last = strips
        blocks = self.size * (last - first)
        progress = self.device.xp.zeros(1 + 2 * blocks, np.int32)
        args = (
            *(self.x, self.y, self.x_length, self.y_length, self.most),
            *(self.outside, np.int32(turn)),
            *map(np.int32, (self.size, self.m, self.n, self.features)),
            *(np.float64(self.rate), np.float64(self.forbidden(run.dtype))),
            *(self.band, self.band_rows, memory, np.int64(plan.slot)),
            *(np.int32(plan.room.edge), np.int64(plan.room.states)),
            *map(np.int32, (run.slab_strips, run.slabs, kept, first, last)),
            progress,
            *self._directions,
            *more,
        )
        # As kThreads in soft_dtw.cu.
        series = 4 if run.dtype.itemsize == 4 else 3
        warps = 3 if self.y is None else 1 if self.features == 1 else series
        self.launch(name, run.dtype, blocks, 32 * warps, args)


def sweep_values(batch: Batch, keep: bool) -> Any:
    """The values, tangents if there is a direction, and a tape if to keep."""
    xp = batch.device.xp
    dual = batch.direction is not None
    size = batch.size, batch.m, batch.n
    plan = make_plan(*size, batch.x.dtype, keep, dual, batch.room)
    memory = xp.empty(batch.size * plan.slot, np.uint8)
    out = xp.empty(batch.size, batch.x.dtype)
    tangent = xp.empty_like(out) if dual else None
    batch.survey(plan.passes[0].dtype)
    for run in plan.passes:
        kept = run.slabs - 1 if keep else -1
        every = 0, run.strips
        end = batch.result, out, tangent
        here = plan, run, memory, kept, every
        batch.sweep("value", *here, _FIRST, *end)
        # Those out of range: there are none in float, nor for gamma 0.
        if run.dtype.itemsize == 8 and batch.gamma > 0:
            batch.sweep("value", *here, _AGAIN, *end)
    found = (out, tangent) if dual else (out,)
    if keep:
        return (*found, Tape(batch, plan, memory))
    return found if dual else out


def sweep_back(
    tape: Tape,
    seed: Any,
    gx: Any,
    gy: Any,
    seed_tangent: Any = None,
    alignment: Any = None,
) -> None:
    """Add gradients to zeros, or write tangents of those of costs."""
    batch, plan, memory = tape._batch, tape._plan, tape._memory
    unused = batch.device.xp.empty_like(seed)
    for i, run in enumerate(plan.passes):
        for slab in reversed(range(run.slabs)):
            strips = run.slab(slab)
            here = plan, run, memory, slab, strips, _NOTED
            if tape._kept[i] != slab:
                batch.sweep("value", *here, batch.result, unused, unused)
                tape._kept[i] = slab
            end = seed, gx, gy, seed_tangent, alignment
            batch.sweep("adjoint", *here, batch.result, *end)
