#!/usr/bin/env python
"""Errors of values and gradients, in float64 and in float32.

Two tables: against the reference values that the tests use, and float32
against float64 on the same random float32 inputs. All errors are norms of
differences over norms, the worst of the cases that a row stands for.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from common import (
    environment,
    format_error,
    make_console,
    make_table,
    output_file,
    positive,
    seed,
    write_json,
)

import sdtw_cpu

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "reference.npz"
GAMMAS = (1.0, 0.1, 0.01, 0.001)
SERIES = ("walk", "normalized walk", "noise")


def error(result, reference):
    """Return the norm of the difference over that of the reference."""
    result = np.asarray(result, np.float64)
    scale = np.linalg.norm(reference)
    return float(np.linalg.norm(result - reference) / (scale or 1))


def value_and_gradients(x, y, gamma):
    """Return the value and both gradients of a batch."""
    value, tape = sdtw_cpu.value(x, y, gamma, tape=True)
    return value, *sdtw_cpu.adjoint(tape)


def reference_rows():
    """Yield gamma, dtype and the worst errors of value, E and gx."""
    with np.load(REFERENCE) as file:
        data = dict(file)
    names = {key.split("/")[0] for key in data}
    for gamma in sorted({float(data[f"{name}/gamma"]) for name in names}):
        for dtype in np.float64, np.float32:
            worst = dict.fromkeys(("value", "E", "gx"), 0.0)
            for name in names:
                if float(data[f"{name}/gamma"]) != gamma:
                    continue
                x, y = (data[f"{name}/{key}"][None] for key in "xy")
                value, gx, _ = value_and_gradients(
                    x.astype(dtype), y.astype(dtype), gamma
                )
                found = {"value": value[0], "gx": gx[0]}
                if f"{name}/E" in data:
                    cost = ((x[:, :, None] - y[:, None]) ** 2).sum(-1)
                    _, tape = sdtw_cpu.value_from_cost(
                        cost.astype(dtype), gamma, tape=True
                    )
                    found["E"] = sdtw_cpu.adjoint(tape)[0]
                for key, result in found.items():
                    worst[key] = max(
                        worst[key], error(result, data[f"{name}/{key}"])
                    )
            yield {"gamma": gamma, "dtype": np.dtype(dtype).name, **worst}


def make_series(kind, random, length, features):
    """Return ``(1, length, features)`` in float32."""
    x = random.standard_normal((1, length, features))
    if kind != "noise":
        x = x.cumsum(axis=1)
    if kind == "normalized walk":
        x = (x - x.mean(axis=1)) / x.std(axis=1)
    return x.astype(np.float32)


def float32_rows(lengths, features, pairs, seed):
    """Yield the worst errors of float32 over ``pairs`` random pairs."""
    random = np.random.default_rng(seed)
    for kind in SERIES:
        for length in lengths:
            for gamma in GAMMAS:
                worst = [0.0] * 3
                for _ in range(pairs):
                    x, y = (
                        make_series(kind, random, length, features)
                        for _ in range(2)
                    )
                    single = value_and_gradients(x, y, gamma)
                    double = value_and_gradients(
                        x.astype(np.float64), y.astype(np.float64), gamma
                    )
                    worst = [
                        max(w, error(s, d))
                        for w, s, d in zip(worst, single, double)
                    ]
                yield {
                    "series": kind,
                    "length": length,
                    "gamma": gamma,
                    **dict(zip(("value", "gx", "gy"), worst)),
                }


def show(console, title, rows, left):
    """Print rows as a table and return them."""
    rows = list(rows)
    table = make_table(title, *rows[0], left=left)
    for row in rows:
        cells = list(row.values())
        table.add_row(
            *(str(cell) for cell in cells[:-3]),
            *(format_error(cell) for cell in cells[-3:]),
        )
    console.print(table)
    return rows


def main(arguments=None):
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--lengths",
        type=positive(int),
        nargs="+",
        default=[128, 1024, 4096],
    )
    parser.add_argument("--features", type=positive(int), default=1)
    parser.add_argument(
        "--pairs", type=positive(int), default=4, help="random pairs per row"
    )
    parser.add_argument("--seed", type=seed, default=0)
    parser.add_argument(
        "--json", type=output_file, metavar="FILE", help="write the figures"
    )
    options = parser.parse_args(arguments)
    console = make_console()
    console.print(f"instruction set: {sdtw_cpu.isa()}")
    reference = show(
        console, "Against the reference values", reference_rows(), 2
    )
    float32 = show(
        console,
        "float32 against float64 on the same inputs",
        float32_rows(
            options.lengths, options.features, options.pairs, options.seed
        ),
        3,
    )
    worst = max(max(row["gx"], row["gy"]) for row in float32)
    console.print(f"worst float32 gradient: {format_error(worst)}")
    if options.json:
        write_json(
            options.json,
            {
                "environment": environment(),
                "isa": sdtw_cpu.isa(),
                "options": vars(options),
                "reference": reference,
                "float32": float32,
            },
        )


if __name__ == "__main__":
    main()
