"""Faulty accesses, divergence and deadlocks that the emulator finds."""

import numpy as np
import pytest
from cuda_on_cpu import (
    DeadlockError,
    DivergenceError,
    MisalignedError,
    OutOfBoundsError,
    UninitializedError,
)
from emulator_kernels import ints, zeros


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((-1, 0, 0), "reads \\[-1\\] of an array of 5 .* argument 0"),
        ((5, 0, 0), "reads \\[5\\] of an array of 5 .* argument 0"),
        ((0, -1, 0), "writes \\[-1\\] of an array of 3 .* argument 1"),
        ((0, 3, 0), "writes \\[3\\] of an array of 3 .* argument 1"),
        ((0, 0, -1), "reads \\[-1\\] of an array of 8 .* shared"),
        ((0, 0, 8), "reads \\[8\\] of an array of 8 .* shared"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bounds(load, dtype, place, message):
    kernel = load(dtype).get_function("bounds")
    memory = zeros(20, dtype)
    x, out = memory[1:6], memory[10:13]
    shared = 16 * memory.itemsize
    kernel((1,), (32,), (x, out, *ints(4, 2, 7)), shared_mem=shared)
    with pytest.raises(OutOfBoundsError, match=message):
        kernel((1,), (32,), (x, out, *ints(*place)), shared_mem=shared)
    with pytest.raises(OutOfBoundsError, match="takes 4 elements"):
        kernel((1,), (32,), (x, out, *ints(4, 2, 7)), shared_mem=shared - 1)


def test_null_pointer(module):
    with pytest.raises(OutOfBoundsError, match="null"):
        module.get_function("bounds")(
            (1,), (1,), (None, zeros(1), *ints(0, 0, 0)), shared_mem=64
        )


def test_alignment(load):
    with pytest.raises(MisalignedError, match="byte 4"):
        load(np.float64).get_function("takes")((1,), (32,), ints(1))
    load().get_function("takes")((1,), (32,), ints(15))
    with pytest.raises(OutOfBoundsError, match="takes 16 elements"):
        load().get_function("takes")((1,), (32,), ints(16))
    kernel = load().get_function("aligned")
    out = zeros(4)
    kernel((1,), (32,), (out, np.int32(8)))
    np.testing.assert_array_equal(out, [8, 9, 10, 11])
    with pytest.raises(MisalignedError, match="multiple of 16"):
        kernel((1,), (32,), (out, np.int32(6)))
    memory = zeros(17, np.uint8)
    odd = memory[1:].view(np.float32) if memory.ctypes.data % 4 == 0 else None
    if odd is not None:
        with pytest.raises(MisalignedError, match="multiple of 4"):
            module = load()
            module.get_function("global_race")((1,), (1,), (odd,))


def test_uninitialized(module):
    kernel = module.get_function("uninitialized")
    kernel((1,), (32,), (zeros(32), np.int32(32)))
    for _ in range(3):
        with pytest.raises(UninitializedError, match="shared memory \\[31\\]"):
            kernel((1,), (32,), (zeros(32), np.int32(31)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threads", [32, 64])
@pytest.mark.parametrize("how", range(6))
def test_divergence(load, seed, threads, how):
    kernel = load(seed=seed).get_function("diverges")
    out = zeros(64)
    kernel((1,), (threads,), (out, np.int32(-1)))
    with pytest.raises(DivergenceError, match="divergence"):
        kernel((1,), (threads,), (out, np.int32(how)))


def test_short_warp(module):
    with pytest.raises(DivergenceError, match="do not exist"):
        module.get_function("warps")((1,), (16,), (zeros(32), np.int32(0)))


@pytest.mark.parametrize("seed", range(4))
def test_deadlock(load, seed):
    kernel = load(seed=seed).get_function("waits")
    progress = np.ones(20, np.int32)
    kernel((20,), (32,), (progress,))
    progress[13] = 0
    with pytest.raises(
        DeadlockError, match=r"block 13, .* argument 0 \[13\], which is 0"
    ):
        kernel((20,), (32,), (progress,))
