"""Readers of the archive's files, which return series and labels."""

from __future__ import annotations

import io
import os
import re
from typing import Callable

import numpy as np
from scipy.io import arff

from chainer_sdtw.datasets._text import (
    Label,
    Split,
    Values,
    finish,
    parse,
    plural,
    read_lines,
    to_label,
    to_target,
)
from chainer_sdtw.datasets._ts import read_ts


def read(path: str, encoding: str, missing: str) -> Split:
    """Read a file in the layout that belongs to the end of its name.

    Args:
        path: The file.
        encoding: Its encoding.
        missing: The option of ``get_ucr``.

    Raises:
        ValueError: If it is malformed or has missing values.

    """
    reader = READERS[os.path.splitext(path)[1]]
    split = reader(path, encoding, missing)
    if not split.series:
        raise ValueError(f"{path}: the file has no series")
    return split


# Tables with a line for each series, which begins with the label


def _read_table(path: str, encoding: str, missing: str) -> Split:
    """Read a file of values that are separated by tabs, commas or blanks."""
    series: list[np.ndarray] = []
    labels: list[Label] = []
    columns = 0
    lines = read_lines(path, encoding, comment=())
    first = lines[0][1] if lines else ""
    separator = "," if "," in first else "\t" if "\t" in first else None
    for number, line in lines:
        where = f"{path}, line {number}"
        label, *cells = line.split(separator) or [""]
        columns = columns or len(cells)
        if not cells or "\t" in label.strip():
            raise ValueError(
                f"{where}: expected a label and values, separated by tabs, "
                f"commas or blanks, but read {line[:40]!r}"
            )
        if len(cells) != columns:
            raise ValueError(
                f"{where}: {len(cells)} values where line {lines[0][0]} has "
                f"{columns}; is the file complete?"
            )
        series.append(finish(parse([cells], where), where, missing))
        labels.append(to_label(label, where))
    return Split(series, labels, regression=False)


# The layout of Weka

_BLANKS = " \t\n\r\f\v\x1c\x1d\x1e\x1f"  # of ASCII, as SciPy sees them


def _read_arff(path: str, encoding: str, missing: str) -> Split:
    """Read an .arff file, where a series of several channels is a relation.

    SciPy returns labels as ASCII bytes, so other characters are replaced by
    references to them.

    """
    lines = read_lines(path, encoding, comment=("%",))
    text = "\n".join(line for _, line in lines).replace("&", "&amp;")
    text = text.encode("ascii", errors="xmlcharrefreplace").decode("ascii")
    try:
        records, meta = arff.loadarff(io.StringIO(text))
    except Exception as e:  # any error, depending on the malformed line
        raise ValueError(
            f"{path}: not a complete .arff file: {type(e).__name__}: "
            f"{str(e).strip()[:200]}"
        ) from e
    *kinds, kind = meta.types() or [""]
    multivariate = kinds == ["relational"]
    if kind not in ("nominal", "numeric") or not (
        multivariate or set(kinds) == {"numeric"}
    ):
        raise ValueError(
            f"{path}: expected numeric attributes or a relational one, and "
            "then a nominal one for classes or a numeric one for targets, "
            f"but read attributes that are {', '.join(meta.types())}"
        )
    start = 1 + next(
        i for i, (_, s) in enumerate(lines) if s.lower().startswith("@data")
    )
    data = [line for line in lines[start:] if line[1].strip(_BLANKS)]
    series: list[np.ndarray] = []
    labels: list[Label] = []
    for (number, line), record in zip(data, records):
        where = f"{path}, line {number}"
        *fields, label = record
        rows = [list(row) for row in fields[0]] if multivariate else [fields]
        if multivariate and any(
            dtype != np.float64
            for dtype, *_ in fields[0].dtype.fields.values()
        ):
            raise ValueError(
                f"{where}: expected numeric attributes in the relational one"
            )
        values = np.array(rows).T
        if kind == "numeric":
            labels.append(to_target(str(label), where))
            commas = 0
        else:
            name = _unescape(label.decode())
            labels.append(to_label(name, where))
            commas = name.count(",")
        commas += values.size - values.shape[1] + 1
        if line.count(",") != commas:  # SciPy ignores the other values
            raise ValueError(
                f"{where}: expected {plural(len(values), 'value')} per "
                "channel and a label, as the attributes declare, but there "
                f"are {line.count(',') - commas} more"
            )
        no_gaps = np.zeros(values.shape, dtype=bool)
        series.append(finish(Values(values, no_gaps), where, missing))
    return Split(series, labels, kind == "numeric")


def _unescape(text: str) -> str:
    """Undo what makes a file ASCII: references to numbers, and to &."""
    text = re.sub("&#([0-9]+);", lambda number: chr(int(number[1])), text)
    return text.replace("&amp;", "&")


READERS: dict[str, Callable[[str, str, str], Split]] = {
    ".tsv": _read_table,
    "": _read_table,
    ".ts": read_ts,
    ".txt": _read_table,
    ".arff": _read_arff,
}
"""The reader of each suffix, in the order in which files are tried."""
