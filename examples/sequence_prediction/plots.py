"""A picture of test series with the predictions of several models."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

matplotlib.use("Agg")  # no windows, also for Chainer's PlotReport


def choose(labels, n):
    """Return the indices of n examples, in order, from all classes."""
    queues = [list(np.flatnonzero(labels == k)) for k in np.unique(labels)]
    chosen = []
    while any(queues) and len(chosen) < n:
        chosen += [queue.pop(0) for queue in queues if queue]
    return sorted(chosen[:n])


def plot_predictions(path, title, test, archive, lines):
    """Draw six test series and what the models predict.

    Args:
        path (str): The file to write.
        title (str): The title of the picture.
        test: Pairs of the past and the future of series.
        archive: The data set that they come from, with labels.
        lines: For each model a label, a color and its predictions.

    """
    chosen = choose(archive.labels, 6)
    fig = Figure(figsize=(13, 7), layout="constrained")
    axes = fig.subplots(2, 3, squeeze=False)
    for ax in axes.flat[len(chosen) :]:
        ax.set_axis_off()
    for ax, i in zip(axes.flat, chosen):
        past, future = (part[:, 0] for part in test[i])
        n, end = len(past), len(past) + len(future)
        ax.axvspan(0, n - 1, color="0.94", zorder=0, lw=0)
        ax.plot(past, color="0.45", lw=1.5, label="input: first 60 %")
        ax.plot(
            np.arange(n - 1, end),
            np.append(past[-1], future),
            color="black",
            lw=2.2,
            label="truth",
        )
        for label, color, predictions in lines:
            ax.plot(
                np.arange(n, end),
                predictions[i][:, 0],
                color=color,
                lw=1.7,
                label=f"trained with {label}",
            )
        ax.set_xlim(0, end - 1)
        if archive.classes:
            name = f"class {archive.classes[archive.labels[i]]}"
        else:
            name = f"target {archive.labels[i]:.3g}"
        ax.set_title(f"test series {i}, {name}", fontsize=11)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("time step")
    n_channel = test[0][0].shape[1]
    for ax in axes[:, 0]:
        ax.set_ylabel(
            "value" if n_channel == 1 else f"channel 1 of {n_channel}"
        )
    fig.suptitle(title, fontsize=13)
    fig.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncol=4,
        frameon=False,
        fontsize=11,
    )
    fig.savefig(path, dpi=110)
