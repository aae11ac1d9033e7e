"""What kernels compute on the emulator, and what a launch may ask for."""

import numpy as np
import pytest
from cuda_on_cpu import CudaOnCpuError
from emulator_kernels import zeros


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_shuffles(load, dtype, seed):
    kernel = load(dtype, seed).get_function("shuffles")
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
    for which, values in enumerate(expected):
        out = zeros(64, dtype)
        kernel((1,), (64,), (out, np.int32(which)))
        np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threads", [32, 256])
def test_barriers(load, dtype, seed, threads, rng):
    x = rng.integers(0, 9, (20, threads)).astype(dtype)
    out = zeros(20, dtype)
    load(dtype, seed).get_function("halving")((20,), (threads,), (x, out))
    np.testing.assert_array_equal(out, x.sum(1))


def test_arithmetic(module):
    a, b = np.float32(1.1), np.float32(-1.21)
    out = zeros(6)
    module.get_function("arithmetic")(
        (1,), (1,), (np.array([a, b, 2.5], np.float32), out)
    )
    exact = np.float64(a) * np.float64(a) + np.float64(b)
    assert out[0] == np.float32(exact)
    assert out[1] == a * a + b != out[0]
    assert out[2] == np.float32(1) / a
    assert out[3] == np.nextafter(a, np.float32(2))
    assert out[4] == 2
    assert out[5] == 3


def test_raise(module):
    x = np.arange(96.0)
    out = zeros(1, np.float64)
    kernel = module.get_function("highest")
    kernel((3,), (32,), (out, x))
    assert out == 95
    x[5] = np.nan
    kernel((3,), (32,), (out, x))
    assert np.isnan(out)


def test_arguments(module):
    kernel = module.get_function("pairs")
    pair = np.dtype([("f", np.float32), ("n", np.int32)])
    x = np.zeros(32, pair)
    x["f"], x["n"] = np.arange(32), 5
    out = np.zeros_like(x)
    kernel((1,), (32,), (x, out, 0.5, None))
    np.testing.assert_array_equal(out["f"], np.arange(32) / 2)
    np.testing.assert_array_equal(out["n"], 7)
    for i, wrong in [(2, 1), (2, np.float32(1)), (2, x), (0, 1), (1, "1")]:
        args = [x, out, 0.5, None]
        args[i] = wrong
        with pytest.raises(TypeError, match=f"argument {i}"):
            kernel((1,), (32,), tuple(args))
    with pytest.raises(TypeError, match="contiguous"):
        kernel((1,), (16,), (x[::2], out, 0.5, None))
    fixed = out.copy()
    fixed.flags.writeable = False
    with pytest.raises(TypeError, match="argument 1: not writeable"):
        kernel((1,), (32,), (x, fixed, 0.5, None))
    kernel((1,), (32,), (fixed, out, 0.5, None))
    with pytest.raises(TypeError, match="3 arguments for 4"):
        kernel((1,), (32,), (x, out, 0.5))


def test_launch_limits(module):
    kernel = module.get_function("two_warps")
    args = (zeros(64), np.int32(0))
    with pytest.raises(CudaOnCpuError, match="49152"):
        kernel((1,), (64,), args, shared_mem=49153)
    with pytest.raises(CudaOnCpuError, match="at most 1024"):
        kernel((1,), (1025,), args)
    with pytest.raises(CudaOnCpuError, match="grid of 0"):
        kernel((0,), (64,), args)
    with pytest.raises(CudaOnCpuError, match="at most 64"):
        module.get_function("shuffles")((1,), (65,), args)
    with pytest.raises(CudaOnCpuError, match="no kernel missing"):
        module.get_function("missing")
