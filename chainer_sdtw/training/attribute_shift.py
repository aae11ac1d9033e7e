"""A schedule for the smoothing of a loss."""

from __future__ import annotations

import math
import numbers
from typing import Any, Literal

import chainer
from chainer.serializer import AbstractSerializer
from chainer.training.extensions.linear_shift import LinearShift

from sdtw_cpu.checks import as_number


class AttributeShift(LinearShift):
    """Trainer extension to shift an attribute of a link.

    It does for links such as :class:`~chainer_sdtw.links.SoftDTWLoss` what
    :class:`chainer.training.extensions.LinearShift` does for an optimizer.
    The attribute has the first value up to the first time, the last value
    from the last time on, and values between these in between. Times count
    the calls of the extension: epochs, unless another trigger is given. It is
    called after the extensions that evaluate, report and draw, so that these
    still see the value of the epoch that has ended, and before snapshots are
    taken.

    The current value is saved in snapshots, whether or not the attribute is a
    persistent value of the link, and set when one is loaded by
    ``snapshot(autoload=True)`` or :func:`chainer.serializers.load_npz`. For
    that the attribute and the numbers become floats.

    Early in a training, alignments would follow the output of a model that
    has learnt nothing. With a large ``gamma`` all alignments count then, and
    with the diagonal prior (``prior``) those near the diagonal.

    See: J. Zeitler, S. Deniffel, M. Krause and M. Müller, `Stabilizing
    Training with Soft Dynamic Time Warping: A Case Study for Pitch Class
    Estimation with Weakly Aligned Targets <https://arxiv.org/abs/2308.05429>`_,
    ISMIR 2023. The values in the example are those of its code.

    Args:
        attr (str): Name of the attribute.
        value_range (tuple of float): The first and the last value.
        time_range (tuple of ints): The last time of the first value and the
            first time of the last one.
        link (~chainer.Link): What has the attribute.
        scale (str): ``'linear'``, or ``'log'`` to change by the same factor
            at each call; the values must be positive for that.

    Raises:
        AttributeError: If the link has no such attribute.
        TypeError: If values or times are not two numbers.
        ValueError: If the times decrease, there is no such scale, or values
            are not positive for ``'log'``.

    .. admonition:: Example

        .. code-block:: python

            loss = chainer_sdtw.links.SoftDTWLoss(gamma=10, prior=3)
            trainer.extend(
                AttributeShift('gamma', (10, 0.1), (10, 20), loss))
            trainer.extend(
                AttributeShift('prior', (3, 0), (5, 10), loss))

    """

    trigger = 1, "epoch"
    priority = 0

    def __init__(
        self,
        attr: str,
        value_range: tuple[float, float],
        time_range: tuple[int, int],
        link: object,
        scale: Literal["linear", "log"] = "linear",
    ) -> None:
        if not hasattr(link, attr):
            raise AttributeError(
                f"{type(link).__name__} has no attribute {attr!r}"
            )
        value_range = _two_floats("value_range", value_range)
        if not all(map(math.isfinite, value_range)):
            raise ValueError(f"value_range must be finite, got {value_range}")
        first, last = _two_floats("time_range", time_range)
        if not first <= last:
            raise ValueError(f"time_range must not decrease, got {time_range}")
        if scale not in ("linear", "log"):
            raise ValueError(f"scale must be 'linear' or 'log', got {scale!r}")
        if scale == "log" and not min(value_range) > 0:
            raise ValueError(
                f"value_range must be positive for scale='log', got "
                f"{value_range}"
            )
        # Chainer loads a float from a snapshot only where a float is.
        value = getattr(link, attr)
        if isinstance(value, numbers.Real):
            setattr(link, attr, float(value))
        super().__init__(attr, value_range, (first, last), optimizer=link)
        self._scale = scale

    def __repr__(self) -> str:
        v1, v2 = self._value_range
        t1, t2 = self._time_range
        return (
            f"{type(self).__name__}({self._attr!r}, ({v1:g}, {v2:g}), "
            f"({t1:g}, {t2:g}), {self._optimizer}, scale={self._scale!r})"
        )

    def serialize(self, serializer: AbstractSerializer) -> None:
        super().serialize(serializer)
        # An autoloading snapshot is loaded after initialize() has set the
        # first value, and the attribute need not be in it.
        loading = isinstance(serializer, chainer.Deserializer)
        if loading and self._last_value is not None:
            self._update_value(self._optimizer, float(self._last_value))

    def _get_optimizer(self, trainer: Any) -> Any:
        return self._optimizer

    def _compute_next_value(self) -> float:
        t1, t2 = self._time_range
        v1, v2 = self._value_range
        if self._scale == "log" and t1 < self._t < t2:
            return v1 * (v2 / v1) ** ((self._t - t1) / (t2 - t1))
        return super()._compute_next_value()


def _two_floats(name: str, pair: Any) -> tuple[float, float]:
    try:
        first, last = pair
        return as_number(name, first), as_number(name, last)
    except (TypeError, ValueError) as e:
        raise TypeError(f"{name} must be two numbers, got {pair!r}") from e
