"""Pictures of what a loss aligns in the course of a training."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Callable

import chainer
from chainer.dataset import convert
from chainer.training import extensions
from chainer.training.extension import Extension
from chainer.training.trainer import Trainer

from chainer_sdtw._engine.series import array_of
from chainer_sdtw._engine.types import DeviceSpec, Series
from chainer_sdtw.links import SoftDTWLoss
from chainer_sdtw.visualization import plot_alignment


class AlignmentPlot(Extension):
    """Trainer extension to draw alignments of predictions and targets.

    Writes a picture into the trainer's folder after each epoch, unless
    another trigger is given: for a few examples, how the loss aligns the
    model's prediction with the target. Without matplotlib it warns and does
    nothing, as :class:`chainer.training.extensions.PlotReport` does.

    Args:
        examples (sequence of tuples): A few examples of a data set, such as
            ``dataset[:4]``. The last item of each is its target.
        predict (callable): A model or a function. It takes batches of all
            other items and returns predictions ``(1, m, d)`` or ``(1, m)``,
            or a list of one. It is called with one example at a time, in
            test mode.
        loss (~chainer_sdtw.links.SoftDTWLoss): What aligns them.
        converter (callable): Makes arrays of a list of examples.
        device: Where to send the arrays.
        filename (str): Name of the picture, a format string for the trainer.

    .. admonition:: Example

        .. code-block:: python

            trainer.extend(AlignmentPlot(test[:4], model, loss))

    """

    trigger = 1, "epoch"

    def __init__(
        self,
        examples: Iterable[Sequence[object]],
        predict: Callable[..., Series],
        loss: SoftDTWLoss,
        *,
        converter: Callable[..., object] = chainer.dataset.concat_examples,
        device: DeviceSpec | None = None,
        filename: str = "alignment_epoch_{.updater.epoch}.png",
    ) -> None:
        self.available()  # warns
        self.examples = list(examples)
        if not self.examples:
            raise ValueError("examples must not be empty")
        self.predict = predict
        self.loss = loss
        self.converter = converter
        self.device = None if device is None else chainer.get_device(device)
        self.filename = filename

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.examples)} examples, "
            f"loss={self.loss}, filename={self.filename!r})"
        )

    @staticmethod
    def available() -> bool:
        """Whether there is a matplotlib; warns if there is none."""
        return extensions.PlotReport.available()

    def __call__(self, trainer: Trainer) -> None:
        if not self.available():
            return
        # Not by pyplot: it needs a display, and its figures must be closed.
        from matplotlib.figure import Figure

        n_columns = min(len(self.examples), 4)
        n_rows = -(-len(self.examples) // n_columns)
        figure = Figure(
            figsize=(4 * n_columns, 4 * n_rows + 0.4), layout="constrained"
        )
        cells = figure.subfigures(n_rows, n_columns, squeeze=False).flat
        for cell, example in zip(cells, self.examples):
            plot_alignment(
                *self._align(example),
                x_label="prediction",
                y_label="target",
                figure=cell,
            )
        figure.suptitle(
            f"epoch {trainer.updater.epoch}, gamma {self.loss.gamma:.3g}"
        )
        path = os.path.join(trainer.out, self.filename.format(trainer))
        figure.savefig(path)

    def _align(self, example: Sequence[object]) -> tuple:
        """A prediction, its target, and their alignment."""
        *inputs, target = convert._call_converter(
            self.converter, [example], self.device
        )
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            predicted: Any = self.predict(*inputs)
            x, y = (
                array[:, None] if array.ndim == 1 else array
                for array in (
                    array_of(batch[0]) for batch in (predicted, target)
                )
            )
            alignment = self.loss.alignment(x[None], y[None])
        return x, y, array_of(alignment)[0]
