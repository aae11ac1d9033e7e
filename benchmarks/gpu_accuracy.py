"""The errors of float32 on a GPU, of this library and of its peers."""

from __future__ import annotations

import gpu_peers
import numpy as np
from gpu_measure import KINDS
from harness import OURS, relative_error, worst_of
from problems import KINDS as SERIES
from problems import Problem, make_series
from tables import format_error

GAMMAS = (1.0, 0.1, 0.01, 0.001)
PEER_LENGTH = 1024
"""The longest series for peers: all of them can do that."""


def run_accuracy(benchmark, lengths, features):
    """Hold float32 against float64 on the same float32 inputs.

    Yields:
        A dictionary for each kind of series and each contestant.
    """
    pairs = benchmark.options.pairs
    problems = [
        Problem(pairs, length, length, d, "float32", gamma, kind)
        for d in features
        for length in lengths
        for kind in SERIES
        for gamma in GAMMAS
    ]
    for number, problem in enumerate(problems, start=1):
        yield from errors(benchmark, problem, number)
    results = benchmark.results["accuracy"]
    print_accuracy(benchmark, results)
    worst = worst_of(
        row[key]
        for row in results
        if row["name"] == OURS and "gx" in row
        for key in ("gx", "gy")
    )
    benchmark.check(
        f"float32 gradients, lengths {lengths[0]} to {lengths[-1]}, gamma 1 "
        "to 0.001",
        1e-5,
        worst,
    )


def errors(benchmark, problem, number):
    """Yield a row with the errors of each contestant."""
    random = np.random.default_rng((benchmark.options.seed, number))
    shape = problem.batch, problem.m, problem.d
    x, y = (make_series(problem.data, random, shape).astype("f") for _ in "xy")
    reference = None
    if not benchmark.broken:
        reference = benchmark.reference(x, y, problem.gamma)
    for contestant in benchmark.contestants:
        if isinstance(contestant, gpu_peers.OursInChainer):
            continue
        if contestant is not benchmark.ours and (
            problem.m > PEER_LENGTH or problem.d != 1
        ):
            continue
        row = {
            "name": contestant.name,
            "series": problem.data,
            "length": problem.m,
            "d": problem.d,
            "gamma": problem.gamma,
            "flags": [],
        }
        reason = benchmark.broken or contestant.limit(problem)
        if reference is None:
            reason = reason or "no reference"
        if not benchmark.skip(row, reason):
            try:
                call = contestant.prepare(x, y, problem.gamma)
                answer = benchmark.first(call, row)
                if answer is not None:
                    host = contestant.host(answer)
                    for key, *pair in zip(KINDS, host, reference):
                        row[key] = worst_of(map(relative_error, *pair))
            except Exception as error:
                benchmark.fail(row, error)
            contestant.clean()
        yield row


def print_accuracy(benchmark, results):
    """Print the worst gradients of this library and of all."""
    tables = {"ours": {}, "all": {}}
    for row in results:
        if "gx" not in row:
            continue
        names = []
        if row["name"] == OURS:
            key = row["series"], row["length"], row["d"]
            names.append(("ours", key))
        if row["length"] <= PEER_LENGTH and row["d"] == 1:
            names.append(("all", row["name"]))
        for table, name in names:
            worst = tables[table].setdefault(name, {})
            errors = [row["gx"], row["gy"]]
            errors.append(worst.get(row["gamma"], 0.0))
            worst[row["gamma"]] = worst_of(errors)
    formats = {f"gamma {g:g}": (g, format_error) for g in GAMMAS}
    benchmark.print_rows(
        "This library, worst float32 gradient",
        tables["ours"],
        "series",
        "length",
        "d",
        *formats,
        formats=formats,
    )
    benchmark.print_rows(
        f"All up to length {PEER_LENGTH}, d=1, worst float32 gradient "
        "(inf: not a number)",
        tables["all"],
        "",
        *formats,
        formats=formats,
    )
