"""Readers of the options of benchmarks."""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path


def positive(convert):
    """Return a reader of positive numbers."""

    def read(text):
        value = convert(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"must be positive: {text}")
        return value

    read.__name__ = convert.__name__
    return read


def add_number(parser, name, default, help, metavar="N"):
    """Add an option that is a positive number of the default's type."""
    parser.add_argument(
        name,
        type=positive(type(default)),
        default=default,
        metavar=metavar,
        help=f"{help} (default: %(default)s)",
    )


def seed(text):
    """Read a seed of NumPy's random numbers."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(
            f"must be from 0 to {2**32 - 1}: {text}"
        )
    return value


def integers(count=None):
    """Return a reader of so many positive integers between commas."""

    def read(text):
        values = [positive(int)(part) for part in text.split(",")]
        if count is not None and len(values) != count:
            raise argparse.ArgumentTypeError(
                f"expected {count} numbers, got {text!r}"
            )
        return tuple(values)

    read.__name__ = "integers"
    return read


def check_folder(path):
    """Make a folder if there is none, and try to write there.

    Raises:
        OSError: If that is not possible.
    """
    Path(path).mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=path).close()


def output_file(text):
    """Read the name of a file that can be written; makes its folder."""
    path = Path(text)
    try:
        check_folder(path.parent)
        if path.exists():
            path.open("a").close()
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"cannot be written: {error}"
        ) from None
    return text
