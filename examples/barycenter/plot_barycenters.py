#!/usr/bin/env python
"""Draw barycenters of time series under soft-DTW, for several gammas."""

import chainer_sdtw  # isort: skip  (before chainer, which may need repairs)

import argparse
import os
import sys
import tempfile
import time

import chainer
import numpy as np
from chainer import training
from chainer.backends import cuda
from chainer.iterators import SerialIterator, ShuffleOrderSampler
from chainer.training import extensions
from matplotlib.figure import Figure

from chainer_sdtw.datasets import get_ucr
from chainer_sdtw.links import Barycenter
from chainer_sdtw.training import (
    ScatteredIterator,
    abort_on_failure,
    create_communicator,
)

FEATURES = 3  # the most that are drawn


def load(args, random):
    """Return series of one class of the archive, scaled to unit variance."""
    train, _ = get_ucr(args.dataset, args.root)
    if not train.classes:
        raise ValueError("its series have targets, not classes")
    names = [str(c) for c in train.classes]
    name = args.class_ or names[random.randint(len(names))]
    if name not in names:
        raise ValueError(f"no class {name} among {', '.join(names)}")
    in_class = np.flatnonzero(train.labels == names.index(name))
    if args.count > len(in_class):
        raise ValueError(
            f"--count {args.count}: class {name} has {len(in_class)} series"
        )
    values = np.concatenate(list(train.series))
    std = values.std(axis=0)
    std[std == 0] = 1
    chosen = random.permutation(in_class)[: args.count]
    series = [(train.series[i] - values.mean(axis=0)) / std for i in chosen]
    return name, series


def euclidean_mean(series, length):
    """Return the mean of series that are interpolated to a length.

    The default is the mean of their lengths.
    """
    if length is None:
        length = int(np.rint(np.mean([len(s) for s in series])))
    times = np.linspace(0, 1, length)
    return np.mean(
        [
            [np.interp(times, np.linspace(0, 1, len(s)), f) for f in s.T]
            for s in series
        ],
        axis=0,
    ).T.astype(series[0].dtype)


def dtw(z, series):
    """Return the mean DTW of series to a barycenter."""
    return float(chainer_sdtw.pairwise_soft_dtw([z], series, 0).mean())


def descend(series, mean, gamma, options, device, args, comm):
    """Find a barycenter by minibatches, with Adam and a trainer.

    With a communicator each process computes a part of each minibatch.
    """
    link = Barycenter(mean, gamma, **options)
    link.to_device(device)
    optimizer = chainer.optimizers.Adam(alpha=args.alpha).setup(link)
    order = ShuffleOrderSampler(np.random.RandomState(args.seed))
    iterator = SerialIterator(series, args.batchsize, order_sampler=order)
    loss = link
    if comm:
        import chainermn

        optimizer = chainermn.create_multi_node_optimizer(optimizer, comm)
        # ChainerMN's first call sends the barycenter and does no step.
        optimizer.update()
        iterator = ScatteredIterator(iterator, comm)
        loss = iterator.weigh(link)
    updater = training.StandardUpdater(
        iterator,
        optimizer,
        device=device,
        loss_func=loss,
        # The link takes a list, for series of different lengths.
        converter=lambda batch, device: batch,
    )
    trainer = training.Trainer(updater, (args.epoch, "epoch"), out=args.out)
    steps = max(args.epoch * len(series) // args.batchsize, 1)
    trainer.extend(
        extensions.LinearShift("alpha", (args.alpha, 0), (0, steps)),
        trigger=(1, "iteration"),
    )
    trainer.run()
    return link.barycenter.array


def average(series, device, args, comm):
    """Compute all that is drawn: titles and named lines, by column.

    Of several processes the first does so, and all descend together.
    """
    options = {"loss": args.loss, "bandwidth": args.bandwidth}
    mean = euclidean_mean(series, args.length)
    series = [device.send(s) for s in series]
    start = device.send(mean)
    if comm and comm.rank:
        for gamma in args.gamma:
            descend(series, start, gamma, options, device, args, comm)
        return None
    print(f"{'':20}{'DTW':>10}{'seconds':>10}")

    def report(name, make):
        began = time.perf_counter()
        z = make()
        seconds = time.perf_counter() - began
        value = dtw(z, series)
        print(f"{name:20}{value:10.4g}{seconds:10.2f}", flush=True)
        return cuda.to_cpu(z), value

    _, value = report("Euclidean mean", lambda: start)
    columns = [(f"Euclidean mean\nDTW {value:.4g}", {"mean": mean})]
    for gamma in args.gamma:
        z, value = report(
            f"gamma {gamma:g}",
            lambda gamma=gamma: chainer_sdtw.barycenter(
                series, gamma, init=start, **options
            ),
        )
        lines = {"L-BFGS": z}
        title = f"{args.loss}, gamma {gamma:g}\nDTW {value:.4g}"
        if args.sgd:
            lines["Adam"], value = report(
                f"gamma {gamma:g}, Adam",
                lambda gamma=gamma: descend(
                    series, start, gamma, options, device, args, comm
                ),
            )
            title += f", by Adam {value:.4g}"
        columns.append((title, lines))
    return columns


def plot(path, columns, series, title):
    """Draw a row for each feature and a column for each barycenter."""
    features = min(series[0].shape[1], FEATURES)
    figure = Figure(
        figsize=(3 * len(columns), 2.2 * features + 1),
        layout="constrained",
    )
    axes = figure.subplots(
        features, len(columns), sharex=True, sharey="row", squeeze=False
    )
    styles = {"mean": ("C0", "-"), "L-BFGS": ("C3", "-"), "Adam": ("k", "--")}
    for (name, lines), column in zip(columns, axes.T):
        column[0].set_title(name, fontsize="medium")
        for k, ax in enumerate(column):
            for s in series:
                ax.plot(s[:, k], color="0.8", linewidth=0.8)
            for label, z in lines.items():
                color, style = styles[label]
                ax.plot(z[:, k], style, color=color, label=label)
        column[-1].set_xlabel("time step")
    for k, ax in enumerate(axes[:, 0]):
        ax.set_ylabel("value" if features == 1 else f"feature {k}")
    if "Adam" in columns[-1][1]:
        axes[0, -1].legend(fontsize="small")
    figure.suptitle(title)
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
        "--class",
        dest="class_",
        metavar="CLASS",
        help="class of the series, as the archive calls it (default: any)",
    )
    parser.add_argument(
        "--count",
        type=number(int, 1),
        default=10,
        help="number of series to average (default: %(default)s)",
    )
    parser.add_argument(
        "--gamma",
        nargs="+",
        type=number(float, 0),
        default=[0.01, 0.1, 1.0],
        help="smoothings, a column for each (default: 0.01 0.1 1)",
    )
    parser.add_argument(
        "--loss",
        default="soft_dtw",
        help="the name of the loss to minimise (default: %(default)s)",
    )
    parser.add_argument(
        "--length",
        type=number(int, 1),
        help="length of the barycenters (default: mean of the series')",
    )
    parser.add_argument(
        "--bandwidth",
        type=number(int, 0),
        help="radius of Sakoe and Chiba's band (default: no band)",
    )
    parser.add_argument(
        "--sgd",
        action="store_true",
        help="also find each barycenter by minibatches, with Adam",
    )
    parser.add_argument(
        "--communicator",
        choices=["naive", "flat", "hierarchical", "pure_nccl"],
        help="of the processes that mpiexec starts, to share the minibatches "
        "of --sgd; all but naive need GPUs, one for each process of a machine",
    )
    parser.add_argument(
        "--batchsize",
        "-b",
        type=number(int, 1),
        default=5,
        help="series in a minibatch of --sgd (default: %(default)s)",
    )
    parser.add_argument(
        "--epoch",
        "-e",
        type=number(int, 1),
        default=100,
        help="sweeps of --sgd over the series (default: %(default)s)",
    )
    parser.add_argument(
        "--alpha",
        type=number(float, 0),
        default=0.05,
        help="Adam's first step size (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=number(int, 0, 2**32 - 1),
        default=0,
        help="seed of the choice of series and of the minibatches (default: "
        "%(default)s)",
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
    args = parser.parse_args(argv)
    if args.communicator and not args.sgd:
        parser.error("--communicator needs --sgd, whose minibatches it shares")
    return args


def run(args, comm):
    device = args.device
    if args.communicator not in (None, "naive"):
        device = f"@cupy:{comm.intra_rank}"
    try:
        device = chainer.get_device(device)
        device.use()
    except Exception as e:  # each backend has errors of its own
        sys.exit(f"--device {device}: {e}")
    try:
        os.makedirs(args.out, exist_ok=True)
        tempfile.TemporaryFile(dir=args.out).close()
    except OSError as e:
        sys.exit(f"--out {args.out}: {e}")
    try:
        name, series = load(args, np.random.RandomState(args.seed))
    except (ConnectionError, FileNotFoundError, ImportError, ValueError) as e:
        sys.exit(f"--dataset {args.dataset}: {e}")
    print(f"Device: {device}")
    title = f"{len(series)} series of class {name} of {args.dataset}"
    print(title)
    path = os.path.join(args.out, "barycenters.png")
    try:
        columns = average(series, device, args, comm)
    except (FloatingPointError, ValueError) as e:
        sys.exit(str(e))
    if comm is None or comm.rank == 0:
        try:
            plot(path, columns, series, title)
        except OSError as e:
            sys.exit(f"--out {args.out}: {e}")
        print(f"Picture: {path}")


def main(argv=None):
    args = parse_args(argv)
    comm = None
    if args.communicator:
        try:
            comm = create_communicator(args.communicator)
        except (ImportError, RuntimeError) as e:
            sys.exit(f"--communicator {args.communicator}: {e}")
        if comm.rank:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        print(f"Processes: {comm.size}")
    with abort_on_failure(comm):
        try:
            run(args, comm)
        except KeyboardInterrupt:
            print("\nInterrupted", file=sys.stderr)
            sys.exit(130)


if __name__ == "__main__":
    main()
