"""Races that the emulator finds, within a block and between blocks."""

import numpy as np
import pytest
from cuda_on_cpu import DeadlockError, DivergenceError, RaceError
from emulator_kernels import ints, zeros


def run_chain(module, flags=0, threads=32, blocks=20, length=100):
    counter, progress = zeros(1, np.int32), zeros(blocks + 1, np.int32)
    rows = zeros((blocks + 1, length))
    rows[0] = np.arange(length)
    module.get_function("chain")(
        (blocks,),
        (threads,),
        (counter, progress, rows, *ints(length, flags)),
    )
    return rows


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("threads", [32, 64])
def test_chain_of_blocks(load, seed, threads):
    rows = run_chain(load(seed=seed), threads=threads)
    expected = np.arange(100.0)
    for row in rows[1:]:
        expected = 1 + np.concatenate(
            [
                expected[i : i + threads][::-1]
                for i in range(0, len(expected), threads)
            ]
        )
        np.testing.assert_array_equal(row, expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threads", [32, 64])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (1, "without a publish and await"),
        (2, "use load_fresh"),
        (4, "without a publish and await"),
        (8, "without a publish and await"),
        (32, "without a publish and await"),
    ],
)
def test_flaws_of_a_chain(load, seed, threads, flags, message):
    with pytest.raises(RaceError, match=message) as caught:
        run_chain(load(seed=seed), flags, threads)
    assert "argument 2 [" in str(caught.value)
    assert f"seed {seed}" in str(caught.value)


def test_chain_without_tickets(load):
    # It depends on which blocks start first: not on every seed.
    found = 0
    for seed in range(5):
        try:
            run_chain(load(seed=seed), 16)
        except DeadlockError as error:
            assert "awaits at least 1 in argument 1" in str(error)
            found += 1
    assert found


@pytest.mark.parametrize("seed", range(5))
def test_ring(load, seed):
    def run(waits):
        out = zeros(32)
        load(seed=seed).get_function("ring")(
            (2,),
            (32,),
            (
                zeros(1, np.int32),
                zeros(2, np.int32),
                zeros(32),
                out,
                *ints(6, waits),
            ),
        )
        return out

    np.testing.assert_array_equal(run(1), 15 + 6 * ((np.arange(32) + 1) % 32))
    with pytest.raises(RaceError, match="argument 2"):
        run(0)


@pytest.mark.parametrize("seed", range(5))
def test_one_thread_hands_over(load, seed):
    def run(others):
        out = zeros(1)
        load(seed=seed).get_function("hand_over")(
            (2,),
            (32,),
            (
                zeros(1, np.int32),
                zeros(1, np.int32),
                zeros(32),
                out,
                np.int32(others),
            ),
        )
        return out

    assert run(0) == 3
    with pytest.raises(RaceError, match="argument 2 \\[8\\]"):
        run(1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("flags", [1, 2, 4])
def test_missing_syncwarp(load, seed, flags):
    kernel = load(seed=seed).get_function("warps")
    out = zeros(32)
    kernel((1,), (32,), (out, np.int32(0)))
    np.testing.assert_array_equal(out, (np.arange(32) + 3) % 32)
    with pytest.raises(RaceError, match=r"warps: block 0, thread .* shared"):
        kernel((1,), (32,), (out, np.int32(flags)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("flags", [1, 2])
def test_missing_syncthreads(load, seed, flags):
    kernel = load(seed=seed).get_function("two_warps")
    out = zeros(64)
    kernel((1,), (64,), (out, np.int32(0)), shared_mem=256)
    np.testing.assert_array_equal(out, 64 - np.arange(64))
    with pytest.raises(RaceError, match="two_warps"):
        kernel((1,), (64,), (out, np.int32(flags)), shared_mem=256)


@pytest.mark.parametrize(("grid", "block"), [(1, 2), (2, 1)])
def test_race_in_global_memory(module, grid, block):
    with pytest.raises(RaceError, match="argument 0 \\[0\\]"):
        module.get_function("global_race")((grid,), (block,), (zeros(1),))
    module.get_function("global_race")((1,), (1,), (zeros(1),))


@pytest.mark.parametrize("seed", range(8))
def test_write_after_read(load, seed):
    kernel = load(seed=seed).get_function("broadcast_then_write")
    x, out = zeros(1), zeros(64)
    kernel((1,), (64,), (x, out, np.int32(1)))
    assert x == 1
    np.testing.assert_array_equal(out, 0)
    with pytest.raises(RaceError):
        kernel((1,), (64,), (x, out, np.int32(0)))
    # Of one array under two names.
    both = zeros(64)
    with pytest.raises(RaceError):
        kernel((1,), (64,), (both, both, np.int32(1)))


def test_many_launches_after_errors(module):
    for _ in range(50):
        with pytest.raises(DivergenceError):
            module.get_function("diverges")(
                (10,), (64,), (zeros(64), np.int32(2))
            )
        with pytest.raises(RaceError):
            run_chain(module, 4)
        run_chain(module, 0, blocks=3)
