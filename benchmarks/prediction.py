"""Completing UCR time series: a model trained with soft-DTW and with MSE.

Runs the example of examples/sequence_prediction on several data sets with
several seeds, the same settings for all, and compares the test metrics. Runs
with these settings that are finished, or have a snapshot, are not repeated.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import available_cpus
from options import add_number, check_folder, output_file, seed
from tables import to_markdown

SCRIPT = (
    Path(__file__).parents[1]
    / "examples"
    / "sequence_prediction"
    / "train_ucr.py"
)
# The sets of series of one length that come with aeon.
DATASETS = [
    "GunPoint",
    "ItalyPowerDemand",
    "ArrowHead",
    "BasicMotions",
    "OSULeaf",
    "ACSF1",
]
LOSSES = {"soft_dtw": "soft-DTW", "mse": "MSE"}
METRICS = {"dtw": "test DTW", "mse": "test MSE"}
# Metrics of a run by loss.
Run = dict[str, dict[str, float]]


def run(dataset: str, seed: int, args: argparse.Namespace) -> Run:
    """Trains with both losses, in a process with one thread."""
    settings = [
        "--dataset",
        dataset,
        "--model",
        args.model,
        "--epoch",
        str(args.epoch),
        "--gamma",
        str(args.gamma),
        "--unit",
        str(args.unit),
        "--batchsize",
        str(args.batchsize),
        "--seed",
        str(seed),
    ]
    out = args.out / f"{dataset}-{seed}"
    out.mkdir(parents=True, exist_ok=True)
    record = out / "settings.json"
    metrics = out / "metrics.json"
    if not record.exists() or json.loads(record.read_text()) != settings:
        for path in metrics, *out.glob("*/snapshot_iter_*"):
            path.unlink(missing_ok=True)
        record.write_text(json.dumps(settings))
    if not metrics.exists():
        frequency = max(1, args.epoch // 10)
        subprocess.run(
            [
                sys.executable,
                str(SCRIPT),
                *settings,
                "--loss",
                *LOSSES,
                "--frequency",
                str(frequency),
                "--out",
                str(out),
                "--autoload",
            ],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
            check=True,
            text=True,
            capture_output=True,
        )
    return json.loads(metrics.read_text())


def run_all(args: argparse.Namespace) -> dict[str, list[Run]]:
    """Runs of all data sets, in the order of the seeds."""
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = {
            dataset: [
                pool.submit(run, dataset, seed, args) for seed in args.seed
            ]
            for dataset in args.dataset
        }
        try:
            for dataset, waiting in futures.items():
                for seed, future in zip(args.seed, waiting):
                    future.result()
                    print(f"{dataset}, seed {seed}: done", file=sys.stderr)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {
        dataset: [future.result() for future in waiting]
        for dataset, waiting in futures.items()
    }


def spread(values: Sequence[float]) -> str:
    """Mean and, of several values, standard deviation."""
    text = f"{np.mean(values):.4g}"
    if len(values) > 1:
        text += f" ± {np.std(values, ddof=1):.2g}"
    return text


def summarize(
    runs: dict[str, list[Run]], args: argparse.Namespace
) -> list[dict[str, Any]]:
    """A row per data set."""
    rows = []
    for dataset, of_seeds in runs.items():
        row: dict[str, Any] = {
            "data set": dataset,
            "model": args.model,
        }
        for metric, title in METRICS.items():
            values = {
                loss: [r[loss][metric] for r in of_seeds] for loss in LOSSES
            }
            for loss, name in LOSSES.items():
                row[f"{title}, trained with {name}"] = spread(values[loss])
            wins = sum(
                a < b for a, b in zip(values["soft_dtw"], values["mse"])
            )
            row[f"soft-DTW lower in {title}"] = f"{wins} of {len(of_seeds)}"
        rows.append(row)
    return rows


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument(
        "--dataset",
        nargs="+",
        default=DATASETS,
        help=f"data sets (default: {' '.join(DATASETS)})",
    )
    parser.add_argument(
        "--seed",
        nargs="+",
        type=seed,
        default=[0, 1, 2],
        help="seeds, a run with each (default: 0 1 2)",
    )
    add_number(parser, "--epoch", 300, "sweeps over the training set")
    parser.add_argument(
        "--gamma",
        type=float,
        default=1.0,
        help="smoothing of soft-DTW (default: %(default)s)",
    )
    add_number(parser, "--unit", 100, "number of units")
    add_number(parser, "--batchsize", 25, "series in a mini-batch")
    parser.add_argument(
        "--model",
        choices=["mlp", "lstm"],
        default="mlp",
        help="lstm also takes series of different lengths, and hours "
        "(default: %(default)s)",
    )
    add_number(parser, "--jobs", available_cpus(), "processes at once")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/prediction"),
        help="folder for what the example writes (default: %(default)s)",
    )
    parser.add_argument(
        "--json",
        type=output_file,
        metavar="FILE",
        help="write all figures there",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        check_folder(args.out)
    except OSError as e:
        sys.exit(f"--out {args.out}: {e}")
    try:
        runs = run_all(args)
    except subprocess.CalledProcessError as e:
        sys.exit(f"{' '.join(e.cmd)}\nfailed:\n{e.stderr}")
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on.", file=sys.stderr)
        sys.exit(130)
    rows = summarize(runs, args)
    print(
        f"Given the first 60 % of a series, predict the rest; {args.epoch} "
        f"epochs, gamma {args.gamma:g}, {args.unit} units, batches of "
        f"{args.batchsize}, seeds {', '.join(map(str, args.seed))}; mean ± "
        "standard deviation over the seeds.\n"
    )
    print(to_markdown(rows))
    won = [
        dataset
        for dataset, of_seeds in runs.items()
        if all(r["soft_dtw"]["dtw"] < r["mse"]["dtw"] for r in of_seeds)
    ]
    print(
        f"\nLower test DTW with soft-DTW for every seed: {len(won)} of "
        f"{len(runs)} data sets ({', '.join(won) or 'none'})."
    )
    if args.json:
        settings = {
            key: str(value) if isinstance(value, Path) else value
            for key, value in vars(args).items()
        }
        Path(args.json).write_text(
            json.dumps(
                {"settings": settings, "rows": rows, "runs": runs}, indent=2
            )
        )


if __name__ == "__main__":
    main()
