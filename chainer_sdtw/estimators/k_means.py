"""K-means of time series."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from chainer.backends import cuda
from numpy.typing import NDArray
from sklearn.base import ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from chainer_sdtw._engine.series import on_host
from chainer_sdtw._engine.series_set import SeriesSet
from chainer_sdtw._engine.types import (
    ArrayLike,
    Cost,
    DeviceSpec,
    LossSpec,
    Series,
)
from chainer_sdtw.estimators._base import SeriesEstimator, as_sample_weight
from chainer_sdtw.estimators._lloyd import Limits, LloydSearch, State
from chainer_sdtw.estimators._training_series import SeriesInMemory
from chainer_sdtw.learning._progress import converged, progress
from chainer_sdtw.learning._resampling import checked_length, usual_length
from chainer_sdtw.learning._stopping import as_stopping
from sdtw_cpu.checks import (
    as_array,
    as_integer,
)
from sdtw_cpu.types import FloatArray, Reals


class SoftDTWKMeans(ClusterMixin, TransformerMixin, SeriesEstimator):
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

    cluster_centers_: FloatArray
    labels_: NDArray[np.intp]
    inertia_: float
    n_iter_: int

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
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Series,
        y: object = None,
        sample_weight: Reals | float | None = None,
    ) -> SoftDTWKMeans:
        """Find the clusters.

        Args:
            X (list or :ref:`ndarray`): ``(N, L, d)``, ``(N, L)`` for
                univariate series, or a list of series ``(length, d)`` or
                ``(length,)``.
            y: Ignored.
            sample_weight (float or numpy.ndarray): ``(N,)``, >= 0, or one
                for all series; None means 1.

        Returns:
            SoftDTWKMeans: The estimator itself.

        Raises:
            TypeError: If an argument is of a wrong type.
            ValueError: If a shape is wrong, an argument out of range, a
                series has a NaN or an infinity, or there are fewer series
                than clusters.

        """
        series = self._sent(self._series(X, reset=True))
        with self._computing(series):
            self._fit(series, sample_weight)
        return self

    def predict(self, X: Series) -> NDArray[np.intp]:
        """The cluster ``(N,)`` of each series.

        Args:
            X (list or :ref:`ndarray`): ``N`` series in a form that
                :meth:`fit` takes, of any lengths; but ``(N, L)`` after
                ``(N, L)`` has as many columns.

        Returns:
            numpy.ndarray: ``(N,)`` indexes of centers.

        """
        # A divergence's terms of the series change nothing here.
        return self._to_centers(X, terms=False).argmin(axis=1)

    def fit_predict(
        self,
        X: Series,
        y: object = None,
        sample_weight: Reals | float | None = None,
    ) -> NDArray[np.intp]:
        """Find the clusters and return ``labels_``.

        Args:
            X (list or :ref:`ndarray`): As for :meth:`fit`.
            y: Ignored.
            sample_weight (float or numpy.ndarray): ``(N,)``, >= 0, or one
                for all series; None means 1.

        Returns:
            numpy.ndarray: ``(N,)`` indexes of centers.

        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def transform(self, X: Series) -> FloatArray:
        """The losses between series and centers.

        Args:
            X (list or :ref:`ndarray`): ``N`` series in a form that
                :meth:`fit` takes, of any lengths; but ``(N, L)`` after
                ``(N, L)`` has as many columns.

        Returns:
            numpy.ndarray: ``(N, K)``.

        """
        return self._to_centers(X)

    if TYPE_CHECKING:
        # scikit-learn's, which has no types.
        def fit_transform(
            self,
            X: Series,
            y: object = None,
            *,
            sample_weight: Reals | float | None = None,
        ) -> FloatArray: ...

    def score(
        self,
        X: Series,
        y: object = None,
        sample_weight: Reals | float | None = None,
    ) -> float:
        """The negative sum of the losses to the closest center.

        Args:
            X (list or :ref:`ndarray`): ``N`` series in a form that
                :meth:`fit` takes, of any lengths; but ``(N, L)`` after
                ``(N, L)`` has as many columns.
            y: Ignored.
            sample_weight (float or numpy.ndarray): ``(N,)``, >= 0, or one
                for all series; None means 1.

        Returns:
            float: Larger is better.

        """
        least = self._to_centers(X).min(axis=1)
        weights = as_sample_weight(sample_weight, len(least))
        return -float(weights @ least)

    def get_feature_names_out(
        self, input_features: object = None
    ) -> NDArray[np.object_]:
        """Names for the columns of what :meth:`transform` returns.

        Args:
            input_features: Ignored.

        Returns:
            numpy.ndarray: ``(K,)`` strings.

        """
        check_is_fitted(self, "cluster_centers_")
        name = type(self).__name__.lower()
        count = len(self.cluster_centers_)
        return np.array([f"{name}{k}" for k in range(count)], object)

    def _more_tags(self) -> dict:
        # scikit-learn before 1.6.
        return {"preserves_dtype": [np.float64, np.float32]}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _to_centers(self, X: Any, terms: bool = True) -> np.ndarray:
        check_is_fitted(self, "cluster_centers_")
        x = self._sent(self._series(X, reset=False))
        with self._computing(x):
            centers = self._centers(self.cluster_centers_, x)
            term = None if terms else x.xp.zeros(len(x), x.array.dtype)
            return self._losses(x, centers, x_term=term)

    def _fit(self, series: SeriesSet, sample_weight: Any) -> None:
        n_init = as_integer("n_init", self.n_init, 1)
        limits = Limits(
            as_integer("n_clusters", self.n_clusters, 1),
            as_stopping(self.tol, self.max_iter),
            as_stopping(
                self.tol_barycenter, self.max_iter_barycenter, "_barycenter"
            ),
        )
        if limits.n_clusters > len(series):
            raise ValueError(
                f"n_samples={len(series)} should be >= n_clusters="
                f"{limits.n_clusters}"
            )
        loss = self._loss()
        weights = as_sample_weight(sample_weight, len(series))
        largest = float(weights.max())
        init, length = self._init_array(series)
        rng = check_random_state(self.random_state)
        search = LloydSearch(
            SeriesInMemory(series, loss, weights / largest, length), limits
        )
        starts = n_init if init is None else 1
        max_iter = limits.iterations.max_iter
        total = starts * max_iter
        try:
            with progress(self.verbose, total, "k-means") as bar:
                for later_starts in reversed(range(starts)):
                    centers = init
                    if init is None:
                        centers = search.initial_centers(self.init, rng)
                    search.run(centers, bar)
                    converged(bar, later_starts * max_iter)
        finally:
            if search.best is not None:
                self._keep(search.best, largest)
        count = len(np.unique(self.labels_))
        if count < limits.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({count}) found smaller than "
                f"n_clusters ({limits.n_clusters}). Possibly due to duplicate "
                "points in X.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _keep(self, state: State, largest_weight: float) -> None:
        self.cluster_centers_ = cuda.to_cpu(state.centers)
        self.labels_ = state.labels
        self.inertia_ = state.inertia * largest_weight
        self.n_iter_ = state.iterations

    def _init_array(self, series: SeriesSet) -> tuple[Any, int]:
        """Centers, if ``init`` is an array of them, and the length of all."""
        length = checked_length(self.length)
        if isinstance(self.init, str):
            if self.init not in ("k-means++", "random"):
                raise ValueError(
                    "init must be 'k-means++', 'random' or an array, got "
                    f"{self.init!r}"
                )
            return None, length or usual_length(series)
        init = as_array("init", on_host(self.init))
        if init.ndim == 2 and series.univariate:
            init = init[:, :, None]
        any_length = init.shape[1] if init.ndim == 3 else 1
        expected = self.n_clusters, length or any_length, series.features
        if init.shape != expected or any_length == 0:
            shape = (
                f"{self.n_clusters}, {length or 'length'}, {series.features}"
            )
            raise ValueError(
                f"init must be 'k-means++', 'random' or numbers of shape "
                f"({shape}), got shape {init.shape}"
            )
        if not np.isfinite(init).all():
            raise ValueError("init contains NaN or infinity")
        return self._centers(init, series).array, init.shape[1]
