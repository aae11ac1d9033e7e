"""The value and adjoint sweeps on batches, on a GPU."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np

from chainer_sdtw._engine.types import GpuArray
from chainer_sdtw.cuda._modules import Device, cupy_device
from chainer_sdtw.cuda._plan import (
    Pass,
    Plan,
    Room,
    make_plan,
    room_of_band,
)
from sdtw_cpu import checks
from sdtw_cpu.types import CostName, Integers, Real, Reals

_SURVEY_THREADS = 256
_SURVEY_CELLS = 1 << 16  # per block, so that a few matrices fill a device
_C_TYPES = {4: "float", 8: "double"}
# Bits of exponent of a forbidden cell, at least: kCell in numerics.cuh.
_FORBIDDEN_BITS = {4: 2.0**28, 8: 2.0**49}
EXPLICIT = "explicit"
# Turn in soft_dtw.cu.
_FIRST, _AGAIN, _NOTED = range(3)

Gradients = tuple[Optional[GpuArray], Optional[GpuArray]]


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


def value(
    x: GpuArray,
    y: GpuArray,
    gamma: Real = 1.0,
    *,
    cost: CostName = "sqeuclidean",
    x_length: GpuArray | Integers | None = None,
    y_length: GpuArray | Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
    device: Device | None = None,
) -> GpuArray | tuple[GpuArray, Tape]:
    """Compute soft-DTW between series.

    As :func:`sdtw_cpu.value`, for arrays of CuPy, on the device that they are
    on and in the current stream, without waiting for the device.

    Args:
        x: ``(B, m, d)`` float32 or float64; copied if not C-contiguous.
        y: ``(B, n, d)``, same type, on the same device.
        gamma: Smoothing, >= 0, in units of the cost; 0 is DTW itself.
        cost: ``'sqeuclidean'``, ``'euclidean'`` or ``'manhattan'``.
        x_length: ``(B,)`` integers, the valid length of each padded series
            in ``x``, from 1 to ``m``; None means ``m``. On the host they are
            checked. On the device they are not, as that would mean to wait:
            a pair with a length out of range has the value NaN.
        y_length: The same for ``y``.
        band: The columns that each row may use: ``(B, m, 2)`` integers on the
            host, or ``(1, m, 2)`` for all pairs, as for
            :func:`sdtw_cpu.value`. Time and tape are those of the band.
        tape: Whether to keep what :func:`adjoint` needs: about ``3/4 B m n``
            bytes in float32 and twice that in float64 up to 128 MiB, beyond
            that at most 768 MiB and an edge of ``n`` entries per slab.
        device: Where to run instead of on a GPU, for tests.

    Returns:
        ``(B,)`` values of the arrays' type, in units of the cost; with
        ``tape``, a pair of these and a :class:`Tape`. A pair of series with
        a NaN or an infinity in it has the value NaN, any other one that the
        band leaves no path ``+inf``.

    Raises:
        TypeError: If the types are not float32 or float64, or differ, or
            lengths or the band are not integers.
        ValueError: If a shape, a length, the band, gamma, the cost or the
            device is wrong.
    """
    device = device or cupy_device()
    checks.check_series(x, y)
    gamma = checks.check_gamma(gamma)
    cost = checks.check_cost(cost)
    check_same_device(x=x, y=y)
    with current(x):
        m, n = x.shape[1], y.shape[1]
        given = x, y, gamma, m, n, x_length, y_length, band
        batch = Batch(device, cost, *given)
        return sweep_values(batch, tape)


def value_from_cost(
    cost: GpuArray,
    gamma: Real = 1.0,
    *,
    x_length: GpuArray | Integers | None = None,
    y_length: GpuArray | Integers | None = None,
    band: Integers | None = None,
    tape: bool = False,
    device: Device | None = None,
) -> GpuArray | tuple[GpuArray, Tape]:
    """Compute soft-DTW from cost matrices.

    As :func:`sdtw_cpu.value_from_cost`, for arrays of CuPy.

    Args:
        cost: ``(B, m, n)`` float32 or float64; copied if not C-contiguous.
            ``+inf`` forbids a cell.
        gamma: Smoothing, >= 0, in units of the cost; 0 is DTW itself.
        x_length: ``(B,)`` integers, the number of valid rows per matrix, as
            for :func:`value`.
        y_length: ``(B,)`` integers, the number of valid columns per matrix.
        band: As for :func:`value`; costs outside of it are not looked at.
        tape: Whether to keep what :func:`adjoint` needs.
        device: Where to run instead of on a GPU, for tests.

    Returns:
        As :func:`value`; ``+inf`` where forbidden cells leave no path, NaN
        where the valid part of a matrix has a NaN or ``-inf``.

    Raises:
        TypeError: If the type is not float32 or float64, or lengths or the
            band are not integers.
        ValueError: If the shape, a length, gamma or the band is out of range.
    """
    device = device or cupy_device()
    checks.check_array("cost", cost)
    gamma = checks.check_gamma(gamma)
    with current(cost):
        _, m, n = cost.shape
        given = cost, None, gamma, m, n, x_length, y_length, band
        batch = Batch(device, EXPLICIT, *given)
        return sweep_values(batch, tape)


def adjoint(
    tape: Tape,
    grad: GpuArray | Reals | None = None,
    *,
    x: bool = True,
    y: bool = True,
) -> GpuArray | Gradients:
    """Compute the gradient of the values that made a tape.

    As :func:`sdtw_cpu.adjoint`. Two calls with the same arguments give the
    same bits.

    Args:
        tape: From :func:`value` or :func:`value_from_cost`.
        grad: ``(B,)``, the gradient with respect to the values; None means 1.
        x: Whether the gradient with respect to ``x`` is wanted.
        y: Whether the gradient with respect to ``y`` is wanted.

    Returns:
        For a tape of :func:`value`, the pair of gradients ``(B, m, d)`` and
        ``(B, n, d)``, None where not wanted. For a tape of
        :func:`value_from_cost`, the gradient ``(B, m, n)`` with respect to
        the cost: the expected alignment times ``grad``. Zero beyond the
        lengths and outside of the band, and everywhere for a pair that has
        no path. Where a distance has no gradient, as elements (for Manhattan,
        features) coincide, it counts as zero.

    Raises:
        TypeError: If the tape is of a tangent.
        ValueError: If ``grad`` has the wrong shape or is on another device.
    """
    batch = tape._batch
    if batch.direction is not None:
        raise TypeError("the tape is of a tangent: use adjoint_tangent")
    xp = batch.device.xp
    with current(batch.x):
        seed = make_seed(xp, grad, batch.x, 1)
        if batch.y is None:
            e = xp.zeros(batch.x.shape, batch.x.dtype)
            sweep_back(tape, seed, e, None)
            return e
        gx = xp.zeros(batch.x.shape, batch.x.dtype) if x else None
        gy = xp.zeros(batch.y.shape, batch.y.dtype) if y else None
        if x or y:
            sweep_back(tape, seed, gx, gy)
        return gx, gy


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


def lengths_of(
    device: Device, like: Any, name: str, lengths: Any, longest: int
) -> Any:
    """Return lengths as the kernels take them, or None for None."""
    xp = device.xp
    if lengths is None:
        return None
    if _on_device(lengths):
        checks.check_lengths_form(name, lengths, len(like))
        check_same_device(x=like, **{name: lengths})
        wide = lengths.astype(np.int64)
        return xp.clip(wide, -1, 2**30 + 1).astype(np.int32)
    checked = checks.as_lengths(name, lengths, len(like), longest)
    return xp.asarray(checked, dtype=np.int32)


def known_lengths(lengths: Any, longest: int) -> np.ndarray | None:
    """Return checked lengths as the host knows them, or None if it does not.

    One for all pairs if none are given.
    """
    if _on_device(lengths):
        return None
    given = longest if lengths is None else lengths
    return np.atleast_1d(np.asarray(given, dtype=np.int64))


def _on_device(lengths: Any) -> bool:
    return hasattr(lengths, "device") and not isinstance(lengths, np.ndarray)


def make_seed(xp: Any, grad: Any, like: Any, default: float) -> Any:
    """Return what an adjoint sweep starts with, as many as ``like`` has."""
    if grad is None:
        return xp.full(len(like), default, like.dtype)
    checks.check_grad_shape(grad, len(like))
    check_same_device(x=like, grad=grad)
    return xp.ascontiguousarray(grad, like.dtype)


def current(a: Any) -> Any:
    """A context in which the device of this array is the current one."""
    device = getattr(a, "device", None)
    if hasattr(device, "__enter__"):
        return device
    return contextlib.nullcontext()


def check_same_device(**arrays: Any) -> None:
    (first, a), (second, b) = arrays.items()
    places = [getattr(v, "device", None) for v in (a, b)]
    if places[0] != places[1]:
        raise ValueError(
            f"{first} and {second} must be on one device, got "
            f"{places[0]} and {places[1]}"
        )
