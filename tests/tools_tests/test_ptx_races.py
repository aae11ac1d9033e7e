"""Races that the executor finds, within a block and between blocks."""

import numpy as np
import ptx_on_cpu
import pytest
from ptx_kernels import ints, ptx_of, zeros
from ptx_on_cpu import DeadlockError, DivergenceError, RaceError


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


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threads", [32, 64])
@pytest.mark.parametrize("flags", [0, 64])
def test_chain_of_blocks(ptx, seed, threads, flags):
    rows = run_chain(ptx(seed=seed), flags, threads)
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
        (1, "without a release and acquire"),
        (4, "without a release and acquire"),
        (8, "without a release and acquire"),
        (32, "without a release and acquire"),
        (64 + 128, "without a release and acquire"),
        (256, "cache of read-only data"),
    ],
)
def test_flaws_of_a_chain(ptx, seed, threads, flags, message):
    with pytest.raises(RaceError, match=message) as caught:
        run_chain(ptx(seed=seed), flags, threads)
    assert "argument 2 [" in str(caught.value)
    assert f"seed {seed}" in str(caught.value)


def test_chain_without_tickets(ptx):
    # It depends on which blocks start first: not on every seed.
    found = 0
    for seed in range(5):
        try:
            run_chain(ptx(seed=seed), 16)
        except DeadlockError as error:
            assert "awaits another value of argument 1" in str(error)
            found += 1
    assert found


@pytest.mark.parametrize("seed", range(5))
def test_ring(ptx, seed):
    def run(waits):
        out = zeros(32)
        module = ptx(seed=seed)
        module.resident = 2  # one alone would wait for the other forever
        module.get_function("ring")(
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
def test_one_thread_hands_over(ptx, seed):
    def run(others):
        out = zeros(1)
        ptx(seed=seed).get_function("hand_over")(
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


@pytest.mark.parametrize("seed", range(4))
def test_missing_fences_of_the_last_block(ptx, seed):
    kernel = ptx(seed=seed).get_function("last_block")
    args = zeros(1, np.int32), zeros(20), zeros(1), np.int32(1)
    with pytest.raises(RaceError, match="argument 1"):
        kernel((20,), (64,), args)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("flags", [1, 2, 4])
def test_missing_syncwarp(ptx, seed, flags):
    kernel = ptx(seed=seed).get_function("warps")
    out = zeros(32)
    kernel((1,), (32,), (out, np.int32(0)))
    np.testing.assert_array_equal(out, (np.arange(32) + 3) % 32)
    with pytest.raises(RaceError, match=r"warps: block 0, thread .* shared"):
        kernel((1,), (32,), (out, np.int32(flags)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("flags", [1, 2, 6])
def test_missing_syncthreads(ptx, seed, flags):
    kernel = ptx(seed=seed).get_function("two_warps")
    for correct in (0, 4):
        out = zeros(64)
        kernel((1,), (64,), (out, np.int32(correct)), shared_mem=256)
        np.testing.assert_array_equal(out, 64 - np.arange(64))
    with pytest.raises(RaceError, match="two_warps"):
        kernel((1,), (64,), (out, np.int32(flags)), shared_mem=256)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("flags", [1, 2, 6])
def test_barriers_of_some_warps(ptx, seed, flags):
    # Or one reads what is not even written.
    found = RaceError, ptx_on_cpu.UninitializedError
    with pytest.raises(found, match="some_warps"):
        ptx(seed=seed).get_function("some_warps")(
            (1,), (96,), (zeros(96), np.int32(flags))
        )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (1, "into which thread \\d+ of block 0 copies"),
        (4, "into which thread \\d+ of block 0 copies"),
        (2 + 16, "without a barrier"),
        (8, "argument 0"),
    ],
)
def test_asynchronous_copies(ptx, seed, flags, message):
    kernel = ptx(seed=seed, arch=80).get_function("copies")
    with pytest.raises(RaceError, match=message):
        kernel((1,), (32,), (zeros(128), zeros(32), np.int32(flags)))
    # The first group alone has been waited for.
    kernel((1,), (32,), (zeros(128), zeros(32), np.int32(4 + 16)))


@pytest.mark.parametrize(("grid", "block"), [(1, 2), (2, 1)])
def test_race_in_global_memory(ptx, grid, block):
    kernel = ptx().get_function("global_race")
    with pytest.raises(RaceError, match="argument 0 \\[0\\]"):
        kernel((grid,), (block,), (zeros(1),))
    kernel((1,), (1,), (zeros(1),))


def test_bytes_of_a_word(ptx):
    kernel = ptx().get_function("bytes")
    out = zeros(64, np.uint8)
    kernel((1,), (64,), (out, np.int32(0)))
    np.testing.assert_array_equal(out, np.arange(64))
    with pytest.raises(RaceError, match="argument 0"):
        kernel((1,), (64,), (out, np.int32(1)))


@pytest.mark.parametrize("seed", range(8))
def test_write_after_read(ptx, seed):
    kernel = ptx(seed=seed).get_function("broadcast_then_write")
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


@pytest.mark.usefixtures("ptx_modules")
def test_races_may_be_left_out():
    module = ptx_on_cpu.Module(ptx_of(np.float32), races=False)
    out = zeros(1)
    module.get_function("global_race")((5,), (32,), (out,))
    assert 0 <= out < 36


def test_many_launches_after_errors(ptx):
    module = ptx()
    for _ in range(50):
        with pytest.raises(DivergenceError):
            module.get_function("diverges")(
                (10,), (64,), (zeros(64), np.int32(2))
            )
        with pytest.raises(RaceError):
            run_chain(module, 4)
        run_chain(module, 0, blocks=3)
