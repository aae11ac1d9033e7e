"""Run random cases: ``make fuzz ARGS='--cases 100000 --seed 7'``."""

import argparse
import secrets
import sys
import time

from fuzz import runner


def parse(arguments):
    parser = argparse.ArgumentParser(prog="make fuzz ARGS=...")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, help="by default a random one")
    parser.add_argument("--first", type=int, default=0, help="its number")
    parser.add_argument("--only", default="", help="the name of a function")
    parser.add_argument(
        "--limit", type=float, default=60, help="seconds for one case"
    )
    return parser.parse_args(arguments)


def main(arguments=None):
    """Run cases, print findings; return how many there are."""
    options = parse(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"--seed {seed}", flush=True)
    start, count = time.perf_counter(), 0
    for finding in runner.run(
        seed, options.first, options.cases, options.only, options.limit
    ):
        count += 1
        print(f"\n{count}. {finding}", flush=True)
    seconds = time.perf_counter() - start
    print(f"{options.cases} cases, {seconds:.0f} s, {count} findings")
    return count


if __name__ == "__main__":
    sys.exit(min(main(), 1))
