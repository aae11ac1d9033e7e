#!/usr/bin/env python
"""Draw what is between two series, under soft-DTW and in Euclidean space."""

import chainer_sdtw  # isort: skip  (before chainer, which may need repairs)

import argparse
import os
import sys
import tempfile

import chainer
import numpy as np
from chainer.backends import cuda
from matplotlib import colormaps
from matplotlib.figure import Figure

from chainer_sdtw.datasets import get_ucr

FEATURES = 3  # the most that are drawn


def load(args):
    """Return two training series of the archive, scaled to unit variance."""
    train, _ = get_ucr(args.dataset, args.root)
    if args.series is None:
        random = np.random.RandomState(args.seed)
        args.series = random.permutation(len(train))[:2].tolist()
    for i in args.series:
        if i >= len(train):
            raise ValueError(f"no training series {i} among {len(train)}")
    values = np.concatenate(list(train.series))
    std = values.std(axis=0)
    std[std == 0] = 1
    return [(train.series[i] - values.mean(axis=0)) / std for i in args.series]


def resample(series, length):
    """Return the series at evenly spaced points of its time."""
    times = np.linspace(0, 1, length)
    known = np.linspace(0, 1, len(series))
    z = np.stack([np.interp(times, known, f) for f in series.T], axis=1)
    return z.astype(series.dtype)


def interpolate(series, device, args):
    """Compute weights and, for each of them, a series of each geometry."""
    x, y = series
    pair = [device.send(s) for s in series]
    print(f"{'':6}{'soft-DTW geometry':>22}{'Euclidean geometry':>22}")
    print(f"{'t':6}" + f"{'DTW to X':>11}{'to Y':>11}" * 2)
    between = []
    for t in np.linspace(0, 1, args.count + 2)[1:-1]:
        length = int(np.rint((1 - t) * len(x) + t * len(y)))
        mean = (1 - t) * resample(x, length) + t * resample(y, length)
        mean = device.send(mean.astype(x.dtype))
        z = chainer_sdtw.barycenter(
            pair,
            args.gamma,
            weights=[1 - t, t],
            init=mean,
            loss=args.loss,
            bandwidth=args.bandwidth,
        )
        dtw = chainer_sdtw.pairwise_soft_dtw([z, mean], pair, 0)
        dtw = cuda.to_cpu(dtw).ravel()
        print(f"{t:<6.3g}" + "".join(f"{value:11.4g}" for value in dtw))
        between.append((t, cuda.to_cpu(z), cuda.to_cpu(mean)))
    return between


def plot(path, series, between, args):
    """Draw a column for each geometry and a row for each feature."""
    features = min(series[0].shape[1], FEATURES)
    figure = Figure(figsize=(10, 2.6 * features + 1), layout="constrained")
    axes = figure.subplots(
        features, 2, sharex=True, sharey="row", squeeze=False
    )
    axes[0, 0].set_title(f"Between them: {args.loss}, gamma {args.gamma:g}")
    axes[0, 1].set_title("Between them: Euclidean means")
    x, y = series
    for column, axis in enumerate(axes.T):
        lines = [(t, pair[column], 1.2) for t, *pair in between]
        lines = [(0, x, 2.5), *lines, (1, y, 2.5)]
        for k, ax in enumerate(axis):
            for t, z, width in lines:
                ax.plot(
                    z[:, k],
                    color=colormaps["plasma"](0.85 * t),
                    linewidth=width,
                    label=f"{t:.3g}",
                )
        axis[-1].set_xlabel("time step")
    for k, ax in enumerate(axes[:, 0]):
        ax.set_ylabel("value" if features == 1 else f"feature {k}")
    axes[0, 1].legend(
        title="weight of Y", loc="upper left", bbox_to_anchor=(1, 1)
    )
    figure.suptitle(
        "Training series {} (X) and {} (Y) of {}".format(
            *args.series, args.dataset
        )
    )
    figure.savefig(path, dpi=90)


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
        default="GunPoint",
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
        "--series",
        "-s",
        nargs=2,
        type=number(int, 0),
        metavar=("X", "Y"),
        help="numbers of the two series in the training set (default: drawn "
        "by --seed)",
    )
    parser.add_argument(
        "--count",
        type=number(int, 1),
        default=3,
        help="number of series between (default: %(default)s)",
    )
    parser.add_argument(
        "--gamma",
        type=number(float, 0),
        default=0.1,
        help="smoothing (default: %(default)s)",
    )
    parser.add_argument(
        "--loss",
        default="soft_dtw",
        help="the name of the loss to minimise (default: %(default)s)",
    )
    parser.add_argument(
        "--bandwidth",
        type=number(int, 0),
        help="radius of Sakoe and Chiba's band (default: no band)",
    )
    parser.add_argument(
        "--seed",
        type=number(int, 0, 2**32 - 1),
        default=0,
        help="seed of the choice of series (default: %(default)s)",
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
        series = load(args)
    except (ConnectionError, FileNotFoundError, ImportError, ValueError) as e:
        sys.exit(f"--dataset {args.dataset}: {e}")
    print(f"Device: {device}")
    path = os.path.join(args.out, "interpolation.png")
    try:
        plot(path, series, interpolate(series, device, args), args)
    except (FloatingPointError, ValueError) as e:
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
