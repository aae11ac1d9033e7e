"""Snapshots that record the settings of their run."""

from __future__ import annotations

import json
import os
import warnings
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np
from chainer.serializer import AbstractSerializer
from chainer.training.extension import Extension
from chainer.training.trainer import Trainer


class RunSettings(Extension):
    """Trainer extension to save the settings of a run in its snapshots.

    A snapshot of a run with other settings cannot be loaded:
    ``snapshot(autoload=True)`` and :func:`chainer.serializers.load_npz` raise
    an error that says which settings are different. To find the newest
    snapshot that is complete and of this run, call :meth:`find_snapshot`.

    Args:
        settings (dict): Values that JSON can hold by their names, such as
            the name of the data set, the size of the model and the seed.

    Raises:
        TypeError: If JSON cannot hold a value.

    .. admonition:: Example

        .. code-block:: python

            settings = RunSettings({'dataset': 'GunPoint', 'unit': 100})
            trainer.extend(settings)
            trainer.extend(extensions.snapshot(n_retains=2))
            path = settings.find_snapshot(trainer.out)
            if path is not None:
                chainer.serializers.load_npz(path, trainer)
            trainer.run()

    """

    name: str = "settings"  # type: ignore[assignment]  # Chainer says None
    trigger = (1, "epoch")

    def __init__(self, settings: Mapping[str, object]) -> None:
        self._text = json.dumps(dict(settings), sort_keys=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({json.loads(self._text)})"

    def __call__(self, trainer: Trainer) -> None:
        pass  # Only serialize() does something.

    def serialize(self, serializer: AbstractSerializer) -> None:
        self._compare(serializer("settings", self._text))

    def check(self, path: str) -> None:
        """Check that a snapshot is complete and of this run.

        Args:
            path (str): A snapshot of a trainer, as
                :func:`chainer.serializers.save_npz` writes them.

        Raises:
            OSError: If the file cannot be read.
            ValueError: If it is damaged, or is not a snapshot of this run.

        """
        try:
            with zipfile.ZipFile(path) as file:
                damaged = file.testzip()
            if damaged:
                raise ValueError(f"not a complete snapshot ({damaged})")
            with np.load(path) as file:
                text = str(file[f"extensions/{self.name}/settings"])
        except (zipfile.BadZipFile, zlib.error, EOFError) as e:
            raise ValueError(f"not a complete snapshot ({e})") from e
        except KeyError as e:
            raise ValueError("not a snapshot with settings of a run") from e
        self._compare(text)

    def find_snapshot(
        self, folder: str, prefix: str = "snapshot_iter_"
    ) -> str | None:
        """Find the newest snapshot that is complete and of this run.

        Newer snapshots that are not are skipped with a warning that says why.

        Args:
            folder (str): The folder of the snapshots, the trainer's ``out``.
            prefix (str): The prefix of their names.

        Returns:
            str: The path of the snapshot, or None if there is none.

        """
        paths = [
            os.path.join(folder, name)
            for name in os.listdir(folder)
            if name.startswith(prefix)
        ]
        for path in sorted(paths, key=os.path.getmtime, reverse=True):
            try:
                self.check(path)
                return path
            except ValueError as e:
                warnings.warn(f"Skipping {path}: {e}", stacklevel=2)
        return None

    def _compare(self, text: str) -> None:
        """Raise ``ValueError`` unless these are the settings of this run."""
        saved, expected = json.loads(text), json.loads(self._text)
        different = [
            f"{key} {saved[key]}" if key in saved else f"no {key}"
            for key in sorted({*saved, *expected})
            if (key in saved) != (key in expected)
            or saved[key] != expected[key]
        ]
        if different:
            raise ValueError(
                f"snapshot of another run, with {', '.join(different)}"
            )
