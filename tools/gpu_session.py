#!/usr/bin/env python
"""Tests, checks and measures everything on a machine with a GPU, in one go.

For a machine that has CuPy and CUDA's compiler but no Chainer and no network,
and that is there for ten minutes::

    OUT=results python tools/gpu_session.py --chainer chainer-7.8.1-*.whl \\
        --peers PEERS

The steps come one after the other, each with a time limit; none stops those
after it. What they print goes to ``session.log`` and the benchmark's figures
to ``gpu.json``, in the folder ``$OUT`` (default: ``results/gpu-session``). A
table of the outcomes comes last. No setting of the GPU is touched.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]
SANITIZER = "/usr/local/cuda/bin/compute-sanitizer"
# Seconds that are kept for the end of the session.
MARGIN = 5
# Characters of the output of a step that fails.
SHOWN = 1500


class Session:
    """What the steps share.

    Attributes:
        out: Folder for what stays.
        log: What all steps print.
        scratch: Folder that goes away at the end.
        outcomes: Name, outcome, seconds and last line of each step.
    """

    def __init__(self, options, out, scratch):
        self.options = options
        self.out = out
        self.log = out / "session.log"
        self.log.write_bytes(b"")
        self.scratch = scratch
        self.end = time.monotonic() + options.time
        self.outcomes = []
        self.environment = dict(os.environ, PYTHONUNBUFFERED="1")
        self.environment["MPLBACKEND"] = "Agg"
        self.site = scratch / "site"
        paths = [str(ROOT), str(self.site), os.environ.get("PYTHONPATH", "")]
        self.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))

    def left(self):
        """Return the seconds that are left for steps."""
        return self.end - MARGIN - time.monotonic()

    def wanted(self, name):
        """Return whether the step has been asked for."""
        only, skip = self.options.only, self.options.skip
        return (not only or name in only) and name not in skip

    def note(self, name, outcome, seconds, summary):
        """Keep and print the outcome of a step."""
        self.outcomes.append((name, outcome, seconds, summary))
        print(f"{name}: {outcome}, {seconds:.0f} s; {summary}", flush=True)

    def said(self, start):
        """Return what the log has from some byte on."""
        with self.log.open("rb") as file:
            file.seek(start)
            return file.read().decode("utf-8", errors="replace")

    def step(self, name, command, limit, show=0):
        """Run a command, its output to the log.

        Args:
            name: Of the step.
            command: What to run.
            limit: Seconds it may take.
            show: How much of the end of its output to print in any case.
        """
        if not self.wanted(name):
            return
        seconds = min(limit, self.left())
        if self.left() < MARGIN:
            self.note(name, "skipped", 0, "no time left")
            return
        begin = time.monotonic()
        with self.log.open("ab") as file:
            file.write(f"\n##### {name}\n".encode())
            file.flush()
            start = file.tell()
            try:
                process = subprocess.Popen(
                    list(map(str, command)),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    env=self.environment,
                    start_new_session=True,
                )
            except OSError as error:
                self.note(name, "skipped", 0, str(error))
                return
            try:
                status = process.wait(seconds)
                outcome = "ok" if status == 0 else f"FAILED ({status})"
            except subprocess.TimeoutExpired:
                outcome = f"STOPPED after {seconds:.0f} s"
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said = self.said(start)
        if outcome != "ok":
            show = max(show, SHOWN)
        if show:
            print(f"... {said[-show:].strip()}")
        self.note(name, outcome, time.monotonic() - begin, last_line(said))

    def print_table(self):
        """Print all outcomes."""
        print()
        rows = [
            (name, outcome, f"{seconds:.0f} s", summary)
            for name, outcome, seconds, summary in self.outcomes
        ]
        widths = [max(map(len, column)) for column in zip(*rows)][:3]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths)]
            print("  ".join([*cells, row[3]]))
        print(f"everything that was printed: {self.log}", flush=True)


def last_line(text):
    """Return the last line of an output that says something."""
    lines = [line.strip(" =\t") for line in text.splitlines()]
    lines = [line for line in lines if any(map(str.isalnum, line))]
    return lines[-1][:160] if lines else "no output"


def write_waves(folder, name="Waves", length=60):
    """Write a small data set in the format of the UCR archive."""
    generator = random.Random(0)
    target = folder / name
    target.mkdir(parents=True)
    for split, count in (("TRAIN", 50), ("TEST", 20)):
        lines = []
        for i in range(count):
            label = i % 2
            phase = generator.uniform(0, math.pi)
            values = [
                math.sin(phase + t * (0.15 + 0.1 * label))
                + generator.gauss(0, 0.05)
                for t in range(length)
            ]
            numbers = [f"{value:.6f}" for value in values]
            lines.append("\t".join([str(label), *numbers]))
        path = target / f"{name}_{split}.tsv"
        path.write_text("\n".join(lines) + "\n")


def run(session):
    """Run all steps."""
    options = session.options
    python = sys.executable
    smoke = [python, ROOT / "tools" / "gpu_smoke.py"]
    sanitizer = shutil.which("compute-sanitizer") or SANITIZER

    def sanitize(tool, *arguments):
        # Its own status tells of errors that the program does not see.
        return [
            *(sanitizer, "--tool", tool, "--error-exitcode", "9"),
            *("--print-limit", "20"),
            *smoke,
            *arguments,
        ]

    session.step("gpu", ["nvidia-smi"], 20)
    if options.chainer:
        session.step(
            "chainer",
            [
                *(python, "-m", "pip", "install", "--no-deps", "--no-index"),
                *("--no-compile", "--disable-pip-version-check"),
                *("--target", session.site, options.chainer.resolve()),
            ],
            60,
        )
    session.step("build", [python, "setup.py", "build_ext", "--inplace"], 120)
    session.step("smoke", smoke, 90)
    session.step(
        "pytest",
        [python, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider"],
        options.pytest_time,
    )
    # Less than the limit, so that the benchmark ends by itself, and time for
    # what comes after it.
    after = 90 if not options.only else 0
    limit = min(options.bench_time, session.left() - after)
    arguments = ["--peers", options.peers.resolve()] if options.peers else []
    session.step(
        "benchmark",
        [
            *(python, ROOT / "benchmarks" / "gpu.py", "--suite", "all"),
            *("--seconds", "0.25", "--budget", max(round(limit - 30), 10)),
            *("--json", session.out / "gpu.json"),
            *arguments,
        ],
        limit,
        show=6000,
    )
    session.step("memcheck", sanitize("memcheck", "--no-pool"), 90)
    session.step("racecheck", sanitize("racecheck", "--quick"), 60)
    session.step("train", [*smoke, "--train"], 45)
    data = session.scratch / "ucr"
    write_waves(data)
    session.step(
        "example",
        [
            python,
            ROOT / "examples" / "sequence_prediction" / "train_ucr.py",
            *("--device", options.device, "--dataset", "Waves"),
            *("--root", data, "--epoch", "10", "--frequency", "5"),
            *("--out", session.scratch / "example"),
        ],
        60,
    )
    quick = ("--quick", "--no-pool")
    session.step("synccheck", sanitize("synccheck", *quick), 45)
    session.step("initcheck", sanitize("initcheck", *quick), 60)


def file(text):
    """Read the path of a file; argparse shows the message."""
    if not pathlib.Path(text).is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return pathlib.Path(text)


def folder(text):
    """Read the path of a folder; argparse shows the message."""
    if not pathlib.Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {text}")
    return pathlib.Path(text)


def main(arguments=None):
    """Run everything; return 0 if all that ran went well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--chainer",
        type=file,
        metavar="WHEEL",
        help="Chainer, to be installed for the time of the session",
    )
    parser.add_argument(
        "--peers",
        type=folder,
        metavar="FOLDER",
        help="clones of the peers, for the benchmark",
    )
    parser.add_argument(
        "--time",
        type=float,
        default=560,
        metavar="S",
        help="for everything (default: %(default)s)",
    )
    parser.add_argument(
        "--bench-time",
        type=float,
        default=300,
        metavar="S",
        help="for the benchmark (default: %(default)s)",
    )
    parser.add_argument(
        "--pytest-time",
        type=float,
        default=150,
        metavar="S",
        help="for the tests (default: %(default)s)",
    )
    parser.add_argument("--device", default="0", help="for the example")
    for name, what in (
        ("--only", "run no other step than STEP"),
        ("--skip", "leave out STEP"),
    ):
        parser.add_argument(
            name,
            action="append",
            default=[],
            metavar="STEP",
            help=f"{what}; may be given several times",
        )
    options = parser.parse_args(arguments)
    out = pathlib.Path(os.environ.get("OUT") or "results/gpu-session")
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        session = Session(options, out, pathlib.Path(scratch))
        try:
            run(session)
        finally:
            if session.outcomes:
                session.print_table()
    went_well = all(o in ("ok", "skipped") for _, o, _, _ in session.outcomes)
    return 0 if went_well else 1


if __name__ == "__main__":
    sys.exit(main())
