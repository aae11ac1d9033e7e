"""Peak memory of one call in a process of its own.

``cpu.py`` starts this once for every figure:

    python memory_probe.py NAME B,m,n,d,dtype,gamma THREADS [--both]

It imports the contestant, makes the series, and, for a contestant that
compiles, computes a tiny problem first. The one line that it prints is the
rise of the resident set from there to its peak during the call, in bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings

import peers
from machine import peak_memory
from problems import Problem


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="contestant")
    parser.add_argument("problem", type=Problem.parse)
    parser.add_argument("threads", type=int)
    parser.add_argument(
        "--both", action="store_true", help="gradients for x and y (ours only)"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    loaded, missing = peers.load(only=[arguments.name])
    for contestant in loaded:
        if contestant.name == arguments.name:
            break
    else:
        parser.exit(1, f"{missing.get(arguments.name, 'unknown name')}\n")
    contestant.set_threads(arguments.threads)
    problem = arguments.problem
    more = {"both": True} if arguments.both else {}
    if contestant.compiles:
        tiny = dataclasses.replace(problem, m=8, n=8)
        contestant.prepare(*tiny.arrays(), problem.gamma)()
    call = contestant.prepare(*problem.arrays(), problem.gamma, **more)
    print(peak_memory(call))


if __name__ == "__main__":
    main()
