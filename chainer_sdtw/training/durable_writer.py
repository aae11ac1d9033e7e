"""A writer of snapshots that are complete at any time."""

from __future__ import annotations

import contextlib
import os
from typing import Callable

from chainer.serializers import save_npz
from chainer.training.extensions.snapshot_writers import SimpleWriter

# Nanoseconds between the times of two snapshots. Chainer compares these as
# seconds in float64, which resolves less than 1000 of them.
_LATER = 10**6


class DurableWriter(SimpleWriter):
    """Writer of snapshots that outlive the process and the system.

    A snapshot has its name from the moment that all of it is on the disk.
    Whenever a run ends, by a signal, a full disk or a power cut, its last
    snapshot is complete. With Chainer's writers this holds unless the system
    itself ends: they let it write a snapshot after the one before was removed.

    A snapshot that is not complete is called ``tmpNAME.tmp``. It is removed
    if it cannot be finished. SIGKILL leaves it there: the resumed run writes
    it again under the same name. Chainer's writers leave another folder each
    time.

    A snapshot is always later than all files that are in its folder, even if
    the clock has been set back. Chainer resumes from the latest one and
    removes earlier ones.

    Args:
        savefun (callable): Takes the path of the file to write and the
            object to save. It is :func:`chainer.serializers.save_npz` by
            default.
        kwds: More arguments of ``savefun``, by their names.

    Raises:
        OSError: When a snapshot is saved, if it cannot be written.

    .. admonition:: Example

        .. code-block:: python

            trainer.extend(
                extensions.snapshot(writer=DurableWriter(), n_retains=2)
            )

    """

    def __init__(
        self, savefun: Callable[..., object] = save_npz, **kwds: object
    ) -> None:
        super().__init__(savefun, **kwds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._savefun.__name__})"

    def __call__(self, filename: str, outdir: str, target: object) -> None:
        path = os.path.join(outdir, f"tmp{filename}.tmp")
        try:
            self._savefun(path, target, **self._kwds)
            _make_latest(path)
            _flush(path, os.O_RDWR)
            os.replace(path, os.path.join(outdir, filename))
        except BaseException:
            with contextlib.suppress(OSError):
                os.remove(path)
            raise
        if os.name == "posix":  # Windows does so by itself
            _flush(outdir or os.curdir, os.O_RDONLY)
        self._post_save()


def _make_latest(path: str) -> None:
    """Let a file be later than all others in its folder."""
    folder, name = os.path.split(os.path.abspath(path))
    latest = 0
    for entry in os.scandir(folder):
        # Others may be removed meanwhile.
        with contextlib.suppress(FileNotFoundError):
            if entry.name != name:
                latest = max(latest, entry.stat().st_mtime_ns)
    if os.stat(path).st_mtime_ns < latest + _LATER:
        os.utime(path, ns=(latest + _LATER,) * 2)


def _flush(path: str, flags: int) -> None:
    """Wait until a file or a folder is on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
