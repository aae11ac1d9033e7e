"""The forms in which a set of series comes, as one padded batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import chainer
import numpy as np
from chainer.backend import get_array_module, get_device_from_array
from chainer.backends import cuda

from chainer_sdtw._engine.series import (
    as_list,
    check_list,
    check_series,
    unmasked_array,
)
from sdtw_cpu.checks import as_array, check_kind


@dataclass(frozen=True, eq=False)
class SeriesSet:
    """A set of series, on one device."""

    array: Any  # (N, L, d) float32 or float64, zero beyond the lengths
    length: np.ndarray | None  # (N,), None where all have length L
    univariate: bool  # whether they came without an axis for features
    dtype: np.dtype  # of what the caller gave

    def __len__(self) -> int:
        return len(self.array)

    @property
    def xp(self) -> Any:
        return get_array_module(self.array)

    @property
    def lengths(self) -> np.ndarray:
        """The length of each series, on the host."""
        if self.length is None:
            return np.full(len(self), self.array.shape[1])
        return self.length

    @property
    def features(self) -> int:
        return self.array.shape[2]

    def elements(self) -> Any:
        """The elements ``(n, d)`` of all series, without the padding."""
        if self.length is None:
            return self.array.reshape(-1, self.features)
        inside = np.arange(self.array.shape[1]) < self.length[:, None]
        return self.array[self.xp.asarray(inside)]

    def take(self, indexes: np.ndarray) -> SeriesSet:
        """Some of the series, as far as the longest of them goes."""
        length = None if self.length is None else self.length[indexes]
        array = self.array
        if length is not None:
            array = array[:, : length.max()]
        array = array[self.xp.asarray(indexes)]
        return SeriesSet(array, length, self.univariate, self.dtype)

    def as_given(self, series: Any) -> Any:
        """Series ``(..., length, d)`` in the form in which these came."""
        if self.univariate:
            series = series[..., 0]
        return series.astype(self.dtype, copy=False)


def as_series_set(name: str, series: Any) -> SeriesSet:
    """Bring a set of series into its one form.

    Args:
        name: What messages call it.
        series: ``(N, L, d)``, ``(N, L)`` for univariate ones, or a list of
            series ``(length, d)`` or ``(length,)``; arrays of any device or
            variables. Integers become float64.

    Raises:
        TypeError: If it is not real numbers.
        ValueError: If a shape is wrong, or series do not fit each other.
    """
    listed = as_list(name, series)
    if listed is not None:
        return _padded(
            name,
            [_numbers(f"{name}[{i}]", s) for i, s in enumerate(listed)],
        )
    array = _numbers(name, series)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(
            f"{name} must be series of shape (N, length, features) or (N, "
            f"length), or a list of series, not empty; got shape "
            f"{array.shape}"
        )
    univariate = array.ndim == 2
    if univariate:
        array = array[:, :, None]
    return SeriesSet(_computable(array), None, univariate, array.dtype)


def as_one_series(name: str, series: Any) -> SeriesSet:
    """Bring one series ``(length, d)`` or ``(length,)`` into the same form.

    Raises:
        TypeError: If it is not real numbers.
        ValueError: If the shape is wrong.
    """
    array = _numbers(name, series)
    check_series(name, array)
    return as_series_set(name, array[None])


def on_device(series: SeriesSet, device: Any) -> SeriesSet:
    """Send series to a device; None leaves them where they are."""
    if device is None:
        return series
    array = chainer.get_device(device).send(series.array)
    return replace(series, array=array)


def check_finite(name: str, batch: SeriesSet) -> None:
    """Raise ``ValueError`` where a series has a NaN or an infinity."""
    xp = batch.xp
    # A sum is finite, or else one look at the elements tells.
    with np.errstate(over="ignore", invalid="ignore"):
        if bool(xp.isfinite(batch.array.sum())):
            return
    bad = ~xp.isfinite(batch.array).all(axis=(1, 2))
    if bool(bad.any()):
        i = int(bad.argmax())
        series = cuda.to_cpu(batch.array[i, : batch.lengths[i]])
        raise ValueError(
            f"{name}[{i}] contains NaN or infinity: {_complaint(series)}"
        )


def _complaint(series: np.ndarray) -> str:
    """Return how a series ``(length, d)`` is not finite, for a message."""
    bad = np.flatnonzero(~np.isfinite(series).all(axis=1))
    first, steps = int(bad[0]), len(series)
    padding = len(bad) == steps - first and np.isnan(series[first:]).all()
    if padding and first > 0:
        return (
            f"its steps from {first} on are NaN. Series of different lengths "
            "are given as a list of arrays, without padding"
        )
    return (
        f"{len(bad)} of its {steps} steps, of which step {first} is the "
        "first. Fill in missing values, or leave such series out"
    )


def check_fits(name: str, batch: SeriesSet, other: str, to: SeriesSet) -> None:
    """Raise an error unless two sets of series can be compared."""
    check_features(name, batch, other, to)
    if batch.xp is not to.xp:
        raise TypeError(f"{name} and {other} must be on the same device")


def check_features(name: str, batch: Any, other: str, to: Any) -> None:
    """Raise ``ValueError`` unless two sets have as many features."""
    if batch.features != to.features:
        raise ValueError(
            f"{name} and {other} must have the same number of features, got "
            f"{batch.features} and {to.features}"
        )


def _numbers(name: str, a: Any) -> Any:
    a = unmasked_array(name, a)
    if isinstance(a, cuda.ndarray):
        check_kind(name, a, "iufb", "real numbers")
    else:
        a = as_array(name, a)
    if a.dtype.kind != "f":
        return a.astype(np.float64)
    if not a.dtype.isnative:
        a = a.astype(a.dtype.newbyteorder("="))
    if a.dtype.itemsize > 8:
        raise TypeError(f"{name} must not be more than float64, got {a.dtype}")
    return a


def computed_dtype(dtype: Any) -> np.dtype:
    """Return the type in which series of a floating type are computed."""
    return np.promote_types(dtype, np.float32)


def _computable(a: Any) -> Any:
    # The order of sums depends on the order in memory.
    xp = get_array_module(a)
    return xp.ascontiguousarray(a, computed_dtype(a.dtype))


def _padded(name: str, series: list) -> SeriesSet:
    check_list(name, series)
    first = series[0]
    dtype = np.result_type(*(s.dtype for s in series))
    length = np.array([len(s) for s in series])
    univariate = first.ndim == 1
    features = 1 if univariate else first.shape[1]
    xp = get_array_module(*series)
    with chainer.using_device(get_device_from_array(*series)):
        array = xp.zeros((len(series), int(length.max()), features), dtype)
        for row, s in zip(array, series):
            row[: len(s)] = s[:, None] if univariate else s
    same = (length == length[0]).all()
    return SeriesSet(
        _computable(array), None if same else length, univariate, dtype
    )
