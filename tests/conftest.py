"""Fixtures of all tests, and what becomes of those that need a GPU."""

import numpy as np
import pytest
from hypothesis import settings

import sdtw_cpu

settings.register_profile(
    "repeatable", database=None, deadline=None, derandomize=True
)
settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption(
        "--require-gpu",
        action="store_true",
        help="fail without a GPU instead of skipping what needs one",
    )


def pytest_configure(config):
    if config.getoption("require_gpu"):
        count, reason = count_gpus()
        if count == 0:
            raise pytest.UsageError(f"--require-gpu: {reason}")


def pytest_collection_modifyitems(items):
    needy = [item for item in items if item.get_closest_marker("gpu")]
    if not needy:
        return
    count, reason = count_gpus()
    for item in needy:
        if count == 0:
            item.add_marker(pytest.mark.skip(reason=reason))
        elif count == 1 and "second_gpu" in item.fixturenames:
            item.add_marker(pytest.mark.skip(reason="needs a second GPU"))


def count_gpus():
    """How many GPUs CuPy sees, and if none, why."""
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except ImportError as e:
        return 0, f"needs CuPy: {' '.join(str(e).split())}"
    except Exception as e:  # an error of CUDA, or of looking for it
        return 0, f"needs a GPU: {' '.join(str(e).split())}"
    return count, "needs a GPU: CuPy sees none"


@pytest.fixture
def second_gpu():
    """The number of a GPU that is not the current one."""
    return 1


@pytest.fixture
def stream():
    """A stream that does not wait for the default one."""
    import cupy

    made = cupy.cuda.Stream(non_blocking=True)
    yield made
    made.synchronize()


BUSY = r"""
extern "C" __global__ void busy(long long nanoseconds) {
  long long start, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - start < nanoseconds);
}
"""


@pytest.fixture(scope="session")
def busy():
    """A function that keeps the current stream busy for some seconds."""
    import cupy

    kernel = cupy.RawKernel(BUSY, "busy")

    def wait(seconds):
        kernel((1,), (1,), (np.int64(seconds * 1e9),))

    wait(0)
    cupy.cuda.Device().synchronize()
    return wait


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def restore_settings():
    isa, threads = sdtw_cpu.isa(), sdtw_cpu.get_num_threads()
    yield
    sdtw_cpu.set_isa(isa)
    sdtw_cpu.set_num_threads(threads)


@pytest.fixture(params=sdtw_cpu.isa_levels())
def isa(request, restore_settings):
    """Every instruction set of this machine, one after the other."""
    sdtw_cpu.set_isa(request.param)
    return request.param
