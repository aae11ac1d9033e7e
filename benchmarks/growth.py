#!/usr/bin/env python
"""Growth of the memory in use over many calls of everything public.

Each call has tiny inputs and is repeated ``--calls`` times, the slow ones a
tenth or a thousandth of that, after 50 calls and a twentieth uncounted.
"resident" is the growth of the resident set; "malloc" and "objects" are bytes
and Python's objects that were allocated meanwhile and not freed.

All this is without Python's garbage collector: "cycles" are objects that it
alone would have freed. It runs where other packages make such, as the column
"collected" tells.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import harness
from options import add_number
from tables import MEGABYTE

import sdtw_cpu

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import memory_calls
import memory_growth
import memory_others

SUITES = {
    "functions": "what the tests of arguments call, with valid arguments",
    "errors": "the same, refused for a first argument of a wrong type",
    "others": "everything else that is public",
}
FORMATS = {
    "seconds": ("seconds", "{:.0f}".format),
    "resident": ("resident", lambda size: f"{size / MEGABYTE:.2f} MB"),
    "malloc": ("allocated", "{} B".format),
    "objects": ("blocks", str),
    "cycles": ("cycles", str),
    "collected": ("collected", str),
}


class Benchmark(harness.Benchmark):
    """The growth over many calls."""

    name = "growth"
    suites = SUITES
    not_timed = tuple(SUITES)

    @classmethod
    def add_options(cls, parser):
        add_number(parser, "--calls", 100_000, "calls of each function")
        add_number(parser, "--limit", 2.0, "the largest growth of each", "MB")
        parser.add_argument(
            "--only",
            metavar="TEXT",
            action="append",
            help="only calls whose names contain this, may be given several "
            "times",
        )
        harness.add_threads_option(parser)

    def __init__(self, options, console):
        reason = memory_growth.unsupported()
        if reason:
            raise ImportError(f"cannot measure memory: {reason}")
        super().__init__(options, console)
        self.describe_library(sdtw_cpu)

    def run_functions(self):
        """Repeat valid calls."""
        return self._measure(dict(memory_calls.of_cases()))

    def run_errors(self):
        """Repeat calls that raise."""
        return self._measure(dict(memory_calls.of_errors()))

    def run_others(self):
        """Repeat all other calls."""
        with memory_others.in_folder(memory_others.of_others) as calls:
            yield from self._measure(calls)

    def _measure(self, calls):
        rows = {}
        only = self.options.only or [""]
        for name, call in calls.items():
            if not any(text in name for text in only):
                continue
            count = max(self.options.calls // 10**call.slow, 1)
            start = time.perf_counter()
            grown = memory_growth.growth(call, count, count // 20 + 50)
            rows[name] = {
                "calls": count,
                "seconds": time.perf_counter() - start,
                **grown._asdict(),
                "collected": call.cycles or "-",
            }
            size = grown.resident / MEGABYTE
            self.check(f"{name}, MB", self.options.limit, size)
            self.check(f"{name}, cycles", 0, grown.cycles)
            yield {"name": name, **rows[name]}
        self.print_rows(
            self.suites[self.suite],
            rows,
            "",
            "calls",
            *FORMATS,
            formats={"calls": ("calls", str), **FORMATS},
        )


if __name__ == "__main__":
    sys.exit(harness.main(Benchmark, __doc__))
