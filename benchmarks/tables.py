"""The tables that the benchmarks print, and the formats of their figures."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

MEGABYTE = 10**6


def format_time(seconds):
    """Format a duration with three digits and a unit."""
    if seconds >= 3600:
        return f"{seconds / 3600:.3g} h"
    if seconds >= 1000:
        return f"{seconds:.0f} s"
    if seconds >= 1:
        return f"{seconds:.3g} s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds * 1e6:.3g} us"


def format_memory(size):
    """Format a number of bytes in megabytes (10**6 bytes)."""
    return f"{size / MEGABYTE:.1f} MB"


def format_error(error):
    """Format a relative error."""
    return f"{error:.1e}"


FORMATS = {
    "time": ("median_s", format_time),
    "fastest": ("min_s", format_time),
    "wall clock": ("wall_median_s", format_time),
    "ns/cell": ("ns_per_cell", "{:.3g}".format),
    "ratio": ("ratio", "{:.2f}".format),
    "times ours": ("ratio", "{:.1f}".format),
    "growth": ("growth", "{:.2f}".format),
    "value error": ("value_error", format_error),
    "gradient error": ("gradient_error", format_error),
    "memory": ("peak_bytes", format_memory),
    "bytes/cell": ("bytes_per_cell", "{:.2f}".format),
    "error": ("error", format_error),
    "limit": ("limit", "{:g}".format),
    "flags": ("flags", ", ".join),
}
"""Columns of tables: the key of the figure in a row, and its format."""


def make_console():
    """Return a console that does not squeeze tables into a pipe."""
    width = None if sys.stdout.isatty() else 130
    return Console(width=width, highlight=False, emoji=False)


def print_rows(console, title, rows, *columns, formats=None):
    """Print a table with a line for each row.

    Args:
        console: Where to.
        title: Of the table.
        rows: Dictionary from names, or from tuples of them, to dictionaries
            of figures.
        columns: First those of the names, then keys of ``formats`` or of
            the rows.
        formats: Further ones than ``FORMATS``.
    """
    formats = {**FORMATS, **(formats or {})}
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        min_width=len(title),
    )
    for index, column in enumerate(columns):
        text = column not in formats or column == "flags"
        table.add_column(
            column,
            justify="left" if text else "right",
            overflow="fold",
            no_wrap=index == 0,
        )
    for name, row in rows.items():
        cells = list(name) if isinstance(name, tuple) else [name]
        for column in columns[len(cells) :]:
            key, form = formats.get(column, (column, str))
            value = row.get(key)
            cells.append("-" if value is None else form(value))
        table.add_row(*map(str, cells))
    console.print(table)


def to_markdown(rows):
    """Return rows, dictionaries with the same keys, as a Markdown table."""
    table = [list(rows[0]), *([str(v) for v in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    table.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |"
        for line in table
    )
