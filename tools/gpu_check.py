#!/usr/bin/env python
"""Check and measure the CUDA kernels on this machine's GPU, step by step.

All kernels are compiled, many at a time, into the cache that CuPy reads. Then
every kind of sweep is compared with the CPU on small problems, every kernel is
timed, the tests that need a GPU run, CUDA's compute-sanitizer looks for
accesses out of bounds and for races, and at last other packages are timed
beside this one. Each step is a process with a time limit of its own; one that
fails stops none of those after it, and all of them together keep to
``--total``. After each step its outcome is in ``steps.json`` in the folder
``--out``, and what it printed in ``check.log``.

Nothing is fetched, and nothing but CUDA is compiled: build the packages in
place before, as ``make venv`` does, here or on another machine with the same
Python.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SANITIZER = "/usr/local/cuda/bin/compute-sanitizer"


def run_step(command, log, limit):
    """Run a command and return its outcome.

    Args:
        command: The program and its arguments.
        log: An open file for what it prints.
        limit: Seconds after which the command is stopped.
    """
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUNBUFFERED": "1",
    }
    try:
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **variables},
            start_new_session=True,
        )
    except OSError as error:
        return f"not run: {error}"
    try:
        status = process.wait(limit)
        return "ok" if status == 0 else f"failed ({status})"
    except subprocess.TimeoutExpired:
        return f"stopped after {limit:.0f} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with all that it started
            process.wait()


def make_steps(out, peers=None):
    """Return the seconds and the command of each step by its name.

    Args:
        out: Folder for the results of benchmarks.
        peers: Folder with clones of other packages, see ``gpu.py``.
    """
    python = sys.executable
    smoke = [python, Path(__file__).with_name("gpu_smoke.py").resolve()]
    test = [python, "-m", "pytest", "--require-gpu", "-q"]
    benchmark = [python, ROOT / "benchmarks" / "gpu.py"]
    kernels = [*benchmark, "--suite", "kernels", "--suite", "queue"]
    kernels += ["--only", "chainer-sdtw, in Chainer"]
    others = ["--peers", peers] if peers else []
    parallel = []
    if importlib.util.find_spec("xdist"):
        parallel = ["-n", "4", "--dist", "worksteal"]
    sanitizer = [
        shutil.which("compute-sanitizer") or SANITIZER,
        *("--error-exitcode", "9"),
        *("--report-api-errors", "no"),  # CuPy asks in vain, and goes on
    ]
    return {
        "compile": (110, [*smoke, "compile"]),
        "smoke": (60, [*smoke, "quick"]),
        "kernels": (80, [*kernels, "--json", out / "kernels.json"]),
        "tests": (120, [*test, "-m", "gpu and not alone", *parallel]),
        "tests-alone": (30, [*test, "-m", "gpu and alone"]),
        **{
            tool: (60, [*sanitizer, "--tool", tool, *smoke, "quick"])
            for tool in ("memcheck", "racecheck")
        },
        "smoke-all": (50, [*smoke, "all"]),
        "peers": (
            120,
            [*benchmark, *others, "--json", out / "peers.json"],
        ),
    }


def run_steps(steps, out, total):
    """Run steps in turn; return whether all succeeded.

    Args:
        steps: As from ``make_steps``.
        out: Folder for results.
        total: Seconds for all of them. The limits of steps are multiplied so
            that they add up to 1.2 times that: few take all of theirs.
    """
    end = time.monotonic() + total
    each = 1.2 * total / sum(seconds for seconds, _ in steps.values())
    log = out / "check.log"
    log.write_bytes(b"")
    outcomes = {}
    for name, (seconds, command) in steps.items():
        begin = time.monotonic()
        limit = min(each * seconds, end - begin)
        with log.open("ab") as file:
            file.write(f"\n=== {name} ===\n".encode())
            file.flush()
            start = file.tell()
            if limit < 1:
                outcome = "not run: no time left"
            else:
                outcome = run_step(command, file, limit)
        taken = round(time.monotonic() - begin, 1)
        outcomes[name] = {"outcome": outcome, "seconds": taken}
        text = json.dumps(outcomes, indent=2)
        (out / "steps.json").write_text(text + "\n")
        print(f"{name}: {outcome}, {taken} s", flush=True)
        if outcome != "ok":
            said = log.read_bytes()[start:].decode(errors="replace")
            print(*said.splitlines()[-12:], sep="\n", flush=True)
    return all(row["outcome"] == "ok" for row in outcomes.values())


def main(arguments=None):
    """Run the steps and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results/gpu-check"),
        metavar="FOLDER",
        help="folder for outcomes and results (default: %(default)s)",
    )
    parser.add_argument(
        "--total",
        type=float,
        default=580,
        metavar="S",
        help="seconds that all steps may take (default: %(default)s)",
    )
    parser.add_argument(
        "--peers",
        type=Path,
        metavar="FOLDER",
        help="folder with clones of other packages, as for benchmarks/gpu.py",
    )
    parser.add_argument(
        "steps",
        nargs="*",
        metavar="STEP",
        help="which to run (default: all): " + ", ".join(make_steps(ROOT)),
    )
    options = parser.parse_args(arguments)
    out = options.out.resolve()
    steps = make_steps(out, options.peers and options.peers.resolve())
    unknown = set(options.steps) - set(steps)
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    if options.steps:
        steps = {name: steps[name] for name in options.steps}
    out.mkdir(parents=True, exist_ok=True)
    return 0 if run_steps(steps, out, options.total) else 1


if __name__ == "__main__":
    sys.exit(main())
