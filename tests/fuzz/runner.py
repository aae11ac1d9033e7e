"""Starts the process that runs cases, watches it, and starts it again."""

import json
import queue
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "fuzz.worker")
FOLDER = Path(__file__).parents[1]
START = 120  # seconds in which a process imports what it needs


@dataclass(frozen=True)
class Finding:
    """What is wrong in a case."""

    seed: int
    number: int
    only: str
    what: str

    def __str__(self):
        options = f"--seed {self.seed} --first {self.number} --cases 1"
        if self.only:
            options += f" --only {self.only}"
        return f"{self.what}\n  make fuzz ARGS={shlex.quote(options)}"


class Worker:
    """A process that runs cases, and what it tells."""

    def __init__(self, command, arguments, folder):
        self._errors = Path(folder, "errors")
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)],
                cwd=FOLDER,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self._lines = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def next(self, seconds):
        """What it tells next; None if it has ended.

        Raises:
            queue.Empty: If it tells nothing for as long.
        """
        return self._lines.get(timeout=seconds)

    def close(self):
        """End the process; return its code, and the end of its errors."""
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        self._thread.join()
        self.process.stdout.close()
        return code, self._errors.read_text(errors="replace")[-2000:]


def run(seed, first, count, only="", limit=60, command=COMMAND):
    """Run cases; yield what is found in them.

    Args:
        seed: Of all cases.
        first: The number of the first case.
        count: How many cases.
        only: The name of a function, empty for any.
        limit: The seconds that a case may take.
        command: What runs ``fuzz.worker``.

    Raises:
        RuntimeError: If a process does not come to its first case.
    """
    stop = first + count
    while first < stop:
        number, end = None, None
        with tempfile.TemporaryDirectory() as folder:
            worker = Worker(command, (seed, first, stop, only), folder)
            try:
                for told in _told(worker, limit):
                    number, end = told["number"], told["what"]
                    if end == "wrong":
                        yield Finding(seed, number, only, told["found"])
            finally:
                code, errors = worker.close()
        if end == "all":
            return
        if number is None:
            raise RuntimeError(f"no case was begun, {code}: {errors}")
        if end != "hang":
            end = f"the end of the process by {_name(code)}"
        yield Finding(seed, number, only, f"case {number}: {end}\n{errors}")
        first = number + 1


def _told(worker, limit):
    """Yield what a process tells; a hang after nothing in so many seconds."""
    told, seconds = None, START
    while True:
        try:
            told = worker.next(seconds)
        except queue.Empty:
            number = None if told is None else told["number"]
            told = {"what": "hang", "number": number}
        if told is not None:
            yield told
        if told is None or told["what"] in ("all", "hang"):
            return
        seconds = limit


def _name(code):
    if code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"
