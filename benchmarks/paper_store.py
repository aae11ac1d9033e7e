"""The finished cases of the paper's experiments, in CSV files."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from paper_experiments import LIMITS, VALUES, Case


def settings_of(experiment: str, args: argparse.Namespace) -> str:
    """What a figure depends on apart from its case."""
    settings: dict[str, Any]
    if experiment == "kmeans":
        settings = {
            "max_outer": args.max_outer or [x.max_outer for x in LIMITS],
            "max_inner": args.max_inner or [x.max_inner for x in LIMITS],
        }
    elif experiment == "prediction":
        settings = {"epoch": args.epoch}
    else:
        settings = {"max_iter": args.max_iter}
    return json.dumps({"seed": args.seed, **settings}, sort_keys=True)


class Results:
    """The finished cases of one experiment, in a CSV file.

    Args:
        path: The file, which need not be there.
        experiment: Name of the experiment.
        settings: Cases with other ones are kept but do not count.
    """

    def __init__(self, path: Path, experiment: str, settings: str) -> None:
        self.path = path
        self.settings = settings
        self.columns = [
            "dataset",
            "repeat",
            "init",
            "method",
            "gamma",
            *VALUES[experiment],
            "seconds",
            "settings",
        ]
        self.rows: dict[tuple[str, ...], dict[str, str]] = {}
        self.other = 0
        with contextlib.suppress(FileNotFoundError):
            self._read()

    def _read(self) -> None:
        # What was being written when the process died has no end.
        text = self.path.read_bytes().decode(errors="replace")
        complete = text[: text.rfind("\n") + 1]
        reader = csv.DictReader(io.StringIO(complete, newline=""))
        if complete and reader.fieldnames != self.columns:
            sys.exit(
                f"{self.path}: not a file of this benchmark: its first line "
                f"should be {','.join(self.columns)}"
            )
        for row in reader:
            if None in row or None in row.values():
                sys.exit(
                    f"{self.path}, line {reader.line_num}: expected "
                    f"{len(self.columns)} values; delete the line"
                )
            if row["settings"] == self.settings:
                self.rows[tuple(row[c] for c in self.columns[:5])] = row
            else:
                self.other += 1

    def repair(self) -> None:
        """Cut a half-written last line off the file."""
        with (
            contextlib.suppress(FileNotFoundError),
            self.path.open("r+b") as f,
        ):
            f.truncate(f.read().rfind(b"\n") + 1)

    def add(self, case: Case, values: dict) -> None:
        """Append a case and see to it that it gets to the disk."""
        row = dict(zip(self.columns, case.key))
        row.update((k, f"{v:.10g}") for k, v in values.items())
        row["settings"] = self.settings
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self.columns, lineterminator="\n")
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())
        self.rows[case.key] = row

    def get(self, case: Case, column: str = "dtw") -> float | None:
        """A figure, None where there is none."""
        row = self.rows.get(case.key)
        return None if row is None else float(row[column])
