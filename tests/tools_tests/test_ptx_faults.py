"""Faulty accesses, divergence and deadlocks that the executor finds."""

import numpy as np
import pytest
from ptx_kernels import ints, zeros
from ptx_on_cpu import (
    DeadlockError,
    DivergenceError,
    MisalignedError,
    OutOfBoundsError,
    PTXError,
    UninitializedError,
)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((-1, 0, 0), "reads argument 0 \\[-1\\] of 5 elements"),
        ((5, 0, 0), "reads argument 0 \\[5\\] of 5 elements"),
        ((2**30, 0, 0), "reads argument 0 \\[1073741824\\] of 5 elements"),
        ((0, -1, 0), "writes argument 1 \\[-1\\] of 3 elements"),
        ((0, 3, 0), "writes argument 1 \\[3\\] of 3 elements"),
        ((0, 0, -1), "reads shared memory \\[-1\\] of 16 elements"),
        ((0, 0, 16), "reads shared memory \\[16\\] of 16 elements"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds(ptx, dtype, place, message):
    kernel = ptx(dtype).get_function("bounds")
    memory = zeros(20, dtype)
    x, out = memory[1:6], memory[10:13]  # none of the array around them
    shared = 16 * memory.itemsize
    kernel((1,), (1,), (x, out, *ints(4, 2, 7)), shared_mem=shared)
    with pytest.raises(OutOfBoundsError, match=message):
        kernel((1,), (1,), (x, out, *ints(*place)), shared_mem=shared)
    with pytest.raises(OutOfBoundsError, match="writes shared memory"):
        kernel(
            (1,), (1,), (x, out, *ints(4, 2, 7)), shared_mem=shared // 2 - 8
        )


def test_null_pointer(ptx):
    with pytest.raises(OutOfBoundsError, match=r"reads \[2\] of a null point"):
        ptx().get_function("bounds")(
            (1,), (1,), (None, zeros(1), *ints(2, 0, 0)), shared_mem=64
        )


def test_alignment(ptx):
    kernel = ptx().get_function("misaligned")
    memory = zeros(16, np.float64).view(np.float32)
    start = -memory.ctypes.data // 4 % 4
    x = memory[start : start + 8]
    kernel((1,), (1,), (x, np.int32(4)))
    with pytest.raises(MisalignedError, match="multiple of 16"):
        kernel((1,), (1,), (x, np.int32(2)))
    odd = zeros(17, np.uint8)[1:].view(np.float32)
    if odd.ctypes.data % 4:
        with pytest.raises(MisalignedError, match="multiple of 4"):
            ptx().get_function("global_race")((1,), (1,), (odd,))


def test_uninitialized_shared_memory(ptx):
    kernel = ptx().get_function("uninitialized")
    kernel((1,), (32,), (zeros(32), np.int32(32)))
    for _ in range(3):
        with pytest.raises(
            UninitializedError, match=r"thread 31.*not written"
        ):
            kernel((1,), (32,), (zeros(32), np.int32(31)))


def test_what_is_read_and_not_used_is_no_error(ptx):
    out = zeros(32)
    ptx().get_function("read_early")((1,), (32,), (out, np.int32(9)))
    np.testing.assert_array_equal(out, 2 * (np.arange(32) < 9))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threads", [32, 64])
@pytest.mark.parametrize("how", range(6))
def test_divergence(ptx, seed, threads, how):
    kernel = ptx(seed=seed).get_function("diverges")
    out = zeros(64)
    kernel((1,), (threads,), (out, np.int32(-1)))
    with pytest.raises(DivergenceError, match="divergence"):
        kernel((1,), (threads,), (out, np.int32(how)))


def test_short_warp(ptx):
    with pytest.raises(DivergenceError, match="do not exist"):
        ptx().get_function("warps")((1,), (16,), (zeros(32), np.int32(0)))


@pytest.mark.parametrize("seed", range(4))
def test_deadlock(ptx, seed):
    kernel = ptx(seed=seed).get_function("waits")
    progress = np.ones(20, np.int32)
    kernel((20,), (32,), (progress,))
    progress[13] = 0
    with pytest.raises(
        DeadlockError, match=r"block 13, .* argument 0 \[13\] of 20"
    ):
        kernel((20,), (32,), (progress,))


def test_messages_tell_where(ptx):
    with pytest.raises(
        PTXError,
        match=r"^bounds: block 0, thread 0: .* \(PTX line \d+ of "
        r"kernels.cu:\d+: ld.global.f32 .*\) \(seed 5, launch 1\)$",
    ):
        kernel = ptx(seed=5).get_function("bounds")
        args = zeros(5), zeros(3), *ints(4, 2, 7)
        kernel((1,), (1,), args, shared_mem=64)
        args = zeros(5), zeros(3), *ints(5, 2, 7)
        kernel((1,), (1,), args, shared_mem=64)
