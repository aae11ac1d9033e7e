"""Pictures of alignments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from chainer_sdtw._engine.optional import import_error
from chainer_sdtw._engine.series import (
    check_series,
    on_host,
    unmasked_array,
)
from chainer_sdtw._engine.types import ArrayLike
from sdtw_cpu.checks import as_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure, FigureBase

AnyFigure = TypeVar("AnyFigure", bound="FigureBase")

_PATH = "#d55e00"
_SERIES = "#0072b2"


@overload
def plot_alignment(
    x: ArrayLike,
    y: ArrayLike,
    alignment: ArrayLike,
    *,
    path: ArrayLike | None = None,
    x_label: str = "x",
    y_label: str = "y",
    title: str | None = None,
    cmap: str | Colormap = "Greys",
    figure: None = None,
) -> tuple[Figure, dict[str, Axes]]: ...
@overload
def plot_alignment(
    x: ArrayLike,
    y: ArrayLike,
    alignment: ArrayLike,
    *,
    path: ArrayLike | None = None,
    x_label: str = "x",
    y_label: str = "y",
    title: str | None = None,
    cmap: str | Colormap = "Greys",
    figure: AnyFigure,
) -> tuple[AnyFigure, dict[str, Axes]]: ...
def plot_alignment(
    x: Any,
    y: Any,
    alignment: Any,
    *,
    path: Any = None,
    x_label: str = "x",
    y_label: str = "y",
    title: str | None = None,
    cmap: str | Colormap = "Greys",
    figure: Any = None,
) -> tuple[Any, dict[str, Axes]]:
    """Draw an alignment as a matrix with the two series at its sides.

    ``x`` is on the left and its time runs down, ``y`` is on top. A cell is as
    dark as the square root of its entry, so that the wide alignments of a
    large smoothing can still be seen.

    Needs matplotlib: ``pip install matplotlib``.

    Args:
        x (:class:`~chainer.Variable` or :ref:`ndarray`): The first series,
            ``(m, d)`` or ``(m,)``; all features are drawn. On any device,
            like the other arrays.
        y (:class:`~chainer.Variable` or :ref:`ndarray`): The second series,
            ``(n, d)`` or ``(n,)``.
        alignment (:class:`~chainer.Variable` or :ref:`ndarray`): ``(m, n)``
            numbers >= 0: what :func:`~chainer_sdtw.soft_alignment` returns
            for one pair.
        path (:ref:`ndarray`): ``(K, 2)`` cells to draw as a line: what
            :func:`~chainer_sdtw.alignment_path` returns for one pair.
        x_label (str): Name of the first series.
        y_label (str): Name of the second series.
        title (str): Title of the picture.
        cmap: Colours, of matplotlib.
        figure (matplotlib.figure.Figure or matplotlib.figure.SubFigure):
            Empty figure to draw into. By default a new one of
            :mod:`matplotlib.pyplot`, which shows and closes it.

    Returns:
        tuple: The figure, and a dict of its axes ``'alignment'``, ``'x'`` and
        ``'y'``.

    Raises:
        ImportError: matplotlib cannot be imported.
        TypeError: If something is not real numbers.
        ValueError: If the shapes do not fit.

    .. admonition:: Example

        >>> x, y = np.sin(np.arange(20.)), np.sin(np.arange(2., 25.))
        >>> e = chainer_sdtw.soft_alignment(x, y, gamma=0.1)
        >>> fig, axes = chainer_sdtw.plot_alignment(x, y, e)
        >>> fig.savefig('alignment.png')

    """
    x, y = _as_series("x", x), _as_series("y", y)
    alignment = _on_host("alignment", alignment)
    if alignment.shape != (len(x), len(y)):
        raise ValueError(
            f"alignment must have shape {(len(x), len(y))}, got "
            f"{alignment.shape}"
        )
    path = None if path is None else _on_host("path", path)
    if path is not None and (path.ndim != 2 or path.shape[1] != 2):
        raise ValueError(f"path must have shape (K, 2), got {path.shape}")
    try:
        from matplotlib.colors import PowerNorm
    except Exception as e:
        raise import_error(
            "plot_alignment", "matplotlib", "matplotlib", "plot", e
        ) from e
    if figure is None:
        import matplotlib.pyplot as plt

        # Cells are nearly square, unless that makes it too high or low.
        height = min(max(5.2 * len(x) / len(y), 3.5), 10)
        figure = plt.figure(figsize=(5.5, height), layout="constrained")

    axes = figure.subplot_mosaic(
        [[".", "y"], ["x", "alignment"]],
        gridspec_kw={"width_ratios": [1, 5], "height_ratios": [1, 5]},
    )
    top, left, table = axes["y"], axes["x"], axes["alignment"]
    highest = np.nanmax(alignment, initial=1.0)
    table.imshow(
        alignment,
        aspect="auto",
        cmap=cmap,
        norm=PowerNorm(0.5, vmin=0, vmax=highest),
    )
    if path is not None:
        table.plot(path[:, 1], path[:, 0], color=_PATH, lw=1)
    color = _SERIES if x.shape[1] == y.shape[1] == 1 else None
    top.plot(np.arange(len(y)), y, color=color, lw=1.3)
    left.plot(x, np.arange(len(x)), color=color, lw=1.3)
    # Values on one scale, those of x growing away from the table.
    limits = (*left.get_xlim(), *top.get_ylim())
    left.set_xlim(max(limits), min(limits))
    top.set_ylim(min(limits), max(limits))

    top.sharex(table)
    left.sharey(table)
    for ax in (top, left):
        ax.spines[:].set_visible(False)
        ax.tick_params(
            bottom=False, left=False, labelbottom=False, labelleft=False
        )
    table.tick_params(left=False, labelleft=False, right=True, labelright=True)
    left.set_ylabel(x_label)
    top.set_title(y_label, fontsize="medium", pad=3)
    if title is not None:
        figure.suptitle(title)
    return figure, axes


def _as_series(name: str, a: Any) -> np.ndarray:
    a = _on_host(name, a)
    check_series(name, a)
    return a.reshape(len(a), -1)


def _on_host(name: str, a: Any) -> np.ndarray:
    return as_array(name, on_host(unmasked_array(name, a)))
