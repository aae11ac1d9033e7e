#!/usr/bin/env python
"""Draw figures of the files that the benchmarks wrote.

From a file of gpu.py: time and memory against the length, for each number of
features. From a file of cpu.py: the headline's times as bars. From a file of
scaling.py: what the model expects of up to 1000 machines.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator
from options import output_file, positive

OURS = "chainer-sdtw"
# Colours of Okabe and Ito, which the colour-blind can tell apart; markers and
# lines differ besides.
STYLES = {
    OURS: ("#0072b2", "o", "-"),
    "chainer-sdtw, in Chainer": ("#56b4e9", "P", ":"),
    "sdtw-cuda-torch, unfused": ("#d55e00", "s", "-"),
    "sdtw-cuda-torch, fused": ("#e69f00", "D", "--"),
    "pytorch-softdtw-cuda": ("#009e73", "^", "-."),
    "pysdtw": ("#cc79a7", "v", "--"),
}
OTHER = ("0.45", "x", ":")
FORMER_NAMES = {"sdtw": "mblondel/soft-dtw"}
"""Names of contestants in files of results, and what they are called now."""
# Without what only measures this library in another way.
LEFT_OUT = ("chainer-sdtw, in Chainer", "chainer-sdtw, 1 thread")
PEER = "0.68"
WIDTH = 8.4  # inches; README shows about 840 pixels
DPI = 200

plt.rcParams.update(
    {
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
    }
)


def label_seconds(seconds, _=None):
    """Label a time with one unit."""
    if seconds >= 1:
        return f"{seconds:g} s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:g} ms"
    return f"{seconds * 1e6:g} \N{MICRO SIGN}s"


def label_bytes(size, _=None):
    """Label a size with one unit (powers of ten)."""
    if size >= 1e9:
        return f"{size / 1e9:g} GB"
    if size >= 1e6:
        return f"{size / 1e6:g} MB"
    return f"{size / 1e3:g} kB"


def usable(row):
    """Whether a row has a time that counts."""
    return "median_s" in row and not row.get("failed")


def curves(cells, batch, d, key):
    """Return the points of each contestant: name to lists of x and y."""
    result = {}
    for cell in cells:
        problem = cell["cell"]
        if problem["batch"] != batch or problem["d"] != d:
            continue
        for name, row in cell["rows"].items():
            # A NaN or null where there is no figure, and what is not
            # positive has no place on a logarithmic axis.
            if name not in LEFT_OUT and usable(row) and row.get(key):
                result.setdefault(name, []).append((problem["m"], row[key]))
    return {name: sorted(points) for name, points in result.items()}


def order(names):
    """Return names in the order of their styles."""
    known = list(STYLES)
    return sorted(
        names, key=lambda n: known.index(n) if n in known else len(known)
    )


def draw_gpu(document, batch=None):
    """Return the figure of a file of gpu.py."""
    cells = [c for c in document["suites"].get("grid", []) if c["rows"]]
    if not cells:
        raise ValueError("no cell of the grid has been measured")
    if batch is None:
        batch = max(cell["cell"]["batch"] for cell in cells)
    features = sorted(
        {c["cell"]["d"] for c in cells if c["cell"]["batch"] == batch}
    )
    if not features:
        raise ValueError(f"no cell of the grid has a batch of {batch}")
    figures = (
        ("median_s", "time", label_seconds),
        ("peak_bytes", "memory", label_bytes),
    )
    fig, axes = plt.subplots(
        len(figures),
        len(features),
        figsize=(WIDTH, 6.4),
        sharex=True,
        sharey="row",
        squeeze=False,
        constrained_layout=True,
    )
    handles = {}
    for top, line, (key, what, label) in zip((True, False), axes, figures):
        for ax, d in zip(line, features):
            points = curves(cells, batch, d, key)
            for name in order(points):
                color, marker, dashes = STYLES.get(name, OTHER)
                ours = name == OURS
                (handles[name],) = ax.plot(
                    *zip(*points[name]),
                    color=color,
                    marker=marker,
                    linestyle=dashes,
                    linewidth=2.6 if ours else 1.6,
                    markersize=7 if ours else 5.5,
                    zorder=3 if ours else 2,
                    label=name,
                )
            ax.set_xscale("log", base=2)
            ax.set_yscale("log")
            ax.yaxis.set_major_formatter(FuncFormatter(label))
            ax.yaxis.set_minor_formatter(NullFormatter())
            ax.grid(True, which="major", color="0.9", linewidth=0.8)
            ax.set_axisbelow(True)
            if top:
                plural = "" if d == 1 else "s"
                ax.set_title(f"{d} feature{plural}")
        line[0].set_ylabel(what)
    lengths = sorted(
        {c["cell"]["m"] for c in cells if c["cell"]["batch"] == batch}
    )
    for ax in axes[-1]:
        ax.set_xticks(lengths, [f"{n}" for n in lengths])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel("length of the series")
    names = order(handles)
    fig.legend(
        [handles[name] for name in names],
        names,
        loc="outside lower center",
        ncol=min(3, len(names)),
        frameon=False,
    )
    note = " (dry run: no GPU)" if document.get("dry_run") else ""
    fig.suptitle(
        f"Value and both gradients of {batch} pairs, float32, "
        f"{document['gpu']['name']}{note}",
        x=0.01,
        ha="left",
        fontsize=12,
    )
    return fig


def draw_cpu(document):
    """Return the figure of a file of cpu.py."""
    results = document["suites"].get("headline")
    if not results:
        raise ValueError("the suite headline has not been run")
    fig, axes = plt.subplots(
        1,
        len(results),
        figsize=(WIDTH, 3.6),
        squeeze=False,
        constrained_layout=True,
    )
    for ax, result in zip(axes[0], results):
        problem = result["problem"]
        rows = sorted(
            (
                (row["ns_per_cell"], name, row)
                for name, row in result["rows"].items()
                if name not in LEFT_OUT and usable(row) and row["gradient"]
            ),
            key=lambda item: -item[0],
        )
        times = [time for time, _, _ in rows]
        own = min(time for time, name, _ in rows if name == OURS)
        bars = ax.barh(
            [FORMER_NAMES.get(name, name) for _, name, _ in rows],
            times,
            color=[STYLES[OURS][0] if n == OURS else PEER for _, n, _ in rows],
        )
        ax.bar_label(
            bars,
            [
                f"{time:.3g} ns"
                if name == OURS
                else f"{time:.3g} ns, {time / own:.0f}\N{MULTIPLICATION SIGN}"
                for time, name, _ in rows
            ],
            padding=4,
            fontsize=9,
        )
        pairs = problem["batch"]
        plural = "one pair" if pairs == 1 else f"{pairs} pairs"
        ax.set_title(f"{plural} of length {problem['m']}")
        ax.set_xlim(0, max(times) * 1.42)
        ax.spines[["bottom", "left"]].set_visible(False)
        ax.tick_params(bottom=False, labelbottom=False, left=False)
    machine = document["environment"]
    fig.suptitle(
        "Value and gradient, time per cell, float64\n"
        f"{machine['cpu']}, {document['threads']} threads, "
        f"{document['isa']}",
        x=0.01,
        ha="left",
        fontsize=11,
    )
    return fig


SPENT = {
    "compute": ("computing", "#0072b2", "-"),
    "send": ("sending", "#d55e00", "--"),
    "schedule": ("scheduling", "#009e73", "-."),
}


def draw_scaling(document):
    """Return the figure of a file of scaling.py."""
    results = document["suites"].get("plan")
    if not results:
        raise ValueError("the suite plan has not been run")
    columns = 2
    fig, axes = plt.subplots(
        -(-len(results) // columns),
        columns,
        figsize=(WIDTH, 6.4),
        sharex=True,
        squeeze=False,
        constrained_layout=True,
    )
    handles = {}
    for ax, result in zip(axes.flat, results):
        machines = [int(count) for count in result["rows"]]
        rows = list(result["rows"].values())
        lines = {"in all": ([row["total"] for row in rows], "0.2", "-")}
        for key, (name, color, dashes) in SPENT.items():
            lines[name] = [row[key] for row in rows], color, dashes
        for name, (seconds, color, dashes) in lines.items():
            if not any(seconds):
                continue
            (handles[name],) = ax.plot(
                machines,
                seconds,
                color=color,
                linestyle=dashes,
                linewidth=3 if name == "in all" else 1.6,
                alpha=0.35 if name == "in all" else 1,
                label=name,
            )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(FuncFormatter(label_seconds))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_formatter(FuncFormatter("{:g}".format))
        ax.grid(True, which="major", color="0.9", linewidth=0.8)
        ax.set_title(result["name"], fontsize=10)
    for ax in axes[-1]:
        ax.set_xlabel("machines")
    fig.legend(
        handles.values(),
        handles,
        loc="outside lower center",
        ncol=len(handles),
        frameon=False,
    )
    fig.suptitle("What the model expects of many machines", x=0.01, ha="left")
    return fig


def main(arguments=None):
    """Draw a figure; return the exit status or a message."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, metavar="RESULTS.json")
    parser.add_argument(
        "-o",
        "--output",
        type=output_file,
        required=True,
        metavar="FILE",
        help="picture to write; the ending tells the format",
    )
    parser.add_argument(
        "--batch",
        type=positive(int),
        metavar="B",
        help="batch of the GPU figure (default: the largest)",
    )
    options = parser.parse_args(arguments)
    try:
        document = json.loads(options.results.read_text(encoding="utf-8"))
        kind = document["benchmark"]
        if kind == "gpu":
            fig = draw_gpu(document, options.batch)
        elif kind == "cpu":
            fig = draw_cpu(document)
        elif kind == "scaling":
            fig = draw_scaling(document)
        else:
            raise ValueError(f"a file of benchmark {kind!r}")
    except (OSError, KeyError, ValueError) as error:
        return f"{options.results}: {error!r}"
    fig.savefig(options.output, dpi=DPI)
    plt.close(fig)
    return 0


if __name__ == "__main__":
    sys.exit(main())
