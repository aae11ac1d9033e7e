"""The options of the command."""

import argparse
import sys

from objectives import LOSSES

COMMUNICATORS = ["naive", "flat", "hierarchical", "pure_nccl"]


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
    parser = argparse.ArgumentParser(
        description="Complete time series: given the first 60 %, predict the "
        "rest."
    )

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
    text = "between processes that mpiexec starts; all but naive need GPUs"
    add("--communicator", choices=COMMUNICATORS, help=text)
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
    if args.communicator not in (None, "naive") and args.device != "-1":
        parser.error(
            f"--device: with --communicator {args.communicator} each process "
            "takes the GPU of its rank on its machine"
        )
    return args
