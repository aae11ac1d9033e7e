"""The reader of files in the layout of aeon."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from chainer_sdtw.datasets._text import (
    Label,
    Split,
    finish,
    parse,
    plural,
    read_lines,
    sort_labels,
    to_label,
    to_target,
)

_PAIR = re.compile(r"\([^()]*\)")
_BETWEEN_STAMPS = re.compile(r"\)\s*,\s*\(")


class _Header:
    """The header of a .ts file, which checks that series agree with it."""

    def __init__(self, path: str, lines: Iterator[tuple[int, str]]) -> None:
        self.path = path
        self._tags: dict[str, tuple[int, list[str]]] = {}
        for number, line in lines:
            if not line.strip():
                continue
            tag, *values = line.split()
            if tag.lower() == "@data":
                break
            if not tag.startswith("@"):
                raise ValueError(
                    f"{path}, line {number}: expected a line of the header, "
                    f"which begins with @ or #, but read {line[:40]!r}"
                )
            self._tags[tag[1:].lower()] = number, values
        else:
            raise ValueError(
                f"{path}: expected a line @data before the series, but there "
                "is none; is the file complete?"
            )
        self.stamps = self._flag("timestamps")
        self.univariate = self._flag("univariate")
        self.equal = self._flag("equallength")
        self.channels = self._count("dimensions") or self._count("dimension")
        self.length = self._count("serieslength")
        self.regression = bool(self._flag("targetlabel"))
        self.classes = {
            to_label(text, self._where("classlabel"))
            for text in self._tags.get("classlabel", (0, []))[1][1:]
        }
        if self.regression:
            return
        if not self._flag("classlabel"):
            raise ValueError(
                f"{path}: the series have neither class labels nor targets: "
                "expected a line @classLabel true, with the labels, or "
                "@targetLabel true in the header"
            )
        if not self.classes:
            raise ValueError(
                f"{self._where('classlabel')}: expected the labels of the "
                "classes after @classLabel true"
            )

    def _where(self, tag: str) -> str:
        return f"{self.path}, line {self._tags[tag][0]}"

    def _flag(self, tag: str) -> bool | None:
        if tag not in self._tags:
            return None
        value = (self._tags[tag][1] or [""])[0].lower()
        if value not in ("true", "false"):
            raise ValueError(
                f"{self._where(tag)}: expected true or false after @{tag}, "
                f"but read {value[:40]!r}"
            )
        return value == "true"

    def _count(self, tag: str) -> int | None:
        if tag not in self._tags:
            return None
        value = " ".join(self._tags[tag][1])
        if not re.fullmatch("[0-9]{1,18}", value) or int(value) == 0:
            raise ValueError(
                f"{self._where(tag)}: expected a number > 0 after @{tag}, of "
                f"at most 18 digits, but read {value[:40]!r}"
            )
        return int(value)

    def check_channels(self, channels: int, where: str) -> None:
        if self.univariate and channels != 1:
            declared = "@univariate true"
        elif self.channels not in (None, channels):
            declared = f"@dimensions {self.channels}"
        elif self.univariate is False and not self.channels and channels == 1:
            declared = "@univariate false"
        else:
            return
        raise ValueError(
            f"{where}: {plural(channels, 'channel')} and a label where the "
            f"header says {declared}; is the line complete?"
        )

    def check_length(self, length: int, first: int, where: str) -> None:
        if self.equal is False:
            return
        if self.length not in (None, length):
            declared = f"the header says @seriesLength {self.length}"
        elif self.equal and length != first:
            declared = (
                "the header says @equalLength true and the first series has "
                f"{first}"
            )
        else:
            return
        raise ValueError(
            f"{where}: {plural(length, 'time step')} where {declared}"
        )


def read_ts(path: str, encoding: str, missing: str) -> Split:
    """Read a .ts file.

    aeon's reader makes labels lower case, drops the signs of values with time
    stamps, and does not compare series with the header.

    """
    lines = iter(read_lines(path, encoding, comment=("#", "%")))
    header = _Header(path, lines)
    series: list[np.ndarray] = []
    labels: list[Label] = []
    channels = length = 0
    for number, line in lines:
        where = f"{path}, line {number}"
        if "(" in line.rpartition(":")[0] and not header.stamps:
            raise ValueError(
                f"{where}: there are time stamps, but the header does not "
                "say @timeStamps true"
            )
        *texts, label = (
            _split_at_colons(line) if header.stamps else line.split(":")
        )
        if not texts:
            raise ValueError(
                f"{where}: expected channels and a label, separated by "
                f"colons, but read {line[:40]!r}; is the line complete?"
            )
        header.check_channels(len(texts), where)
        channels = channels or len(texts)
        if len(texts) != channels:
            raise ValueError(
                f"{where}: {plural(len(texts), 'channel')} where the first "
                f"series has {channels}; is the line complete?"
            )
        cells = [
            _drop_stamps(text, where) if header.stamps else text.split(",")
            for text in texts
        ]
        values = parse(cells, where)
        length = length or len(values.values)
        header.check_length(len(values.values), length, where)
        series.append(finish(values, where, missing))
        if header.regression:
            labels.append(to_target(label, where))
            continue
        labels.append(to_label(label, where))
        if labels[-1] not in header.classes:
            raise ValueError(
                f"{where}: {label.strip()[:40]!r} is not among the classes "
                "that the header declares, "
                f"{sort_labels(header.classes)!s:.200}; "
                "is the file complete?"
            )
    return Split(series, labels, header.regression)


def _split_at_colons(line: str) -> list[str]:
    """Split a line at the colons that are not within a pair's brackets."""
    outside = _PAIR.sub(lambda pair: " " * len(pair[0]), line)
    marks = [colon.start() for colon in re.finditer(":", outside)]
    return [
        line[begin:end]
        for begin, end in zip([0, *(m + 1 for m in marks)], [*marks, None])
    ]


def _drop_stamps(text: str, where: str) -> list[str]:
    """Return the values of a channel of pairs (time stamp, value)."""
    text = text.strip()
    pairs = [
        pair.rpartition(",") for pair in _BETWEEN_STAMPS.split(text[1:-1])
    ]
    stamps = [stamp.strip() for stamp, _, _ in pairs]
    if text[:1] + text[-1:] != "()" or not all(stamps):
        raise ValueError(
            f"{where}: expected pairs of a time stamp and a value, (stamp, "
            f"value), separated by commas, but read {text[:40]!r}"
        )
    try:
        times = np.array([float(stamp) for stamp in stamps])
    except ValueError:
        try:
            times = np.array(stamps, dtype="datetime64[ms]").astype(float)
        except ValueError as e:
            raise ValueError(
                f"{where}: expected numbers or dates as time stamps "
                f"({str(e)[:200]})"
            ) from e
    if not np.isfinite(times).all():
        raise ValueError(f"{where}: the time stamps must be finite")
    steps = np.diff(times)
    if len(steps) and not (
        steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-3, atol=0)
    ):
        raise ValueError(
            f"{where}: the time stamps are not evenly spaced, and a series "
            "here has no time but the number of its steps; resample it first"
        )
    return [value for _, _, value in pairs]
