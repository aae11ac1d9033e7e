"""A loss between all series of two sets."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, overload

import chainer
import numpy as np
from chainer import backend

from chainer_sdtw._engine.losses import Loss, as_loss
from chainer_sdtw._engine.optional import import_error
from chainer_sdtw._engine.series import array_of
from chainer_sdtw._engine.series_set import (
    SeriesSet,
    as_series_set,
    check_fits,
)
from chainer_sdtw._engine.types import (
    Array,
    Collection,
    Cost,
    DaskArray,
    DaskClient,
    LossSpec,
    MatrixStore,
    Series,
    ZarrArray,
)
from chainer_sdtw.distributed.sources import is_collection
from chainer_sdtw.learning._matrix import MAX_BYTES, fill
from chainer_sdtw.learning._progress import progress as progress_bar
from chainer_sdtw.learning._stored import check_apart, fill_store, is_store
from sdtw_cpu.checks import as_integer
from sdtw_cpu.types import FloatArray, Integer, Real


@overload
def pairwise_soft_dtw(
    X: Series | Collection,
    Y: Series | Collection | None = ...,
    gamma: Real = ...,
    *,
    loss: LossSpec = ...,
    cost: Cost = ...,
    bandwidth: Integer | None = ...,
    out: MatrixStore,
    resume: bool = ...,
    client: DaskClient | None = ...,
    max_bytes: Integer = ...,
    progress: bool = ...,
) -> ZarrArray: ...
@overload
def pairwise_soft_dtw(
    X: Collection,
    Y: Series | Collection | None = ...,
    gamma: Real = ...,
    *,
    loss: LossSpec = ...,
    cost: Cost = ...,
    bandwidth: Integer | None = ...,
    out: None = ...,
    resume: Literal[False] = ...,
    client: DaskClient | None = ...,
    max_bytes: Integer = ...,
    progress: bool = ...,
) -> DaskArray: ...
@overload
def pairwise_soft_dtw(
    X: Series,
    Y: Collection,
    gamma: Real = ...,
    *,
    loss: LossSpec = ...,
    cost: Cost = ...,
    bandwidth: Integer | None = ...,
    out: None = ...,
    resume: Literal[False] = ...,
    client: DaskClient | None = ...,
    max_bytes: Integer = ...,
    progress: bool = ...,
) -> DaskArray: ...
@overload
def pairwise_soft_dtw(
    X: Series,
    Y: Series | None = ...,
    gamma: Real = ...,
    *,
    loss: LossSpec = ...,
    cost: Cost = ...,
    bandwidth: Integer | None = ...,
    out: Array | None = ...,
    resume: Literal[False] = ...,
    client: DaskClient | None = ...,
    max_bytes: Integer = ...,
    progress: bool = ...,
) -> FloatArray: ...
def pairwise_soft_dtw(
    X: Series | Collection,
    Y: Series | Collection | None = None,
    gamma: Real = 1.0,
    *,
    loss: LossSpec = "soft_dtw",
    cost: Cost = "sqeuclidean",
    bandwidth: Integer | None = None,
    out: Array | MatrixStore | None = None,
    resume: bool = False,
    client: DaskClient | None = None,
    max_bytes: Integer = MAX_BYTES,
    progress: bool = False,
) -> FloatArray | DaskArray | ZarrArray:
    """A loss between all series of one set and all of another.

    The pairs are gathered in slabs of about ``max_bytes``, each of which is
    one sweep over a batch on all threads or the GPU; series of different
    lengths are first sorted by length, so that little of a slab is padding.
    The matrix of a set with itself is symmetric, and half of it computed,
    unless the cost is a function, which need not be symmetric. A
    divergence's terms of series with themselves are computed once for each
    series. There is no gradient: for that give pairs to the functions that
    compute the losses.

    See: M. Cuturi and M. Blondel, `Soft-DTW: a Differentiable Loss Function
    for Time-Series <https://arxiv.org/abs/1703.01541>`_, ICML 2017; for the
    divergences M. Blondel, A. Mensch and J.-P. Vert, `Differentiable
    Divergences Between Time Series <https://arxiv.org/abs/2010.08354>`_,
    AISTATS 2021.

    Args:
        X (list or :ref:`ndarray`): ``(N, L, d)``, ``(N, L)`` for univariate
            series, or a list of series ``(length, d)`` or ``(length,)``.
            Integers are read as float64. Or a collection larger than memory,
            as :func:`~chainer_sdtw.distributed.as_blocks` takes it.
        Y (list or :ref:`ndarray`): ``M`` series with as many features, in
            one of the same forms and on the same device; None means ``X``.
        gamma (float): Smoothing, >= 0, in units of the cost.
        loss (str or callable): A loss by its name, or its function, of those
            in the :ref:`table of losses <loss-names>`.
        cost (str or callable): A cost as in
            :func:`~chainer_sdtw.cost_matrix`.
        bandwidth (int): Radius of Sakoe and Chiba's band, as for
            :func:`~chainer_sdtw.soft_dtw`. None means no band.
        out (:ref:`ndarray`): ``(N, M)``, on the device and of the type of
            the result, which is written there. It is NaN first and then
            filled slab by slab: after Ctrl-C, or another error, what is not
            NaN is finished. It may be ``X`` or ``Y`` itself.
            Or a `Zarr <https://zarr.dev>`_ array, or the path of one, which
            is made if there is none: then the matrix is computed tile by
            tile, a tile being some chunks of the array, and each tile is
            written when it is complete. It must not hold the series.
        resume (bool): Whether to compute only what the Zarr array ``out``
            lacks, because an earlier call was interrupted, even by SIGKILL.
            If nothing is there, all is computed. A matrix that was computed
            of other series or with other options is refused; so is, without
            ``resume``, one that is there. A cost that is a function is known
            by its name alone.
        client (object): A ``Client`` of Dask's package ``distributed``, whose
            cluster computes the tiles, each in one thread of a worker.
        max_bytes (int): Bytes of the series in one slab, or of the cost
            matrices if the cost is a function, and of one tile. A slab is at
            least one pair.
        progress (bool): Whether to show a progress bar, which needs tqdm.

    Returns:
        :ref:`ndarray`: ``(N, M)`` on the device of ``X``, of the wider of
        the two types. The pairs of a series with a NaN or an infinity are
        NaN. If ``out`` is a Zarr array or a path, the Zarr array; otherwise,
        if ``X`` or ``Y`` is a collection, a Dask array that is computed when
        it is asked for, with a chunk for each pair of blocks.

    Raises:
        FileExistsError: If there is something at the path ``out``, and
            ``resume`` is false.
        ImportError: If Dask or Zarr is needed and cannot be imported.
        TypeError: If an argument is of a wrong type.
        ValueError: If a set is empty, a shape does not fit, or an argument
            is out of range.

    .. admonition:: Example

        >>> series = [np.array([0, 1, 2.]), np.array([0, 0, 1, 2.])]
        >>> chainer_sdtw.pairwise_soft_dtw(series, [[1, 1], [2, 2]], gamma=0)
        array([[2., 5.],
               [3., 9.]])

    """
    options = as_loss(loss, gamma, cost, bandwidth)
    max_bytes = as_integer("max_bytes", max_bytes, 1)
    if resume and not is_store(out):
        raise ValueError(
            "resume=True needs out= a Zarr array or a path, got "
            f"{type(out).__name__}"
        )
    if is_store(out):
        check_apart(out, X=X, Y=Y)
    if client is not None and not hasattr(client, "submit"):
        raise TypeError(
            "client must be a Client of the package distributed, got "
            f"{type(client).__name__}"
        )
    if client is not None or is_collection(X) or is_collection(Y):
        return _on_dask(
            X, Y, options, out, resume, client, max_bytes, progress
        )
    x = as_series_set("X", X)
    y = None if Y is None else as_series_set("Y", Y)
    if y is not None:
        check_fits("X", x, "Y", y)
    shape = len(x), len(x if y is None else y)
    with progress_bar(
        progress, shape[0] * shape[1], options.kind.name, unit="pair"
    ) as bar:
        if is_store(out):
            return fill_store(
                out,
                x,
                y,
                options,
                max_bytes=max_bytes,
                resume=resume,
                bar=bar,
            )
        matrix = _result(x, x if y is None else y, out)
        x, y = _apart(x, matrix), None if y is None else _apart(y, matrix)
        with chainer.using_device(backend.get_device_from_array(matrix)):
            matrix[...] = np.nan
        fill(matrix, x, y, options, max_bytes=max_bytes, bar=bar)
    return matrix


def _on_dask(
    X: Any,
    Y: Any,
    loss: Loss,
    out: Any,
    resume: bool,
    client: Any,
    max_bytes: int,
    progress: bool,
) -> Any:
    """Compute or plan a matrix by tasks of Dask."""
    try:
        from chainer_sdtw.distributed import _pairwise as tasks
        from chainer_sdtw.distributed._parts import as_set
    except Exception as e:
        raise import_error(
            "client= or a collection of series", "dask", "dask", "dask", e
        ) from e
    plan = tasks.Plan(
        as_set("X", X),
        None if Y is None else as_set("Y", Y),
        loss,
        max_bytes,
    )
    if is_store(out):
        return tasks.store_matrix(
            plan, out, client=client, resume=resume, progress=progress
        )
    if is_collection(X) or is_collection(Y):
        if out is not None:
            raise TypeError(
                "out must be a Zarr array or a path where X or Y is a "
                f"collection, got {type(out).__name__}"
            )
        return tasks.lazy_matrix(plan)
    x: Any = plan.x
    columns: Any = plan.columns
    if x.xp is not np:
        raise TypeError("X must be in main memory where there is a client")
    matrix = _result(x, columns, out)
    tasks.compute_matrix(plan, matrix, client=client, progress=progress)
    return matrix


def _result(x: SeriesSet, y: SeriesSet, out: Any) -> Any:
    shape, dtype = (len(x), len(y)), np.result_type(x.dtype, y.dtype)
    with chainer.using_device(backend.get_device_from_array(x.array)):
        if out is None:
            return x.xp.empty(shape, dtype)
    out = array_of(out)
    masked = isinstance(out, np.ma.MaskedArray)
    if masked or not isinstance(out, x.xp.ndarray):
        raise TypeError(
            f"out must be a {x.xp.__name__}.ndarray as X, got "
            f"{type(out).__name__}"
        )
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out must be {dtype} of shape {shape}, got {out.dtype} of shape "
            f"{out.shape}"
        )
    if not getattr(out.flags, "writeable", True):
        raise ValueError("out must not be read-only")
    return out


def _apart(series: SeriesSet, out: Any) -> SeriesSet:
    """Copy the series if writing to ``out`` would change them."""
    if not series.xp.may_share_memory(series.array, out):
        return series
    with chainer.using_device(backend.get_device_from_array(series.array)):
        return dataclasses.replace(series, array=series.array.copy())
