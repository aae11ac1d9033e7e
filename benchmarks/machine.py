"""The machine: what it is, its memory, and what else runs on it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.metadata
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np


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


def resident_bytes():
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
    before = resident_bytes()[0]
    result = call()
    peak = resident_bytes()[1]
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
