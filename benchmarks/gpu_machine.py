"""Where the kernels run: a GPU, or an executor of them on the CPU."""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import gpu_peers
import numpy as np
from harness import one_line
from machine import version


class NoGPUError(Exception):
    """There is no device to run on."""


BUSY = r"""
extern "C" __global__ void busy(long long nanoseconds) {
  long long start, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - start < nanoseconds);
}
"""
OCCUPIED = 10_000_000
"""Nanoseconds that the device is kept occupied while a call is queued."""
SQUARE = 4096
"""Rows of the matrices whose product tells the rate of FMAs."""


class GPU:
    """The current device of CuPy."""

    dry = False
    device = None  # the sweeps' own

    def __init__(self, peers=None):
        self.peers = peers
        self._busy = None
        try:
            self.cupy = importlib.import_module("cupy")
            count = self.cupy.cuda.runtime.getDeviceCount()
        except Exception as error:
            raise NoGPUError(one_line(error, 300)) from None
        if count < 1:
            raise NoGPUError("CuPy finds no device")

    def problem(self, problem):
        """Return what is run in the place of a problem."""
        return problem

    def array(self, host):
        """Return an array on the device."""
        return self.cupy.asarray(host)

    def host(self, array):
        """Return an array of NumPy."""
        return self.cupy.asnumpy(array)

    def synchronize(self):
        """Wait for all work."""
        self.cupy.cuda.runtime.deviceSynchronize()

    def mark(self):
        """Return a point in time of the stream."""
        event = self.cupy.cuda.Event()
        event.record()
        return event

    def between(self, start, end):
        """Return the seconds between two marks that have passed."""
        return self.cupy.cuda.get_elapsed_time(start, end) / 1e3

    def free(self):
        """Give memory back to the device."""
        self.cupy.get_default_memory_pool().free_all_blocks()

    def peak(self, call):
        """Return the most bytes that the call holds at once."""
        self.synchronize()
        hook = _make_memory_hook(self.cupy)
        with hook:
            answer = call()
            self.synchronize()
            del answer
        return hook.peak

    def describe(self):
        """Return everything about the device and what drives it."""
        runtime = self.cupy.cuda.runtime
        device = runtime.getDeviceProperties(runtime.getDevice())
        name = device["name"]
        return {
            "name": name.decode() if isinstance(name, bytes) else name,
            "multiprocessors": device["multiProcessorCount"],
            "l2_bytes": device["l2CacheSize"],
            "memory_bytes": device["totalGlobalMem"],
            "compute_capability": f"{device['major']}.{device['minor']}",
            "cuda_driver": runtime.driverGetVersion(),
            "cuda_runtime": runtime.runtimeGetVersion(),
            "smi": nvidia_smi(),
            "cupy": self.cupy.__version__,
            **{
                name: version(name)
                for name in ("torch", "numba", "numba-cuda", "chainer")
            },
        }

    def occupy(self):
        """Keep the device from what is queued next, for a moment."""
        if self._busy is None:
            self._busy = self.cupy.RawKernel(BUSY, "busy")
        self._busy((1,), (1,), (np.int64(OCCUPIED),))

    def rates(self):
        """Measure bytes and float32 FMAs per second."""
        copied = self._copy_rate(1 << 30)
        self.free()
        random = np.random.default_rng(0)
        a = self.array(random.standard_normal((SQUARE, SQUARE), np.float32))
        product = self._median(lambda: a @ a)
        return {
            "copy_bytes_per_s": copied,
            "fma_per_s": SQUARE**3 / product,
        }

    def _copy_rate(self, size):
        source = self.cupy.arange(size // 8)
        target = self.cupy.empty_like(source)
        stream = self.cupy.cuda.get_current_stream()

        def copy():
            target.data.copy_from_device_async(source.data, size, stream)

        return 2 * size / self._median(copy)

    def _median(self, call, repeats=10):
        call()
        times = []
        for _ in range(repeats):
            start = self.mark()
            call()
            end = self.mark()
            self.synchronize()
            times.append(self.between(start, end))
        return float(np.median(times))


def _make_memory_hook(cupy):
    """Return a hook that follows what is held of CuPy's memory pool."""

    class Hook(cupy.cuda.MemoryHook):
        name = "chainer_sdtw_peak"

        def __init__(self):
            self.held = {}
            self.total = self.peak = 0

        def malloc_postprocess(self, **event):
            if event["mem_ptr"]:
                self.held[event["mem_ptr"]] = event["mem_size"]
                self.total += event["mem_size"]
                self.peak = max(self.peak, self.total)

        def free_postprocess(self, **event):
            self.total -= self.held.pop(event["mem_ptr"], 0)

    return Hook()


class Executor:
    """The compiled kernels executed on the CPU, on tiny problems."""

    dry = True

    def __init__(self, peers=None):
        self.peers = peers
        folder = str(Path(__file__).parents[1] / "tools")
        if folder not in sys.path:
            sys.path.append(folder)
        try:
            reason = importlib.import_module("ptx_on_cpu").unsupported()
            if reason:
                raise NoGPUError(f"the executor of kernels {reason}")
            gpu_peers.import_sweeps()
            sweeps = importlib.import_module("ptx_on_cpu.sweeps")
            self.device = sweeps.PTXDevice(races=False)
        except (ImportError, RuntimeError) as error:
            raise NoGPUError(f"no executor of kernels: {error}") from None

    def problem(self, problem):
        return dataclasses.replace(
            problem,
            batch=min(problem.batch, 2),
            m=min(problem.m, 20) + (problem.m > 1024),
            n=min(problem.n, 21),
            d=min(problem.d, 2),
        )

    def array(self, host):
        return np.array(host)

    def host(self, array):
        return np.array(array)

    def synchronize(self):
        """There is nothing to wait for."""

    def mark(self):
        return time.perf_counter()

    def between(self, start, end):
        return max(end - start, 1e-9)

    def occupy(self):
        """There is nothing to occupy."""

    def free(self):
        """There is no pool."""

    def peak(self, call):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        answer = call()
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
        del answer
        return peak

    def describe(self):
        return {"name": "kernels executed on the CPU", "smi": None}

    def rates(self):
        source, target = np.ones(1 << 16), np.empty(1 << 16)
        start = self.mark()
        np.copyto(target, source)
        copied = self.between(start, self.mark())
        start = self.mark()
        np.multiply(source, 2.0, out=target)
        multiplied = self.between(start, self.mark())
        return {
            "copy_bytes_per_s": 2 * source.nbytes / copied,
            "fma_per_s": source.size / multiplied,
        }


def nvidia_smi():
    """Return the driver, clocks and temperature as they are, or None."""
    fields = (
        "name",
        "driver_version",
        "clocks.sm",
        "clocks.mem",
        "clocks.max.sm",
        "clocks.max.mem",
        "power.limit",
        "temperature.gpu",
    )
    try:
        done = subprocess.run(
            [
                "nvidia-smi",
                f"--query-gpu={','.join(fields)}",
                "--format=csv,noheader",
            ],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        values = done.stdout.splitlines()[0].split(",")
    except (OSError, subprocess.SubprocessError, IndexError):
        return None
    return dict(zip(fields, (value.strip() for value in values)))
