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


def names_in(results: Results) -> list[str]:
    """The data sets there are figures of."""
    return list(dict.fromkeys(key[0] for key in sorted(results.rows)))


def repeats_in(results: Results, name: str) -> list[int]:
    """The repetitions there are figures of."""
    return sorted({int(key[1]) for key in results.rows if key[0] == name})


def methods_in(results: Results) -> list[tuple[str, float | None]]:
    """The methods there are figures of, soft-DTW's by gamma first."""
    found = {(key[3], key[4]) for key in results.rows}
    return sorted(
        ((method, float(gamma) if gamma else None) for method, gamma in found),
        key=lambda m: (m[1] is None, -(m[1] or 0), m[0]),
    )


def title_of(method: str, gamma: float | None) -> str:
    """A column's title."""
    return METHODS.get(method) or f"gamma {gamma:g}"


def lower(results: Results, init: str, other: str, gamma: float) -> dict:
    """How often soft-DTW's loss is lower, by cases and by sets.

    A set counts by the mean over its repetitions, of which only those with
    both figures are looked at.
    """
    cases = sets = all_cases = all_sets = 0
    for name in names_in(results):
        pairs = []
        for repeat in repeats_in(results, name):
            ours = results.get(Case(name, repeat, init, "soft_dtw", gamma))
            theirs = results.get(Case(name, repeat, init, other))
            if ours is not None and theirs is not None:
                # A NaN, of what diverged, is the highest.
                pairs.append(np.nan_to_num([ours, theirs], nan=np.inf))
        if not pairs:
            continue
        ours, theirs = np.mean(pairs, axis=0)
        cases += sum(a < b for a, b in pairs)
        sets += ours < theirs
        all_cases += len(pairs)
        all_sets += 1
    return {"cases": (cases, all_cases), "sets": (sets, all_sets)}


def share(counts: tuple[int, int]) -> str:
    """A percentage with what it is of."""
    part, total = counts
    return f"{100 * part / total:.0f} % ({part}/{total})" if total else "-"


def shares_table(results: Results) -> str:
    """How often soft-DTW is lower, by gamma."""
    gammas = [g for _, g in methods_in(results) if g is not None]
    rows = []
    for init, init_name in INITS.items():
        for other in ("dba", "subgradient"):
            found = {g: lower(results, init, other, g) for g in gammas}
            for unit in ("sets", "cases"):
                rows.append(
                    {
                        "initial guess": init_name,
                        "lower than": METHODS[other],
                        "of": unit,
                        **{
                            title_of("soft_dtw", g): share(found[g][unit])
                            for g in gammas
                        },
                    }
                )
    return to_markdown(rows)


def means_table(
    results: Results, column: str, inits: Iterable[str], digits: str
) -> str:
    """The mean of a figure over the repetitions, by set and method."""
    rows = []
    for name in names_in(results):
        for init in inits:
            row = {"data set": name}
            if len(list(inits)) > 1:
                row["initial guess"] = INITS[init]
            repeats = repeats_in(results, name)
            row["repetitions"] = str(len(repeats))
            for method, gamma in methods_in(results):
                values = [
                    results.get(Case(name, r, init, method, gamma), column)
                    for r in repeats
                ]
                known = [v for v in values if v is not None]
                row[title_of(method, gamma)] = (
                    f"{np.mean(known):{digits}}" if known else "-"
                )
            rows.append(row)
    return to_markdown(rows)


def ranks_table(results: Results) -> str:
    """The mean rank of each loss, over sets and repetitions."""
    from scipy.stats import rankdata

    methods = methods_in(results)
    rows = []
    for column, title in METRICS.items():
        ranks = []
        for name in names_in(results):
            for repeat in repeats_in(results, name):
                values = [
                    results.get(Case(name, repeat, "random", *m), column)
                    for m in methods
                ]
                if None not in values:
                    ranks.append(rankdata(values))
        means = np.mean(ranks, axis=0) if ranks else [np.nan] * len(methods)
        rows.append(
            {
                "mean rank by": title,
                "of runs": str(len(ranks)),
                **{
                    title_of(*m): f"{mean:.2f}"
                    for m, mean in zip(methods, means)
                },
            }
        )
    return to_markdown(rows)


def seconds_table(results: Results) -> str:
    """Seconds of the processor, by method."""
    row = {}
    for method, gamma in methods_in(results):
        text = "" if gamma is None else f"{gamma}"
        seconds = sum(
            float(r["seconds"])
            for key, r in results.rows.items()
            if key[3:] == (method, text)
        )
        row[title_of(method, gamma)] = f"{seconds:.0f} s"
    return to_markdown([row])


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
    for experiment in args.experiment:
        found = results[experiment]
        if not found.rows:
            continue
        title, text = {
            "barycenters": (
                "Barycenters",
                f"DTW loss of barycenters of up to {SERIES} series of one "
                "class, drawn at random; at most "
                f"{args.max_iter} iterations, tolerance {TOL:g}.",
            ),
            "kmeans": (
                "K-means",
                "DTW loss of the training set to the closest of as many "
                "centers as there are classes; at most "
                f"{args.max_outer or LIMITS[0].max_outer} iterations of "
                f"k-means and {args.max_inner or LIMITS[0].max_inner} of a "
                "barycenter in each, or as said above.",
            ),
            "centroid": (
                "Nearest centroid",
                "Accuracy on the test set. With a gamma, centroids and "
                "classes are by soft-DTW; otherwise classes are by DTW. At "
                f"most {args.max_iter} iterations, from the Euclidean mean.",
            ),
            "prediction": (
                "Prediction",
                "The last 40 % of a series from the first 60 %, by a network "
                "with one hidden layer that is trained with soft-DTW or MSE "
                f"from random weights for {args.epoch} epochs.",
            ),
        }[experiment]
        parts += [f"## {title}", text]
        if experiment in ("barycenters", "kmeans"):
            parts += [
                "How often the DTW loss with soft-DTW is lower; a set counts "
                "by its mean over the repetitions:",
                shares_table(found),
                "Mean DTW loss:",
                means_table(found, "dtw", INITS, ".4g"),
            ]
        elif experiment == "centroid":
            parts.append(means_table(found, "accuracy", ["mean"], ".3f"))
        else:
            parts.append(ranks_table(found))
            for column, name in METRICS.items():
                parts += [
                    f"Mean {name}:",
                    means_table(found, column, ["random"], ".4g"),
                ]
        parts += ["Seconds:", seconds_table(found)]
    return "\n\n".join(parts) + "\n"
