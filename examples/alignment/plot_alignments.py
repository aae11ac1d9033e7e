#!/usr/bin/env python
"""Draw how soft-DTW aligns two series, for several gammas and costs."""

import chainer_sdtw  # isort: skip  (before chainer, which may need repairs)

import argparse
import os
import sys
import tempfile

import chainer
import numpy as np
from matplotlib.figure import Figure

from chainer_sdtw.datasets import get_ucr
from chainer_sdtw.links import SoftDTWLoss
from sdtw_cpu.costs import COSTS

NAMES = [*COSTS, "cosine"]


def load(args):
    """Return two test series of the archive, scaled to unit variance."""
    _, test = get_ucr(args.dataset, args.root)
    for i in args.series:
        if i >= len(test):
            raise ValueError(f"no test series {i} among {len(test)}")
    values = np.concatenate(list(test.series))
    std = values.std(axis=0)
    std[std == 0] = 1
    return [(test.series[i] - values.mean(axis=0)) / std for i in args.series]


def plot(path, series, device, args):
    """Draw a row for each cost and a column for each gamma."""
    x, y = (device.send(s[None]) for s in series)
    figure = Figure(
        figsize=(3.3 * len(args.gamma), 3.2 * len(args.cost) + 0.5),
        layout="constrained",
    )
    rows = figure.subfigures(len(args.cost), len(args.gamma), squeeze=False)
    for cost, row in zip(args.cost, rows):
        options = {"cost": cost, "bandwidth": args.bandwidth}
        for gamma, cell in zip(args.gamma, row):
            loss = SoftDTWLoss(gamma, prior=args.prior, **options)
            value = float(loss(x, y).array)
            chainer_sdtw.plot_alignment(
                x[0],
                y[0],
                loss.alignment(x, y)[0],
                x_label=f"series {args.series[0]}",
                y_label=f"series {args.series[1]}",
                title=f"{cost}, gamma {gamma:g}: {value:.4g}",
                figure=cell,
            )
    figure.savefig(path, dpi=110)


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
        default=[0, 5],
        metavar=("X", "Y"),
        help="numbers of the two series in the test set (default: 0 5)",
    )
    parser.add_argument(
        "--gamma",
        nargs="+",
        type=number(float, 0),
        default=[0.0, 0.01, 0.1, 1.0],
        help="smoothings, a column for each (default: 0 0.01 0.1 1)",
    )
    parser.add_argument(
        "--cost",
        nargs="+",
        choices=NAMES,
        default=["sqeuclidean", "euclidean"],
        help="costs, a row for each (default: sqeuclidean euclidean)",
    )
    parser.add_argument(
        "--bandwidth",
        type=number(int, 0),
        help="radius of Sakoe and Chiba's band (default: no band)",
    )
    parser.add_argument(
        "--prior",
        type=number(float, 0),
        default=0.0,
        help="weight of a diagonal prior (default: %(default)s)",
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
    path = os.path.join(args.out, "alignments.png")
    try:
        plot(path, series, device, args)
    except ValueError as e:
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
