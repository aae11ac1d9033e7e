"""The base classes of the estimators."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import chainer
import numpy as np
from chainer import backend
from chainer.backends import cuda
from joblib import effective_n_jobs
from numpy.typing import DTypeLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    column_or_1d,
)

import sdtw_cpu
from chainer_sdtw._engine.losses import Loss, as_loss
from chainer_sdtw._engine.series import array_of, on_host
from chainer_sdtw._engine.series_set import (
    SeriesSet,
    as_series_set,
    check_finite,
    computed_dtype,
    on_device,
)
from chainer_sdtw._engine.types import Collection, Labels, Series
from chainer_sdtw.distributed.blocks import Blocks
from chainer_sdtw.distributed.sources import as_blocks, is_collection, is_dask
from chainer_sdtw.learning._matrix import matrix
from sdtw_cpu.checks import (
    as_array,
    as_integer,
    as_number,
    as_weights,
    check_unmasked,
    read_array,
)
from sdtw_cpu.types import Reals

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # scikit-learn before 1.6

    def validate_data(
        estimator: Any, X: Any, *, ensure_all_finite: bool, **options: Any
    ) -> Any:
        return estimator._validate_data(
            X, force_all_finite=ensure_all_finite, **options
        )


class SeriesEstimator(BaseEstimator):
    """An estimator of series, with a loss and where to compute it."""

    n_features_in_: int

    def _loss(self) -> Loss:
        return as_loss(self.loss, self.gamma, self.cost, self.bandwidth)

    @contextmanager
    def _computing(self, series: SeriesSet | None = None) -> Iterator[None]:
        """Use the threads that are asked for, and the device of the series.

        Args:
            series: The series, None for those of a collection.
        """
        before = sdtw_cpu.get_num_threads()
        if self.n_jobs is not None:
            n_jobs = as_integer("n_jobs", self.n_jobs, None)
            sdtw_cpu.set_num_threads(effective_n_jobs(n_jobs))
        arrays = () if series is None else (series.array,)
        device = backend.get_device_from_array(*arrays)
        try:
            with chainer.using_device(device):
                yield
        finally:
            if self.n_jobs is not None:
                sdtw_cpu.set_num_threads(before)

    def _series(self, X: Any, *, reset: bool) -> SeriesSet:
        """Check series in any of their forms, and leave them where they are.

        Args:
            X: ``(N, L)``, ``(N, L, d)`` or a list of series.
            reset: Whether they are fitted; otherwise they must have the
                features of those that were.
        """
        X = array_of(X)
        check_unmasked("X", X)
        if not (isinstance(X, (list, tuple)) or hasattr(X, "shape")):
            X = as_array("X", X)
        if getattr(getattr(X, "dtype", None), "kind", "f") in "SUVMm":
            raise TypeError(f"X must be real numbers, got {X.dtype}")
        if _is_list(X) or isinstance(X, cuda.ndarray):
            if reset and hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
            series = as_series_set("X", X)
            columns = None
        else:
            if isinstance(X, np.ndarray) and not X.dtype.isnative:
                X = X.astype(X.dtype.newbyteorder("="))
            X = validate_data(
                self,
                X,
                reset=reset,
                dtype=(np.float64, np.float32),
                ensure_2d=False,
                allow_nd=True,
                ensure_all_finite=False,  # checked below, series by series
            )
            if X.ndim == 1:
                raise ValueError(
                    "Expected 2D array, got 1D array instead. X must be "
                    "series of shape (N, length, features) or (N, length), "
                    "or a list of series. Reshape your data using "
                    "X.reshape(1, -1) if it is one series."
                )
            series = as_series_set("X", X)
            columns = X.shape[1] if X.ndim == 2 else None
        check_finite("X", series)
        self._check_features(series.features, columns, reset)
        return series

    def _blocks(self, X: Any, *, reset: bool) -> Blocks:
        """Check a collection of series, as far as it is known."""
        blocks = as_blocks(X)
        if reset and hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        columns = blocks.length if blocks.univariate else None
        self._check_features(blocks.features, columns, reset)
        return blocks

    def _check_features(
        self, features: int, columns: int | None, reset: bool
    ) -> None:
        """Note the form of the series, or compare it with those fitted."""
        if reset:
            self._features, self._columns = features, columns
            self.n_features_in_ = columns or features
            return
        name = type(self).__name__
        if None not in (columns, self._columns) and columns != self._columns:
            raise ValueError(
                f"X has {columns} features, but {name} is expecting "
                f"{self._columns} features as input: two-dimensional X must "
                "have the columns of the one fitted; give a list of series, "
                "or X[:, :, None], for series of another length"
            )
        if features != self._features:
            raise ValueError(
                f"X has {features} features, but {name} is expecting "
                f"{self._features} features as input, as the series fitted"
            )

    def _of_series(
        self,
        X: Any,
        method: Callable[[Any, SeriesSet], np.ndarray],
        dtype: DTypeLike = None,
        shape: tuple[int, ...] = (),
    ) -> Any:
        """Return what a method of the estimator, once fitted, computes.

        Args:
            X: Series in any of their forms, or a collection of them.
            method: Called with the estimator and ``n`` series.
            dtype: The type of what it computes; None for that of the series.
            shape: The shape of what it computes of one of them.

        Returns:
            An array ``(N, *shape)``; of a collection a Dask array, which is
            computed block by block when it is asked for.
        """
        if not is_collection(X):
            return method(self, self._series(X, reset=False))
        blocks = self._blocks(X, reset=False)
        # Fitted again, the estimator changes: the copy does not. Threads and
        # progress are those of Dask.
        estimator = copy.copy(self)
        estimator.n_jobs, estimator.verbose = None, False
        return blocks.array(
            _call,
            method,
            estimator,
            dtype=np.dtype(dtype or computed_dtype(blocks.dtype)),
            shape=shape,
        )

    def _sent(self, series: SeriesSet) -> SeriesSet:
        """Send the series to the device that is asked for."""
        return on_device(series, self.device)

    def _losses(
        self, x: SeriesSet, y: SeriesSet | None, **options: Any
    ) -> np.ndarray:
        """Return the loss ``(N, M)`` between series, on the host."""
        return cuda.to_cpu(matrix(x, y, self._loss(), **options))

    def _centers(self, centers: np.ndarray, like: SeriesSet) -> SeriesSet:
        """Return centers ``(K, length, d)`` where other series are."""
        device = backend.get_device_from_array(like.array)
        array = device.send(centers.astype(like.array.dtype, copy=False))
        return SeriesSet(array, None, False, array.dtype)


def _call(
    series: SeriesSet,
    method: Callable[[Any, SeriesSet], np.ndarray],
    estimator: SeriesEstimator,
) -> np.ndarray:
    return method(estimator, series)


class SeriesClassifier(ClassifierMixin, SeriesEstimator):
    """An estimator that is fitted to series and their classes."""

    classes_: NDArray[np.generic]

    def score(
        self,
        X: Series | Collection,
        y: Labels,
        sample_weight: Reals | None = None,
    ) -> float:
        """The share of series whose class is predicted.

        Args:
            X (list, :ref:`ndarray` or collection): ``N`` series in a form
                that :meth:`predict` takes.
            y (numpy.ndarray): ``(N,)``, their classes.
            sample_weight (numpy.ndarray): ``(N,)``, >= 0; None means 1.

        Returns:
            float: Between 0 and 1.

        """
        # scikit-learn would compute what is lazy several times.
        if is_collection(y):
            y = np.asarray(y)
        found = np.asarray(self.predict(X))
        return float(accuracy_score(y, found, sample_weight=sample_weight))

    def _labels(self, y: Any, series: SeriesSet | Blocks) -> np.ndarray:
        """Set ``classes_`` and return each series' index in it."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the "
                "target y is None"
            )
        if is_collection(y):
            y = np.asarray(y)
        y = on_host(y)
        check_unmasked("y", y)
        if not hasattr(y, "dtype"):
            y = read_array("y", y, "classes")
        y = column_or_1d(y, warn=True)
        assert_all_finite(y)
        check_classification_targets(y)
        check_consistent_length(range(len(series)), y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        return labels


def as_sample_weight(sample_weight: Any, size: int) -> np.ndarray:
    """Return the weights ``(size,)`` of series as float64.

    Args:
        sample_weight: Weights, one number for all series, or None for 1.
        size: The number of series.

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If the shape is wrong, one is negative, NaN or infinite,
            or all are 0.
    """
    if is_dask(sample_weight):
        sample_weight = sample_weight.compute()
    ndim = getattr(sample_weight, "ndim", None)
    if isinstance(sample_weight, numbers.Real) or ndim == 0:
        sample_weight = np.full(
            size, as_number("sample_weight", sample_weight)
        )
    return as_weights("sample_weight", sample_weight, size, nonzero=True)


def _is_list(X: Any) -> bool:
    """Whether it is a list of series, not an array as nested lists."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1
    if not isinstance(X, (list, tuple)):
        return False
    rows = all(isinstance(row, (list, tuple)) for row in X)
    return not rows or len({len(row) for row in X}) > 1
