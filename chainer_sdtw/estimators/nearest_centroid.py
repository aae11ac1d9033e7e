"""Classification by the nearest barycenter."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from chainer.backend import get_array_module
from chainer.backends import cuda
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from chainer_sdtw._engine.losses import Loss
from chainer_sdtw._engine.series_set import SeriesSet, computed_dtype
from chainer_sdtw._engine.types import (
    Collection,
    Cost,
    DaskArray,
    DeviceSpec,
    Labels,
    LossSpec,
    Series,
)
from chainer_sdtw.distributed._objective import BlocksObjective
from chainer_sdtw.distributed.blocks import Blocks
from chainer_sdtw.distributed.sources import is_collection
from chainer_sdtw.estimators._base import SeriesClassifier
from chainer_sdtw.estimators._series_in_blocks import usual_length_of_blocks
from chainer_sdtw.learning._objective import AnyObjective, Objective
from chainer_sdtw.learning._progress import progress
from chainer_sdtw.learning._resampling import (
    checked_length,
    resampled,
    usual_length,
)
from chainer_sdtw.learning._search import minimize
from chainer_sdtw.learning._stopping import as_stopping
from chainer_sdtw.learning._sums import add_doubles, double_sum
from sdtw_cpu.types import FloatArray


class SoftDTWNearestCentroid(SeriesClassifier):
    """The class whose barycenter has the least loss.

    The barycenters (:func:`~chainer_sdtw.barycenter`) of all classes are
    found at once, by L-BFGS from the Euclidean means. Of a collection that is
    larger than memory, each evaluation is a pass over its blocks, and the
    barycenters have the bits of those of the same series in memory.

    See: M. Cuturi and M. Blondel, `Soft-DTW: a Differentiable Loss Function
    for Time-Series <https://arxiv.org/abs/1703.01541>`_, ICML 2017, section
    4.3.

    Args:
        gamma (float): Smoothing, >= 0, in units of the cost.
        loss (str or callable): A loss by its name, or its function, of those
            in the :ref:`table of losses <loss-names>`.
        length (int): The length of barycenters; by default the mean of the
            series' lengths, rounded.
        max_iter (int): The largest number of iterations of L-BFGS.
        tol (float): Tolerance of L-BFGS, as in
            :func:`~chainer_sdtw.barycenter`.
        cost (str or callable): A cost as in
            :func:`~chainer_sdtw.cost_matrix`.
        bandwidth (int): Radius of Sakoe and Chiba's band, as for
            :func:`~chainer_sdtw.soft_dtw`. None means no band.
        device: A specifier of a Chainer device, such as ``'@cupy:0'``, to
            which series are sent. None: computed where they are.
        n_jobs (int): Threads on the CPU, for all of the process while a
            method runs; -1 means all processors, None as many as
            :func:`sdtw_cpu.get_num_threads` says.
        verbose (bool): Whether to show a progress bar, which needs tqdm.

    Attributes:
        centroids_ (numpy.ndarray): ``(C, length, d)``, the barycenter of
            each class, of the type of the series.
        classes_ (numpy.ndarray): ``(C,)``, the classes.
        n_features_in_ (int): The number of features; for series ``(N, L)``
            of columns, as scikit-learn counts.

    .. admonition:: Example

        >>> from chainer_sdtw.estimators import SoftDTWNearestCentroid
        >>> series = [[0, 0, 1, 2], [0, 1, 2], [5, 5, 4], [5, 4, 4, 4.]]
        >>> model = SoftDTWNearestCentroid(gamma=0.1)
        >>> model.fit(series, ['up', 'up', 'down', 'down'])
        SoftDTWNearestCentroid(gamma=0.1)
        >>> print(model.predict([[0, 1, 1, 1, 2]]))
        ['up']

    """

    centroids_: FloatArray

    def __init__(
        self,
        *,
        gamma: float = 1.0,
        loss: LossSpec = "soft_dtw",
        length: int | None = None,
        max_iter: int = 100,
        tol: float = 1e-5,
        cost: Cost = "sqeuclidean",
        bandwidth: int | None = None,
        device: DeviceSpec | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.gamma = gamma
        self.loss = loss
        self.length = length
        self.max_iter = max_iter
        self.tol = tol
        self.cost = cost
        self.bandwidth = bandwidth
        self.device = device
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Series | Collection, y: Labels) -> SoftDTWNearestCentroid:
        """Find the barycenter of each class.

        Args:
            X (list, :ref:`ndarray` or collection): ``(N, L, d)``, ``(N, L)``
                for univariate series, or a list of series ``(length, d)`` or
                ``(length,)``; or a collection, as
                :func:`~chainer_sdtw.distributed.as_blocks` takes it.
            y (numpy.ndarray): ``(N,)``, their classes, two or more. It may be
                an array of Dask or Zarr.

        Returns:
            SoftDTWNearestCentroid: The estimator itself.

        Raises:
            TypeError: If an argument is of a wrong type.
            ValueError: If a shape is wrong, an argument out of range, a
                series has a NaN or an infinity, or there is one class.

        """
        series: SeriesSet | Blocks
        if is_collection(X):
            series = self._blocks(X, reset=True)
        else:
            series = self._sent(self._series(X, reset=True))
        labels = self._labels(y, series)
        count = len(self.classes_)
        if count < 2:
            raise ValueError("y must have two classes or more; it has 1 class")
        loss = self._loss()
        stopping = as_stopping(self.tol, self.max_iter)
        length = checked_length(self.length)
        in_memory = series if isinstance(series, SeriesSet) else None
        with self._computing(in_memory):
            objective, init = self._problem(series, labels, loss, length)
            with progress(self.verbose, count, "centroids") as bar:
                centroids, _ = minimize(objective, init, stopping)
                bar.update(count)
        self.centroids_ = cuda.to_cpu(centroids)
        return self

    @overload
    def predict(self, X: Collection) -> DaskArray: ...
    @overload
    def predict(self, X: Series) -> NDArray[np.generic]: ...
    def predict(
        self, X: Series | Collection
    ) -> NDArray[np.generic] | DaskArray:
        """The classes of series.

        Args:
            X (list, :ref:`ndarray` or collection): ``N`` series
                in a form that :meth:`fit` takes, of any lengths; but ``(N,
                L)`` after ``(N, L)`` has as many columns.

        Returns:
            numpy.ndarray: ``(N,)`` of ``classes_``; of a collection a Dask
            array, which is not computed yet.

        """
        check_is_fitted(self, "centroids_")
        dtype = self.classes_.dtype
        return self._of_series(X, type(self)._classes, dtype)

    def _problem(
        self,
        series: SeriesSet | Blocks,
        labels: np.ndarray,
        loss: Loss,
        length: int | None,
    ) -> tuple[AnyObjective, Any]:
        """Return the objective, and the Euclidean means of the classes."""
        sizes = np.bincount(labels)
        count = len(sizes)
        objective: AnyObjective
        if isinstance(series, Blocks):
            dtype = computed_dtype(series.dtype)
            length = length or usual_length_of_blocks(series)
            sums = add_doubles(
                series.map(
                    _sums,
                    count,
                    length,
                    each=[(part,) for part in series.split(labels)],
                )
            )
            objective = BlocksObjective(
                series,
                loss,
                np.ones(len(series)),
                labels,
                count,
                self.device,
            )
        else:
            dtype = series.array.dtype
            length = length or usual_length(series)
            sums = _sums(series, labels, count, length)
            objective = Objective(series, loss, labels=labels, count=count)
        xp = get_array_module(sums)
        means = sums.sum(axis=0) / xp.asarray(sizes)[:, None, None]
        return objective, means.astype(dtype)

    def _classes(self, series: SeriesSet) -> np.ndarray:
        x = self._sent(series)
        with self._computing(x):
            # A divergence's terms of the series change nothing here.
            term = x.xp.zeros(len(x), x.array.dtype)
            centroids = self._centers(self.centroids_, x)
            losses = self._losses(x, centroids, x_term=term)
        return self.classes_[losses.argmin(axis=1)]


def _sums(
    series: SeriesSet, labels: np.ndarray, count: int, length: int
) -> Any:
    """Return the sums of the classes' series ``(2, C, length, d)``."""
    xp = series.xp
    same_length = resampled(series, length)
    return xp.stack(
        [
            double_sum(same_length[xp.asarray(labels == k)])
            for k in range(count)
        ],
        axis=1,
    )
