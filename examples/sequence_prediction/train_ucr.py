#!/usr/bin/env python
"""Complete time series: given the first 60 %, predict the rest.

Trains the same model with the soft-DTW loss and with the mean squared error,
or others, on a data set of the UCR/UEA archive, and compares them on the test
set.
"""

# Before Chainer, which may need repairs.
from chainer_sdtw import (  # isort: skip
    dilate_loss,
    sharp_soft_dtw,
    sharp_soft_dtw_divergence as sharp_divergence,
    soft_dtw,
    soft_dtw_divergence,
)

import argparse
import glob
import json
import os
import signal
import sys
import tempfile
import zlib

import chainer
import chainer.functions as F
import numpy as np
from chainer import training
from chainer.training import extensions
from data import convert, load
from net import LSTM, MLP

from chainer_sdtw.links import SoftDTWLoss
from chainer_sdtw.training import (
    AlignmentPlot,
    AttributeShift,
    RunSettings,
    SeededIterator,
)

try:
    import plots
except ImportError as e:
    plots, no_matplotlib = None, e


def mean_squared_error(x, y):
    """Return the mean over all values of arrays or of lists of series."""
    if isinstance(y, (list, tuple)):
        x, y = F.concat(x, axis=0), F.concat(y, axis=0)
    return F.mean_squared_error(x, y)


# What to train with: titles, colors and functions.
LOSSES = {
    "soft_dtw": ("soft-DTW", "#0072b2", soft_dtw),
    "divergence": ("soft-DTW divergence", "#009e73", soft_dtw_divergence),
    "sharp": ("sharp soft-DTW", "#e69f00", sharp_soft_dtw),
    "sharp_divergence": ("sharp divergence", "#56b4e9", sharp_divergence),
    "dilate": ("DILATE", "#cc79a7", dilate_loss),
    "mse": ("MSE", "#d55e00", mean_squared_error),
}


class Completion(chainer.Chain):
    """A network, the loss that it is trained with, and what is reported."""

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
            mse = mean_squared_error(y, future)
            dtw = soft_dtw(y, future, gamma=0)
            chainer.report({"mse": mse, "dtw": dtw}, self)
        return loss


class Interruption(training.Extension):
    """Ends a training between two iterations when Ctrl-C is pressed.

    So no snapshot is cut off. Pressed again, Ctrl-C does not wait.
    """

    priority = -200  # after the snapshot
    pressed = False

    def initialize(self, trainer):
        self.handler = signal.signal(signal.SIGINT, self.press)

    def press(self, number, frame):
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True

    def trigger(self, trainer):
        return self.pressed

    def __call__(self, trainer):
        raise KeyboardInterrupt

    def finalize(self):
        signal.signal(signal.SIGINT, self.handler)


def loss_options(args, loss):
    """Return the options of the command that a loss takes."""
    names = [] if loss == "mse" else ["gamma", "bandwidth"]
    if loss == "dilate":
        names.append("alpha")
    return {name: getattr(args, name) for name in names}


def make_model(args, train, loss):
    # The same weights to start with for all losses.
    np.random.seed(args.seed)  # noqa: NPY002  (Chainer's own)
    past, future = train[0]
    n_channel = past.shape[1]
    if args.model == "lstm":
        predictor = LSTM(n_channel, args.unit)
    else:
        predictor = MLP(len(past), len(future), n_channel, args.unit)
    _, _, function = LOSSES[loss]
    if loss != "mse":
        function = SoftDTWLoss(loss=function, **loss_options(args, loss))
    return Completion(predictor, function)


def make_settings(args, train, loss):
    """Return what a snapshot must have been taken with to go on from it."""
    settings = {"loss": loss, **loss_options(args, loss)}
    if loss != "mse":
        settings["gamma_schedule"] = args.gamma_schedule
    for name in "dataset", "model", "unit", "batchsize", "seed":
        settings[name] = getattr(args, name)
    data = b"".join(part.tobytes() for pair in train for part in pair)
    return RunSettings({"data": zlib.crc32(data), **settings})


def train_model(args, loss, train, test, device):
    """Train a model with a loss, from scratch or from a snapshot."""
    out = os.path.join(args.out, loss)
    print(f"\n{LOSSES[loss][0]}, to {out}")

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
    options = {"converter": convert, "device": device}
    updater = training.updaters.StandardUpdater(
        train_iter, optimizer, **options
    )

    def finished(trainer):
        return updater.epoch >= args.epoch

    def due(trainer):
        return updater.is_new_epoch and (
            updater.epoch % args.frequency == 0 or finished(trainer)
        )

    trainer = training.Trainer(updater, finished, out=out)
    evaluator = extensions.Evaluator(test_iter, model, **options)
    trainer.extend(evaluator, trigger=due)
    trainer.extend(extensions.LogReport(trigger=due))
    losses = ["main/loss", "validation/main/loss"]
    metrics = ["validation/main/mse", "validation/main/dtw"]
    columns = ["epoch", *losses, *metrics, "elapsed_time"]
    trainer.extend(extensions.PrintReport(columns), trigger=due)
    plot = extensions.PlotReport(losses, "epoch", due, filename="loss.png")
    trainer.extend(plot)
    if sys.stdout.isatty():
        trainer.extend(extensions.ProgressBar((args.epoch, "epoch"), 10))
    if loss != "mse" and args.gamma_schedule:
        first, *times = args.gamma_schedule
        trainer.extend(
            AttributeShift("gamma", (first, args.gamma), times, model.loss)
        )
    if loss != "mse" and args.alignments:
        # What predicts needs to know the length of the future, too.
        examples = [(past, future, future) for past, future in test[:4]]
        plot = AlignmentPlot(examples, model.predict, model.loss, **options)
        trainer.extend(plot, trigger=due)
    trainer.extend(Interruption())

    # A snapshot of a run with other settings is refused.
    settings = make_settings(args, train, loss)
    trainer.extend(settings)
    snapshot = extensions.snapshot(n_retains=1, autoload=args.autoload)
    trainer.extend(snapshot, trigger=due)
    snapshots = [args.resume] if args.resume else []
    if args.autoload:
        saved = glob.glob(os.path.join(out, "snapshot_iter_*"))
        snapshots += sorted(saved, key=os.path.getmtime)[-1:]
    for path in snapshots:
        try:
            settings.check(path)
        except (OSError, ValueError) as e:
            sys.exit(f"Cannot go on from {path}: {e}")
        print(f"Going on from {path}")
    if args.resume:
        chainer.serializers.load_npz(args.resume, trainer)
    trainer.run()
    return model


def evaluate(model, test, args, device):
    """Return the metrics on the test set, and the predictions in NumPy."""
    squares = values = dtw = smooth_dtw = 0.0
    predictions = []
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        for start in range(0, len(test), args.batchsize):
            batch = test[start : start + args.batchsize]
            past, future = convert(batch, device)
            y = model.predict(past, future)
            n = sum(part.size for _, part in batch)
            squares += float(mean_squared_error(y, future).array) * n
            values += n
            hard = soft_dtw(y, future, gamma=0, reduce="sum")
            dtw += float(hard.array)
            smooth = soft_dtw(y, future, gamma=args.gamma, reduce="sum")
            smooth_dtw += float(smooth.array)
            cpu = chainer.get_device("@numpy")
            predictions += [cpu.send(series.array) for series in y]
    return {
        "mse": squares / values,
        "dtw": dtw / len(test),
        "soft_dtw": smooth_dtw / len(test),
    }, predictions


def print_table(metrics, args):
    print(
        f"\nTest set of {args.dataset}, after {args.epoch} epochs "
        f"({args.model.upper()}, seed {args.seed}):\n"
    )
    rows = {"trained with": ("MSE", "DTW", f"soft-DTW ({args.gamma:g})")}
    for loss, values in metrics.items():
        rows[LOSSES[loss][0]] = [f"{v:.5g}" for v in values.values()]
    width = max(map(len, rows)) + 2
    for name, (mse, dtw, smooth_dtw) in rows.items():
        print(f"{name:{width}}{mse:>12}{dtw:>12}{smooth_dtw:>18}")


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
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])

    def add(*names, help, **options):
        if options.get("default") is not None:
            help += " (default: %(default)s)"
        parser.add_argument(*names, help=help, **options)

    count, smoothing = number(int, 1), number(float, 0)
    seed, share = number(int, 0, 2**32 - 1), number(float, 0, 1)
    add("--dataset", default="GunPoint", help="name in the UCR/UEA archive")
    add("--root", help="folder of a local copy of the archive")
    add(
        "--loss",
        nargs="+",
        choices=list(LOSSES),
        default=["soft_dtw", "mse"],
        help="one loss, or several to compare",
    )
    add("--gamma", type=smoothing, default=1.0, help="smoothing of soft-DTW")
    add(
        "--gamma-schedule",
        nargs=3,
        type=smoothing,
        metavar=("G", "HOLD", "END"),
        help="begin with gamma G, hold it for HOLD epochs, and go over to "
        "that of --gamma by epoch END",
    )
    add("--bandwidth", type=number(int, 0), help="radius of the band, if any")
    add("--alpha", type=share, default=0.5, help="weight of DILATE's shape")
    add("--model", choices=["mlp", "lstm"], default="mlp", help="network")
    add("--unit", "-u", type=count, default=100, help="number of units")
    add("--batchsize", "-b", type=count, default=25, help="series in a batch")
    add("--epoch", "-e", type=count, default=300, help="number of epochs")
    text = "epochs between evaluations and snapshots"
    add("--frequency", "-f", type=count, default=20, help=text)
    text = "draw how the loss aligns predictions, at each evaluation"
    add("--alignments", action="store_true", help=text)
    text = "of the initial weights and of the order of the series"
    add("--seed", type=seed, default=0, help=text)
    text = "-1 for NumPy, the number of a GPU, or any specifier of Chainer"
    add("--device", "-d", default="-1", help=text)
    add("--out", "-o", default="result", help="folder for the results")
    add("--resume", "-r", metavar="FILE", help="snapshot to go on from")
    text = "go on from the last snapshots in the folder for the results"
    add("--autoload", action="store_true", help=text)
    args = parser.parse_args(argv)
    args.loss = list(dict.fromkeys(args.loss))
    if args.resume and len(args.loss) > 1:
        parser.error("--resume needs one --loss, the one of the snapshot")
    if args.gamma_schedule and args.gamma_schedule[1] > args.gamma_schedule[2]:
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
        train, test, archive = load(args.dataset, args.root)
    except (ConnectionError, FileNotFoundError, ImportError, ValueError) as e:
        sys.exit(f"--dataset {args.dataset}: {e}")
    lengths = [len(x) + len(y) for data in (train, test) for x, y in data]
    shortest, longest = min(lengths), max(lengths)
    if args.model == "mlp" and shortest < longest:
        sys.exit(
            f"--model mlp: the series of {args.dataset} have different "
            f"lengths, from {shortest} to {longest}; use --model lstm"
        )

    print(f"Device: {device}")
    length = "-".join(map(str, sorted({shortest, longest})))
    print(
        f"Data: {args.dataset}, {len(train)} series to train with, "
        f"{len(test)} to test, of length {length} and "
        f"{train[0][0].shape[1]} channel(s)"
    )
    for name in "model", "unit", "batchsize", "epoch":
        print(f"# {name}: {getattr(args, name)}")

    metrics, predictions = {}, {}
    for loss in args.loss:
        model = train_model(args, loss, train, test, device)
        metrics[loss], predictions[loss] = evaluate(model, test, args, device)
    print_table(metrics, args)
    with open(os.path.join(args.out, "metrics.json"), "w") as file:
        json.dump(metrics, file, indent=4)

    if plots is None:
        print(
            f"\nNo pictures, because importing matplotlib fails: "
            f"{no_matplotlib}. Install it with: pip install matplotlib"
        )
        return
    path = os.path.join(args.out, "predictions.png")
    gamma = f", gamma {args.gamma:g}" if args.loss != ["mse"] else ""
    title = (
        f"{args.dataset}: the last 40 % of a series, predicted from the "
        f"first 60 %\n({args.model.upper()}, {args.unit} units, "
        f"{args.epoch} epochs{gamma})"
    )
    lines = [(*LOSSES[loss][:2], predictions[loss]) for loss in args.loss]
    plots.plot_predictions(path, title, test, archive, lines)
    print("\nPictures:", path, sep="\n  ")
    for loss in args.loss:
        print(" ", os.path.join(args.out, loss, "loss.png"))


def main(argv=None):
    args = parse_args(argv)
    try:
        run(args)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. To go on from the last snapshot, give the same "
            "command with --autoload.",
            file=sys.stderr,
        )
        sys.exit(130)


if __name__ == "__main__":
    main()
