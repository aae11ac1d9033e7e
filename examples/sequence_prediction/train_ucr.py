#!/usr/bin/env python
"""Complete time series: given the first 60 %, predict the rest.

Trains the same model with the soft-DTW loss and with the mean squared error,
or others, on a data set of the UCR/UEA archive, and compares them on the test
set.
"""

# Before Chainer, which may need repairs.
from chainer_sdtw import soft_dtw  # isort: skip

import json
import os
import sys
import tempfile
import zlib

import chainer
import numpy as np
from arguments import parse_args
from chainer import training
from chainer.training import extensions
from data import convert, load
from interruptions import check_snapshots, explained
from net import LSTM, MLP
from objectives import LOSSES, Completion, mean_squared_error
from processes import (
    aggregate_loss,
    connect,
    is_first,
    join_evaluator,
    join_snapshot,
    load_snapshot,
    scatter,
)

from chainer_sdtw.links import SoftDTWLoss
from chainer_sdtw.training import (
    AlignmentPlot,
    AttributeShift,
    DurableWriter,
    RunSettings,
    SeededIterator,
    abort_on_failure,
)

try:
    import plots
except ImportError as e:
    plots, no_matplotlib = None, e


SAVE = extensions.snapshot().priority  # after the log


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


def train_model(args, loss, train, test, device, comm=None):
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
    loss_func = eval_func = model
    if comm:
        optimizer, train_iter, test_iter = scatter(
            optimizer, train_iter, test_iter, comm
        )
        loss_func, eval_func = train_iter.weigh(model), test_iter.weigh(model)
    options = {"converter": convert, "device": device}
    updater = training.updaters.StandardUpdater(
        train_iter, optimizer, loss_func=loss_func, **options
    )

    def finished(trainer):
        return updater.epoch >= args.epoch

    def due(trainer):
        return updater.is_new_epoch and (
            updater.epoch % args.frequency == 0 or finished(trainer)
        )

    trainer = training.Trainer(updater, finished, out=out)
    evaluator = extensions.Evaluator(
        test_iter, model, eval_func=eval_func, **options
    )
    snapshot = extensions.snapshot(
        writer=DurableWriter(), n_retains=1, autoload=args.autoload
    )
    if comm:
        aggregate_loss(trainer, comm)
        evaluator = join_evaluator(evaluator, comm)
        snapshot = join_snapshot(snapshot, comm)
    trainer.extend(evaluator, trigger=due)
    trainer.extend(snapshot, trigger=due, priority=SAVE)
    if loss != "mse" and args.gamma_schedule:
        first, *times = args.gamma_schedule
        trainer.extend(
            AttributeShift("gamma", (first, args.gamma), times, model.loss)
        )
    # A snapshot of a run with other settings is refused.
    settings = make_settings(args, train, loss)
    trainer.extend(settings)
    if is_first(comm):
        add_reports(trainer, due, args, loss, model, test, options)
        check_snapshots(args, settings, out)
    if args.resume:
        load_snapshot(args.resume, trainer, comm)
    trainer.run(show_loop_exception_msg=False)
    return model


def save_json(path, content):
    with open(path, "w") as file:
        json.dump(content, file, indent=4)


def save_log(path, saved):
    save_json(path, json.loads(str(saved["_log"])))


def add_reports(trainer, due, args, loss, model, test, options):
    """Let a trainer write a log and draw pictures."""
    report = extensions.LogReport(trigger=due, log_name=None)
    trainer.extend(report)
    log = extensions.snapshot_object(
        report, "log", writer=DurableWriter(save_log)
    )
    trainer.extend(log, trigger=due, priority=SAVE + 1)
    losses = ["main/loss", "validation/main/loss"]
    metrics = ["validation/main/mse", "validation/main/dtw"]
    columns = ["epoch", *losses, *metrics, "elapsed_time"]
    trainer.extend(extensions.PrintReport(columns), trigger=due)
    plot = extensions.PlotReport(losses, "epoch", due, filename="loss.png")
    trainer.extend(plot)
    if sys.stdout.isatty():
        trainer.extend(extensions.ProgressBar((args.epoch, "epoch"), 10))
    if loss != "mse" and args.alignments:
        # What predicts needs to know the length of the future, too.
        examples = [(past, future, future) for past, future in test[:4]]
        plot = AlignmentPlot(examples, model.predict, model.loss, **options)
        trainer.extend(plot, trigger=due)


def evaluate(model, test, args, device):
    """Return the metrics on the test set, and the predictions in NumPy."""
    mse = dtw = smooth_dtw = 0.0
    predictions = []
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        for start in range(0, len(test), args.batchsize):
            batch = test[start : start + args.batchsize]
            past, future = convert(batch, device)
            y = model.predict(past, future)
            error = mean_squared_error(y, future)
            mse += float(error.array) * len(batch)
            hard = soft_dtw(y, future, gamma=0, reduce="sum")
            dtw += float(hard.array)
            smooth = soft_dtw(y, future, gamma=args.gamma, reduce="sum")
            smooth_dtw += float(smooth.array)
            cpu = chainer.get_device("@numpy")
            predictions += [cpu.send(series.array) for series in y]
    return {
        "mse": mse / len(test),
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


def prepare(args, n_process):
    """Make the folders and return the data, or exit saying what is wrong."""
    try:
        for loss in args.loss:
            out = os.path.join(args.out, loss)
            os.makedirs(out, exist_ok=True)
            tempfile.TemporaryFile(dir=out).close()
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
    for name, n in ("--batchsize", args.batchsize), ("--dataset", len(train)):
        if n < n_process:
            sys.exit(
                f"{name}: {n} series, fewer than the {n_process} processes, "
                "of which each needs one or more of a batch"
            )

    length = "-".join(map(str, sorted({shortest, longest})))
    print(
        f"Data: {args.dataset}, {len(train)} series to train with, "
        f"{len(test)} to test, of length {length} and "
        f"{train[0][0].shape[1]} channel(s)"
    )
    return train, test, archive


def run(args, comm):
    device = args.device
    if args.communicator not in (None, "naive"):
        device = f"@cupy:{comm.intra_rank}"
    try:
        device = chainer.get_device(device)
        device.use()
    except Exception as e:  # each backend has errors of its own
        sys.exit(f"--device {device}: {e}")
    print(f"Device: {device}")
    if comm is None:
        train, test, archive = prepare(args, 1)
    else:
        # One process reads the files for all.
        data = prepare(args, comm.size) if comm.rank == 0 else None
        train, test, archive = comm.bcast_obj(data)
    for name in "model", "unit", "batchsize", "epoch":
        print(f"# {name}: {getattr(args, name)}")

    metrics, predictions = {}, {}
    for loss in args.loss:
        model = train_model(args, loss, train, test, device, comm)
        if is_first(comm):
            metrics[loss], predictions[loss] = evaluate(
                model, test, args, device
            )
    if is_first(comm):
        conclude(args, test, archive, metrics, predictions)


def conclude(args, test, archive, metrics, predictions):
    """Print and draw how models compare on the test set."""
    print_table(metrics, args)
    DurableWriter(save_json)("metrics.json", args.out, metrics)

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
    comm = connect(args.communicator)
    with abort_on_failure(comm), explained(args):
        run(args, comm)


if __name__ == "__main__":
    main()
