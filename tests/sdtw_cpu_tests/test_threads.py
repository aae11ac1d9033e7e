"""Threads, forks, the environment, and memory."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference

import sdtw_cpu

LINUX = sys.platform.startswith("linux")
needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="no fork on this platform"
)
needs_linux = pytest.mark.skipif(not LINUX, reason="reads /proc")


def python(code, check=True, **environment):
    """Run code in a fresh interpreter with a changed environment."""
    variables = {
        **os.environ,
        "OMP_NUM_THREADS": "",
        "SDTW_CPU_ISA": "",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=check,
        env=variables,
        text=True,
        timeout=120,
    )


def everything(x, y, gamma=0.1):
    values, tape = sdtw_cpu.value(x, y, gamma, tape=True)
    return (values, *sdtw_cpu.adjoint(tape))


def assert_same(actual, expected):
    for a, b in zip(actual, expected):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("gamma", [0.0, 0.01])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
class TestWavefront:
    """Threads that share one pair."""

    def test_series(self, rng, dtype, gamma):
        x = reference.walks(rng, 1, 1500, 1, dtype=dtype)
        y = reference.walks(rng, 1, 1400, 1, dtype=dtype)
        sdtw_cpu.set_num_threads(1)
        expected = everything(x, y, gamma)
        for threads in (2, 3, 5, 47, 48, 100):
            sdtw_cpu.set_num_threads(threads)
            assert_same(everything(x, y, gamma), expected)
            without_tape = sdtw_cpu.value(x, y, gamma)
            np.testing.assert_array_equal(without_tape, expected[0])

    def test_costs(self, rng, dtype, gamma):
        cost = rng.random((2, 330, 700)).astype(dtype)
        cost[:, 100:, :40] = np.inf
        results = []
        for threads in (1, 2, 3, 5):
            sdtw_cpu.set_num_threads(threads)
            values, tape = sdtw_cpu.value_from_cost(cost, gamma, tape=True)
            results.append((values, sdtw_cpu.adjoint(tape)))
        for other in results[1:]:
            assert_same(other, results[0])

    def test_narrow_and_wide(self, rng, dtype, gamma):
        """The fewest segments and strips that are shared."""
        for m, n in [(33, 9000), (40, 9000), (4000, 165), (64, 7000)]:
            x = reference.walks(rng, 1, m, 2, dtype=dtype)
            y = reference.walks(rng, 1, n, 2, dtype=dtype)
            sdtw_cpu.set_num_threads(1)
            expected = everything(x, y, gamma)
            sdtw_cpu.set_num_threads(4)
            for _ in range(5):
                assert_same(everything(x, y, gamma), expected)


def test_wavefront_against_numpy(isa, rng):
    x = reference.walks(rng, 1, 700, 1)
    y = reference.walks(rng, 1, 600, 1)
    expected = reference.batch(x, y, 0.1)
    sdtw_cpu.set_num_threads(3)
    values, gx, gy = everything(x, y)
    np.testing.assert_allclose(values, expected[0], rtol=1e-10)
    assert reference.error(gx, expected[1]) < 1e-8
    assert reference.error(gy, expected[2]) < 1e-8


def test_groups_side_by_side(rng):
    x = reference.walks(rng, 100, 80, 1)
    y = reference.walks(rng, 100, 80, 1)
    lengths = rng.integers(1, 81, (2, 100))
    results = []
    for threads in (1, 2, 4):
        sdtw_cpu.set_num_threads(threads)
        values, tape = sdtw_cpu.value(
            x, y, 0.1, x_length=lengths[0], y_length=lengths[1], tape=True
        )
        results.append((values, *sdtw_cpu.adjoint(tape)))
    for other in results[1:]:
        assert_same(other, results[0])


@pytest.mark.parametrize("bandwidth", [None, 90])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairs_of_different_lengths(isa, rng, dtype, bandwidth):
    """Threads that are done with their own pairs share those of others."""
    x = reference.walks(rng, 5, 1300, 1, dtype=dtype)
    y = reference.walks(rng, 5, 1200, 1, dtype=dtype)
    lengths = {
        "x_length": [1300, 40, 700, 1250, 1290],
        "y_length": [1200, 50, 1100, 1199, 90],
    }
    band = None
    if bandwidth:
        band = sdtw_cpu.sakoe_chiba_band(1300, 1200, bandwidth, **lengths)
    results = []
    for threads in (1, 2, 3, 8):
        sdtw_cpu.set_num_threads(threads)
        values, tape = sdtw_cpu.value(
            x, y, 0.1, band=band, tape=True, **lengths
        )
        without_tape = sdtw_cpu.value(x, y, 0.1, band=band, **lengths)
        np.testing.assert_array_equal(without_tape, values)
        results.append((values, *sdtw_cpu.adjoint(tape)))
    for other in results[1:]:
        assert_same(other, results[0])


def test_threads_that_begin_when_all_is_done(rng):
    """More threads than cores, which a call does not wait for."""
    x, y = reference.walks(rng, 512, 90, 1).reshape(2, 256, 90, 1)
    sdtw_cpu.set_num_threads(1)
    expected = everything(x, y)
    sdtw_cpu.set_num_threads(16)
    for _ in range(100):
        assert_same(everything(x, y), expected)


def test_threads_may_change_between_sweeps(rng):
    x, y = reference.walks(rng, 2, 600, 1).reshape(2, 1, 600, 1)
    expected = everything(x, y)
    sdtw_cpu.set_num_threads(1)
    values, tape = sdtw_cpu.value(x, y, 0.1, tape=True)
    sdtw_cpu.set_num_threads(4)
    assert_same((values, *sdtw_cpu.adjoint(tape)), expected)


def test_isa_may_change_between_sweeps(rng):
    """A tape is read by the instruction set that wrote it."""
    x, y = reference.walks(rng, 40, 50, 1).reshape(2, 20, 50, 1)
    sdtw_cpu.set_isa(sdtw_cpu.isa_levels()[-1])
    expected = everything(x, y)
    values, tape = sdtw_cpu.value(x, y, 0.1, tape=True)
    sdtw_cpu.set_isa("generic")
    assert_same((values, *sdtw_cpu.adjoint(tape)), expected)


def test_calls_from_many_threads(rng):
    pairs = [
        reference.walks(rng, 2 * size, length, 1).reshape(2, size, length, 1)
        for size, length in [(1, 500), (20, 40), (3, 200), (1, 333)] * 4
    ]
    sdtw_cpu.set_num_threads(2)
    expected = [everything(x, y) for x, y in pairs]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            results = pool.map(lambda pair: everything(*pair), pairs)
            for actual, wanted in zip(results, expected):
                assert_same(actual, wanted)


def test_adjoints_of_one_tape_from_many_threads(rng):
    x, y = reference.walks(rng, 40, 120, 1).reshape(2, 20, 120, 1)
    _, tape = sdtw_cpu.value(x, y, 0.1, tape=True)
    expected = sdtw_cpu.adjoint(tape)
    with ThreadPoolExecutor(6) as pool:
        for actual in pool.map(lambda _: sdtw_cpu.adjoint(tape), range(60)):
            assert_same(actual, expected)


@pytest.mark.native
def test_gil_is_released(rng):
    x, y = reference.walks(rng, 2, 12000, 1).reshape(2, 1, 12000, 1)
    ticks, stop = [0], threading.Event()

    def tick():
        while not stop.is_set():
            ticks[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    sdtw_cpu.set_num_threads(1)
    try:
        seen = {"value": 0, "adjoint": 0}
        for _ in range(10):  # a busy machine may starve the other thread
            before = ticks[0]
            _, tape = sdtw_cpu.value(x, y, gamma=1e4, tape=True)
            between = ticks[0]
            sdtw_cpu.adjoint(tape)
            seen["value"] = max(seen["value"], between - before)
            seen["adjoint"] = max(seen["adjoint"], ticks[0] - between)
            if min(seen.values()) > 8:
                break
    finally:
        stop.set()
        thread.join()
    assert min(seen.values()) > 8, seen


def work_in_child(connection, x, y):
    connection.send(everything(x, y))
    connection.close()


@pytest.mark.native
@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_fork_after_a_call(rng):
    x, y = reference.walks(rng, 2, 900, 1).reshape(2, 1, 900, 1)
    sdtw_cpu.set_num_threads(3)
    expected = everything(x, y)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=work_in_child, args=(theirs, x, y))
    child.start()
    assert ours.poll(60), "the child hangs"
    assert_same(ours.recv(), expected)
    child.join(60)
    assert child.exitcode == 0


MULTIPROCESS_ITERATOR = """
import numpy as np
import chainer_sdtw
import sdtw_cpu
from chainer.iterators import MultiprocessIterator

x = np.random.default_rng(0).standard_normal((6, 1, 400, 1))

class Dataset:
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return sdtw_cpu.value(x[i], x[0])[0]

if __name__ == "__main__":
    sdtw_cpu.set_num_threads(3)
    expected = [Dataset()[i] for i in range(6)]
    iterator = MultiprocessIterator(
        Dataset(), 3, repeat=False, shuffle=False, n_processes=2
    )
    print([v for batch in iterator for v in batch] == expected)
    iterator.finalize()
"""


@pytest.mark.native
def test_multiprocess_iterator_after_a_call(tmp_path):
    script = tmp_path / "iterate.py"
    script.write_text(MULTIPROCESS_ITERATOR)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.native
class TestEnvironment:
    SHOW = "import sdtw_cpu as s; print(s.get_num_threads(), s.isa())"

    @pytest.mark.parametrize(
        ("variable", "threads"),
        [("3", 3), ("4,2", 4), (" 5 ", 5), ("0", None), ("-1", None)]
        + [("many", None), ("", None)],
    )
    def test_omp_num_threads(self, variable, threads):
        if threads is None:
            threads = os.cpu_count()
            if hasattr(os, "sched_getaffinity"):
                threads = len(os.sched_getaffinity(0))
        done = python(self.SHOW, OMP_NUM_THREADS=variable)
        assert int(done.stdout.split()[0]) == threads

    @pytest.mark.parametrize("name", sdtw_cpu.isa_levels())
    def test_isa(self, name):
        done = python(self.SHOW, SDTW_CPU_ISA=name)
        assert done.stdout.split()[1] == name

    def test_fastest_isa_is_the_default(self):
        done = python(self.SHOW)
        assert done.stdout.split()[1] == sdtw_cpu.isa_levels()[-1]

    def test_unknown_isa(self):
        done = python(self.SHOW, check=False, SDTW_CPU_ISA="mmx")
        assert done.returncode == 1
        error = done.stderr.splitlines()[-1]
        assert error.startswith("ValueError: instruction set 'mmx'")
        assert "generic" in error


def test_settings():
    assert sdtw_cpu.isa_levels()[0] == "generic"
    sdtw_cpu.set_isa("generic")
    assert sdtw_cpu.isa() == "generic"
    sdtw_cpu.set_num_threads(7)
    assert sdtw_cpu.get_num_threads() == 7


class TestMemory:
    @pytest.mark.parametrize("shape", [(1, 4096, 4096), (64, 256, 200)])
    @pytest.mark.parametrize("gamma", [0.0, 0.1])
    def test_tape(self, isa, rng, shape, gamma):
        """Less than a byte per cell in float64, half of that in float32."""
        size, m, n = shape
        x, y = rng.random((size, m, 1)), rng.random((size, n, 1))
        _, tape = sdtw_cpu.value(x, y, gamma, tape=True)
        assert 0 < tape.nbytes < 0.8 * x.size * n
        x, y = x.astype(np.float32), y.astype(np.float32)
        _, tape = sdtw_cpu.value(x, y, gamma, tape=True)
        assert 0 < tape.nbytes < 0.4 * x.size * n

    PEAK = """
import numpy as np, sdtw_cpu
def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
def run(n):
    x = np.random.default_rng(0).standard_normal((1, n, 1))
    if {tape}:
        sdtw_cpu.adjoint(sdtw_cpu.value(x, x, tape=True)[1])
    else:
        sdtw_cpu.value(x, x)
run(50)
before = peak()
run(8000)
print(peak() - before)
"""

    @needs_linux
    @pytest.mark.native
    @pytest.mark.parametrize(("tape", "limit"), [(False, 15), (True, 80)])
    def test_peak(self, tape, limit):
        """Megabytes for a pair whose cost matrix would take 488."""
        done = python(self.PEAK.format(tape=tape), OMP_NUM_THREADS="2")
        assert float(done.stdout) < limit

    LIMITED = """
import resource, numpy as np, sdtw_cpu
x = np.random.default_rng(0).standard_normal((1, 1500, 1))
expected = sdtw_cpu.value(x, x[:, ::-1])
sdtw_cpu.set_num_threads(40)
pages = int(open("/proc/self/statm").read().split()[0])
room = pages * resource.getpagesize() + {room} * 2**20
resource.setrlimit(resource.RLIMIT_AS, (room, room))
try:
    for _ in range(5):
        assert sdtw_cpu.value(x, x[:, ::-1]) == expected
except (MemoryError, RuntimeError):
    pass
print("done")
"""

    @needs_linux
    @pytest.mark.native
    @pytest.mark.parametrize("room", [1, 20, 60])
    def test_no_room_for_threads(self, room):
        """An error or the right result, but no hang."""
        done = python(self.LIMITED.format(room=room), OMP_NUM_THREADS="1")
        assert done.stdout == "done\n"
