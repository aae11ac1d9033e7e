"""Signals in the midst of a sweep."""

import contextlib
import signal
import time

import numpy as np
import pytest

import sdtw_cpu

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(
        not hasattr(signal, "setitimer"), reason="no interval timers here"
    ),
]


class Stop(Exception):
    pass


@contextlib.contextmanager
def raising(at):
    """Raise Stop at one of the signals that come every 20 ms."""
    seen = []

    def handle(number, frame):
        seen.append(number)
        if len(seen) == at:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Stop

    before = signal.signal(signal.SIGALRM, handle)
    try:
        yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def third_signal():
    """A sweep that did not look for signals would see one, at its end."""
    with raising(3) as start:
        yield start


@pytest.fixture
def first_signal():
    with raising(1) as start:
        yield start


@pytest.fixture(params=[1, 2])
def threads(request):
    before = sdtw_cpu.get_num_threads()
    sdtw_cpu.set_num_threads(request.param)
    yield
    sdtw_cpu.set_num_threads(before)


@pytest.fixture
def generic():
    """The slowest code, for a sweep that takes a while."""
    before = sdtw_cpu.isa()
    sdtw_cpu.set_isa("generic")
    yield
    sdtw_cpu.set_isa(before)


# Minutes of work, of which none is done after the signal.
SHAPES = [(1, 200_000, 1), (60, 30_000, 1), (200_000, 400, 1)]


@pytest.mark.parametrize("shape", SHAPES)
def test_value(rng, third_signal, threads, shape):
    x = np.broadcast_to(rng.standard_normal(shape[1:]), shape)
    with pytest.raises(Stop):
        third_signal()
        sdtw_cpu.value(x, x[:, ::-1], 1.0)


def test_before_the_sweep(first_signal, threads):
    """Long series are looked at first; one thread is done with that soon."""
    x = np.broadcast_to(np.float32(0.5), (2, 2**26, 1))
    with pytest.raises(Stop):
        first_signal()
        sdtw_cpu.value(x, x[:, :1], 1.0, x_length=[2**22, 2**26])


@pytest.mark.parametrize("threads", [1], indirect=True)
def test_many_features(threads):
    """A look at each tile, and meanwhile when series are packed."""
    x = np.broadcast_to(np.float32(0.5), (1, 256, 100_000))
    looks = []

    def look(number, frame):
        looks.append(time.thread_time())  # other processes do not count

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        looks.append(time.thread_time())
        sdtw_cpu.value(x, x, 1.0)
        looks.append(time.thread_time())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.diff(looks).max() < 0.6


def test_out_of_range_costs(rng, third_signal, threads):
    cost = np.broadcast_to(rng.random((1, 1000)) + 1e15, (1, 100_000, 1000))
    with pytest.raises(Stop):
        third_signal()
        sdtw_cpu.value_from_cost(cost, 0.01)


def test_adjoint_and_again(rng, third_signal, generic):
    """An interrupted adjoint leaves the tape as it was."""
    # As long as three looks at signals take, on a fast machine too.
    x = np.broadcast_to(rng.standard_normal((900, 1)), (600, 900, 1))
    y = x[:, ::-1]
    gamma = 1e4  # there is mass everywhere: nothing is skipped
    _, tape = sdtw_cpu.value(x, y, gamma, tape=True)
    with pytest.raises(Stop):
        third_signal()
        sdtw_cpu.adjoint(tape)
    _, other = sdtw_cpu.value(x[:1], y[:1], gamma, tape=True)
    for found, right in zip(sdtw_cpu.adjoint(tape), sdtw_cpu.adjoint(other)):
        expected = np.repeat(right, len(x), axis=0)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
