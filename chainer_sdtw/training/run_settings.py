"""Snapshots that know what run they belong to."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from typing import Any

import numpy as np
from chainer import training


class Settings(training.Extension):
    """Writes into snapshots what run they belong to."""

    name: Any = "settings"
    trigger = (1, "epoch")

    def __init__(self, settings: dict) -> None:
        self.settings = json.dumps(settings, sort_keys=True)

    def __call__(self, trainer: Any) -> None:
        pass

    def serialize(self, serializer: Any) -> None:
        self.settings = serializer("settings", self.settings)

    def check(self, path: str) -> None:
        """Raises ValueError unless a snapshot is complete and of this run."""
        try:
            with zipfile.ZipFile(path) as file:
                damaged = file.testzip()
            if damaged:
                raise ValueError(f"{damaged} is damaged")
            with np.load(path) as file:
                found = str(file["extensions/settings/settings"])
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as e:
            raise ValueError(f"not a complete snapshot ({e})") from e
        found, wanted = json.loads(found), json.loads(self.settings)
        if found != wanted:
            different = ", ".join(
                f"{key} {found.get(key)}"
                for key in sorted(wanted)
                if found.get(key) != wanted[key]
            )
            raise ValueError(f"snapshot of another run, with {different}")


def find_snapshot(out: str, settings: Settings) -> str | None:
    """The newest snapshot in a folder that is complete and of this run."""
    paths = [
        os.path.join(out, name)
        for name in os.listdir(out)
        if name.startswith("snapshot_iter_")
    ]
    for path in sorted(paths, key=os.path.getmtime, reverse=True):
        try:
            settings.check(path)
            return path
        except ValueError as e:
            print(f"Skipping {path}: {e}")
    return None
