#!/usr/bin/env python
"""Cluster time series with k-means under soft-DTW, and draw the centers."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer: repairs)

import argparse
import os
import sys
import tempfile
import time

import chainer
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.metrics import adjusted_rand_score

from chainer_sdtw.datasets import get_ucr
from chainer_sdtw.estimators import SoftDTWKMeans


def load(args):
    """Return both halves of a set of the archive, scaled to unit variance."""
    train, test = get_ucr(args.dataset, args.root)
    if not train.classes:
        raise ValueError("its series have targets, not classes")
    features = train.series[0].shape[1]
    if args.feature >= features:
        raise ValueError(f"no feature {args.feature} among {features}")
    values = np.concatenate(list(train.series))
    mean, std = values.mean(axis=0), values.std(axis=0)
    std[std == 0] = 1
    series = [
        [(s - mean) / std for s in half.series] for half in (train, test)
    ]
    return train, test, *series


def cluster(train, test, series, test_series, device, args):
    """Fit clusters and print how well they agree with the classes."""
    model = SoftDTWKMeans(
        args.clusters or len(train.classes),
        gamma=args.gamma,
        loss=args.loss,
        n_init=args.starts,
        length=args.length,
        bandwidth=args.bandwidth,
        device=device,
        random_state=args.seed,
        verbose=args.verbose,
    )
    began = time.perf_counter()
    model.fit(series)
    seconds = time.perf_counter() - began
    predicted = model.predict(test_series)
    names = [str(c) for c in train.classes]
    width = max(6, *(len(name) + 2 for name in names))
    table = np.zeros((model.n_clusters, len(names)), int)
    np.add.at(table, (model.labels_, train.labels), 1)
    print("Series of the training set, by cluster (rows) and class:")
    print(f"{'':8}" + "".join(f"{name:>{width}}" for name in names))
    for k, row in enumerate(table):
        print(f"{k:<8}" + "".join(f"{count:{width}}" for count in row))
    print(f"Inertia: {model.inertia_:.6g}")
    print(f"Iterations: {model.n_iter_}")
    print(f"Seconds: {seconds:.2f}")
    for half, labels in (train, model.labels_), (test, predicted):
        score = adjusted_rand_score(half.labels, labels)
        print(f"Adjusted Rand index, {half.split.lower()}: {score:.3f}")
    return model


def plot(path, model, train, series, args):
    """Draw each center over the series of its cluster."""
    centers = model.cluster_centers_
    columns = min(len(centers), 3 if len(centers) <= 9 else 5)
    rows = -(-len(centers) // columns)
    figure = Figure(
        figsize=(3 * columns + 1, 2.1 * rows + 0.8), layout="constrained"
    )
    axes = figure.subplots(
        rows, columns, sharex=True, sharey=True, squeeze=False
    )
    for ax in axes.flat[len(centers) :]:
        ax.remove()
    colors = [colormaps["tab10"](k % 10) for k in range(len(train.classes))]
    for k, (ax, center) in enumerate(zip(axes.flat, centers)):
        in_cluster = np.flatnonzero(model.labels_ == k)
        for i in in_cluster:
            ax.plot(
                series[i][:, args.feature],
                color=colors[train.labels[i]],
                linewidth=0.6,
                alpha=0.5,
            )
        ax.plot(center[:, args.feature], color="k", linewidth=2)
        ax.set_title(
            f"cluster {k}: {len(in_cluster)} series", fontsize="medium"
        )
        if k >= len(centers) - columns:
            ax.tick_params(labelbottom=True)
            ax.set_xlabel("time step")
    for ax in axes[:, 0]:
        ax.set_ylabel(
            "value" if centers.shape[2] == 1 else f"feature {args.feature}"
        )
    lines = [Line2D([], [], color="k", linewidth=2)]
    lines += [Line2D([], [], color=color) for color in colors]
    axes[0, -1].legend(
        lines,
        ["center", *(f"class {name}" for name in train.classes)],
        fontsize="small",
        labelspacing=0.2,
        loc="upper left",
        bbox_to_anchor=(1, 1),
    )
    figure.suptitle(
        f"Training series of {args.dataset}: k-means, {args.loss}, "
        f"gamma {args.gamma:g}"
    )
    figure.savefig(path, dpi=72)


def number(convert, least, most=sys.float_info.max):
    """Return a reader of numbers that are in a range."""

    def read(text):
        value = convert(text)
        if least <= value <= most:
            return value
        bound = f"most {most}" if value > most else f"least {least}"
        raise argparse.ArgumentTypeError(f"must be at {bound}: {text}")

    read.__name__ = convert.__name__  # for argparse's own messages
    return read


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--dataset",
        default="JapaneseVowels",
        metavar="NAME",
        help="data set of the UCR/UEA archive (default: %(default)s)",
    )
    parser.add_argument(
        "--root",
        metavar="FOLDER",
        help="local copy of the archive (default: $CHAINER_SDTW_UCR_ROOT, "
        "or the sets that aeon has or downloads)",
    )
    parser.add_argument(
        "--clusters",
        "-k",
        type=number(int, 1),
        help="number of clusters (default: that of classes)",
    )
    parser.add_argument(
        "--gamma",
        type=number(float, 0),
        default=1.0,
        help="smoothing (default: %(default)s)",
    )
    parser.add_argument(
        "--loss",
        default="soft_dtw",
        help="the name of the loss to minimise (default: %(default)s)",
    )
    parser.add_argument(
        "--length",
        type=number(int, 1),
        help="length of the centers (default: mean of the series')",
    )
    parser.add_argument(
        "--bandwidth",
        type=number(int, 0),
        help="radius of Sakoe and Chiba's band (default: no band)",
    )
    parser.add_argument(
        "--starts",
        type=number(int, 1),
        default=3,
        help="number of first centers to try, of which the best result "
        "counts (default: %(default)s)",
    )
    parser.add_argument(
        "--feature",
        type=number(int, 0),
        default=0,
        help="the feature to draw (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=number(int, 0, 2**32 - 1),
        default=0,
        help="seed of the first centers (default: %(default)s)",
    )
    parser.add_argument(
        "--verbose", "-v", action="store_true", help="show a progress bar"
    )
    parser.add_argument(
        "--device",
        "-d",
        default="-1",
        help="device specifier: -1 for NumPy, the number of a GPU for CuPy "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        "-o",
        default="result",
        metavar="FOLDER",
        help="folder for the picture (default: %(default)s)",
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        device = chainer.get_device(args.device)
        device.use()
    except Exception as e:  # each backend has errors of its own
        sys.exit(f"--device {args.device}: {e}")
    try:
        os.makedirs(args.out, exist_ok=True)
        tempfile.TemporaryFile(dir=args.out).close()
    except OSError as e:
        sys.exit(f"--out {args.out}: {e}")
    try:
        train, test, series, test_series = load(args)
    except (ConnectionError, FileNotFoundError, ImportError, ValueError) as e:
        sys.exit(f"--dataset {args.dataset}: {e}")
    if args.clusters and args.clusters > len(series):
        sys.exit(
            f"--clusters {args.clusters}: the training set has only "
            f"{len(series)} series"
        )
    print(f"Device: {device}")
    path = os.path.join(args.out, "clusters.png")
    try:
        model = cluster(train, test, series, test_series, device, args)
        plot(path, model, train, series, args)
    except (FloatingPointError, ImportError, ValueError) as e:
        sys.exit(str(e))
    except OSError as e:
        sys.exit(f"--out {args.out}: {e}")
    print(f"Picture: {path}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nInterrupted", file=sys.stderr)
        sys.exit(130)
