"""Lines, series and labels, which all layouts of the archive share."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import NamedTuple, Union

import numpy as np

Label = Union[int, float, str]
Lines = list[tuple[int, str]]  # with line numbers, from 1

_GAPS = ("", "?")
# What open() makes of a byte that is not valid in the encoding.
_INVALID = re.compile("[\udc80-\udcff]")
# Both take time in proportion to the length of what they do not match.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Python converts so many digits whatever its limit is set to.
_INTEGER = re.compile(r"[+-]?\d{1,640}", re.ASCII)


class Split(NamedTuple):
    """One half of a data set."""

    series: list[np.ndarray]
    """Each ``(length, d)`` in float64."""
    labels: list[Label]
    """Labels of classes, or targets for regression."""
    regression: bool


class Values(NamedTuple):
    """A series as it is in the file, in arrays ``(length, d)``."""

    values: np.ndarray
    """NaN where they are missing."""
    gaps: np.ndarray
    """Where they are missing because the file has a gap, not NaN."""


def read_lines(path: str, encoding: str, comment: tuple[str, ...]) -> Lines:
    """Read the lines of a file without comments and empty lines at its end.

    A comment may be in any encoding. A file that begins with the byte order
    mark of UTF-8 is read as UTF-8.

    """
    with open(path, "rb") as binary:
        if binary.read(3) == codecs.BOM_UTF8:
            encoding = "utf-8"
    try:
        with open(path, encoding=encoding, errors="surrogateescape") as file:
            text = file.read()
    except UnicodeError as e:
        raise ValueError(
            f"{path}: the file is not in encoding={encoding!r} ({e})"
        ) from e
    # Byte order marks are also inside of files that were joined.
    lines = text.replace("\ufeff", "").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    numbered = []
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith(comment):
            continue
        invalid = _INVALID.search(line)
        if invalid:
            raise ValueError(
                f"{path}, line {number}: the byte "
                f"0x{ord(invalid[0]) - 0xDC00:02x} is not {encoding}; name "
                "the encoding of the file, for example encoding='cp1252' or "
                "encoding='utf-16'"
            )
        numbered.append((number, line))
    return numbered


# Series


def plural(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def parse(channels: list[list[str]], where: str) -> Values:
    """Convert the cells of each channel to numbers."""
    length = len(channels[0])
    values = np.empty((length, len(channels)))
    gaps = np.empty((length, len(channels)), dtype=bool)
    for k, cells in enumerate(channels):
        if len(cells) != length:
            raise ValueError(
                f"{where}: channel {k + 1} has "
                f"{plural(len(cells), 'time step')}, but channel 1 {length}; "
                "is the line complete?"
            )
        gaps[:, k] = [cell.strip() in _GAPS for cell in cells]
        column = []
        for cell, gap in zip(cells, gaps[:, k]):
            try:
                column.append(np.nan if gap else _to_float(cell))
            except ValueError:
                channel = f"channel {k + 1}, " if len(channels) > 1 else ""
                raise ValueError(
                    f"{where}, {channel}value {len(column) + 1}: not a "
                    f"number: {cell[:40]!r}"
                ) from None
        values[:, k] = column
    return Values(values, gaps)


def _to_float(text: str) -> float:
    if "_" in text:  # allowed by Python between digits
        raise ValueError
    return float(text)


def finish(series: Values, where: str, missing: str) -> np.ndarray:
    """Cut off padding at the end and interpolate missing values."""
    holes = np.isnan(series.values)
    if holes.all():
        raise ValueError(f"{where}: the series has no values")
    padding = (holes & ~series.gaps).all(axis=1)
    end = np.flatnonzero(~padding)[-1] + 1
    values, holes = series.values[:end], holes[:end]
    if holes.any() and missing == "raise":
        raise ValueError(
            f"{where}: {holes.sum()} of {holes.size} values are missing, "
            f"the first at time step {np.argwhere(holes)[0, 0] + 1}; "
            "missing='interpolate' fills them in (NaN at the end of a series "
            "is padding)"
        )
    for k in np.flatnonzero(holes.any(axis=0)):
        hole = holes[:, k]
        if hole.all():
            raise ValueError(f"{where}: channel {k + 1} has no values")
        values[hole, k] = np.interp(
            np.flatnonzero(hole), np.flatnonzero(~hole), values[~hole, k]
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{where}: the series has infinite values")
    return values


# Labels


def to_label(text: str, where: str) -> Label:
    """Return the label, which is the same for '1', '1.0' and '1.00e+00'."""
    text = text.strip()
    if text.lower() in (*_GAPS, "nan"):
        raise ValueError(f"{where}: the class label is missing")
    if not _NUMBER.fullmatch(text):
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    value = float(text)
    if np.isinf(value):
        return text
    return int(value) if value.is_integer() else value


def to_target(text: str, where: str) -> float:
    try:
        value = _to_float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(
            f"{where}: expected a number as the target, but read "
            f"{text[:40]!r}; is the line complete?"
        )
    return value


def sort_labels(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Sort labels, numbers before strings."""
    return tuple(
        sorted(
            labels,
            key=lambda y: (1, 0, y) if isinstance(y, str) else (0, y, ""),
        )
    )
