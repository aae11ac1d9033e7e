"""The tables of the paper's experiments, in Markdown."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

import numpy as np
from machine import environment, version
from paper_experiments import (
    INITS,
    LIMITS,
    METHODS,
    SERIES,
    TOL,
    Case,
    Shape,
    limits_for,
)
from paper_store import Results
from prediction import METRICS
from tables import to_markdown

import sdtw_cpu

TEXTS = {
    "barycenters": (
        "Barycenters",
        f"DTW loss of barycenters of up to {SERIES} series of one class, "
        "drawn at random; at most {max_iter} iterations, tolerance "
        f"{TOL:g}.",
    ),
    "kmeans": (
        "K-means",
        "DTW loss of the training set to the closest of as many centers as "
        "there are classes; at most {max_outer} iterations of k-means and "
        "{max_inner} of a barycenter in each, or as said above.",
    ),
    "centroid": (
        "Nearest centroid",
        "Accuracy on the test set. With a gamma, centroids and classes are "
        "by soft-DTW; otherwise classes are by DTW. At most {max_iter} "
        "iterations, from the Euclidean mean.",
    ),
    "prediction": (
        "Prediction",
        "The last 40 % of a series from the first 60 %, by a network with "
        "one hidden layer that is trained with soft-DTW or MSE from random "
        "weights for {epoch} epochs.",
    ),
}


def limitations(
    shapes: dict[str, Shape], args: argparse.Namespace
) -> list[str]:
    """What is done less of than for other sets, in sentences."""
    lines = []
    if None in (args.repeats, args.max_outer, args.max_inner):
        for name, shape in shapes.items():
            limits = limits_for(shape.length)
            if limits is LIMITS[0]:
                continue
            lines.append(
                f"{name} has series of length {shape.length}: "
                f"{args.repeats or limits.repeats} repetitions of "
                f"barycenters, {args.repeats or limits.kmeans_repeats} of "
                f"k-means with at most {args.max_outer or limits.max_outer} "
                "iterations and "
                f"{args.max_inner or limits.max_inner} of a barycenter in "
                f"each, {args.repeats or limits.seeds} of prediction."
            )
    if "prediction" in args.experiment:
        lines += [
            f"{name} is left out of prediction: its series have different "
            "lengths, and the model takes one."
            for name, shape in shapes.items()
            if not shape.equal
        ]
    return lines


class Figures:
    """The figures of one experiment: of data sets, repetitions, methods."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.repeats: dict[str, list[int]] = {}
        methods = set()
        for name, repeat, _, method, gamma in sorted(results.rows):
            repeats = self.repeats.setdefault(name, [])
            if int(repeat) not in repeats:
                repeats.append(int(repeat))
            methods.add((method, float(gamma) if gamma else None))
        # Those of soft-DTW first, from the largest gamma to the smallest.
        self.methods = sorted(
            methods, key=lambda m: (m[1] is None, -(m[1] or 0), m[0])
        )
        self.titles = [
            METHODS.get(method) or f"gamma {gamma:g}"
            for method, gamma in self.methods
        ]

    def lower(self, init: str, other: str, gamma: float) -> dict[str, str]:
        """Return how often soft-DTW's loss is lower, by sets and by cases.

        A set counts by the mean over its repetitions, of which only those
        with both figures are looked at.
        """
        results = self.results
        cases, sets = [], []
        for name, repeats in self.repeats.items():
            pairs = []
            for repeat in repeats:
                pair = [
                    results.get(Case(name, repeat, init, "soft_dtw", gamma)),
                    results.get(Case(name, repeat, init, other)),
                ]
                if None not in pair:
                    # A NaN, of what diverged, is the highest.
                    pairs.append(np.nan_to_num(pair, nan=np.inf))
            if pairs:
                ours, theirs = np.mean(pairs, axis=0)
                sets.append(ours < theirs)
                cases += [a < b for a, b in pairs]
        return {"sets": share(sets), "cases": share(cases)}

    def shares_table(self) -> str:
        """Return how often soft-DTW is lower, by gamma."""
        gammas = [gamma for _, gamma in self.methods if gamma is not None]
        rows = []
        for init, init_name in INITS.items():
            for other in ("dba", "subgradient"):
                shares = [self.lower(init, other, gamma) for gamma in gammas]
                for unit in ("sets", "cases"):
                    row = {
                        "initial guess": init_name,
                        "lower than": METHODS[other],
                        "of": unit,
                    }
                    values = [counts[unit] for counts in shares]
                    rows.append({**row, **dict(zip(self.titles, values))})
        return to_markdown(rows)

    def means_table(
        self, column: str, inits: Iterable[str], digits: str
    ) -> str:
        """Return the means over repetitions, by set and method."""
        rows = []
        for name, repeats in self.repeats.items():
            for init in inits:
                row = {"data set": name}
                if len(list(inits)) > 1:
                    row["initial guess"] = INITS[init]
                row["repetitions"] = str(len(repeats))
                for title, method in zip(self.titles, self.methods):
                    figures = [
                        self.results.get(Case(name, r, init, *method), column)
                        for r in repeats
                    ]
                    values = [v for v in figures if v is not None]
                    row[title] = (
                        f"{np.mean(values):{digits}}" if values else "-"
                    )
                rows.append(row)
        return to_markdown(rows)

    def ranks_table(self) -> str:
        """Return the mean rank of each loss, over sets and repetitions."""
        from scipy.stats import rankdata

        rows = []
        for column, title in METRICS.items():
            ranks = []
            for name, repeats in self.repeats.items():
                for repeat in repeats:
                    values = [
                        self.results.get(
                            Case(name, repeat, "random", *method), column
                        )
                        for method in self.methods
                    ]
                    if None not in values:
                        ranks.append(rankdata(values))
            means = np.mean(ranks or [[np.nan] * len(self.methods)], axis=0)
            row = {"mean rank by": title, "of runs": str(len(ranks))}
            texts = [f"{mean:.2f}" for mean in means]
            rows.append({**row, **dict(zip(self.titles, texts))})
        return to_markdown(rows)

    def seconds_table(self) -> str:
        """Return seconds of the processor, by method."""
        row = {}
        for title, (method, gamma) in zip(self.titles, self.methods):
            key = method, "" if gamma is None else f"{gamma}"
            seconds = sum(
                float(figures["seconds"])
                for case, figures in self.results.rows.items()
                if case[3:] == key
            )
            row[title] = f"{seconds:.0f} s"
        return to_markdown([row])


def share(outcomes: list[bool]) -> str:
    """Return a percentage with what it is of."""
    part, total = sum(outcomes), len(outcomes)
    return f"{100 * part / total:.0f} % ({part}/{total})" if total else "-"


def tables(
    results: dict[str, Results],
    shapes: dict[str, Shape],
    args: argparse.Namespace,
) -> str:
    """All tables, in Markdown."""
    machine = environment()
    versions = ", ".join(
        f"{name} {version(name)}"
        for name in ("chainer-sdtw", "numpy", "scipy", "tslearn", "aeon")
    )
    parts = [
        "# Experiments of the paper on soft-DTW",
        f"Written by `benchmarks/paper.py` on {machine['time'][:10]}: "
        f"{machine['cpu']}, instruction set {sdtw_cpu.isa()}, Python "
        f"{machine['python']}, {versions}; processes of one thread, as many "
        "as processors. Seconds are those of the processor, summed over the "
        "cases.",
    ]
    limited = limitations(shapes, args)
    if limited:
        parts.append("\n".join(f"- {line}" for line in limited))
    limits = {
        **vars(args),
        "max_outer": args.max_outer or LIMITS[0].max_outer,
        "max_inner": args.max_inner or LIMITS[0].max_inner,
    }
    for experiment in args.experiment:
        if not results[experiment].rows:
            continue
        figures = Figures(results[experiment])
        title, text = TEXTS[experiment]
        parts += [f"## {title}", text.format(**limits)]
        if experiment in ("barycenters", "kmeans"):
            parts += [
                "How often the DTW loss with soft-DTW is lower; a set counts "
                "by its mean over the repetitions:",
                figures.shares_table(),
                "Mean DTW loss:",
                figures.means_table("dtw", INITS, ".4g"),
            ]
        elif experiment == "centroid":
            parts.append(figures.means_table("accuracy", ["mean"], ".3f"))
        else:
            parts.append(figures.ranks_table())
            for column, name in METRICS.items():
                parts += [
                    f"Mean {name}:",
                    figures.means_table(column, ["random"], ".4g"),
                ]
        parts += ["Seconds:", figures.seconds_table()]
    return "\n\n".join(parts) + "\n"
