"""What the benchmarks share: problems, timing, memory, machine, tables."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import importlib.metadata
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

MEGABYTE = 10**6


@dataclass(frozen=True)
class Problem:
    """One size of the problem: shapes, dtype and gamma.

    ``data`` is ``'normalized'`` (random walks, each series brought to mean 0
    and variance 1, as the UCR archive has them) or ``'walk'`` (the walks
    themselves).
    """

    batch: int
    m: int
    n: int
    d: int = 1
    dtype: str = "float64"
    gamma: float = 1.0
    data: str = "normalized"

    @classmethod
    def parse(cls, text, **more):
        """Read ``B,m,n,d[,dtype[,gamma]]``."""
        parts = text.split(",")
        if not 4 <= len(parts) <= 6:
            raise ValueError(f"not B,m,n,d[,dtype[,gamma]]: {text!r}")
        sizes = [int(part) for part in parts[:4]]
        if min(sizes) < 1:
            raise ValueError(f"sizes must be positive: {text!r}")
        dtype = parts[4] if len(parts) > 4 else "float64"
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be float32 or float64: {text!r}")
        gamma = float(parts[5]) if len(parts) > 5 else 1.0
        if not 0 < gamma < math.inf:
            raise ValueError(f"gamma must be positive: {text!r}")
        return cls(*sizes, dtype, gamma, **more)

    def __str__(self):
        return (
            f"({self.batch}, {self.m}, {self.n}, d={self.d}) {self.dtype} "
            f"gamma={self.gamma:g}"
        )

    @property
    def cells(self):
        """Cells of all the alignment matrices together."""
        return self.batch * self.m * self.n

    def arrays(self, seed=0):
        """Return ``x`` of shape (B, m, d) and ``y`` of shape (B, n, d)."""
        rng = np.random.default_rng(seed)
        result = []
        for length in (self.m, self.n):
            series = rng.standard_normal((self.batch, length, self.d))
            series = series.cumsum(axis=1)
            if self.data == "normalized":
                series -= series.mean(axis=1, keepdims=True)
                scale = series.std(axis=1, keepdims=True)
                series /= np.where(scale > 0, scale, 1)
            result.append(series.astype(self.dtype))
        return tuple(result)


def usual_length(series):
    """Return the mean length of series, rounded."""
    return int(np.rint(np.mean([len(s) for s in series])))


def resampled(series, length):
    """Return series (N, length, d), by linear interpolation.

    Args:
        series: ``N`` series ``(length, d)`` of any lengths.
        length: That of all in the result.
    """
    steps = np.linspace(0, 1, length)
    return np.array(
        [
            np.stack(
                [np.interp(steps, np.linspace(0, 1, len(s)), f) for f in s.T],
                axis=1,
            )
            for s in series
        ]
    )


def interleave(calls, repeats=7, min_time=0.02, rest=0.01):
    """Time several calls side by side: A B C A B C ...

    Each is called once untimed, to compile, to fill caches and to find out
    how many calls make a sample of at least ``min_time`` seconds. Then come
    ``repeats`` rounds with one sample of each. Every round begins with
    another call, and a short rest before each sample lets the threads of the
    one before go to sleep, so that noise and neighbours hit all alike.

    Args:
        calls: Dictionary from a name to a function without arguments.
        repeats: Number of rounds.
        min_time: Least duration of one sample in seconds.
        rest: Pause before each sample in seconds.

    Returns:
        Dictionary from the names to lists of seconds per call.
    """
    loops = {}
    for name, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        seconds = max(time.perf_counter() - start, 1e-9)
        loops[name] = max(1, math.ceil(min_time / seconds))
    samples = {name: [] for name in calls}
    names = list(calls)
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            call = calls[name]
            time.sleep(rest)
            start = time.perf_counter()
            for _ in range(loops[name]):
                call()
            seconds = time.perf_counter() - start
            samples[name].append(seconds / loops[name])
    return samples


def summarize(samples, cells):
    """Return a dictionary with median, minimum and ns per cell."""
    median = statistics.median(samples)
    return {
        "median_s": median,
        "min_s": min(samples),
        "ns_per_cell": median / cells * 1e9,
        "samples_s": samples,
    }


class Neighbours:
    """How much of the processors others used since this was made.

    Timings of a shared machine are only as good as this is small.
    """

    def __init__(self):
        self._before = self._times()

    @staticmethod
    def _times():
        """Return (busy, all) of the machine and our own, in seconds."""
        try:
            line = Path("/proc/stat").read_text().splitlines()[0]
            tick = os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, AttributeError):
            return None
        # user, nice, system, idle, iowait, irq, softirq, steal
        fields = [int(field) / tick for field in line.split()[1:9]]
        own = os.times()
        return (
            sum(fields) - fields[3] - fields[4],
            sum(fields),
            own.user + own.system + own.children_user + own.children_system,
        )

    def share(self):
        """Return the share, 0 to 1, or None where it cannot be told."""
        now = self._times()
        if now is None or self._before is None:
            return None
        busy, everything, own = (
            after - before for after, before in zip(now, self._before)
        )
        if everything <= 0:
            return None
        return min(max((busy - own) / everything, 0.0), 1.0)


def peak_can_be_reset():
    """Return whether the peak of this process can be set back (Linux)."""
    try:
        _reset_peak()
    except OSError:
        return False
    return True


def _reset_peak():
    Path("/proc/self/clear_refs").write_text("5")


def _linux_status(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def _rss():
    """Return (resident bytes now, resident bytes at the peak)."""
    if sys.platform == "linux":
        return _linux_status("VmRSS"), _linux_status("VmHWM")
    import psutil

    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return info.rss, info.peak_wset
    import resource

    return info.rss, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_memory(call):
    """Run a call and return how far memory rose while it ran, in bytes.

    It is the peak of the resident set less the resident set just before the
    call. The allocator first gives back what it holds, so that the call
    cannot hide in memory that an earlier one has left behind. Where the peak
    cannot be set back (elsewhere than on Linux) it is that of the process's
    life, so that the result is right for the largest call so far, and too
    high rather than too low for others.
    """
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        if peak_can_be_reset():
            _reset_peak()
    before = _rss()[0]
    result = call()
    peak = _rss()[1]
    del result
    return max(peak - before, 0)


def cpu_model():
    """Return the processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def available_cpus():
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def version(distribution):
    """Return a distribution's version, or None where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def environment():
    """Describe the machine and the interpreter for header and JSON."""
    try:
        load = round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        load = None
    variables = (
        "SDTW_CPU_ISA",
        "OMP_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "NUMBA_THREADING_LAYER",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    )
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": cpu_model(),
        "cpus_available": available_cpus(),
        "load_average": load,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "variables": {
            name: os.environ[name] for name in variables if name in os.environ
        },
    }


def make_console():
    """Return a console that does not squeeze tables into a pipe."""
    width = None if sys.stdout.isatty() else 130
    return Console(width=width, highlight=False, emoji=False)


def make_table(title, *columns, left=1):
    """Return a table; its first ``left`` columns are text, flush left."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        min_width=len(title),
    )
    for index, column in enumerate(columns):
        table.add_column(
            column,
            justify="left" if index < left else "right",
            overflow="fold",
            no_wrap=index == 0,
        )
    return table


def format_time(seconds):
    """Format a duration with three digits and a unit."""
    if seconds is None:
        return "-"
    if seconds >= 1:
        return f"{seconds:.3g} s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds * 1e6:.3g} us"


def format_memory(size):
    """Format a number of bytes in megabytes (10**6 bytes)."""
    if size is None:
        return "-"
    return f"{size / MEGABYTE:.1f} MB"


def format_error(error):
    """Format a relative error."""
    return "-" if error is None else f"{error:.1e}"


@dataclass
class Check:
    """A figure with the target it is held against."""

    name: str
    target: str
    measured: str
    met: bool | None

    @property
    def verdict(self):
        """Return the outcome in words."""
        if self.met is None:
            return "not measured"
        return "met" if self.met else "MISSED"


def print_checks(console, checks):
    """Print targets and figures."""
    table = make_table("Targets", "what", "target", "measured", "", left=4)
    for check in checks:
        table.add_row(check.name, check.target, check.measured, check.verdict)
    console.print(table)


def _plain(value):
    """Return a copy that JSON can hold; what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (Problem, Check)):
        return _plain(asdict(value))
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path, document):
    """Write a document of dictionaries, lists, problems and numbers."""
    text = json.dumps(_plain(document), indent=1, allow_nan=False)
    Path(path).write_text(text + "\n")


def positive(convert):
    """Return a reader of positive numbers."""

    def read(text):
        value = convert(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"must be positive: {text}")
        return value

    read.__name__ = convert.__name__
    return read


def seed(text):
    """Read a seed of NumPy's random numbers."""
    value = int(text)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(
            f"must be from 0 to {2**32 - 1}: {text}"
        )
    return value


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


def lengths(text):
    """Read a comma-separated list of lengths."""
    return [positive(int)(part) for part in text.split(",")]


def suite_parser(description, suites, default):
    """Return a parser that has the option ``--suite``."""
    listed = "\n".join(f"  {name:9} {what}" for name, what in suites.items())
    parser = argparse.ArgumentParser(
        description=description,
        epilog=f"suites:\n{listed}\n  all       all of these",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--suite",
        action="append",
        choices=[*suites, "all"],
        metavar="SUITE",
        help=f"what to run, may be given several times (default: {default})",
    )
    return parser


def chosen_suites(options, suites, default):
    """Return the suites that ``--suite`` names, each once."""
    chosen = list(dict.fromkeys(options.suite or [default]))
    return list(suites) if "all" in chosen else chosen
