#!/usr/bin/env python
"""The experiments of Cuturi and Blondel's paper on soft-DTW.

Barycenters, k-means, nearest centroids and prediction, on the data sets that
come with aeon or on a local copy of the archive. Every case is a line of a
CSV file as soon as it is finished, and is not computed again; the tables are
made of these files.

See: M. Cuturi and M. Blondel, Soft-DTW: a Differentiable Loss Function for
Time-Series, ICML 2017, section 4.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import sys
from pathlib import Path

from machine import available_cpus
from options import add_number, check_folder, positive, seed
from paper_experiments import EXPERIMENTS, GAMMAS, LIMITS, Shape, describe
from paper_jobs import run_all, workers
from paper_store import Results, settings_of
from paper_tables import limitations, tables

# Those that come with aeon.
DATASETS = (
    "GunPoint",
    "ItalyPowerDemand",
    "ArrowHead",
    "OSULeaf",
    "ACSF1",
    "BasicMotions",
    "JapaneseVowels",
    "PickupGestureWiimoteZ",
)


def look_at(args: argparse.Namespace) -> dict[str, Shape]:
    """Load all sets; leave out those that cannot be, unless asked for."""
    shapes = {}
    for name in args.dataset:
        try:
            shapes[name] = describe(name, args.root)
        except (OSError, ImportError, ValueError) as error:
            if not args.all_of_root:
                raise SystemExit(f"--dataset {name}: {error}") from None
            print(f"{name} is left out: {error}", file=sys.stderr)
    return shapes


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Read and check the options."""

    def default(name: str) -> str:
        values = [str(getattr(limits, name)) for limits in LIMITS]
        first, second = (f"{limits.length:g}" for limits in LIMITS[:2])
        return (
            f"{values[0]}, or {values[1]} for series longer than {first}, "
            f"{values[2]} than {second}"
        )

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument(
        "--experiment",
        nargs="+",
        choices=EXPERIMENTS,
        default=list(EXPERIMENTS),
        help="what to run (default: all of these)",
    )
    parser.add_argument(
        "--dataset",
        nargs="+",
        metavar="NAME",
        help="data sets (default: those that come with aeon, or all of "
        "--root)",
    )
    parser.add_argument(
        "--root",
        metavar="FOLDER",
        default=os.environ.get("CHAINER_SDTW_UCR_ROOT") or None,
        help="local copy of the archive (default: $CHAINER_SDTW_UCR_ROOT)",
    )
    parser.add_argument(
        "--gamma",
        nargs="+",
        type=positive(float),
        default=list(GAMMAS),
        help="smoothings of soft-DTW (default: "
        f"{' '.join(f'{gamma:g}' for gamma in GAMMAS)})",
    )
    parser.add_argument(
        "--repeats",
        type=positive(int),
        help="repetitions (default: "
        f"{default('repeats')} of barycenters, {default('kmeans_repeats')} "
        f"of k-means, {default('seeds')} of prediction)",
    )
    add_number(parser, "--max-iter", 100, "iterations of a barycenter")
    parser.add_argument(
        "--max-outer",
        type=positive(int),
        help=f"iterations of k-means (default: {default('max_outer')})",
    )
    parser.add_argument(
        "--max-inner",
        type=positive(int),
        help="iterations of a barycenter in each (default: "
        f"{default('max_inner')})",
    )
    add_number(parser, "--epoch", 200, "of prediction")
    parser.add_argument(
        "--seed",
        type=seed,
        default=0,
        help="of all that is drawn at random (default: %(default)s)",
    )
    add_number(parser, "--jobs", available_cpus(), "processes at once")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/paper"),
        metavar="FOLDER",
        help="folder for the figures and the tables (default: %(default)s)",
    )
    parser.add_argument(
        "--tables-only",
        action="store_true",
        help="make the tables of the figures there are",
    )
    args = parser.parse_args(argv)
    args.gamma = sorted(set(args.gamma), reverse=True)
    args.experiment = [e for e in EXPERIMENTS if e in args.experiment]
    args.all_of_root = args.dataset is None and args.root is not None
    if args.root is not None and not os.path.isdir(args.root):
        parser.error(f"--root: no folder {args.root!r}")
    if args.dataset is not None:
        args.dataset = list(dict.fromkeys(args.dataset))
    elif args.root is not None:
        args.dataset = sorted(
            entry.name for entry in os.scandir(args.root) if entry.is_dir()
        )
    else:
        args.dataset = list(DATASETS)
    return args


def missing(experiments: list[str]) -> list[str]:
    """The libraries that the experiments need and that are not there."""
    needed = {
        "barycenters": ("tslearn", "scipy"),
        "kmeans": ("tslearn", "sklearn", "scipy"),
        "centroid": ("tslearn", "sklearn", "scipy"),
        "prediction": ("scipy",),
    }
    names = {name for e in experiments for name in needed[e]}
    return sorted(n for n in names if importlib.util.find_spec(n) is None)


def main(argv: list[str] | None = None) -> int:
    """Run the experiments and write the tables."""
    args = parse_args(argv)
    absent = missing(args.experiment)
    if absent and not args.tables_only:
        sys.exit(f"not installed: {', '.join(absent)}")
    failed = 0
    try:
        shapes = look_at(args)
        if not args.tables_only:
            try:
                check_folder(args.out)
            except OSError as e:
                sys.exit(f"--out {args.out}: {e}")
        results = {
            experiment: Results(
                args.out / f"{experiment}.csv",
                experiment,
                settings_of(experiment, args),
            )
            for experiment in args.experiment
        }
        for store in results.values():
            if store.other:
                print(
                    f"{store.path}: {store.other} cases have other settings "
                    "and do not count",
                    file=sys.stderr,
                )
        for line in limitations(shapes, args):
            print(line, file=sys.stderr)
        if not args.tables_only:
            for store in results.values():
                store.repair()
            with workers(args.jobs) as pool:
                failed = run_all(results, args, pool, shapes)
    except KeyboardInterrupt:
        print(
            f"\nInterrupted. What is finished is in {args.out}; the same "
            "command goes on.",
            file=sys.stderr,
        )
        return 130
    if not any(store.rows for store in results.values()):
        sys.exit(f"{args.out}: there are no figures")
    text = tables(results, shapes, args)
    (args.out / "paper.md").write_text(text)
    with contextlib.suppress(OSError):
        (args.out / "unfinished").rmdir()
    print(text)
    if failed:
        print(
            f"{failed} cases failed; the same command tries them again",
            file=sys.stderr,
        )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
