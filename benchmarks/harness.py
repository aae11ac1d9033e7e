"""The harness of the benchmarks: timing, errors, checks, suites, JSON.

A benchmark is a subclass of ``Benchmark`` with a generator ``run_NAME`` for
each of its suites; ``main`` reads its options and writes what it yields.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
import traceback
import warnings
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from machine import Neighbours, environment
from options import add_number, output_file, positive
from tables import make_console, print_rows

OURS = "chainer-sdtw"
NOISY = 0.1
"""Share of the processors taken by others from which timings are noisy."""


def interleave(calls, repeats=7, min_time=0.02, rest=0.01, warm=True):
    """Time several calls side by side: A B C A B C ...

    Every one of ``repeats`` rounds has one sample of each call, and begins
    with another one. A short rest before each sample lets the threads of the
    call before go to sleep, so that noise and neighbours hit all alike.

    Args:
        calls: Dictionary from a name to a function without arguments.
        repeats: Number of rounds.
        min_time: Least duration of one sample in seconds.
        rest: Pause before each sample in seconds.
        warm: Whether each is called once untimed before, to compile and to
            fill caches.

    Returns:
        Dictionary from the names to lists of seconds per call.
    """
    if warm:
        for call in calls.values():
            call()
    samples = {name: [] for name in calls}
    names = list(calls)
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            call = calls[name]
            time.sleep(rest)
            count, seconds = 0, 0.0
            start = time.perf_counter()
            while seconds < min_time:
                call()
                count += 1
                seconds = time.perf_counter() - start
            samples[name].append(seconds / count)
    return samples


def summarize(samples, cells=None):
    """Return a dictionary with median, minimum and ns per cell."""
    median = statistics.median(samples)
    row = {
        "median_s": median,
        "min_s": min(samples),
        "samples_s": samples,
    }
    if cells:
        row["ns_per_cell"] = median / cells * 1e9
    return row


def set_ratios(rows, against):
    """Add to each timed row its time over that of one of them."""
    base = rows[against].get("median_s")
    for row in rows.values():
        if base and "median_s" in row:
            row["ratio"] = row["median_s"] / base


def relative_error(result, reference):
    """Return the norm of the difference over that of the reference."""
    result = np.asarray(result, dtype=np.float64)
    reference = np.asarray(reference, dtype=np.float64)
    if result.shape != reference.shape:
        raise ValueError(f"shape {result.shape}, not {reference.shape}")
    scale = np.linalg.norm(reference)
    return float(np.linalg.norm(result - reference) / (scale or 1))


def worst_of(errors):
    """Return the largest error; one that is no number is the largest."""
    errors = [math.inf if math.isnan(error) else error for error in errors]
    return max(errors, default=None)


def judge(row, kinds, answer, reference, tolerance):
    """Note the errors of an answer in a row and flag a wrong one."""
    for kind, result, expected in zip(kinds, answer, reference):
        if result is None:
            continue
        error = row[f"{kind}_error"] = relative_error(result, expected)
        if not error <= tolerance:
            row["flags"].append(f"WRONG {kind}")
            row["wrong"] = True


def one_line(error, length=200):
    """Return the message of an exception on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:length]


@dataclass
class Check:
    """An error with the limit that it is held against."""

    name: str
    limit: float
    error: float | None
    reason: str = ""

    @property
    def passed(self):
        """Whether the error is within its limit, None without an error."""
        return None if self.error is None else self.error <= self.limit

    @property
    def verdict(self):
        """Return the outcome in words."""
        if self.passed is None:
            return self.reason or "not measured"
        return "passed" if self.passed else "FAILED"


def _plain(value):
    """Return a copy that JSON can hold; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Check):
        return _plain({**asdict(value), "passed": value.passed})
    if is_dataclass(value):
        return _plain(asdict(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path, document):
    """Write a document of dictionaries, lists, problems and numbers.

    The file is replaced in one step, so that it is complete at any time.
    """
    text = json.dumps(_plain(document), indent=1, allow_nan=False)
    part = Path(f"{path}.part")
    part.write_text(text + "\n")
    os.replace(part, path)


class Benchmark:
    """The suites of a benchmark, with what they share.

    Attributes:
        name: Of the benchmark, in its JSON.
        suites: Dictionary from the names of suites to what they measure.
        default: The suite that is run where none is asked for, or ``'all'``.
        not_timed: Suites whose figures are no times.
    """

    name = ""
    suites: ClassVar[dict] = {}
    default = "all"
    not_timed = ()

    @classmethod
    def add_options(cls, parser):
        """Add the options that only this benchmark has."""

    def __init__(self, options, console):
        self.options = options
        self.console = console
        self.suite = ""  # the one that runs
        self.checks = []
        self.results = {}
        self.neighbours = Neighbours()
        self.description = {
            "environment": environment(),
            "options": vars(options),
            "complete": False,
        }

    def describe_library(self, sdtw_cpu):
        """Set the threads of the CPU kernels and describe these."""
        if self.options.threads:
            sdtw_cpu.set_num_threads(self.options.threads)
        self.description["isa"] = sdtw_cpu.isa()
        self.description["threads"] = sdtw_cpu.get_num_threads()

    def print_header(self):
        """Print what is run on which machine."""
        about = self.description
        machine = about["environment"]
        library = ""
        if "isa" in about:
            library = (
                f"instruction set {about['isa']}, {about['threads']} threads, "
            )
        self.say(
            f"{machine['cpu']}, {machine['cpus_available']} CPUs available, "
            f"{machine['system']} {machine['machine']}, load "
            f"{machine['load_average']}",
            f"{library}Python {machine['python']}, NumPy {machine['numpy']}",
            *(f"{name}={v}" for name, v in machine["variables"].items()),
        )

    def print_contestants(self, *columns):
        """Print what is compared with what."""
        rows = {row["name"]: row for row in self.description["contestants"]}
        self.print_rows("Contestants", rows, "name", *columns)

    def say(self, *lines):
        """Print lines as they are."""
        self.console.print("\n".join(lines), markup=False)

    def check(self, name, limit, error, reason="not measured"):
        """Hold an error against its limit; None has not been measured."""
        name = f"{self.suite}: {name}"
        self.checks.append(Check(name, limit, error, reason))

    def print_rows(self, title, rows, *columns, **options):
        """Print a table, see ``tables.print_rows``."""
        print_rows(self.console, title, rows, *columns, **options)

    def compare(
        self, title, calls, against, cells, figures=None, formats=None
    ):
        """Time calls and print them as multiples of one of them.

        Args:
            title: Of the table.
            calls: Dictionary from names to functions without arguments.
            against: The name that counts as 1.
            cells: How many cells of the table one call computes.
            figures: Dictionary from names to figures besides the times.
            formats: Dictionary from the columns of these to a key and a
                format.

        Returns:
            Dictionary from names to rows of figures.
        """
        timed = interleave(calls, self.options.repeats)
        rows = {name: summarize(s, cells) for name, s in timed.items()}
        for name in figures or ():
            rows[name].update(figures[name])
        set_ratios(rows, against)
        columns = "", "time", "fastest", "ns/cell", "ratio", *(formats or ())
        self.print_rows(title, rows, *columns, formats=formats)
        return rows

    def save(self):
        """Write what has been measured so far."""
        if self.options.json:
            document = {
                "benchmark": self.name,
                **self.description,
                "share_of_other_processes": self.neighbours.share(),
                "suites": self.results,
                "checks": self.checks,
            }
            write_json(self.options.json, document)

    def run(self, suites):
        """Run suites in turn and write each result at once.

        A suite that fails does not keep the others from running.

        Returns:
            The exit status.
        """
        failures = []
        for suite in suites:
            self.suite = suite
            self.console.rule(self.suites[suite], align="left")
            results = self.results[suite] = []
            try:
                for result in getattr(self, f"run_{suite}")():
                    results.append(result)
                    self.save()
            except Exception:
                failures.append(suite)
                self.say(traceback.format_exc())
        if self.checks:
            rows = {
                check.name: {**vars(check), "outcome": check.verdict}
                for check in self.checks
            }
            self.print_rows("Checks", rows, "", "error", "limit", "outcome")
        share = self.neighbours.share()
        if share is not None:
            text = f"Other processes used {share:.0%} of the processors"
            if share > NOISY and set(suites) - set(self.not_timed):
                text += ": these timings are not to be relied on"
            self.say(f"{text}.")
        self.description["complete"] = not failures
        self.save()
        if failures:
            self.say(f"failed: {', '.join(failures)}")
        missed = any(check.passed is False for check in self.checks)
        return int(bool(failures) or (self.options.check and missed))


def add_timing_options(parser, repeats):
    """Add the options of benchmarks that time calls on the CPU."""
    add_number(parser, "--repeats", repeats, "interleaved rounds")
    add_threads_option(parser)


def add_threads_option(parser):
    """Add the option for the number of threads."""
    parser.add_argument(
        "--threads",
        type=positive(int),
        metavar="N",
        help="threads of all that have them (default: what this library "
        "takes by itself, see OMP_NUM_THREADS)",
    )


def make_parser(benchmark, doc):
    """Return the parser of a benchmark with this docstring."""
    listed = "\n".join(
        f"  {name:10} {what}" for name, what in benchmark.suites.items()
    )
    parser = argparse.ArgumentParser(
        description=doc.split("\n\n")[0],
        epilog=f"suites:\n{listed}\n  all        all of these",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--suite",
        action="append",
        choices=[*benchmark.suites, "all"],
        metavar="SUITE",
        help="what to run, may be given several times (default: "
        f"{benchmark.default})",
    )
    benchmark.add_options(parser)
    parser.add_argument(
        "--json",
        type=output_file,
        metavar="FILE",
        help="write everything measured to FILE, after every step",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with status 1 when an error is above its limit",
    )
    return parser


def main(benchmark, doc, arguments=None, make=None):
    """Run a benchmark.

    Args:
        benchmark: Subclass of ``Benchmark``.
        doc: The docstring of its script.
        arguments: Of the command line.
        make: Makes it from options and console where the class does not.

    Returns:
        The exit status or a message.
    """
    options = make_parser(benchmark, doc).parse_args(arguments)
    suites = list(dict.fromkeys(options.suite or [benchmark.default]))
    if "all" in suites:
        suites = list(benchmark.suites)
    warnings.simplefilter("ignore")
    try:
        run = (make or benchmark)(options, make_console())
    except ImportError as error:
        return f"this library cannot be imported, install it first: {error}"
    run.print_header()
    return run.run(suites)
