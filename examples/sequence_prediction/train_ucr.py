#!/usr/bin/env python
"""Complete time series: given the first 60 %, predict the rest.

Trains the same model with the soft-DTW loss and with the mean squared error,
or others, on a data set of the UCR/UEA archive, and compares them on the test
set.
"""

import chainer_sdtw  # isort: skip  (before chainer, which may need repairs)

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
import zlib

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
from chainer import training
from chainer.training import extensions

from chainer_sdtw.datasets import get_ucr
from chainer_sdtw.links import SoftDTWLoss
from chainer_sdtw.training import (
    AlignmentPlot,
    AttributeShift,
    RunSettings,
    SeededIterator,
)

try:
    import matplotlib

    matplotlib.use("Agg")
except ImportError as e:
    matplotlib, no_matplotlib = None, e

LOSSES = {
    "soft_dtw": "soft-DTW",
    "divergence": "soft-DTW divergence",
    "sharp": "sharp soft-DTW",
    "sharp_divergence": "sharp divergence",
    "dilate": "DILATE",
    "mse": "MSE",
}
SOFT_LOSSES = {
    "soft_dtw": chainer_sdtw.soft_dtw,
    "divergence": chainer_sdtw.soft_dtw_divergence,
    "sharp": chainer_sdtw.sharp_soft_dtw,
    "sharp_divergence": chainer_sdtw.sharp_soft_dtw_divergence,
    "dilate": chainer_sdtw.dilate_loss,
}
COLORS = {
    "soft_dtw": "#0072b2",
    "divergence": "#009e73",
    "sharp": "#e69f00",
    "sharp_divergence": "#56b4e9",
    "dilate": "#cc79a7",
    "mse": "#d55e00",
}


# Models. Both take the past of a batch of series and how many steps to
# predict for each, and return the future.


class MLP(chainer.Chain):
    """One hidden layer, all steps at once; for series of equal length.

    Args:
        n_past (int): Length of the past.
        n_future (int): Length of the future.
        n_channel (int): Number of channels of a series.
        n_unit (int): Size of the hidden layer.

    """

    def __init__(self, n_past, n_future, n_channel, n_unit):
        super().__init__()
        self.shape = n_future, n_channel
        with self.init_scope():
            self.hidden = L.Linear(n_past * n_channel, n_unit)
            self.output = L.Linear(n_unit, n_future * n_channel)

    def forward(self, past, n_future):
        h = F.sigmoid(self.hidden(past))  # (B, n_past, d) to (B, n_unit)
        return F.reshape(self.output(h), (len(past), *self.shape))


class LSTM(chainer.Chain):
    """Encoder and decoder; the lengths of the series may differ.

    At each step the decoder reads the last known value of the series and how
    far into the future the step is, from 0 to 1.

    Args:
        n_channel (int): Number of channels of a series.
        n_unit (int): Size of the state.

    """

    def __init__(self, n_channel, n_unit):
        super().__init__()
        with self.init_scope():
            self.encoder = L.NStepLSTM(1, n_channel, n_unit, 0)
            self.decoder = L.NStepLSTM(1, n_channel + 1, n_unit, 0)
            self.output = L.Linear(n_unit, n_channel)

    def forward(self, past, n_future):
        xp = self.xp
        h, c, _ = self.encoder(None, None, list(past))
        steps = [
            xp.concatenate(
                [
                    xp.tile(series[-1:], (n, 1)),
                    xp.linspace(0, 1, n, dtype=series.dtype)[:, None],
                ],
                axis=1,
            )
            for series, n in zip(past, n_future)
        ]
        _, _, hs = self.decoder(h, c, steps)
        y = self.output(F.concat(hs, axis=0))
        if len(set(n_future)) == 1:
            return F.reshape(y, (len(past), n_future[0], -1))
        return F.split_axis(y, np.cumsum(n_future)[:-1], axis=0)


def mean_squared_error(x, y):
    """The mean over all values of all series, ``(B, m, d)`` or lists."""
    if isinstance(y, (list, tuple)):
        x, y = F.concat(x, axis=0), F.concat(y, axis=0)
    return F.mean_squared_error(x, y)


class Interruption(training.Extension):
    """Ends a run after the iteration in which Ctrl-C is pressed.

    KeyboardInterrupt in the midst of writing a snapshot becomes an error of
    the archive that is being written. Pressed again, Ctrl-C does not wait.
    """

    priority = -1  # after all others
    asked = False

    def trigger(self, trainer):
        return self.asked

    def initialize(self, trainer):
        self._before = signal.signal(signal.SIGINT, self._ask)

    def finalize(self):
        signal.signal(signal.SIGINT, self._before)

    def _ask(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __call__(self, trainer):
        raise KeyboardInterrupt


class Completion(chainer.Chain):
    """A model, the loss that it is trained with, and what is reported.

    The loss is a link if it has a state.
    """

    def __init__(self, predictor, loss):
        super().__init__()
        with self.init_scope():
            self.predictor = predictor
            self.loss = loss

    def predict(self, past, future):
        return self.predictor(past, [len(y) for y in future])

    def forward(self, past, future):
        y = self.predict(past, future)
        loss = self.loss(y, future)
        chainer.report({"loss": loss}, self)
        if not chainer.config.train:
            chainer.report(
                {
                    "mse": mean_squared_error(y, future),
                    "dtw": chainer_sdtw.soft_dtw(y, future, gamma=0),
                },
                self,
            )
        return loss


# Data


def split(series):
    """The first 60 % of a series and the rest, ``(length, d)`` each."""
    n_past = len(series) * 6 // 10
    return series[:n_past], series[n_past:]


def load(args):
    """Gets the archive's data set; scales the channels to unit variance.

    The mean and the standard deviation of a channel are those of the
    training set, so that sets that come z-normalized stay as they are.

    """
    train, test = get_ucr(args.dataset, args.root)
    values = np.concatenate(list(train.series))
    mean = values.mean(axis=0)
    std = values.std(axis=0)
    std[std == 0] = 1
    pairs = [
        chainer.datasets.TupleDataset(
            *zip(*(split((s - mean) / std) for s in data.series))
        )
        for data in (train, test)
    ]
    shortest = min(
        len(part) for data in pairs for pair in data for part in pair
    )
    if shortest == 0:
        raise ValueError(
            f"{args.dataset} has a series that is too short to be split"
        )
    return (*pairs, train, test)


@chainer.dataset.converter()
def convert(batch, device):
    """Makes arrays ``(B, m, d)`` if the lengths are equal, else lists."""
    return tuple(
        device.send(
            np.stack(part) if len({len(s) for s in part}) == 1 else list(part)
        )
        for part in zip(*batch)
    )


# Training


def make_model(args, train, loss):
    # The same weights to start with for all losses.
    np.random.seed(args.seed)  # noqa: NPY002  (Chainer's own)
    past, future = train[0]
    n_channel = past.shape[1]
    if args.model == "lstm":
        predictor = LSTM(n_channel, args.unit)
    else:
        predictor = MLP(len(past), len(future), n_channel, args.unit)
    return Completion(predictor, make_loss(args, loss))


def make_loss(args, loss):
    if loss == "mse":
        return mean_squared_error
    options = {"bandwidth": args.bandwidth}
    if loss == "dilate":
        options["alpha"] = args.alpha
    return SoftDTWLoss(args.gamma, SOFT_LOSSES[loss], **options)


def train_model(args, loss, train, test, device):
    """Trains a model with a loss, from scratch or from a snapshot."""
    out = os.path.join(args.out, loss)
    os.makedirs(out, exist_ok=True)
    print(f"\n{LOSSES[loss]}, to {out}")

    model = make_model(args, train, loss)
    model.to_device(device)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(model)
    train_iter = SeededIterator(
        train, min(args.batchsize, len(train)), args.seed
    )
    test_iter = chainer.iterators.SerialIterator(
        test, args.batchsize, repeat=False, shuffle=False
    )
    updater = training.updaters.StandardUpdater(
        train_iter, optimizer, converter=convert, device=device
    )
    trainer = training.Trainer(updater, (args.epoch, "epoch"), out=out)

    def due(trainer):
        return updater.is_new_epoch and (
            updater.epoch % args.frequency == 0 or updater.epoch >= args.epoch
        )

    trainer.extend(
        extensions.Evaluator(
            test_iter, model, converter=convert, device=device
        ),
        trigger=due,
    )
    trainer.extend(extensions.LogReport(trigger=due))
    trainer.extend(
        extensions.PrintReport(
            [
                "epoch",
                "main/loss",
                "validation/main/loss",
                "validation/main/mse",
                "validation/main/dtw",
                "elapsed_time",
            ]
        ),
        trigger=due,
    )
    trainer.extend(
        extensions.PlotReport(
            ["main/loss", "validation/main/loss"],
            "epoch",
            trigger=due,
            filename="loss.png",
        )
    )
    if sys.stdout.isatty():
        trainer.extend(extensions.ProgressBar(update_interval=10))
    trainer.extend(extensions.snapshot(n_retains=2), trigger=due)
    trainer.extend(Interruption())
    if loss != "mse":
        if args.gamma_schedule:
            first, *times = args.gamma_schedule
            trainer.extend(
                AttributeShift("gamma", (first, args.gamma), times, model.loss)
            )
        if args.alignments:
            # What predicts needs to know the length of the future, too.
            examples = [(past, future, future) for past, future in test[:4]]
            plot = AlignmentPlot(
                *(examples, model.predict, model.loss),
                converter=convert,
                device=device,
            )
            trainer.extend(plot, trigger=due)

    settings = {
        "data": checksum(train),
        "loss": loss,
        **{
            key: getattr(args, key)
            for key in ("dataset", "model", "unit", "batchsize", "seed")
        },
    }
    if loss != "mse":
        for key in ("gamma", "bandwidth", "gamma_schedule"):
            settings[key] = getattr(args, key)
    if loss == "dilate":
        settings["alpha"] = args.alpha
    settings = RunSettings(settings)
    trainer.extend(settings)

    snapshot = args.resume
    if snapshot:
        try:
            settings.check(snapshot)
        except (OSError, ValueError) as e:
            sys.exit(f"--resume {snapshot}: {e}")
    if args.autoload:
        snapshot = settings.find_snapshot(out) or snapshot
    if snapshot:
        chainer.serializers.load_npz(snapshot, trainer)
        print(f"Going on from {snapshot}, after epoch {updater.epoch}")
    if updater.epoch < args.epoch:
        trainer.run()
    return model


def checksum(dataset):
    value = 0
    for pair in dataset:
        for part in pair:
            value = zlib.crc32(np.ascontiguousarray(part), value)
    return value


# Results


def evaluate(model, test, args, device):
    """Gets the test set's metrics and its predictions, in NumPy arrays."""
    squares = values = dtw = soft_dtw = 0.0
    predictions = []
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        for start in range(0, len(test), args.batchsize):
            batch = test[start : start + args.batchsize]
            past, future = convert(batch, device)
            y = model.predict(past, future)
            n = sum(part.size for _, part in batch)
            squares += float(mean_squared_error(y, future).array) * n
            values += n
            dtw += float(
                chainer_sdtw.soft_dtw(y, future, gamma=0, reduce="sum").array
            )
            soft_dtw += float(
                chainer_sdtw.soft_dtw(
                    y, future, gamma=args.gamma, reduce="sum"
                ).array
            )
            predictions += [
                chainer.get_device("@numpy").send(series.array) for series in y
            ]
    return {
        "mse": squares / values,
        "dtw": dtw / len(test),
        "soft_dtw": soft_dtw / len(test),
    }, predictions


def print_table(metrics, args):
    print(
        f"\nTest set of {args.dataset}, after {args.epoch} epochs "
        f"({args.model.upper()}, seed {args.seed}):\n"
    )
    header = ("trained with", "MSE", "DTW", f"soft-DTW ({args.gamma:g})")
    width = max(len(name) for name in [header[0], *map(LOSSES.get, metrics)])
    row = "{:<{}}{:>12}{:>12}{:>18}"
    print(row.format(header[0], width + 2, *header[1:]))
    for loss, m in metrics.items():
        print(
            row.format(
                *(LOSSES[loss], width + 2),
                *(f"{m[key]:.5g}" for key in ("mse", "dtw", "soft_dtw")),
            )
        )


def choose(labels, n):
    """The indices of n examples, in their order, taken from all classes."""
    queues = [list(np.flatnonzero(labels == k)) for k in np.unique(labels)]
    chosen = []
    while any(queues) and len(chosen) < n:
        chosen += [queue.pop(0) for queue in queues if queue]
    return sorted(chosen[:n])


def plot(path, test, archive, predictions, args):
    """Draws a few test series and what the models make of them."""
    import matplotlib.pyplot as plt

    chosen = choose(archive.labels, 6)
    fig, axes = plt.subplots(
        2, 3, figsize=(13, 7), squeeze=False, constrained_layout=True
    )
    for ax in axes.flat[len(chosen) :]:
        ax.set_axis_off()
    for ax, i in zip(axes.flat, chosen):
        past, future = (part[:, 0] for part in test[i])
        n, end = len(past), len(past) + len(future)
        steps = np.arange(n, end)
        ax.axvspan(0, n - 1, color="0.94", zorder=0, lw=0)
        ax.plot(past, color="0.45", lw=1.5, label="input: first 60 %")
        ax.plot(
            np.arange(n - 1, end),
            np.append(past[-1], future),
            color="black",
            lw=2.2,
            label="truth",
        )
        for loss, series in predictions.items():
            ax.plot(
                steps,
                series[i][:, 0],
                color=COLORS[loss],
                lw=1.7,
                label=f"trained with {LOSSES[loss]}",
            )
        ax.set_xlim(0, end - 1)
        label = archive.labels[i]
        label = (
            f"class {archive.classes[label]}"
            if archive.classes
            else f"target {label:.3g}"
        )
        ax.set_title(f"test series {i}, {label}", fontsize=11)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("time step")
    n_channel = test[0][0].shape[1]
    for ax in axes[:, 0]:
        ax.set_ylabel(
            "value" if n_channel == 1 else f"channel 1 of {n_channel}"
        )
    gamma = f", gamma {args.gamma:g}" if {*predictions} != {"mse"} else ""
    fig.suptitle(
        f"{args.dataset}: the last 40 % of a series, predicted from the "
        f"first 60 %\n({args.model.upper()}, {args.unit} units, "
        f"{args.epoch} epochs{gamma})",
        fontsize=13,
    )
    fig.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncol=4,
        frameon=False,
        fontsize=11,
    )
    fig.savefig(path, dpi=110)
    plt.close(fig)


# The command


def number(convert, least, most=None):
    """A reader of numbers that are in a range."""

    def read(text):
        value = convert(text)
        if not least <= value < float("inf"):
            raise argparse.ArgumentTypeError(
                f"must be at least {least}: {text}"
            )
        if most is not None and value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most}: {text}")
        return value

    read.__name__ = convert.__name__  # for argparse's own messages
    return read


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
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
        "--loss",
        nargs="+",
        choices=list(LOSSES),
        default=["soft_dtw", "mse"],
        help="loss to train with, or several to compare (default: "
        "soft_dtw mse)",
    )
    parser.add_argument(
        "--gamma",
        type=number(float, 0),
        default=1.0,
        help="smoothing of soft-DTW and its relatives (default: %(default)s)",
    )
    parser.add_argument(
        "--gamma-schedule",
        nargs=3,
        type=number(float, 0),
        metavar=("G", "HOLD", "END"),
        help="begin with gamma G, hold it for HOLD epochs, and go over to "
        "that of --gamma by epoch END",
    )
    parser.add_argument(
        "--bandwidth",
        type=number(int, 0),
        help="radius of Sakoe and Chiba's band for soft-DTW and its relatives "
        "(default: no band)",
    )
    parser.add_argument(
        "--alpha",
        type=number(float, 0, 1),
        default=0.5,
        help="weight of the shape in DILATE, from 0 to 1 (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--model",
        choices=["mlp", "lstm"],
        default="mlp",
        help="lstm also takes series of different lengths (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--unit",
        "-u",
        type=number(int, 1),
        default=100,
        help="number of units (default: %(default)s)",
    )
    parser.add_argument(
        "--batchsize",
        "-b",
        type=number(int, 1),
        default=25,
        help="number of series in a mini-batch (default: %(default)s)",
    )
    parser.add_argument(
        "--epoch",
        "-e",
        type=number(int, 1),
        default=300,
        help="number of sweeps over the training set (default: %(default)s)",
    )
    parser.add_argument(
        "--frequency",
        "-f",
        type=number(int, 1),
        default=20,
        help="number of epochs between evaluations and snapshots (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--alignments",
        action="store_true",
        help="at each evaluation, draw how the loss aligns predictions",
    )
    parser.add_argument(
        "--seed",
        type=number(int, 0, 2**32 - 1),
        default=0,
        help="seed of the initial weights and of the order of the series "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        "-d",
        default="-1",
        help="device specifier: -1 for NumPy, the number of a GPU for CuPy, "
        "or a ChainerX device (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        "-o",
        default="result",
        metavar="FOLDER",
        help="folder for the results (default: %(default)s)",
    )
    parser.add_argument(
        "--resume",
        "-r",
        metavar="FILE",
        help="snapshot to go on from (with one --loss)",
    )
    parser.add_argument(
        "--autoload",
        action="store_true",
        help="go on from the newest complete snapshots in the folder for "
        "the results, if there are any",
    )
    args = parser.parse_args(argv)
    args.loss = list(dict.fromkeys(args.loss))
    if args.resume and len(args.loss) > 1:
        parser.error("--resume needs one --loss, the one of the snapshot")
    if args.gamma_schedule:
        _, hold, end = args.gamma_schedule
        if hold > end:
            parser.error("--gamma-schedule must not end before it holds")
    return args


def run(args):
    try:
        device = chainer.get_device(args.device)
        device.use()
    except Exception as e:  # each backend has errors of its own
        sys.exit(f"--device {args.device}: {e}")
    try:
        for loss in args.loss:
            os.makedirs(os.path.join(args.out, loss), exist_ok=True)
        tempfile.TemporaryFile(dir=args.out).close()
    except OSError as e:
        sys.exit(f"--out {args.out}: {e}")
    try:
        train, test, _, archive = load(args)
    except (ConnectionError, FileNotFoundError, ImportError, ValueError) as e:
        sys.exit(f"--dataset {args.dataset}: {e}")
    lengths = sorted(
        {
            len(past) + len(future)
            for data in (train, test)
            for past, future in data
        }
    )
    if args.model == "mlp" and len(lengths) > 1:
        sys.exit(
            f"--model mlp: the series of {args.dataset} have different "
            f"lengths, from {lengths[0]} to {lengths[-1]}; use --model lstm"
        )

    length = "-".join(str(n) for n in dict.fromkeys([lengths[0], lengths[-1]]))
    print(f"Device: {device}")
    print(
        f"Data: {args.dataset}, {len(train)} series to train with, "
        f"{len(test)} to test, of length {length} and "
        f"{train[0][0].shape[1]} channel(s)"
    )
    print(f"# model: {args.model}")
    print(f"# unit: {args.unit}")
    print(f"# Minibatch-size: {args.batchsize}")
    print(f"# epoch: {args.epoch}")

    metrics, predictions = {}, {}
    for loss in args.loss:
        model = train_model(args, loss, train, test, device)
        metrics[loss], predictions[loss] = evaluate(model, test, args, device)
    print_table(metrics, args)
    with open(os.path.join(args.out, "metrics.json"), "w") as file:
        json.dump(metrics, file, indent=4)

    if matplotlib is None:
        print(
            f"\nNo pictures, because importing matplotlib fails: "
            f"{no_matplotlib}. Install it with: pip install matplotlib"
        )
        return
    path = os.path.join(args.out, "predictions.png")
    plot(path, test, archive, predictions, args)
    print(
        "\nPictures:",
        path,
        *(os.path.join(args.out, loss, "loss.png") for loss in args.loss),
        sep="\n  ",
    )


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args = parse_args(argv)
    try:
        run(args)
    except KeyboardInterrupt:
        command = [sys.argv[0], *argv]
        if not args.autoload:
            command.append("--autoload")
        print(
            "\nInterrupted. To go on from the last snapshot:\n  python",
            shlex.join(command),
            file=sys.stderr,
        )
        sys.exit(130)


if __name__ == "__main__":
    main()
