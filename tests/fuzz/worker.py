"""A process that runs cases, one after the other.

It writes a line of JSON before each case and after one in which something is
wrong, so that whoever started it knows the case that has ended it.
"""

import faulthandler
import json
import sys

from fuzz import cases

try:
    import resource
except ImportError:  # not on Windows
    resource = None

MEMORY = 3 * 2**30  # bytes beside what there is at the start


def limit_memory():
    """Let allocations fail that a case of this size has no need of."""
    if resource is None or not sys.platform.startswith("linux"):
        return
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))


def tell(**what):
    print(json.dumps(what), file=sys.__stdout__, flush=True)


def main(arguments):
    """Run cases.

    Args:
        arguments: As strings: the seed, the first number, the number after
            the last, and the name of a function, empty for any.
    """
    seed, start, stop = map(int, arguments[:3])
    only = arguments[3] or None
    faulthandler.enable()
    limit_memory()
    for number in range(start, stop):
        tell(what="begin", number=number)
        found = cases.check(seed, number, only)
        if found is not None:
            keep = cases.fewest_changes(seed, number, only)
            fewest = cases.check(seed, number, only, keep)
            tell(what="wrong", number=number, found=fewest or found)
    tell(what="all", number=stop)


if __name__ == "__main__":
    main(sys.argv[1:])
