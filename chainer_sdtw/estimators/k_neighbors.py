"""Classification by the nearest series."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Callable, Literal, overload

import numpy as np
from chainer.backends import cuda
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from chainer_sdtw._engine.losses import LOSSES
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
from chainer_sdtw.distributed.sources import as_blocks, is_collection
from chainer_sdtw.estimators._base import SeriesClassifier
from chainer_sdtw.learning._nearest import Nearest
from chainer_sdtw.learning._progress import progress
from sdtw_cpu.checks import as_integer
from sdtw_cpu.types import FloatArray, Reals


class SoftDTWKNeighborsClassifier(SeriesClassifier):
    """The class of most of the series that have the least loss.

    The neighbors are found as by :func:`~chainer_sdtw.nearest_neighbors`:
    losses that a lower bound tells to be too large are not computed.

    Args:
        n_neighbors (int): How many neighbors have a vote.
        weights (str or callable): ``'uniform'``: each neighbor's vote counts
            the same. ``'distance'``: as the inverse of its loss, which must
            not be negative; if there are neighbors with a loss of 0, only
            theirs count. Soft-DTW itself can be negative, so this is for the
            divergences, where what is below 0 by rounding is 0. A function
            is given losses ``(N, n_neighbors)`` and returns weights.
        gamma (float): Smoothing, >= 0, in units of the cost.
        loss (str or callable): A loss by its name, or its function, of those
            in the :ref:`table of losses <loss-names>`.
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
        classes_ (numpy.ndarray): ``(C,)``, the classes.
        n_samples_fit_ (int): The number of series fitted.
        n_features_in_ (int): The number of features; for series ``(N, L)``
            of columns, as scikit-learn counts.

    .. admonition:: Example

        >>> from chainer_sdtw.estimators import SoftDTWKNeighborsClassifier
        >>> series = [[0, 0, 1, 2], [0, 1, 2], [5, 5, 4], [5, 4, 4, 4.]]
        >>> model = SoftDTWKNeighborsClassifier(1, loss='soft_dtw_divergence')
        >>> print(model.fit(series, [7, 7, 3, 3]).predict([[0, 1, 2, 2.]]))
        [7]

    """

    n_samples_fit_: int

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        weights: (
            Literal["uniform", "distance"] | Callable[[FloatArray], Reals]
        ) = "uniform",
        gamma: float = 1.0,
        loss: LossSpec = "soft_dtw",
        cost: Cost = "sqeuclidean",
        bandwidth: int | None = None,
        device: DeviceSpec | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.gamma = gamma
        self.loss = loss
        self.cost = cost
        self.bandwidth = bandwidth
        self.device = device
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Series, y: Labels) -> SoftDTWKNeighborsClassifier:
        """Remember series and their classes.

        Args:
            X (list or :ref:`ndarray`): ``(N, L, d)``, ``(N, L)`` for
                univariate series, or a list of series ``(length, d)`` or
                ``(length,)``.
            y (numpy.ndarray): ``(N,)``, their classes.

        Returns:
            SoftDTWKNeighborsClassifier: The estimator itself.

        Raises:
            TypeError: If an argument is of a wrong type.
            ValueError: If a shape is wrong, an argument out of range, or a
                series has a NaN or an infinity.

        """
        series = self._series(X, reset=True)
        labels = self._labels(y, series)
        loss = self._loss()
        as_integer("n_neighbors", self.n_neighbors, 1)
        if not callable(self.weights):
            names = "uniform", "distance"
            if not isinstance(self.weights, str) or self.weights not in names:
                raise ValueError(
                    "weights must be 'uniform', 'distance' or a function, "
                    f"got {self.weights!r}"
                )
            if self.weights == "distance" and loss.kind.signed:
                _refuse(f"loss={loss.kind.name!r} can be")
        self._fitted = dataclasses.replace(
            series, array=cuda.to_cpu(series.array)
        )
        self._fitted_labels = labels
        self.n_samples_fit_ = len(series)
        return self

    @overload
    def kneighbors(
        self,
        X: Collection,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
    ) -> tuple[DaskArray, DaskArray]: ...
    @overload
    def kneighbors(
        self,
        X: Collection,
        n_neighbors: int | None = None,
        *,
        return_distance: Literal[False],
    ) -> DaskArray: ...
    @overload
    def kneighbors(
        self,
        X: Series | None = None,
        n_neighbors: int | None = None,
        return_distance: Literal[True] = True,
    ) -> tuple[FloatArray, NDArray[np.intp]]: ...
    @overload
    def kneighbors(
        self,
        X: Series | None = None,
        n_neighbors: int | None = None,
        *,
        return_distance: Literal[False],
    ) -> NDArray[np.intp]: ...
    @overload
    def kneighbors(
        self,
        X: Series | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
    ) -> NDArray[np.intp] | tuple[FloatArray, NDArray[np.intp]]: ...
    def kneighbors(
        self,
        X: Any = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
    ) -> Any:
        """The series fitted that have the least losses.

        Args:
            X (list or :ref:`ndarray`): ``N`` series in a form that
                :meth:`fit` takes, of any lengths; but ``(N, L)`` after
                ``(N, L)`` has as many columns. None means those fitted,
                none of which is then its own neighbor.
            n_neighbors (int): How many; None means as many as vote.
            return_distance (bool): Whether to return the losses too.

        Returns:
            tuple: Losses ``(N, n_neighbors)``, the least first, and indexes
            of the series fitted, of the same shape; or the indexes alone. Of
            a collection they are Dask arrays.

        Raises:
            ValueError: If there are fewer series than ``n_neighbors``.

        """
        check_is_fitted(self, "classes_")
        count = self._count(n_neighbors, X)
        if X is not None and is_collection(X):
            blocks = as_blocks(X)
            record = np.dtype(
                [
                    ("losses", computed_dtype(blocks.dtype), (count,)),
                    ("indexes", np.intp, (count,)),
                ]
            )
            find = functools.partial(type(self)._found, record=record)
            found = self._of_series(blocks, find, record)
            losses, indexes = found["losses"], found["indexes"]
        else:
            x = None if X is None else self._series(X, reset=False)
            losses, indexes = self._search(x, count)
        return (losses, indexes) if return_distance else indexes

    def _count(self, n_neighbors: Any, X: Any) -> int:
        """Check the number of neighbors of series, or of those fitted."""
        count = self.n_neighbors if n_neighbors is None else n_neighbors
        count = as_integer("n_neighbors", count, 1)
        limit = self.n_samples_fit_ - (X is None)
        if count > limit:
            raise ValueError(
                f"n_neighbors must be <= {limit}, the number of series, got "
                f"n_neighbors={count}, n_samples_fit={self.n_samples_fit_}"
            )
        return count

    def _found(self, series: SeriesSet, record: np.dtype) -> np.ndarray:
        """Return losses and indexes as records ``(N,)``."""
        (count,) = record["losses"].shape
        found = np.empty(len(series), record)
        found["losses"], found["indexes"] = self._search(series, count)
        return found

    def _search(
        self, series: SeriesSet | None, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and indexes; None means the series fitted."""
        loss = self._loss()
        y = self._sent(self._fitted)
        x = y if series is None else self._sent(series)
        with self._computing(x):
            others = None if series is None else self._beside(y, x)
            with progress(
                self.verbose, len(x) * len(y), "neighbors", unit="pair"
            ) as bar:
                dtype = x.array.dtype
                search = Nearest(x, others, loss, count, dtype=dtype)
                return search.find(bar)

    @overload
    def predict(self, X: Collection) -> DaskArray: ...
    @overload
    def predict(self, X: Series) -> NDArray[np.generic]: ...
    def predict(
        self, X: Series | Collection
    ) -> NDArray[np.generic] | DaskArray:
        """The classes of series; of equal ones, the first.

        Args:
            X (list, :ref:`ndarray` or collection): ``N`` series
                in a form that :meth:`fit` takes, of any lengths; but ``(N,
                L)`` after ``(N, L)`` has as many columns.

        Returns:
            numpy.ndarray: ``(N,)`` of ``classes_``; of a collection, as
            :func:`~chainer_sdtw.distributed.as_blocks` takes it, a Dask array,
            which is not computed yet.

        """
        check_is_fitted(self, "classes_")
        self._count(None, X)
        if X is None:
            return self._classes(X)
        dtype = self.classes_.dtype
        return self._of_series(X, type(self)._classes, dtype)

    @overload
    def predict_proba(self, X: Collection) -> DaskArray: ...
    @overload
    def predict_proba(self, X: Series) -> FloatArray: ...
    def predict_proba(self, X: Series | Collection) -> FloatArray | DaskArray:
        """The share of the votes for each class.

        Args:
            X (list, :ref:`ndarray` or collection): ``N`` series
                in a form that :meth:`fit` takes, of any lengths; but ``(N,
                L)`` after ``(N, L)`` has as many columns.

        Returns:
            numpy.ndarray: ``(N, C)``, in the order of ``classes_``; of a
            collection a Dask array.

        """
        check_is_fitted(self, "classes_")
        self._count(None, X)
        if X is None:
            return self._shares(X)
        shape = (len(self.classes_),)
        return self._of_series(X, type(self)._shares, np.float64, shape)

    def _classes(self, series: SeriesSet | None) -> np.ndarray:
        return self.classes_[self._shares(series).argmax(axis=1)]

    def _shares(self, series: SeriesSet | None) -> np.ndarray:
        """Return the share of the votes ``(N, C)`` for each class."""
        losses, indexes = self._search(series, self._count(None, series))
        votes = self._votes(losses)
        labels = self._fitted_labels[indexes]
        sums = np.zeros((len(labels), len(self.classes_)), votes.dtype)
        np.add.at(sums, (np.arange(len(labels))[:, None], labels), votes)
        return sums / sums.sum(axis=1, keepdims=True)

    def _beside(self, y: SeriesSet, x: SeriesSet) -> SeriesSet:
        """Return the series fitted on the device of others."""
        if isinstance(y.array, type(x.array)):
            return y
        like = self._centers(cuda.to_cpu(y.array), x)
        return dataclasses.replace(y, array=like.array)

    def _votes(self, losses: np.ndarray) -> np.ndarray:
        if callable(self.weights):
            return np.asarray(self.weights(losses), dtype=np.float64)
        if self.weights == "uniform":
            return np.ones(losses.shape)
        if self._loss().kind.is_divergence:
            losses = np.maximum(losses, 0)
        elif (losses < 0).any():
            _refuse("some losses are")
        zero = losses == 0
        with np.errstate(divide="ignore", over="ignore"):
            votes = 1 / losses.astype(np.float64)
        # The inverse of a subnormal loss would be beyond the range.
        votes = np.minimum(votes, np.finfo(np.float64).max / losses.shape[1])
        return np.where(zero.any(axis=1, keepdims=True), zero, votes)


def _refuse(what: str) -> None:
    names = ", ".join(
        repr(kind.name) for kind in LOSSES.values() if kind.is_divergence
    )
    raise ValueError(
        f"weights='distance' needs losses >= 0, and {what} negative: use "
        f"another loss, such as one of {names}"
    )
