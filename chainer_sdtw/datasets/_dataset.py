"""A data set of series with their labels, and its view in a notebook."""

from __future__ import annotations

import html
from typing import Any, overload

import numpy as np
from chainer.datasets.tuple_dataset import TupleDataset
from numpy.typing import NDArray

from chainer_sdtw.datasets._text import Label
from sdtw_cpu.types import FloatArray, Integer

_MAX_PICTURES = 6  # of a data set in a notebook


class UCRDataset(TupleDataset):
    """One half of a data set: tuples of a series and a label.

    A :class:`chainer.datasets.TupleDataset` that keeps the archive's names of
    its classes. In a notebook it shows series of its first classes.

    Attributes:
        name (str): Name of the data set in the archive.
        split (str): ``'TRAIN'`` or ``'TEST'``.
        classes (tuple): The archive's own labels, sorted: the example with
            label ``k`` is of the class that the archive calls
            ``classes[k]``. They are integers where the archive writes
            integers, otherwise floats or strings as they are written. Both
            halves have the same classes, also if one of them has no example
            of a class. Empty for regression.
        series: Array of shape ``(N, length, d)``, or a list of ``N`` arrays
            of shape ``(length, d)`` if their lengths differ.
        labels (numpy.ndarray): int32 array of shape ``(N,)``; for
            regression, the targets in float64.

    """

    def __init__(
        self,
        name: str,
        split: str,
        classes: tuple[Label, ...],
        series: FloatArray | list[FloatArray],
        labels: NDArray[np.int32] | NDArray[np.float64],
    ) -> None:
        super().__init__(series, labels)
        self.name = name
        self.split = split
        self.classes = classes
        self.series = series
        self.labels = labels

    @overload
    def __getitem__(
        self, index: Integer
    ) -> tuple[FloatArray, np.int32 | np.float64]: ...
    @overload
    def __getitem__(
        self, index: slice
    ) -> list[tuple[FloatArray, np.int32 | np.float64]]: ...
    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index)

    def __repr__(self) -> str:
        lengths = sorted({len(x) for x in self.series})
        length = " to ".join(map(str, lengths[:1] + lengths[1:][-1:]))
        labels = (
            f"{len(self.classes)} classes"
            if self.classes
            else f"targets from {min(self.labels):.4g} to "
            f"{max(self.labels):.4g}"
        )
        return (
            f"<{type(self).__name__} {self.name} {self.split}: "
            f"{len(self)} series of shape ({length}, "
            f"{self.series[0].shape[1]}), {self.series[0].dtype}, {labels}>"
        )

    def _repr_html_(self) -> str:
        """Return the description with pictures of series, for notebooks."""
        indices = np.arange(len(self))
        if self.classes:
            _, indices = np.unique(self.labels, return_index=True)
        pictures = "".join(
            _draw(self.series[i], self._label_name(i))
            for i in indices[:_MAX_PICTURES]
        )
        return f"<div>{html.escape(repr(self))}</div><div>{pictures}</div>"

    def _label_name(self, i: int) -> str:
        if self.classes:
            return f"class {self.classes[self.labels[i]]}"
        return f"target {self.labels[i]:.4g}"


def _draw(series: np.ndarray, name: str) -> str:
    """Return an SVG picture of a series with all its channels."""
    width, height = 150, 60
    y = series[:: max(len(series) // width, 1)].astype(np.float64)
    x = np.linspace(0, width, len(y))
    y = height * (y.max() - y) / (np.ptp(y) or 1)
    lines = "".join(
        f'<polyline fill="none" stroke="hsl({240 * k // y.shape[1]}, 70%, '
        f'45%)" points="'
        + " ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x, channel))
        + '"/>'
        for k, channel in enumerate(y.T)
    )
    return (
        f'<figure style="display: inline-block; margin: 4px"><svg width='
        f'"{width}" height="{height}" viewBox="0 -1 {width} {height + 2}">'
        f"{lines}</svg><figcaption>{html.escape(name)}</figcaption></figure>"
    )
