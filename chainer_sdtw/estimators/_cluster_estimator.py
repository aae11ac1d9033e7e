"""What the estimators that have clusters share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClusterMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from chainer_sdtw._engine.series import on_host
from chainer_sdtw._engine.series_set import SeriesSet, computed_dtype
from chainer_sdtw._engine.types import Collection, DaskArray, Series
from chainer_sdtw.distributed.blocks import Blocks
from chainer_sdtw.estimators._base import SeriesEstimator, as_sample_weight
from chainer_sdtw.estimators._initial_centers import any_series
from chainer_sdtw.estimators._series_in_blocks import (
    SeriesInBlocks,
    usual_length_of_blocks,
)
from chainer_sdtw.estimators._training_series import (
    SeriesInMemory,
    TrainingSeries,
)
from chainer_sdtw.learning._resampling import checked_length, usual_length
from sdtw_cpu.checks import as_array, as_integer
from sdtw_cpu.types import FloatArray, Reals


class ClusterEstimator(ClusterMixin, TransformerMixin, SeriesEstimator):
    """An estimator with centers of clusters."""

    cluster_centers_: FloatArray
    labels_: NDArray[np.intp]
    inertia_: float
    n_iter_: int

    @overload
    def predict(self, X: Collection) -> DaskArray: ...
    @overload
    def predict(self, X: Series) -> NDArray[np.intp]: ...
    def predict(self, X: Series | Collection) -> NDArray[np.intp] | DaskArray:
        """The cluster ``(N,)`` of each series.

        Args:
            X (list, :ref:`ndarray` or collection): ``N`` series in a form
                that :meth:`fit` takes, of any lengths; but ``(N, L)`` after
                ``(N, L)`` has as many columns.

        Returns:
            numpy.ndarray: ``(N,)`` indexes of centers; of a collection a Dask
            array of them, which is not computed yet.

        """
        check_is_fitted(self, "cluster_centers_")
        return self._of_series(X, type(self)._closest, np.intp)

    def fit_predict(
        self,
        X: Series | Collection,
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

    @overload
    def transform(self, X: Collection) -> DaskArray: ...
    @overload
    def transform(self, X: Series) -> FloatArray: ...
    def transform(self, X: Series | Collection) -> FloatArray | DaskArray:
        """The losses between series and centers.

        Args:
            X (list, :ref:`ndarray` or collection): ``N`` series in a form
                that :meth:`fit` takes, of any lengths; but ``(N, L)`` after
                ``(N, L)`` has as many columns.

        Returns:
            numpy.ndarray: ``(N, K)``; of a collection a Dask array, which is
            not computed yet.

        """
        check_is_fitted(self, "cluster_centers_")
        shape = (len(self.cluster_centers_),)
        return self._of_series(X, type(self)._to_centers, shape=shape)

    if TYPE_CHECKING:
        # scikit-learn's, which has no types.
        @overload
        def fit_transform(
            self,
            X: Collection,
            y: object = None,
            *,
            sample_weight: Reals | float | None = None,
        ) -> DaskArray: ...
        @overload
        def fit_transform(
            self,
            X: Series,
            y: object = None,
            *,
            sample_weight: Reals | float | None = None,
        ) -> FloatArray: ...
        def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
            """scikit-learn's."""

    def score(
        self,
        X: Series | Collection,
        y: object = None,
        sample_weight: Reals | float | None = None,
    ) -> float:
        """The negative sum of the losses to the closest center.

        Args:
            X (list, :ref:`ndarray` or collection): ``N`` series in a form
                that :meth:`fit` takes, of any lengths; but ``(N, L)`` after
                ``(N, L)`` has as many columns.
            y: Ignored.
            sample_weight (float or numpy.ndarray): ``(N,)``, >= 0, or one
                for all series; None means 1.

        Returns:
            float: Larger is better.

        """
        check_is_fitted(self, "cluster_centers_")
        least = np.asarray(self._of_series(X, type(self)._least))
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

    def _to_centers(self, series: SeriesSet, terms: bool = True) -> np.ndarray:
        """Return the losses ``(n, K)`` between series and centers."""
        x = self._sent(series)
        with self._computing(x):
            centers = self._centers(self.cluster_centers_, x)
            term = None if terms else x.xp.zeros(len(x), x.array.dtype)
            return self._losses(x, centers, x_term=term)

    def _closest(self, series: SeriesSet) -> np.ndarray:
        # A divergence's terms of the series change nothing here.
        return self._to_centers(series, terms=False).argmin(axis=1)

    def _least(self, series: SeriesSet) -> np.ndarray:
        return self._to_centers(series).min(axis=1)

    def _training(
        self, series: SeriesSet | Blocks, sample_weight: Any
    ) -> tuple[TrainingSeries, Any, float]:
        """Check what there is to be fitted to.

        Returns:
            The series, the initial centers if ``init`` is an array of them,
            and the largest weight of a series.
        """
        loss = self._loss()
        count = as_integer("n_clusters", self.n_clusters, 1)
        if count > len(series):
            raise ValueError(
                f"n_samples={len(series)} should be >= n_clusters={count}"
            )
        weights = as_sample_weight(sample_weight, len(series))
        largest = float(weights.max())
        init, length = self._init_array(series)
        weights = weights / largest
        if isinstance(series, Blocks):
            in_blocks = SeriesInBlocks(
                series, loss, weights, length, self.device
            )
            if init is not None:
                init = init.astype(computed_dtype(series.dtype))
            return in_blocks, init, largest
        if init is not None:
            init = self._centers(init, series).array
        return SeriesInMemory(series, loss, weights, length), init, largest

    def _usual_init_size(self) -> int | None:
        return None

    def _initial_centers(
        self, series: TrainingSeries, rng: np.random.RandomState
    ) -> Any:
        """Choose series as centers ``(K, length, d)``."""
        size = self._usual_init_size()
        if self.init_size is not None:
            size = as_integer("init_size", self.init_size, 1)
        if self.init == "random":
            weights = series.weights
            return series.as_centers(any_series(weights, self.n_clusters, rng))
        return series.far_apart(self.n_clusters, size, rng)

    def _init_array(
        self, series: SeriesSet | Blocks
    ) -> tuple[np.ndarray | None, int]:
        """Centers, if ``init`` is an array of them, and the length of all."""
        length = checked_length(self.length)
        if isinstance(self.init, str):
            if self.init not in ("k-means++", "random"):
                raise ValueError(
                    "init must be 'k-means++', 'random' or an array, got "
                    f"{self.init!r}"
                )
            if length is not None:
                return None, length
            if isinstance(series, Blocks):
                return None, usual_length_of_blocks(series)
            return None, usual_length(series)
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
        return init, init.shape[1]
