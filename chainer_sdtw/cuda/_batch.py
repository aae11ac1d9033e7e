"""A batch on the device, and what its sweeps are planned and compiled for."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainer_sdtw.cuda._arrays import Limits
from chainer_sdtw.cuda._memory import limit_for
from chainer_sdtw.cuda._modules import Device
from chainer_sdtw.cuda._plan import (
    CELL_BITS,
    Kind,
    Plan,
    make_plan,
    segments_of_band,
    segments_of_table,
)
from chainer_sdtw.cuda._variants import variant


@dataclass(frozen=True)
class Family:
    """The modules that sweep a batch.

    Attributes:
        kind: What they sweep, for the plan.
        options: Those of the module of each pass, by its type.
    """

    kind: Kind
    options: dict[np.dtype, tuple[str, ...]]


@functools.cache
def _family(dtype: np.dtype, cost: str, features: int, dual: bool) -> Family:
    kind = kind_of(dtype, cost, features, dual)
    options = {
        t: variant(dtype.itemsize, t.itemsize, cost, features, dual).options
        for t in kind.dtypes
    }
    return Family(kind, options)


def kind_of(dtype: np.dtype, cost: str, features: int, dual: bool) -> Kind:
    """Return what the plan has to know of the cost.

    Args:
        dtype: Type of the arrays.
        cost: Name of the cost, or ``EXPLICIT``.
        features: Of series.
        dual: Whether with tangents.
    """
    wide = variant(dtype.itemsize, 8, cost, features, dual)
    return Kind(dtype, wide.cell_bytes, dual)


class DeviceBatch:
    """A batch on the device.

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
        band: On the device, or None.
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
        contiguous = device.xp.ascontiguousarray
        self.device = device
        self.gamma = gamma
        self.limits = limits
        self.rate = 0.0 if gamma == 0 else 1 / (gamma * math.log(2))
        self.x = contiguous(x)
        self.y: Any = None if y is None else contiguous(y)
        self.dual = direction is not None
        self.direction: Any = None
        if direction is not None:
            self.direction = contiguous(direction)
        self.size, self.m, self.n = x.shape
        self.features = 1
        if y is not None:
            _, self.n, self.features = y.shape
        self.band: Any = None
        self._segments = segments_of_table(self.n)
        if limits.band is not None:
            self._segments = segments_of_band(
                limits.band, limits.rows, limits.columns
            )
            self.band = device.xp.asarray(limits.band)
        univariate = y is not None and self.features == 1
        self.family = _family(
            self.x.dtype, cost, 1 if univariate else 2, self.dual
        )

    @property
    def arrays(self) -> list[Any]:
        """All arrays given, and the band."""
        limits = self.limits
        arrays = [self.x, self.y, limits.x_length, limits.y_length]
        arrays += [self.band, self.direction]
        return [a for a in arrays if a is not None]

    def plan(self, keep: bool) -> Plan:
        """Return how it is swept, with a tape if to keep."""
        given = self.size, self.m, self._segments, self.family.kind, keep
        plan = make_plan(*given)
        limit = limit_for(self.device, plan.nbytes)
        return plan if limit is None else make_plan(*given, limit)

    def record(self, plan: Plan) -> np.ndarray:
        """Return arguments of kernels, with what is the same for all."""
        address = self.device.address
        limits = self.limits
        record = plan.arguments.copy()
        record["x"] = address(self.x)
        record["rate"] = self.rate
        record["m"] = self.m
        record["n"] = self.n
        record["d"] = self.features
        if self.y is not None:
            record["y"] = address(self.y)
        if limits.x_length is not None:
            record["x_length"] = address(limits.x_length)
        if limits.y_length is not None:
            record["y_length"] = address(limits.y_length)
        if self.band is not None:
            record["band"] = address(self.band)
            record["band_rows"] = self.m if len(self.band) > 1 else 0
        if self.direction is not None:
            record["direction"] = address(self.direction)
            if len(self.direction) > 1:
                record["direction_stride"] = self.m * self.n
        return record

    def forbidden(self, dtype: np.dtype) -> float:
        """Return the cost that stands for inf in a pass: a power of four."""
        return _forbidden(self.rate, dtype.itemsize)


@functools.lru_cache(64)
def _forbidden(rate: float, itemsize: int) -> float:
    if rate == 0:
        return math.inf
    power = 2 * math.ceil(math.log2(2.0 ** CELL_BITS[itemsize] / rate) / 2)
    return 2.0**power if power < 1024 else math.inf
