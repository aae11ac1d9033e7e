"""Where the kernels run: a GPU, or an emulator of one on the CPU."""

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


RATES = r"""
extern "C" __global__ void fma_rate(float* out, int rounds, float a, float b)
{
  float r[16];
#pragma unroll
  for (int k = 0; k < 16; ++k) r[k] = threadIdx.x + k;
  for (int i = 0; i < rounds; ++i) {
#pragma unroll
    for (int j = 0; j < 8; ++j) {
#pragma unroll
      for (int k = 0; k < 16; ++k) r[k] = fmaf(r[k], a, b);
    }
  }
  float sum = 0;
#pragma unroll
  for (int k = 0; k < 16; ++k) sum += r[k];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

extern "C" __global__ void int_rate(unsigned* out, int rounds, unsigned a,
                                    unsigned b)
{
  unsigned r[16];
#pragma unroll
  for (int k = 0; k < 16; ++k) r[k] = threadIdx.x + k;
  for (int i = 0; i < rounds; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int k = 0; k < 16; ++k) r[k] = (r[k] + a) ^ b;
    }
  }
  unsigned sum = 0;
#pragma unroll
  for (int k = 0; k < 16; ++k) sum += r[k];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}
"""
PER_ROUND = 128  # instructions of a thread in either kernel


class GPU:
    """The current device of CuPy."""

    dry = False
    device = None  # the sweeps' own

    def __init__(self, peers=None):
        self.peers = peers
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

    def rates(self):
        """Measure bytes, FMAs and integer operations per second."""
        cupy = self.cupy
        result = {"copy_bytes_per_s": self._copy_rate(1 << 30)}
        self.free()
        module = cupy.RawModule(code=RATES)
        blocks = 8 * self.describe()["multiprocessors"]
        out = cupy.zeros(blocks * 256, np.float32)
        rounds = 2048
        for key, name, kind in (
            ("fma_per_s", "fma_rate", np.float32),
            ("int32_per_s", "int_rate", np.uint32),
        ):
            kernel = module.get_function(name)
            numbers = (1, 3) if kind is np.uint32 else (0.999, 0.5)
            arguments = (out, np.int32(rounds), *map(kind, numbers))

            def run(kernel=kernel, arguments=arguments):
                kernel((blocks,), (256,), arguments)

            done = blocks * 256 * rounds * PER_ROUND
            result[key] = done / self._median(run)
        return result

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


class Emulator:
    """The kernels emulated on the CPU, on tiny problems."""

    dry = True

    def __init__(self, peers=None):
        self.peers = peers
        folder = str(Path(__file__).parents[1] / "tools")
        if folder not in sys.path:
            sys.path.append(folder)
        try:
            emulator = importlib.import_module("cuda_on_cpu")
            reason = emulator.unsupported()
            if reason:
                raise NoGPUError(f"the emulator of kernels {reason}")
            gpu_peers.import_sweeps()
            sweeps = importlib.import_module("cuda_on_cpu.sweeps")
        except ImportError as error:
            raise NoGPUError(f"no emulator of kernels: {error}") from None
        self.device = sweeps.CPUDevice()

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
        return {"name": "kernels emulated on the CPU", "smi": None}

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
            "int32_per_s": source.size / multiplied,
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
