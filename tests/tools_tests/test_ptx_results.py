"""What kernels compute when their PTX is executed, and their arguments."""

import numpy as np
import pytest
from ptx_kernels import zeros
from ptx_on_cpu import Module, PTXError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_shuffles(ptx, dtype, seed):
    kernel = ptx(dtype, seed).get_function("shuffles")
    lane = np.arange(64) % 32
    part = np.arange(64) // 32
    sources = [
        np.full(64, 3),
        np.where(lane < 2, lane, lane - 2),
        np.where(lane > 26, lane, lane + 5),
        31 - lane,
        lane ^ 1,
        np.where(lane % 8 == 7, lane, lane + 1),
    ]
    expected = [100 * part + source for source in sources]
    votes = np.arange(64) % 5 == 0
    expected.append(np.where(part, votes[32:].sum(), votes[:32].sum()))
    expected.append(part)
    expected.append(1 - part)
    expected.append(np.where(lane % 2, 100 * part + (lane ^ 2), 0))
    for which, values in enumerate(expected):
        out = zeros(64, dtype)
        kernel((1,), (64,), (out, np.int32(which)))
        np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threads", [32, 256])
def test_barriers(ptx, dtype, seed, threads, rng):
    x = rng.integers(0, 9, (20, threads)).astype(dtype)
    out = zeros(20, dtype)
    ptx(dtype, seed).get_function("halving")((20,), (threads,), (x, out))
    np.testing.assert_array_equal(out, x.sum(1))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("flags", [0, 4])
def test_barriers_of_some_warps(ptx, seed, flags):
    out = zeros(96)
    ptx(seed=seed).get_function("some_warps")(
        (1,), (96,), (out, np.int32(flags))
    )
    np.testing.assert_array_equal(out[64:], np.arange(32, 64))


@pytest.mark.parametrize("seed", range(5))
def test_lanes_that_wait_for_each_other(ptx, seed):
    """Each lane has a program counter of its own."""
    progress, out = zeros(1, np.int32), zeros(32, np.int32)
    kernel = ptx(seed=seed).get_function("lanes_wait")
    kernel((1,), (32,), (progress, out))
    assert progress == 32
    np.testing.assert_array_equal(out, np.arange(32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_atomics(ptx, dtype, seed):
    numbers, longs = zeros(6, np.int32), zeros(2, np.uint64)
    total = zeros(1, dtype)
    ptx(dtype, seed).get_function("atomics")(
        (4,), (64,), (numbers, longs, total)
    )
    assert numbers[0] == total == sum(range(256))
    assert list(numbers[1:3]) == [255, -255]
    assert 0 <= numbers[3] < 256
    assert list(numbers[4:]) == [7, -1]
    assert list(longs) == [sum(range(256)) << 32, 255 << 33]


@pytest.mark.parametrize("seed", range(4))
def test_the_last_block(ptx, seed):
    counter, parts, out = zeros(1, np.int32), zeros(20), zeros(1)
    kernel = ptx(seed=seed).get_function("last_block")
    kernel((20,), (64,), (counter, parts, out, np.int32(0)))
    assert out == sum(range(20))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_local_memory(ptx, dtype, rng):
    order = rng.permutation(40).astype(np.int32)
    out = zeros(64, dtype)
    ptx(dtype).get_function("local_memory")(
        (1,), (64,), (order, out, np.int32(30))
    )
    np.testing.assert_array_equal(out, 29 + 2 * np.arange(64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_asynchronous_copies(ptx, dtype, seed, rng):
    n = 16 // np.dtype(dtype).itemsize
    x = rng.integers(0, 99, 32 * n).astype(dtype)
    out = zeros(32, dtype)
    kernel = ptx(dtype, seed, 80).get_function("copies")
    kernel((1,), (32,), (x, out, np.int32(0)))
    np.testing.assert_array_equal(out, x[n : n + 32] + x[:32])


def test_reductions_of_warps(ptx):
    out = zeros(96, np.int32)
    ptx(arch=80).get_function("reductions")((1,), (32,), (out,))
    np.testing.assert_array_equal(out.reshape(3, 32).T[0], [496, -31, -1])


def test_the_order_comes_from_the_seed(ptx):
    """Which thread is the last to write, in three launches of a seed."""

    def winners(seed):
        module = ptx(seed=seed)
        kernel = module.get_function("atomics")
        found = []
        for _ in range(3):
            numbers = zeros(6, np.int32)
            kernel((20,), (64,), (numbers, zeros(2, np.uint64), zeros(1)))
            found.append(int(numbers[3]))
        return found

    assert winners(3) == winners(3)
    assert len({w for seed in range(10) for w in winners(seed)}) > 10


# --- Arguments ---


def test_arguments(ptx):
    kernel = ptx().get_function("pairs")
    pair = np.dtype([("f", np.float32), ("n", np.int32)])
    x = np.zeros(32, pair)
    x["f"], x["n"] = np.arange(32), 5
    out = np.zeros_like(x)
    kernel((1,), (32,), (x, out, 0.5, None))
    np.testing.assert_array_equal(out["f"], np.arange(32) / 2)
    np.testing.assert_array_equal(out["n"], 7)
    for i, wrong in [(2, 1), (2, np.float32(1)), (2, x), (1, "1")]:
        args = [x, out, 0.5, None]
        args[i] = wrong
        with pytest.raises(TypeError, match=f"argument {i}"):
            kernel((1,), (32,), tuple(args))
    with pytest.raises(TypeError, match="contiguous"):
        kernel((1,), (16,), (x[::2], out, 0.5, None))
    with pytest.raises(TypeError, match="3 arguments for 4"):
        kernel((1,), (32,), (x, out, 0.5))


def record_of(x, out, dtype):
    fields = [
        ("x", np.uint64),
        ("out", np.uint64),
        ("none", np.uint64),
        ("n", np.int32),
        ("scale", np.float64),
        ("offsets", np.int32, 3),
    ]
    record = np.zeros((), np.dtype(fields, align=True))
    record["x"], record["out"] = x.ctypes.data, out.ctypes.data
    record["n"], record["scale"] = len(x), 2
    record["offsets"] = 10, 20, 30
    return record


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_record_of_arguments(ptx, dtype):
    kernel = ptx(dtype).get_function("record")
    x, out = np.arange(50).astype(dtype), zeros(64, dtype)
    record = record_of(x, out, dtype)
    kernel(1, 64, record, [x, out])
    expected = 2 * x + np.array([10, 20, 30])[np.arange(50) % 3]
    np.testing.assert_array_equal(out[:50], expected)
    # Into the middle of an array.
    record["out"] = out[8:].ctypes.data
    kernel(1, 64, record[()], [x, out])
    np.testing.assert_array_equal(out[8:58], expected)
    record["n"] = 51
    with pytest.raises(PTXError, match=r"reads x \[50\] of 50 elements"):
        kernel(1, 64, record, [x, out])
    record["n"] = 50
    with pytest.raises(PTXError, match="of no array"):
        kernel(1, 64, record, [x])
    with pytest.raises(TypeError, match="record of 8 bytes"):
        kernel(1, 64, np.zeros((), [("x", np.uint64)]), [x])
    with pytest.raises(TypeError, match="must be one structure"):
        kernel(1, 64, np.zeros(3), [x])


def test_launch_limits(ptx):
    kernel = ptx().get_function("two_warps")
    args = (zeros(64), np.int32(0))
    with pytest.raises(PTXError, match="49152"):
        kernel((1,), (64,), args, shared_mem=49153)
    with pytest.raises(PTXError, match="at most 1024"):
        kernel((1,), (1025,), args)
    with pytest.raises(PTXError, match="grid of 0"):
        kernel((0,), (64,), args)
    with pytest.raises(PTXError, match="one dimension"):
        kernel((1, 2), (64,), args)
    with pytest.raises(PTXError, match="at most 64"):
        ptx().get_function("shuffles")((1,), (65,), args)
    with pytest.raises(PTXError, match="no kernel missing"):
        ptx().get_function("missing")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("wmma.load.sync.x %r1;", "line 4: wmma.load.sync.x: .*not known"),
        ("add.s32 %r1, %r9, 1;", "unknown register %r9"),
        ("add.s64 %r1, %r1, 1;", "%r1 has another width"),
        ("bra nowhere;", "no label nowhere"),
        ("add.s32 %r1, %r1;", "another number of operands"),
        ("add.s32 %r1, %r1, 1, 2;", "another number of operands"),
        ("add.sat.s32 %r1, %r1, 1;", "saturation"),
    ],
)
def test_what_is_not_known_is_named(ptx, body, message):
    text = f".version 7.0\n.entry k()\n{{ .reg .b32 %r<2>;\n{body}\n}}"
    with pytest.raises(PTXError, match=message):
        Module(text)
