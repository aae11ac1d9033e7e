"""Value and gradient of soft-DTW on the CPU, this library and its peers.

Everything is measured in one run, interleaved, and given as medians. See
README.md beside this file for what each figure means.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import peers
from common import (
    MEGABYTE,
    Check,
    Neighbours,
    Problem,
    chosen_suites,
    environment,
    format_error,
    format_memory,
    format_time,
    interleave,
    lengths,
    make_console,
    make_table,
    output_file,
    peak_can_be_reset,
    peak_memory,
    positive,
    print_checks,
    suite_parser,
    summarize,
    write_json,
)

BATCH = Problem(32, 256, 256)
PAIR = Problem(1, 2048, 2048)
GRID = (
    Problem(128, 64, 64),
    Problem(32, 256, 256),
    Problem(32, 256, 256, dtype="float32"),
    Problem(32, 256, 256, gamma=0.01),
    Problem(32, 200, 300, d=3),
    Problem(8, 256, 256, d=32),
    Problem(1, 512, 512),
    Problem(1, 2048, 2048),
    Problem(1, 2048, 2048, dtype="float32"),
)
SUITES = {
    "headline": "the batch and the long pair, against every peer",
    "grid": "the grid of problems, or those of --case, against every peer",
    "dtype": "float32 against float64",
    "threads": "one thread, two and so on up to --threads",
    "scaling": "time for each doubling of the length of one pair",
    "memory": "peak memory, each figure in a fresh process",
}
SEED = "sdtw"
OURS = "chainer-sdtw"
# Share of the processors taken by others from which a run is called noisy.
NOISY = 0.1


def relative_error(result, reference):
    """Return the norm of the difference over that of the reference."""
    result = np.asarray(result, dtype=np.float64)
    if result.shape != reference.shape:
        raise ValueError(f"shape {result.shape}, not {reference.shape}")
    scale = np.linalg.norm(reference)
    return float(np.linalg.norm(result - reference) / (scale or 1))


class Benchmark:
    """The suites, with what they share."""

    def __init__(self, options, console):
        self.options = options
        self.console = console
        self.contestants, self.missing = peers.load(options.only)
        self.ours = self.contestants[0]
        self.sdtw_cpu = self.ours.module
        self.threads = options.threads or self.sdtw_cpu.get_num_threads()
        if self.threads == 1:
            self.contestants = [
                contestant
                for contestant in self.contestants
                if not isinstance(contestant, peers.OursOnOneThread)
            ]
        for contestant in self.contestants:
            contestant.set_threads(self.threads)
        self.checks = []
        self.results = {}

    def describe(self):
        """Return everything about this run that is not a measurement."""
        contestants = [
            {
                "name": contestant.name,
                "version": contestant.version,
                "project": contestant.project,
                "computes": contestant.computes,
                "threads": contestant.parallel,
                "gradient": contestant.gradient,
                "importable": True,
            }
            for contestant in self.contestants
        ]
        contestants += [
            {"name": name, "importable": False, "reason": reason}
            for name, reason in self.missing.items()
        ]
        return {
            "environment": environment(),
            "isa": self.sdtw_cpu.isa(),
            "threads": self.threads,
            "repeats": self.options.repeats,
            "data": self.options.data,
            "tolerance": self.options.tolerance,
            "contestants": contestants,
        }

    def print_header(self, description):
        """Print the machine and the contestants."""
        machine = description["environment"]
        self.console.print(
            f"{machine['cpu']}, {machine['cpus_available']} CPUs available, "
            f"{machine['system']} {machine['machine']}, load "
            f"{machine['load_average']}\n"
            f"instruction set {description['isa']}, {self.threads} threads, "
            f"Python {machine['python']}, NumPy {machine['numpy']}, "
            f"median of {self.options.repeats} interleaved rounds, "
            f"{self.options.data} random walks",
            markup=False,
        )
        for name, value in machine["variables"].items():
            self.console.print(f"{name}={value}", markup=False)
        table = make_table(
            "Contestants",
            "name",
            "version",
            "what is computed and timed",
            "threads",
            left=4,
        )
        for contestant in description["contestants"]:
            if contestant["importable"]:
                table.add_row(
                    contestant["name"],
                    contestant["version"] or "-",
                    contestant["computes"],
                    contestant["threads"],
                )
            else:
                reason = contestant["reason"]
                table.add_row(
                    contestant["name"], "-", f"not importable: {reason}", "-"
                )
        self.console.print(table)

    def check(self, name, target, measured, met):
        """Hold a figure against its target."""
        self.checks.append(Check(name, target, measured, met))

    def compare(self, problem):
        """Run every contestant on one problem; print and return its rows."""
        x, y = problem.arrays()
        reference = self.ours.prepare(
            x.astype(np.float64), y.astype(np.float64), problem.gamma
        )()
        rows, calls = {}, {}
        for contestant in self.contestants:
            row = rows[contestant.name] = {
                "gradient": contestant.gradient,
                "flags": [],
            }
            if not contestant.gradient:
                row["flags"].append("value only")
            try:
                call = contestant.prepare(x, y, problem.gamma)
                self._judge(row, call(), reference)
            except Exception as error:
                reason = " ".join(str(error).split())
                row["flags"].append(
                    f"FAILED: {type(error).__name__}: {reason[:200]}"
                )
                row["failed"] = True
            else:
                calls[contestant.name] = call
        timed = interleave(calls, self.options.repeats)
        for name, samples in timed.items():
            rows[name].update(summarize(samples, problem.cells))
            if peak_can_be_reset():
                rows[name]["peak_bytes"] = peak_memory(calls[name])
        ours = rows[OURS]["median_s"]
        for row in rows.values():
            if "median_s" in row:
                row["ratio"] = row["median_s"] / ours
        self._print_rows(problem, rows)
        return rows

    def _judge(self, row, answer, reference):
        """Note the errors of an answer and flag a wrong one."""
        tolerance = self.options.tolerance
        for kind, result, expected in zip(
            ("value", "gradient"), answer, reference
        ):
            if result is None:
                continue
            error = row[f"{kind}_error"] = relative_error(result, expected)
            if not error <= tolerance:
                row["flags"].append(f"WRONG {kind}")
                row["wrong"] = True

    def _print_rows(self, problem, rows):
        table = make_table(
            f"{problem}, value and gradient for x",
            "",
            "time",
            "fastest",
            "ns/cell",
            "times ours",
            "value error",
            "gradient error",
            "peak memory",
            "flags",
        )
        table.columns[-1].justify = "left"
        order = sorted(
            rows, key=lambda name: rows[name].get("median_s", float("inf"))
        )
        for name in order:
            row = rows[name]
            timed = "median_s" in row
            table.add_row(
                name,
                format_time(row.get("median_s")),
                format_time(row.get("min_s")),
                f"{row['ns_per_cell']:.2f}" if timed else "-",
                f"{row['ratio']:.2f}" if timed else "-",
                format_error(row.get("value_error")),
                format_error(row.get("gradient_error")),
                format_memory(row.get("peak_bytes")),
                ", ".join(row["flags"]),
            )
        self.console.print(table)

    def _check_ratio(self, problem, rows, name, target, label):
        what = f"{problem}, times faster than {label}"
        if name is None:
            self.check(what, f">= {target}", "-", None)
            return
        ratio = rows[name]["ratio"]
        measured = f"{ratio:.1f}"
        if label != name:
            measured += f" ({name})"
        self.check(what, f">= {target}", measured, ratio >= target)

    def _best_peer(self, rows):
        """Return the fastest other peer whose gradient is right."""
        fair = [
            name
            for name, row in rows.items()
            if not name.startswith(OURS)
            and name != SEED
            and row["gradient"]
            and "ratio" in row
            and not row.get("wrong")
        ]
        return min(fair, key=lambda name: rows[name]["ratio"], default=None)

    def run_headline(self):
        """Compare with every peer on the batch and on the long pair."""
        results = []
        for problem, seed_target, peer_target in (
            (BATCH, 30, 15),
            (PAIR, 10, None),
        ):
            problem = self.with_data(problem)
            rows = self.compare(problem)
            results.append({"problem": problem, "rows": rows})
            seed = SEED if "ratio" in rows.get(SEED, {}) else None
            self._check_ratio(problem, rows, seed, seed_target, SEED)
            if peer_target is not None:
                best = self._best_peer(rows)
                self._check_ratio(
                    problem, rows, best, peer_target, "the best other peer"
                )
        return results

    def run_grid(self):
        """Compare with every peer on each problem of the grid."""
        return [
            {"problem": problem, "rows": self.compare(problem)}
            for problem in map(self.with_data, self.options.case or GRID)
        ]

    def with_data(self, problem):
        """Return the problem with the series that were asked for."""
        return dataclasses.replace(problem, data=self.options.data)

    def _time_ours(self, title, calls, cells, against):
        """Time calls of ours; print them against one of them."""
        timed = interleave(calls, self.options.repeats)
        rows = {
            name: summarize(samples, cells[name])
            for name, samples in timed.items()
        }
        table = make_table(title, "", "time", "fastest", "ns/cell", "speed-up")
        for name, row in rows.items():
            row["speed_up"] = rows[against]["median_s"] / row["median_s"]
            table.add_row(
                name,
                format_time(row["median_s"]),
                format_time(row["min_s"]),
                f"{row['ns_per_cell']:.2f}",
                f"{row['speed_up']:.2f}",
            )
        self.console.print(table)
        return rows

    def _our_call(self, problem, threads=None):
        call = self.ours.prepare(*problem.arrays(), problem.gamma)
        if threads is None:
            return call
        return peers.with_threads(self.sdtw_cpu, threads, call)

    def run_dtype(self):
        """Time float32 against float64."""
        results = []
        for base in map(self.with_data, (BATCH, PAIR)):
            problems = {
                dtype: dataclasses.replace(base, dtype=dtype)
                for dtype in ("float64", "float32")
            }
            rows = self._time_ours(
                f"({base.batch}, {base.m}, {base.n}, d={base.d}) "
                f"gamma={base.gamma:g}, value and gradient for x",
                {
                    dtype: self._our_call(problem)
                    for dtype, problem in problems.items()
                },
                dict.fromkeys(problems, base.cells),
                "float64",
            )
            results.append({"problem": base, "rows": rows})
            ratio = rows["float32"]["speed_up"]
            self.check(
                f"({base.batch}, {base.m}, {base.n}, d={base.d}), "
                "float32 over float64",
                ">= 1.5",
                f"{ratio:.2f}",
                ratio >= 1.5,
            )
        return results

    def run_threads(self):
        """Time one thread against two and more."""
        counts = [1]
        while counts[-1] * 2 <= self.threads:
            counts.append(counts[-1] * 2)
        names = {
            count: "1 thread" if count == 1 else f"{count} threads"
            for count in counts
        }
        results = []
        for problem in map(self.with_data, (BATCH, PAIR)):
            rows = self._time_ours(
                f"{problem}, value and gradient for x",
                {
                    names[count]: self._our_call(problem, count)
                    for count in counts
                },
                dict.fromkeys(names.values(), problem.cells),
                names[1],
            )
            results.append({"problem": problem, "rows": rows})
            if problem.batch == 1:
                continue
            ratio = rows[names[2]]["speed_up"] if 2 in names else None
            self.check(
                f"{problem}, two threads over one",
                ">= 1.7",
                "-" if ratio is None else f"{ratio:.2f}",
                None if ratio is None else ratio >= 1.7,
            )
        return results

    def run_scaling(self):
        """Time one pair at each length, doubling."""
        lengths = sorted(set(self.options.lengths))
        problems = {
            str(length): self.with_data(Problem(1, length, length))
            for length in lengths
        }
        results = []
        for count in sorted({1, self.threads}):
            calls = {
                name: self._our_call(problem, count)
                for name, problem in problems.items()
            }
            timed = interleave(calls, self.options.repeats)
            rows = {
                name: summarize(samples, problems[name].cells)
                for name, samples in timed.items()
            }
            for before, after in zip(lengths, lengths[1:]):
                row, other = rows[str(after)], rows[str(before)]
                row["growth"] = row["median_s"] / other["median_s"]
                expected = (after / before) ** 2
                row["growth_over_expected"] = row["growth"] / expected
            self._print_growth(count, rows)
            results.append({"threads": count, "rows": rows})
            grown = [row for row in rows.values() if "growth" in row]
            self.check(
                f"one pair, growth for each doubling of the length from "
                f"{lengths[0]} to {lengths[-1]}, threads: {count}",
                "4 within 15 %",
                ", ".join(f"{row['growth']:.2f}" for row in grown) or "-",
                all(
                    abs(row["growth_over_expected"] - 1) <= 0.15
                    for row in grown
                )
                if grown
                else None,
            )
        return results

    def _print_growth(self, threads, rows):
        table = make_table(
            f"One pair, d=1, float64, gamma=1, threads: {threads}",
            "length",
            "time",
            "fastest",
            "ns/cell",
            "times the length before",
            "of the expected",
        )
        for name, row in rows.items():
            grown = "growth" in row
            table.add_row(
                name,
                format_time(row["median_s"]),
                format_time(row["min_s"]),
                f"{row['ns_per_cell']:.2f}",
                f"{row['growth']:.2f}" if grown else "-",
                f"{row['growth_over_expected']:.2f}" if grown else "-",
            )
        self.console.print(table)

    def run_memory(self):
        """Measure peak memory, each figure in a process of its own."""
        long_pair = Problem(
            1, self.options.memory_length, self.options.memory_length
        )
        results = []
        table = make_table(
            "Peak memory above the start, each in a fresh process",
            "",
            "problem",
            "gradients",
            "peak memory",
            "bytes/cell",
            "note",
            left=3,
        )
        table.columns[-1].justify = "left"
        jobs = [(self.ours, long_pair, True)]
        for problem in self.options.case or (PAIR, BATCH):
            jobs += [
                (contestant, problem, False)
                for contestant in self.contestants
                if not isinstance(contestant, peers.OursOnOneThread)
            ]
        for contestant, problem, both in jobs:
            peak, reason = probe_memory(
                contestant.name, problem, self.threads, both
            )
            gradients = "x and y" if both else "x"
            if not contestant.gradient:
                gradients = "none"
            row = {
                "name": contestant.name,
                "problem": problem,
                "gradients": gradients,
                "peak_bytes": peak,
                "failure": reason,
            }
            per_cell = "-"
            note = reason or ""
            if peak is not None:
                row["bytes_per_cell"] = peak / problem.cells
                per_cell = f"{row['bytes_per_cell']:.2f}"
                if contestant is not self.ours and problem.batch == 1:
                    scaled = row["bytes_per_cell"] * long_pair.cells
                    row["scaled_to_long_pair_bytes"] = scaled
                    note = f"{scaled / 1e9:.1f} GB at length {long_pair.m}"
            results.append(row)
            table.add_row(
                contestant.name,
                str(problem),
                gradients,
                format_memory(peak),
                per_cell,
                note,
            )
            if both:
                self.check(
                    f"{problem}, value and both gradients",
                    "< 300 MB",
                    format_memory(peak),
                    None if peak is None else peak < 300 * MEGABYTE,
                )
        self.console.print(table)
        return results

    def run(self, suites):
        """Run the suites in turn."""
        for suite in suites:
            self.console.rule(SUITES[suite], align="left")
            self.results[suite] = getattr(self, f"run_{suite}")()
        if self.checks:
            print_checks(self.console, self.checks)
        return all(check.met is not False for check in self.checks)


def probe_memory(name, problem, threads, both):
    """Return the peak memory in bytes, or None and why there is none."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("memory_probe.py")),
        name,
        f"{problem.batch},{problem.m},{problem.n},{problem.d},"
        f"{problem.dtype},{problem.gamma!r}",
        str(threads),
    ]
    if both:
        command.append("--both")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return int(done.stdout.split()[-1]), None
    lines = done.stderr.strip().splitlines() or ["no message"]
    return None, f"FAILED ({done.returncode}): {lines[-1]}"


def problem(text):
    """Read a problem; argparse shows the message of an ArgumentTypeError."""
    try:
        return Problem.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def make_parser():
    """Return the parser of the command line."""
    parser = suite_parser(__doc__.splitlines()[0], SUITES, "headline")
    parser.add_argument(
        "--case",
        action="append",
        type=problem,
        metavar="B,M,N,D[,DTYPE[,GAMMA]]",
        help="a problem for the grid and memory suites in place of their "
        "own, may be given several times, e.g. 32,256,256,1,float32,0.1",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=[cls.name for cls in peers.CLASSES],
        metavar="NAME",
        help="leave out all contestants but this library and NAME, may be "
        "given several times: "
        + ", ".join(repr(cls.name) for cls in peers.CLASSES),
    )
    parser.add_argument(
        "--threads",
        type=positive(int),
        metavar="N",
        help="threads for every contestant that has them (default: what this "
        "library takes by itself, see OMP_NUM_THREADS)",
    )
    parser.add_argument(
        "--repeats",
        type=positive(int),
        default=7,
        metavar="N",
        help="interleaved rounds (default: %(default)s)",
    )
    parser.add_argument(
        "--data",
        choices=["normalized", "walk"],
        default="normalized",
        help="random walks with mean 0 and variance 1, or as they are "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--tolerance",
        type=positive(float),
        default=1e-3,
        metavar="E",
        help="relative error, norm-wise, above which an answer is flagged as "
        "wrong (default: %(default)s)",
    )
    parser.add_argument(
        "--lengths",
        type=lengths,
        default=[512, 1024, 2048, 4096, 8192],
        metavar="N,N,...",
        help="lengths of the scaling suite (default: 512,1024,...,8192)",
    )
    parser.add_argument(
        "--memory-length",
        type=positive(int),
        default=16384,
        metavar="N",
        help="length of the long pair of the memory suite (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--json",
        type=output_file,
        metavar="FILE",
        help="write everything measured to FILE",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with status 1 when a target is missed",
    )
    return parser


def main(arguments=None):
    """Run the benchmark; return the exit status or a message."""
    options = make_parser().parse_args(arguments)
    suites = chosen_suites(options, SUITES, "headline")
    warnings.simplefilter("ignore")
    console = make_console()
    try:
        benchmark = Benchmark(options, console)
    except ImportError as error:
        return f"this library cannot be imported, install it first: {error}"
    description = benchmark.describe()
    benchmark.print_header(description)
    neighbours = Neighbours()
    met = benchmark.run(suites)
    share = neighbours.share()
    if share is not None:
        text = f"Other processes used {share:.0%} of the processors meanwhile"
        if share > NOISY and suites != ["memory"]:
            text += ": these timings are not to be relied on"
        console.print(f"{text}.")
    if options.json:
        write_json(
            options.json,
            {
                "benchmark": "cpu",
                **description,
                "share_of_other_processes": share,
                "suites": benchmark.results,
                "targets": benchmark.checks,
            },
        )
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
