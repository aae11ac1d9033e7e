"""Mini-batch k-means of time series."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from chainer.backends import cuda
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
from chainer_sdtw.estimators._base import as_sample_weight
from chainer_sdtw.estimators._cluster_estimator import ClusterEstimator
from chainer_sdtw.estimators._mini_batch import Improvement, MiniBatchSearch
from chainer_sdtw.estimators._training_series import closest
from chainer_sdtw.learning._progress import converged, progress
from chainer_sdtw.learning._stopping import as_stopping
from chainer_sdtw.learning._sums import double_sum
from sdtw_cpu.checks import as_integer
from sdtw_cpu.types import Reals


class SoftDTWMiniBatchKMeans(ClusterEstimator):
    """K-means of time series by small batches.

    For many series: a step assigns a batch of them to the closest centers,
    finds the barycenters of each center's series by L-BFGS, and moves the
    center towards that by their share of all the series that the center has
    had so far. Of Euclidean distances these are the steps of Sculley and of
    scikit-learn's ``MiniBatchKMeans``. Under soft-DTW they come closer to the
    result of :class:`SoftDTWKMeans` than steps down the gradient, and need no
    learning rate. A center that has had no series yet gets the series of the
    batch that is the farthest from its center.

    See: D. Sculley, `Web-Scale K-Means Clustering
    <https://doi.org/10.1145/1772690.1772862>`_, WWW 2010.

    Args:
        n_clusters (int): The number ``K`` of clusters.
        gamma (float): Smoothing, >= 0, in units of the cost.
        loss (str or callable): A loss as for :class:`SoftDTWKMeans`.
        init (str or numpy.ndarray): Initial centers as for
            :class:`SoftDTWKMeans`.
        batch_size (int): The number of series of a batch.
        init_size (int): The largest number of series among which k-means++
            chooses; None: three times the larger of ``batch_size`` and
            ``n_clusters``.
        length (int): The length of centers; by default that of ``init``, or
            the mean of the series' lengths, rounded.
        max_iter (int): The largest number of passes over all series, in
            batches that are drawn anew in each.
        max_no_improvement (int): The steps without an improvement after which
            :meth:`fit` ends. It smooths the mean losses of batches over about
            a pass. None: it makes all passes.
        max_iter_barycenter (int): The largest number of iterations of L-BFGS
            in one step.
        tol_barycenter (float): Tolerance of L-BFGS, as in
            :func:`~chainer_sdtw.barycenter`.
        cost (str or callable): A cost as in
            :func:`~chainer_sdtw.cost_matrix`.
        bandwidth (int): Radius of Sakoe and Chiba's band, as for
            :func:`~chainer_sdtw.soft_dtw`. None means no band.
        device: A specifier of a Chainer device, such as ``'@cupy:0'``, to
            which series are sent. None: computed where they are.
        n_jobs (int): Threads on the CPU as for :class:`SoftDTWKMeans`.
        random_state (int or numpy.random.RandomState): For initial centers
            and batches.
        verbose (bool): Whether to show a progress bar, which needs tqdm.

    Attributes:
        cluster_centers_ (numpy.ndarray): ``(K, length, d)``, of the type of
            the series.
        labels_ (numpy.ndarray): ``(N,)``, each series' cluster; after
            :meth:`partial_fit` those of the batch.
        inertia_ (float): The sum of the losses to the closest center, each
            times the series' weight. Of soft-DTW it can be negative.
        n_iter_ (int): Passes over all series that have been begun.
        n_steps_ (int): Batches.
        n_features_in_ (int): The number of features; for series ``(N, L)``
            of columns, as scikit-learn counts.

    .. admonition:: Example

        >>> from chainer_sdtw.estimators import SoftDTWMiniBatchKMeans
        >>> series = [[0, 0, 1, 2], [0, 1, 2], [5, 5, 4], [5, 4, 4, 4.]] * 50
        >>> model = SoftDTWMiniBatchKMeans(2, gamma=0.1, random_state=0)
        >>> labels = model.fit_predict(series)
        >>> bool(labels[0] == labels[1] != labels[2])
        True

    """

    n_steps_: int

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        gamma: float = 1.0,
        loss: LossSpec = "soft_dtw",
        init: Literal["k-means++", "random"] | ArrayLike = "k-means++",
        batch_size: int = 256,
        init_size: int | None = None,
        length: int | None = None,
        max_iter: int = 50,
        max_no_improvement: int | None = 10,
        max_iter_barycenter: int = 30,
        tol_barycenter: float = 1e-3,
        cost: Cost = "sqeuclidean",
        bandwidth: int | None = None,
        device: DeviceSpec | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_clusters = n_clusters
        self.gamma = gamma
        self.loss = loss
        self.init = init
        self.batch_size = batch_size
        self.init_size = init_size
        self.length = length
        self.max_iter = max_iter
        self.max_no_improvement = max_no_improvement
        self.max_iter_barycenter = max_iter_barycenter
        self.tol_barycenter = tol_barycenter
        self.cost = cost
        self.bandwidth = bandwidth
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Series | Collection,
        y: object = None,
        sample_weight: Reals | float | None = None,
    ) -> SoftDTWMiniBatchKMeans:
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
            SoftDTWMiniBatchKMeans: The estimator itself.

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

    def partial_fit(
        self,
        X: Series,
        y: object = None,
        sample_weight: Reals | float | None = None,
    ) -> SoftDTWMiniBatchKMeans:
        """Make one step with a batch of series.

        The first batch also gives the initial centers.

        Args:
            X (list or :ref:`ndarray`): A batch in a form that :meth:`fit`
                takes.
            y: Ignored.
            sample_weight (float or numpy.ndarray): ``(n,)``, >= 0, or one
                for all series; None means 1.

        Returns:
            SoftDTWMiniBatchKMeans: The estimator itself.

        Raises:
            TypeError: If an argument is of a wrong type.
            ValueError: If a shape is wrong, an argument out of range, a
                series has a NaN or an infinity, or the first batch has fewer
                series than there are clusters.

        """
        first = not hasattr(self, "cluster_centers_")
        series = self._sent(self._series(X, reset=first))
        with self._computing(series):
            if first:
                training, centers, _ = self._training(series, sample_weight)
                if centers is None:
                    rng = check_random_state(self.random_state)
                    centers = self._initial_centers(training, rng)
                self._counts, self.n_steps_ = np.zeros(len(centers)), 0
            else:
                centers = self._centers(self.cluster_centers_, series).array
            search = self._search(centers, self._counts)
            weights = as_sample_weight(sample_weight, len(series))
            search.step(series, weights)
            labels, losses = closest(series, search.loss, search.centers)
        self._keep(search, self.n_steps_ + 1)
        self.labels_, self.inertia_ = labels, float(weights @ losses)
        return self

    def _fit(self, series: SeriesSet | Blocks, sample_weight: Any) -> None:
        max_iter = as_integer("max_iter", self.max_iter, 1)
        batch_size = as_integer("batch_size", self.batch_size, 1)
        patience = self.max_no_improvement
        if patience is not None:
            patience = as_integer("max_no_improvement", patience, 1)
        training, centers, largest = self._training(series, sample_weight)
        rng = check_random_state(self.random_state)
        if centers is None:
            centers = self._initial_centers(training, rng)
        size = len(training.weights)
        search = self._search(centers, np.zeros(len(centers)))
        improvement = Improvement(batch_size / size, patience)
        steps = -(-size // batch_size)
        batches = (
            rows
            for _ in range(max_iter)
            for rows in np.array_split(rng.permutation(size), steps)
        )
        done = 0
        try:
            with progress(self.verbose, max_iter * steps, "k-means") as bar:
                for batch, weights in training.batches(batches):
                    mean = search.step(batch, weights)
                    done += 1
                    bar.set_postfix_str(f"{mean:.6g}", refresh=False)
                    bar.update()
                    if improvement.ended(mean):
                        break
                converged(bar)
        finally:
            if done:
                self._keep(search, done)
        self.n_iter_ = -(-done // steps)
        self.labels_, losses = training.closest(search.centers)
        inertia = double_sum(training.weights * losses).sum()
        self.inertia_ = float(inertia) * largest

    def _usual_init_size(self) -> int:
        batch_size = as_integer("batch_size", self.batch_size, 1)
        return 3 * max(batch_size, self.n_clusters)

    def _keep(self, search: MiniBatchSearch, steps: int) -> None:
        self.cluster_centers_ = cuda.to_cpu(search.centers)
        self._counts, self.n_steps_ = search.counts, steps

    def _search(self, centers: Any, counts: np.ndarray) -> MiniBatchSearch:
        stopping = as_stopping(
            self.tol_barycenter, self.max_iter_barycenter, "_barycenter"
        )
        return MiniBatchSearch(centers, counts, self._loss(), stopping)
