"""K-means of time series."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from chainer.backends import cuda
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw._engine.types import (
    ArrayLike,
    Collection,
    Cost,
    DeviceSpec,
    LossSpec,
    Series,
)
from chainer_sdtw.distributed.blocks import Blocks
from chainer_sdtw.distributed.sources import is_collection
from chainer_sdtw.estimators._cluster_estimator import ClusterEstimator
from chainer_sdtw.estimators._lloyd import Limits, LloydSearch, State
from chainer_sdtw.learning._progress import converged, progress
from chainer_sdtw.learning._stopping import as_stopping
from sdtw_cpu.checks import as_integer
from sdtw_cpu.types import Reals


class SoftDTWKMeans(ClusterEstimator):
    """K-means of time series under soft-DTW or another loss.

    Series are assigned to the center with the least loss, and each center
    becomes the barycenter of its series (:func:`~chainer_sdtw.barycenter`),
    found by L-BFGS from where it was, for all clusters at once: an
    evaluation is one sweep over a batch of all series and back. A cluster
    that has lost its series gets the one that is the farthest from its
    center.

    If :meth:`fit` is interrupted by Ctrl-C, it keeps the best result of its
    complete iterations, if there were any, and raises the interrupt again.

    See: M. Cuturi and M. Blondel, `Soft-DTW: a Differentiable Loss Function
    for Time-Series <https://arxiv.org/abs/1703.01541>`_, ICML 2017, section
    4.2; for the initial centers D. Arthur and S. Vassilvitskii, k-means++: the
    Advantages of Careful Seeding, SODA 2007.

    Args:
        n_clusters (int): The number ``K`` of clusters.
        gamma (float): Smoothing, >= 0, in units of the cost.
        loss (str or callable): A loss by its name, or its function, of those
            in the :ref:`table of losses <loss-names>`.
        init (str or numpy.ndarray): ``'k-means++'``: series that are far
            from each other, the best of a few draws for each center. How far
            is measured by the divergence of the loss, as a loss itself can
            be negative, or not least for equal series. ``'random'``: any
            series. Series of another length are interpolated linearly. An
            array ``(K, length, d)``, or ``(K, length)`` for univariate
            series, is taken as it is.
        n_init (int): The number of starts, of which the best counts; one if
            ``init`` is an array.
        length (int): The length of centers; by default that of ``init``, or
            the mean of the series' lengths, rounded.
        max_iter (int): The largest number of iterations of a start.
        tol (float): A start ends when two iterations have changed no label
            and the last has decreased the inertia by less than this part of
            it.
        max_iter_barycenter (int): The largest number of iterations of L-BFGS
            in one of k-means.
        tol_barycenter (float): Tolerance of L-BFGS, as in
            :func:`~chainer_sdtw.barycenter`, as long as labels change; the
            last barycenters are found to 1e-7 of it.
        cost (str or callable): A cost as in
            :func:`~chainer_sdtw.cost_matrix`.
        bandwidth (int): Radius of Sakoe and Chiba's band, as for
            :func:`~chainer_sdtw.soft_dtw`. None means no band.
        device: A specifier of a Chainer device, such as ``'@cupy:0'``, to
            which series are sent. None: computed where they are.
        n_jobs (int): Threads on the CPU, for all of the process while a
            method runs; -1 means all processors, None as many as
            :func:`sdtw_cpu.get_num_threads` says.
        init_size (int): The largest number of series among which k-means++
            chooses. None: all in memory; of a collection, 3000 or 30 for each
            cluster.
        random_state (int or numpy.random.RandomState): For initial centers.
        verbose (bool): Whether to show a progress bar, which needs tqdm.

    Attributes:
        cluster_centers_ (numpy.ndarray): ``(K, length, d)``, of the type of
            the series.
        labels_ (numpy.ndarray): ``(N,)``, each series' cluster.
        inertia_ (float): The sum of the losses to the closest center, each
            times the series' weight. Of soft-DTW it can be negative.
        n_iter_ (int): Iterations of the start that was the best.
        n_features_in_ (int): The number of features; for series ``(N, L)``
            of columns, as scikit-learn counts.

    .. admonition:: Example

        >>> from chainer_sdtw.estimators import SoftDTWKMeans
        >>> series = [[0, 0, 1, 2], [0, 1, 2], [5, 5, 4], [5, 4, 4, 4.]]
        >>> model = SoftDTWKMeans(2, gamma=0.1, random_state=0).fit(series)
        >>> bool(model.labels_[0] == model.labels_[1] != model.labels_[2])
        True
        >>> model.cluster_centers_.shape
        (2, 4, 1)

    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        gamma: float = 1.0,
        loss: LossSpec = "soft_dtw",
        init: Literal["k-means++", "random"] | ArrayLike = "k-means++",
        n_init: int = 1,
        length: int | None = None,
        max_iter: int = 50,
        tol: float = 1e-4,
        max_iter_barycenter: int = 100,
        tol_barycenter: float = 1e-3,
        cost: Cost = "sqeuclidean",
        bandwidth: int | None = None,
        init_size: int | None = None,
        device: DeviceSpec | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.gamma = gamma
        self.loss = loss
        self.init = init
        self.n_init = n_init
        self.length = length
        self.max_iter = max_iter
        self.tol = tol
        self.max_iter_barycenter = max_iter_barycenter
        self.tol_barycenter = tol_barycenter
        self.cost = cost
        self.bandwidth = bandwidth
        self.init_size = init_size
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Series | Collection,
        y: object = None,
        sample_weight: Reals | float | None = None,
    ) -> SoftDTWKMeans:
        """Find the clusters.

        Args:
            X (list, :ref:`ndarray` or collection): ``(N, L, d)``, ``(N, L)``
                for univariate series, or a list of series ``(length, d)`` or
                ``(length,)``; or a collection that
                :func:`~chainer_sdtw.distributed.as_blocks` takes, such as a
                Dask array or the path of a Zarr array.
            y: Ignored.
            sample_weight (float or numpy.ndarray): ``(N,)``, >= 0, or one
                for all series; None means 1. Of a collection it may be a Dask
                array, which is loaded.

        Returns:
            SoftDTWKMeans: The estimator itself.

        Raises:
            TypeError: If an argument is of a wrong type.
            ValueError: If a shape is wrong, an argument out of range, a
                series has a NaN or an infinity, or there are fewer series
                than clusters.

        """
        if is_collection(X):
            blocks = self._blocks(X, reset=True)
            with self._computing():
                self._fit(blocks, sample_weight)
            return self
        series = self._sent(self._series(X, reset=True))
        with self._computing(series):
            self._fit(series, sample_weight)
        return self

    def _fit(self, series: SeriesSet | Blocks, sample_weight: Any) -> None:
        n_init = as_integer("n_init", self.n_init, 1)
        training, init, largest = self._training(series, sample_weight)
        limits = Limits(
            as_stopping(self.tol, self.max_iter),
            as_stopping(
                self.tol_barycenter, self.max_iter_barycenter, "_barycenter"
            ),
        )
        rng = check_random_state(self.random_state)
        search = LloydSearch(training, limits)
        starts = n_init if init is None else 1
        max_iter = limits.iterations.max_iter
        total = starts * max_iter
        try:
            with progress(self.verbose, total, "k-means") as bar:
                for later_starts in reversed(range(starts)):
                    centers = init
                    if init is None:
                        centers = self._initial_centers(training, rng)
                    search.run(centers, bar)
                    converged(bar, later_starts * max_iter)
        finally:
            if search.best is not None:
                self._keep(search.best, largest)
        count = len(np.unique(self.labels_))
        if count < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({count}) found smaller than "
                f"n_clusters ({self.n_clusters}). Possibly due to duplicate "
                "points in X.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _keep(self, state: State, largest_weight: float) -> None:
        self.cluster_centers_ = cuda.to_cpu(state.centers)
        self.labels_ = state.labels
        self.inertia_ = state.inertia * largest_weight
        self.n_iter_ = state.iterations
