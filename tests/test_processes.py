"""Forked and spawned processes, many threads at once, and interpreters."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import chainer_sdtw  # isort: skip

import chainer
import numpy as np
import pytest
import reference

import sdtw_cpu

pytestmark = pytest.mark.native
needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="no fork on this platform"
)


def run(path, script):
    """Run a script in a process of its own and return what it prints."""
    file = path / "script.py"
    file.write_text(script)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(file)],
        capture_output=True,
        check=False,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


FORKS = """
import os, signal, sys, threading, time
import numpy as np
import sdtw_cpu

class Stop(Exception):
    pass

seen = []

def handle(number, frame):
    # A sweep that does not look for signals sees one, at its end.
    seen.append(number)
    if len(seen) == 3:
        raise Stop

def wait(child):
    for _ in range(12000):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else "killed"
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    return "hangs"
"""

FORK_DURING_CALLS = f"""{FORKS}
x, y = np.random.default_rng(0).standard_normal((2, 3, 600, 1))
sdtw_cpu.set_num_threads(3)
expected = sdtw_cpu.value(x, y)
stop = threading.Event()

def work():
    while not stop.is_set():
        sdtw_cpu.value(x, y)

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if not child:
        os._exit(not np.array_equal(sdtw_cpu.value(x, y), expected))
    print(wait(child))
stop.set()
for thread in threads:
    thread.join()
"""

FORK_OF_A_THREAD = f"""{FORKS}
x = np.random.default_rng(0).random((400, 1))
x = np.broadcast_to(x, (20_000, 400, 1))

def work():
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        try:
            sdtw_cpu.value(x, x)
        except Stop:
            os._exit(7)
        os._exit(0)
    print(wait(child))

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""

SPAWN = """
import multiprocessing
import numpy as np
import sdtw_cpu

def work(seed):
    x, y = np.random.default_rng(seed).standard_normal((2, 1, 300, 1))
    return sdtw_cpu.value(x, y)[0]

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(pool.map(work, range(6)) == [work(seed) for seed in range(6)])
"""


@needs_fork
def test_forks_during_calls(tmp_path):
    assert run(tmp_path, FORK_DURING_CALLS) == ["0"] * 20


@needs_fork
def test_a_fork_of_a_thread_can_be_interrupted(tmp_path):
    assert run(tmp_path, FORK_OF_A_THREAD) == ["7"]


def test_spawned_processes(tmp_path):
    assert run(tmp_path, SPAWN) == ["True"]


def test_many_threads_at_once(rng):
    """As many as many calls, all begun together, with threads of their own."""
    count = 32
    x, y = (reference.walks(rng, 3 * count, 90, 2) for _ in range(2))
    series = list(zip(np.split(x, count), np.split(y, count)))
    together = threading.Barrier(count)

    def gradients(x, y):
        x, y = chainer.Variable(x), chainer.Variable(y)
        value = chainer_sdtw.soft_dtw_divergence(x, y, 0.1)
        return [value, *chainer.grad([value], [x, y])]

    def work(pair):
        together.wait(60)
        return [a.array for _ in range(5) for a in gradients(*pair)]

    sdtw_cpu.set_num_threads(2)
    expected = [[a.array for a in gradients(*pair)] * 5 for pair in series]
    with ThreadPoolExecutor(count) as pool:
        results = list(pool.map(work, series))
    for result, wanted in zip(results, expected):
        for a, b in zip(result, wanted):
            np.testing.assert_array_equal(a, b)


INTERPRETER = """
import sdtw_cpu
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

other = interpreters.create()
code = '''
try:
    import sdtw_cpu._kernels
except ImportError:
    print("refused", flush=True)
'''
interpreters.run_string(other, code)
interpreters.destroy(other)
print(sdtw_cpu.isa() in sdtw_cpu.isa_levels())
"""


def test_other_interpreters_refuse_it(tmp_path):
    """The kernels are of the first interpreter of a process alone."""
    assert run(tmp_path, INTERPRETER) == ["refused", "True"]
