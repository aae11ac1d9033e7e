"""Matrices of a loss, filled slab by slab."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import chainer
import numpy as np
from chainer import backend

from chainer_sdtw._engine.losses import Loss, less_half, paired
from chainer_sdtw._engine.series_set import SeriesSet
from sdtw_cpu.types import Integer

MAX_BYTES = 2**25
"""Bytes of the series of one sweep."""

# An interrupted call loses one slab, which should be about a second's work.
_MAX_CELLS = 2**29


def matrix(
    x: SeriesSet, y: SeriesSet | None, loss: Loss, **options: Any
) -> Any:
    """Return the loss ``(N, M)`` of all pairs, on the device of the series.

    Args:
        x: ``N`` series.
        y: ``M`` series, None for those of ``x``.
        loss: The loss.
        options: As :func:`fill` has them.
    """
    with chainer.using_device(backend.get_device_from_array(x.array)):
        size = len(x if y is None else y)
        out = x.xp.empty((len(x), size), x.array.dtype)
    fill(out, x, y, loss, **options)
    return out


def is_symmetric(y: Any, loss: Loss) -> bool:
    """Return whether half of the matrix is enough."""
    # A caller's cost need not be symmetric.
    return y is None and not callable(loss.cost)


def fill(
    out: Any,
    x: SeriesSet,
    y: SeriesSet | None,
    loss: Loss,
    *,
    x_term: Any = None,
    y_term: Any = None,
    max_bytes: Integer = MAX_BYTES,
    bar: Any = None,
) -> None:
    """Write the loss of all pairs to ``out``.

    Args:
        out: ``(N, M)``, on the device of the series.
        x: ``N`` series.
        y: ``M`` series, None for those of ``x``.
        loss: The loss.
        x_term: ``(N,)``, a divergence's terms of ``x`` with itself as
            :func:`self_terms` returns them; None if they are to be computed.
        y_term: ``(M,)``, the same for ``y``.
        max_bytes: Bytes of a slab.
        bar: Told the number of pairs done.
    """
    symmetric = is_symmetric(y, loss)
    same, y = y is None, x if y is None else y
    with chainer.using_device(backend.get_device_from_array(x.array)):
        dtype = np.result_type(x.array.dtype, y.array.dtype)
        x, y = (as_type(series, dtype) for series in (x, y))
        if loss.kind.is_divergence:
            if x_term is None:
                x_term = self_terms(x, loss, max_bytes)
            if y_term is None:
                y_term = x_term if same else self_terms(y, loss, max_bytes)
        x_order, y_order = _by_length(x), _by_length(y)
        count = pairs_per_slab(x, y, loss, max_bytes)
        for rows, columns in _slabs(len(x), len(y), count, symmetric):
            i, j = x_order[rows], y_order[columns]
            if symmetric:
                # A pair is the same to the last bit in slabs of any size.
                i, j = np.minimum(i, j), np.maximum(i, j)
            value = between(x, i, y, j, loss)
            if bar is not None:
                mirrored = np.count_nonzero(i != j) if symmetric else 0
                done = len(i) + int(mirrored)
            i, j = x.xp.asarray(i), x.xp.asarray(j)
            if loss.kind.is_divergence:
                value = less_half(value, x_term[i] + y_term[j])
            out[i, j] = value
            if symmetric:
                out[j, i] = value
            if bar is not None:
                bar.update(done)


def self_terms(
    x: SeriesSet, loss: Loss, max_bytes: Integer = MAX_BYTES
) -> Any:
    """Return the loss ``(N,)`` of each series with itself."""
    count = pairs_per_slab(x, x, loss, max_bytes)
    terms = x.xp.empty(len(x), x.array.dtype)
    order = _by_length(x)
    with chainer.no_backprop_mode():
        for start in range(0, len(x), count):
            i = order[start : start + count]
            part = x.take(i)
            pairs = paired(part.array, part.array, part.length, part.length)
            terms[x.xp.asarray(i)] = loss.self_terms(pairs).array
    return terms


def between(
    x: SeriesSet, i: np.ndarray, y: SeriesSet, j: np.ndarray, loss: Loss
) -> Any:
    """Return the loss of pairs of series, without self-terms."""
    x, y = x.take(i), y.take(j)
    with chainer.no_backprop_mode():
        pairs = paired(x.array, y.array, x.length, y.length)
        return loss.between(pairs).array


def as_type(series: SeriesSet, dtype: np.dtype) -> SeriesSet:
    """Return series as numbers of another type."""
    if series.array.dtype == dtype:
        return series
    return dataclasses.replace(series, array=series.array.astype(dtype))


def _by_length(series: SeriesSet) -> np.ndarray:
    """Return indexes that sort the series by length."""
    if series.length is None:
        return np.arange(len(series))
    return np.argsort(series.length, kind="stable")


def pairs_per_slab(
    x: SeriesSet, y: SeriesSet, loss: Loss, max_bytes: Integer
) -> int:
    m, n = x.array.shape[1], y.array.shape[1]
    size = (m + n) * x.features
    if callable(loss.cost):
        size += m * n
    if loss.bandwidth is not None:
        # The bounds of each row.
        size += 4 * m
    count = max_bytes // (size * x.array.dtype.itemsize)
    return int(max(1, min(count, _MAX_CELLS // (m * n))))


def _slabs(
    n: int, m: int, count: int, symmetric: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows and columns of the pairs of each slab, at most ``count``.

    A slab is a tile of the matrix, so that the lengths of series which are
    sorted by them differ little in it.
    """
    height, width = tile_shape(n, m, count, symmetric)
    tops, lefts = _edges(n, height), _edges(m, width)
    for top, bottom in zip(tops, tops[1:]):
        for left, right in zip(lefts, lefts[1:]):
            if symmetric and left < top:
                continue
            i, j = np.mgrid[top:bottom, left:right].reshape(2, -1)
            if symmetric and left == top:
                i, j = i[i <= j], j[i <= j]
            yield i, j


def tile_shape(n: int, m: int, count: int, symmetric: bool) -> tuple[int, int]:
    """Return rows and columns of a tile of at most ``count`` pairs.

    It is as square as the matrix ``(n, m)`` lets it be, and square where the
    matrix is symmetric.
    """
    side = max(1, math.isqrt(count))
    width = min(m, side)
    if symmetric:
        return width, width
    height = min(n, max(1, count // width))
    return height, min(m, max(1, count // height))


def _edges(total: int, step: int) -> np.ndarray:
    """Return the bounds of parts of nearly one size, at most ``step``."""
    parts = -(-total // step)
    return np.arange(parts + 1) * total // parts
