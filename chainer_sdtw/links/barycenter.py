"""A barycenter as a parameter, trained by minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

import chainer
import numpy as np
from chainer import functions as F
from chainer.backends import cuda
from chainer.link import Link

import sdtw_cpu
from chainer_sdtw._engine.losses import Loss, as_loss, less_half, paired
from chainer_sdtw._engine.series import array_of, on_host
from chainer_sdtw._engine.series_set import as_one_series, as_series_set
from chainer_sdtw._engine.types import (
    ArrayLike,
    Cost,
    LossSpec,
    Parameter,
    Series,
    Variable,
)
from sdtw_cpu.checks import as_weights, check_kind, check_weights_shape
from sdtw_cpu.types import Integer, Real


class Barycenter(Link):
    """Barycenter of time series that any optimizer can train.

    For more series than fit in memory, or where steps of minibatches are
    faster: a call with a minibatch returns a loss whose expectation is the
    objective of :func:`~chainer_sdtw.barycenter` divided by the number of
    series. ``gamma`` is saved in snapshots, and
    :class:`~chainer_sdtw.training.AttributeShift` can schedule it.

    See: M. Cuturi and M. Blondel, `Soft-DTW: a Differentiable Loss Function
    for Time-Series <https://arxiv.org/abs/1703.01541>`_, ICML 2017, equation
    4.

    Args:
        init (:ref:`ndarray`): The initial guess, ``(length, d)``, or
            ``(length,)`` for univariate series: float16, float32 or float64.
        gamma (float): Smoothing, >= 0, in units of the cost.
        loss (str or callable): A loss by its name, or its function, of those
            in the :ref:`table of losses <loss-names>`.
        cost (str or callable): A cost as in
            :func:`~chainer_sdtw.cost_matrix`.
        bandwidth (int): Radius of Sakoe and Chiba's band; None means no
            band.

    Attributes:
        barycenter (~chainer.Parameter): ``(length, d)`` or ``(length,)``.
        gamma (float): Smoothing.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a shape is wrong or an argument out of range.

    .. admonition:: Example

        >>> series = np.array([[0, 0, 1, 2], [0, 1, 2, 2]], np.float32)
        >>> link = chainer_sdtw.links.Barycenter(series[0], gamma=0.1)
        >>> optimizer = chainer.optimizers.SGD(lr=0.1).setup(link)
        >>> before = float(link(series).array)
        >>> for _ in range(5):
        ...     optimizer.update(link, series)
        >>> float(link(series).array) < before
        True

    """

    barycenter: Parameter
    gamma: float
    loss: LossSpec
    cost: Cost
    bandwidth: Integer | None

    def __init__(
        self,
        init: ArrayLike,
        gamma: Real = 1.0,
        *,
        loss: LossSpec = "soft_dtw",
        cost: Cost = "sqeuclidean",
        bandwidth: Integer | None = None,
    ) -> None:
        super().__init__()
        as_one_series("init", init)  # checks it
        start: Any = array_of(init)
        if not hasattr(start, "dtype") or start.dtype.kind != "f":
            start = np.asarray(start, chainer.get_dtype())
        start = start.astype(start.dtype.newbyteorder("="))
        self.loss, self.cost, self.bandwidth = loss, cost, bandwidth
        self.gamma = cast(float, gamma)  # which assigning makes it
        self._options()  # checks them
        self.register_persistent("gamma")
        with self.init_scope():
            self.barycenter = Parameter(start)

    def __setattr__(self, name: str, value: Any) -> None:
        # Snapshots are loaded into a number of Python without fail.
        if name == "gamma":
            value = sdtw_cpu.check_gamma(value)
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return str(self)

    @property
    def printable_specs(self) -> Iterator[tuple[str, object]]:
        yield "shape", self.barycenter.shape
        yield "dtype", self.barycenter.dtype
        yield "gamma", self.gamma
        yield "loss", getattr(self.loss, "__name__", self.loss)
        yield "cost", getattr(self.cost, "__name__", self.cost)
        yield "bandwidth", self.bandwidth

    def forward(
        self,
        series: Series,
        weights: ArrayLike | None = None,
        *,
        y_term: Literal["skip"] | None = None,
    ) -> Variable:
        """The mean loss of a minibatch of series to the barycenter.

        It is reported to the trainer as ``'loss'``.

        Args:
            series (list or :ref:`ndarray`): ``(B, n, d)``, ``(B, n)`` for
                univariate series, or a list of series of different lengths,
                of the type of ``init`` and where it is.
            weights (:ref:`ndarray`): ``(B,)``, >= 0, what each loss is
                multiplied with before the mean; None means 1. Of those on a
                GPU only the shape is checked, as more would mean to wait for
                it, unless Chainer is in debug mode.
            y_term (str): For divergences: None takes off the terms of the
                series with themselves; ``'skip'`` leaves out these
                constants, which saves a third of the work.

        Returns:
            ~chainer.Variable: A scalar.

        Raises:
            TypeError: If an argument is of a wrong type.
            ValueError: If shapes do not fit, or there is no such option.
        """
        if y_term not in (None, "skip"):
            raise ValueError(f"y_term must be None or 'skip', got {y_term!r}")
        loss, z = self._options(), self.barycenter
        y = as_series_set("series", series)
        if y.dtype != z.dtype or y.univariate != (z.ndim == 1):
            raise ValueError(
                f"series must be {z.dtype} with {z.ndim - 1} axes of "
                f"features like the barycenter, got {y.dtype} with "
                f"{1 - y.univariate}"
            )
        z = F.cast(z, y.array.dtype)
        z = F.reshape(z, (1, len(z), -1))
        if z.shape[2] != y.features:
            raise ValueError(
                f"series must have {z.shape[2]} features, got {y.features}"
            )
        with chainer.using_device(z.device):
            x = F.broadcast_to(z, (len(y), *z.shape[1:]))
            pairs = paired(x, y.array, None, y.length)
            value: Any = loss.between(pairs)
            if loss.kind.is_divergence:
                z_term = loss.self_terms(paired(z, z))
                value = less_half(value, F.broadcast_to(z_term, value.shape))
                if y_term is None:
                    value = less_half(value, loss.self_terms(pairs.of_y()))
            if weights is not None:
                value *= _weights(value, weights)
            value = F.cast(F.mean(value), y.dtype)
        chainer.report({"loss": value}, self)
        return value

    if TYPE_CHECKING:
        # Chainer's takes and returns anything, as it does not know forward().
        def __call__(
            self,
            series: Series,
            weights: ArrayLike | None = None,
            *,
            y_term: Literal["skip"] | None = None,
        ) -> Variable: ...

    def _options(self) -> Loss:
        return as_loss(self.loss, self.gamma, self.cost, self.bandwidth)


def _weights(value: Any, weights: Any) -> Any:
    weights = array_of(weights)
    if not isinstance(value.array, cuda.ndarray) or chainer.is_debug():
        weights = on_host(weights)
    if isinstance(weights, cuda.ndarray):
        check_kind("weights", weights, "iufb", "real numbers")
        check_weights_shape("weights", weights, len(value))
    else:
        weights = as_weights("weights", weights, len(value))
    with np.errstate(over="ignore"):
        return value.xp.asarray(weights, value.dtype)
