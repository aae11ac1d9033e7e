"""The nearest of a set of series."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainer_sdtw._engine.losses import as_loss
from chainer_sdtw._engine.series_set import (
    as_series_set,
    check_features,
    check_finite,
    check_fits,
)
from chainer_sdtw._engine.types import Collection, Cost, LossSpec, Series
from chainer_sdtw.distributed.sources import as_blocks, is_collection
from chainer_sdtw.learning._matrix import MAX_BYTES
from chainer_sdtw.learning._nearest import Nearest
from chainer_sdtw.learning._progress import progress as progress_bar
from sdtw_cpu.checks import as_integer
from sdtw_cpu.types import FloatArray, Integer, Real


def nearest_neighbors(
    X: Series | Collection,
    Y: Series | Collection | None = None,
    n_neighbors: Integer = 1,
    gamma: Real = 1.0,
    *,
    loss: LossSpec = "soft_dtw",
    cost: Cost = "sqeuclidean",
    bandwidth: Integer | None = None,
    max_bytes: Integer = MAX_BYTES,
    progress: bool = False,
) -> tuple[FloatArray, NDArray[np.intp]]:
    """The series of one set with the least losses to each of another.

    The result is that of sorting :func:`~chainer_sdtw.pairwise_soft_dtw`, to
    the last bit (cosine costs to a rounding error). But the matrix is never
    there as a whole, and most losses are not computed: what a lower bound
    tells to be above the losses found so far is skipped. The bounds are
    LB_Kim with LB_Keogh, in both directions, and LB_Improved; those of
    soft-DTW are less by ``gamma`` times the logarithm of the number of paths,
    so that it depends on ``gamma`` how much is skipped (see the :doc:`guide
    </guide/neighbors>`). With cosine costs, functions as costs, and on a GPU
    all losses are computed, block by block.

    See: E. Keogh and C. Ratanamahatana, `Exact Indexing of Dynamic Time
    Warping <https://doi.org/10.1007/s10115-004-0154-9>`_, Knowledge and
    Information Systems 7(3), 2005; D. Lemire, `Faster Retrieval with a
    Two-Pass Dynamic-Time-Warping Lower Bound
    <https://arxiv.org/abs/0811.3301>`_, Pattern Recognition 42(9), 2009.

    Args:
        X (list or :ref:`ndarray`): ``(N, L, d)``, ``(N, L)`` for univariate
            series, or a list of series ``(length, d)`` or ``(length,)``: the
            queries. Integers are read as float64. Or a collection larger
            than memory, as :func:`~chainer_sdtw.distributed.as_blocks` takes
            it, whose blocks are compared by tasks of Dask.
        Y (list or :ref:`ndarray`): ``M`` series with as many features, in
            one of the same forms and on the same device, among which is
            searched; or a collection. None means ``X``; then no series is its
            own neighbor, and ``X`` must not be a collection.
        n_neighbors (int): How many neighbors of each query are returned.
        gamma (float): Smoothing, >= 0, in units of the cost; 0 is DTW.
        loss (str or callable): A loss by its name, or its function, of those
            in the :ref:`table of losses <loss-names>`.
        cost (str or callable): A cost as in
            :func:`~chainer_sdtw.cost_matrix`.
        bandwidth (int): Radius of Sakoe and Chiba's band, as for
            :func:`~chainer_sdtw.soft_dtw`. None means no band.
        max_bytes (int): Bytes of the series in one sweep, or of the cost
            matrices if the cost is a function.
        progress (bool): Whether to show a progress bar, which needs tqdm. For
            collections use Dask's.

    Returns:
        tuple: Losses ``(N, n_neighbors)``, the least first, of the wider of
        the two types, and the indexes of the neighbors in ``Y``, of the same
        shape. Of equal losses the first in ``Y`` comes first. Both are
        arrays of NumPy.

    Raises:
        ImportError: If Dask is needed and cannot be imported.
        TypeError: If an argument is of a wrong type.
        ValueError: If a set is empty or has a NaN or an infinity, a shape
            does not fit, or an argument is out of range.

    .. admonition:: Example

        >>> series = [[0, 0, 1, 2], [5, 5, 4], [1, 2.]]
        >>> losses, indexes = chainer_sdtw.nearest_neighbors(
        ...     [[0, 1, 2.]], series, n_neighbors=2, gamma=0)
        >>> print(losses, indexes)
        [[0. 1.]] [[0 2]]

    """
    options = as_loss(loss, gamma, cost, bandwidth)
    x: Any = _as_set("X", X)
    y: Any = None if Y is None else _as_set("Y", Y)
    in_blocks = is_collection(X) or is_collection(Y)
    if y is None and in_blocks:
        raise ValueError("X must not be a collection where Y is None")
    if in_blocks:
        check_features("X", x, "Y", y)
    elif y is not None:
        check_fits("X", x, "Y", y)
    max_bytes = as_integer("max_bytes", max_bytes, 1)
    count = as_integer("n_neighbors", n_neighbors, 1)
    size = len(x if y is None else y)
    limit = size - (y is None)
    if count > limit:
        raise ValueError(
            f"n_neighbors must be <= {limit}, the number of series"
            f"{' beside each' if y is None else ' of Y'}, got {count}"
        )
    dtype = np.result_type(x.dtype, x.dtype if y is None else y.dtype)
    if in_blocks:
        from chainer_sdtw.distributed import _neighbors

        return _neighbors.find(x, y, options, count, dtype, max_bytes)
    search = Nearest(x, y, options, count, dtype=dtype, max_bytes=max_bytes)
    with progress_bar(
        progress, len(x) * size, "neighbors", unit="pair"
    ) as bar:
        return search.find(bar)


def _as_set(name: str, series: Any) -> Any:
    """Return a set of series, which is checked if it is no collection."""
    if is_collection(series):
        return as_blocks(series, name)
    in_memory = as_series_set(name, series)
    check_finite(name, in_memory)
    return in_memory
