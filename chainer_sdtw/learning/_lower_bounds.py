"""Lower bounds of losses, which are computed faster than the losses."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

import sdtw_cpu
from chainer_sdtw._engine.bound_problem import BoundProblem
from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import SeriesSet
from sdtw_cpu.costs import COSTS, Cost

# Elements of the arrays of one step, which then fit a processor's cache.
_TILE = 2**15


def has_bounds(x: SeriesSet, loss: Loss) -> bool:
    """Return whether there are bounds for such series and such a loss."""
    known = isinstance(loss.cost, str) and loss.cost in COSTS
    return known and isinstance(x.array, np.ndarray)


class LowerBounds:
    """Lower bounds of a loss between two sets of series.

    A path has a cell in every row ``i``, in a column that the band allows, so
    the sum over the rows of the least costs of ``x[i]`` and a box around these
    elements of ``y`` is a bound of DTW (LB_Keogh; without a band the box is
    that of all of ``y``, the bound of Yi). A cost grows with the difference
    in each feature, so the least cost is that of the box's nearest point,
    ``h[i]``. The first and the last cell belong to all paths: their costs
    (LB_Kim) replace what the first and the last row add.

    The term ``f`` of a feature is convex with ``f(0) = 0``, so ``f(a + b) >=
    f(a) + f(b)`` for ``a, b >= 0``; as ``h[i]`` is between ``x[i]`` and all
    that the row may use of ``y``, the cost of ``x[i]`` and ``y[j]`` is at
    least that of ``x[i]`` and ``h[i]`` plus that of ``h[i]`` and ``y[j]``.
    Therefore LB_Keogh between ``y`` and ``h`` may be added (LB_Improved),
    unless the cost is the root of a sum.

    Soft-DTW is at least DTW less ``gamma`` times the logarithm of the number
    of paths: ``-gamma log(sum exp(-a / gamma)) >= min(a) - gamma log(N)`` for
    the costs ``a`` of ``N`` paths. Expected costs are at least the least one.
    A divergence is the loss less terms that are known.

    See: E. Keogh and C. Ratanamahatana, `Exact Indexing of Dynamic Time
    Warping <https://doi.org/10.1007/s10115-004-0154-9>`_, Knowledge and
    Information Systems 7(3), 2005; B.-K. Yi, H. Jagadish and C. Faloutsos,
    Efficient Retrieval of Similar Time Sequences under Time Warping, ICDE
    1998; S.-W. Kim, S. Park and W. Chu, An Index-Based Approach for Similarity
    Search Supporting Time Warping in Large Sequence Databases, ICDE 2001;
    D. Lemire, `Faster Retrieval with a Two-Pass Dynamic-Time-Warping Lower
    Bound <https://arxiv.org/abs/0811.3301>`_, Pattern Recognition 42(9), 2009.

    Args:
        x: ``N`` series of NumPy.
        y: ``M`` series of the same type.
        loss: A loss for which :func:`has_bounds` is true.
        x_term: ``(N,)``, a divergence's terms of ``x`` with itself.
        y_term: ``(M,)``, the same of ``y``.
        dtype: In which the losses are returned.
    """

    def __init__(
        self,
        x: SeriesSet,
        y: SeriesSet,
        loss: Loss,
        x_term: Any,
        y_term: Any,
        dtype: Any,
    ) -> None:
        self._cost = COSTS[loss.cost]
        # Of one feature the root of a sum is the sum of absolute values.
        is_sum = type(self._cost).finish is Cost.finish
        self._two_passes = is_sum or x.features == 1
        self._x, self._y = _Side(x), _Side(y)
        m, n = x.array.shape[1], y.array.shape[1]
        # The band of pairs of other lengths is wider, so these have none.
        radius = loss.bandwidth
        if (
            x.length is not None
            or y.length is not None
            or (radius is not None and radius >= max(m, n) - 1)
        ):
            radius = None
        self._radius = radius
        self._x_box = _box(self._x.series, n, radius)
        self._y_box = _box(self._y.series, m, radius)
        # Expected costs are at least the least cost, whatever gamma is.
        smoothed = loss.kind.value is BoundProblem.values
        self._gamma = loss.gamma if smoothed else 0.0
        self._penalty = np.zeros((len(self._x.lengths), len(self._y.lengths)))
        if self._gamma:
            lengths = self._x.lengths, self._y.lengths
            paths = _log_paths(*lengths, loss.bandwidth)
            with np.errstate(over="ignore"):
                self._penalty = self._gamma * paths
        self._terms = None
        if loss.kind.is_divergence:
            self._terms = _half(x_term), _half(y_term)
        self._dtype = dtype
        # Every sum has at most as many terms as a path has cells and an
        # element features; the loss is rounded to its type.
        terms = m + n + x.features + 8
        self._error = 4 * terms * np.finfo(x.array.dtype).eps
        self._error += float(np.finfo(dtype).eps)
        self._tiny = terms * float(np.finfo(dtype).tiny)

    def first(self, rows: np.ndarray) -> np.ndarray:
        """Return LB_Keogh with LB_Kim of some of ``x`` and all of ``y``.

        Returns:
            ``(len(rows), M)`` float64, of DTW.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            bound = self._corners(rows)
            low, high = self._y_box
            size = _per_tile(self._x.series)
            for start in range(0, len(self._y.series), size):
                part = slice(start, start + size)
                for at, i in enumerate(rows):
                    cost = self._outside(
                        self._x.series[i], low[part], high[part]
                    )
                    bound[at, part] += cost @ self._x.inner[i]
            return _number(bound)

    def swapped(
        self, rows: np.ndarray, columns: np.ndarray, bound: np.ndarray
    ) -> np.ndarray:
        """Return the larger of a bound and LB_Keogh of ``y`` and ``x``."""
        low, high = self._x_box

        def part(i: np.ndarray, j: np.ndarray) -> np.ndarray:
            cost = self._outside(self._y.series[j], low[i], high[i])
            return _dot(cost, self._y.inner[j]) + self._corner(i, j)

        return np.maximum(bound, self._of_pairs(part, rows, columns))

    def improved(
        self, rows: np.ndarray, columns: np.ndarray, bound: np.ndarray
    ) -> np.ndarray:
        """Return LB_Improved, from what :meth:`first` returned for pairs."""
        if not self._two_passes:
            return bound
        low, high = self._y_box
        length = self._y.series.shape[2]

        def part(i: np.ndarray, j: np.ndarray) -> np.ndarray:
            x = self._x.series[i]
            nearest = np.minimum(np.maximum(x, low[j]), high[j])
            box = _box(nearest, length, self._radius)
            cost = self._outside(self._y.series[j], *box)
            return _dot(cost, self._y.inner[j])

        return bound + self._of_pairs(part, rows, columns)

    def of_loss(
        self, rows: np.ndarray, columns: np.ndarray, bound: np.ndarray
    ) -> np.ndarray:
        """Return the bound of the loss that belongs to one of DTW.

        It is less by what the loss and the bound may be wrong by rounding.

        Args:
            rows: Indexes of ``x``.
            columns: Indexes of ``y``, which broadcast with ``rows``.
            bound: For each of these pairs.
        """
        penalty = self._penalty[self._x.group[rows], self._y.group[columns]]
        size = bound + penalty + self._gamma
        if self._terms is not None:
            x_term, y_term = self._terms
            term = x_term[rows] + y_term[columns]
            size = size + np.abs(term)
            bound = bound - term
        with np.errstate(over="ignore", invalid="ignore"):
            bound = bound - penalty - self._error * size - self._tiny
            bound[np.isnan(bound)] = -np.inf
            # As the losses are, which may be -inf for a large gamma.
            rounded: np.ndarray = bound.astype(self._dtype)
        return rounded

    def _of_pairs(
        self, part: Callable, rows: np.ndarray, columns: np.ndarray
    ) -> np.ndarray:
        out = np.empty(len(rows))
        size = max(map(_per_tile, (self._x.series, self._y.series)))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(rows), size):
                some = slice(start, start + size)
                out[some] = part(rows[some], columns[some])
        return _number(out)

    def _outside(
        self, a: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        """Return the least costs ``(..., L)`` of elements and boxes."""
        total: Any = 0
        for k in range(a.shape[-2]):
            element = a[..., k, :]
            gap = low[..., k, :] - element
            np.maximum(gap, element - high[..., k, :], out=gap)
            np.maximum(gap, 0, out=gap)
            total = total + self._cost.term(gap, np)
        return self._cost.finish(total, np)

    def _corners(self, rows: np.ndarray) -> np.ndarray:
        """Return the costs of the first and the last cell, of all pairs."""
        x, y, cost = self._x, self._y, self._cost
        first = cost.matrix(x.first[None, rows], y.first[None])[0]
        last = cost.matrix(x.last[None, rows], y.last[None])[0]
        one = np.logical_and.outer(x.single[rows], y.single)
        return first + np.where(one, 0, last).astype(np.float64)

    def _corner(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        x, y, cost = self._x, self._y, self._cost
        first = cost.matrix(x.first[i, None], y.first[j, None])[:, 0, 0]
        last = cost.matrix(x.last[i, None], y.last[j, None])[:, 0, 0]
        return first + np.where(x.single[i] & y.single[j], 0, last)


class _Side:
    """One of the sets, as bounds need it."""

    def __init__(self, series: SeriesSet) -> None:
        array, lengths = series.array, series.lengths
        steps = np.arange(array.shape[1])
        if series.length is not None:
            # Padding must not make a box larger.
            inside = (steps < lengths[:, None])[..., None]
            array = np.where(inside, array, array[:, :1])
        self.first = array[:, 0]
        self.last = array[np.arange(len(array)), lengths - 1]
        self.single = lengths == 1
        inner = (steps > 0) & (steps < lengths[:, None] - 1)
        self.inner = inner.astype(array.dtype)  # (N, L)
        # (N, d, L)
        self.series = np.ascontiguousarray(array.transpose(0, 2, 1))
        self.lengths, self.group = np.unique(lengths, return_inverse=True)


def log_paths(m: int, n: int, bandwidth: Any = None) -> float:
    """Return the logarithm of the number of paths, a Delannoy number.

    Without a cost it is soft-DTW but for the sign.

    Args:
        m: Rows.
        n: Columns.
        bandwidth: Radius of Sakoe and Chiba's band, None for no band.
    """
    band = None
    if bandwidth is not None:
        band = sdtw_cpu.sakoe_chiba_band(m, n, bandwidth)
    x, y = np.zeros((1, m, 1)), np.zeros((1, n, 1))
    return -float(sdtw_cpu.value(x, y, 1.0, band=band)[0])


def _log_paths(
    rows: np.ndarray, columns: np.ndarray, bandwidth: Any
) -> np.ndarray:
    """Return the same for all pairs of lengths, or more.

    Of several lengths those without a band are counted, in one table.

    Args:
        rows: Lengths, in ascending order.
        columns: The same.
        bandwidth: As :func:`log_paths` has it.
    """
    if len(rows) == len(columns) == 1:
        return np.array(
            [[log_paths(int(rows[0]), int(columns[0]), bandwidth)]]
        )
    row = np.zeros(columns[-1])  # of one path to each column
    table = []
    for length in range(1, rows[-1] + 1):
        if length > 1:
            # From above and from the corner, then from the left.
            row[1:] = np.logaddexp(row[1:], row[:-1])
            row = np.logaddexp.accumulate(row)
        if length in rows:
            table.append(row[columns - 1])
    return np.array(table)


def _box(
    series: np.ndarray, length: int, radius: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest that each row may use of a series.

    Args:
        series: ``(N, d, n)``.
        length: The rows, ``m``.
        radius: Of the band; None means that all may be used.

    Returns:
        Two arrays ``(N, d, m)``, or ``(N, d, 1)`` without a band.
    """
    if radius is None:
        return series.min(2, keepdims=True), series.max(2, keepdims=True)
    excess = series.shape[2] - length
    before = radius - min(excess, 0)
    after = radius + max(excess, 0)
    width = before + after + 1
    pad = (0, 0), (0, 0), (before, after - excess)
    with_ends = np.pad(series, pad, mode="edge")
    return (
        _sliding(np.minimum, with_ends, width),
        _sliding(np.maximum, with_ends, width),
    )


def _sliding(best: Callable, a: np.ndarray, width: int) -> np.ndarray:
    """Return the best of each ``width`` neighbors along the last axis."""
    size = 1
    while size < width:
        step = min(size, width - size)
        a = best(a[..., :-step], a[..., step:])
        size += step
    return a


def _per_tile(series: np.ndarray) -> int:
    return max(1, _TILE // series.shape[2])


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    dot: np.ndarray = np.einsum("ij,ij->i", a, b)
    return dot


def _number(bound: np.ndarray) -> np.ndarray:
    """Return bounds, 0 for those that are no number by overflow."""
    return np.fmax(bound, 0)


def _half(term: np.ndarray) -> np.ndarray:
    return term.astype(np.float64) / 2
