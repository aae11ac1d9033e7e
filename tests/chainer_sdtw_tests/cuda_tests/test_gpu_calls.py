"""Arguments of the sweeps on one GPU and on two."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import numpy as np
import pytest
from chainer.backends.cuda import cupy
from chainer.testing import attr
from gpu_sweeps import KINDS, assert_same, on_gpu, swept
from reference import make

from chainer_sdtw import cuda


@attr.gpu
def test_one_gradient_without_the_other(rng):
    for d in (1, 3):
        arrays = make(rng, "series", 2, 40, 70, d, np.float32)
        _, gx, gy = on_gpu(arrays, 1.0)
        _, tape = cuda.value(*map(cupy.asarray, arrays), tape=True)
        for _ in range(2):  # a tape can be used again
            only_x = cuda.adjoint(tape, y=False)
            only_y = cuda.adjoint(tape, x=False)
            assert only_x[1] is None and only_y[0] is None
            assert_same((only_x[0].get(), only_y[1].get()), (gx, gy))
        assert cuda.adjoint(tape, x=False, y=False) == (None, None)
        # Given as any type.
        twice = cuda.adjoint(tape, cupy.full(2, 2, np.int64))
        assert_same([a.get() for a in twice], (2 * gx, 2 * gy))


@attr.gpu
def test_without_a_tape(rng):
    for kind in KINDS:
        for dtype in (np.float32, np.float64):
            d = 1 if kind == "univariate" else 3
            arrays = make(rng, kind, 3, 100, 60, d, dtype)
            name = "value_from_cost" if kind == "explicit" else "value"
            value = getattr(cuda, name)(*map(cupy.asarray, arrays), 0.5)
            assert_same([value.get()], on_gpu(arrays, 0.5)[:1])


@attr.gpu
def test_any_strides(rng):
    x, y = make(rng, "series", 6, 40, 50, 4, np.float64)
    forms = {
        "steps": (lambda a: a[::2, ::-1, 1::2]),
        "broadcast": (lambda a: cupy.broadcast_to(a[1:2], a.shape)),
        "features first": (
            lambda a: cupy.ascontiguousarray(a.T).transpose(2, 1, 0)
        ),
        "time first": (
            lambda a: cupy.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1)
        ),
    }
    for name, form in forms.items():
        given = [form(cupy.asarray(a)) for a in (x, y)]
        assert not any(a.flags.c_contiguous for a in given), name
        actual = [a.get() for a in swept(given, 1.0)]
        assert_same(actual, on_gpu([a.get() for a in given], 1.0))


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_lengths(rng, kind):
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 4, 40, 70, d, np.float32)
    lengths = np.array([40, 1, 33, 32]), np.array([8, 70, 64, 2])
    expected = on_gpu(arrays, 0.5, lengths)
    kinds = {
        "list": lambda a: a.tolist(),
        "host int32": np.int32,
        "device int64": cupy.asarray,
        "device int32": (lambda a: cupy.asarray(a, np.int32)),
        "device uint8": (lambda a: cupy.asarray(a, np.uint8)),
        "device uint64": (lambda a: cupy.asarray(a, np.uint64)),
        "device, steps": (lambda a: cupy.asarray(np.repeat(a, 2))[::2]),
    }
    for convert in kinds.values():
        actual = on_gpu(arrays, 0.5, [convert(a) for a in lengths])
        assert_same(actual, expected)


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lengths_out_of_range(rng, kind, dtype):
    """On the device they are not checked; a pair with one is NaN, alone."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 4, 40, 70, d, dtype)
    lengths = np.array([40, 1, 33, 32]), np.array([8, 70, 64, 2])
    expected = on_gpu(arrays, 0.5, lengths)
    right = [0, 1, 3]
    for which, longest in enumerate((40, 70)):
        for bad in (0, -1, longest + 1, 2**40, -(2**40)):
            given = [cupy.asarray(a) for a in lengths]
            given[which][2] = bad
            actual = on_gpu(arrays, 0.5, given)
            assert np.isnan(actual[0][2]), bad
            for a, e in zip(actual, expected):
                np.testing.assert_array_equal(a[right], e[right], str(bad))
            message = f"got {bad} at 2"
            with pytest.raises(ValueError, match=message):
                on_gpu(arrays, 0.5, [a.get() for a in given])


@attr.gpu
def test_wrong_arguments(rng):
    x, y = (cupy.asarray(a) for a in make(rng, "series", 2, 9, 8, 1, "f"))
    with pytest.raises(ValueError, match="must be on one device"):
        cuda.value(x, y.get())
    _, tape = cuda.value(x, y, tape=True)
    with pytest.raises(ValueError, match="grad must have shape"):
        cuda.adjoint(tape, cupy.ones(3, "f"))
    with pytest.raises(ValueError, match="must be on one device"):
        cuda.adjoint(tape, np.ones(2, "f"))
    with pytest.raises(TypeError, match="x_length must be integers"):
        cuda.value(x, y, x_length=cupy.ones(2))
    with pytest.raises(ValueError, match="x_length must have shape"):
        cuda.value(x, y, x_length=cupy.ones(3, int))
    with pytest.raises(TypeError, match="must be float32 or float64"):
        cuda.value(x.astype(np.float16), y)


@attr.multi_gpu(2)
@pytest.mark.parametrize("kind", KINDS)
def test_another_device(rng, second_gpu, kind):
    """Where the arrays are, not where the current device is."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 3, 100, 60, d, np.float32)
    lengths = np.array([100, 1, 40]), np.array([60, 59, 1])
    expected = on_gpu(arrays, 0.5, lengths)
    with cupy.cuda.Device(second_gpu):
        given = [cupy.asarray(a) for a in arrays]
        there = [cupy.asarray(a) for a in lengths]
    for form in (lengths, there):
        actual = swept(given, 0.5, form)
        assert cupy.cuda.Device().id == 0
        assert {a.device.id for a in actual} == {second_gpu}
        assert_same([a.get() for a in actual], expected)


@attr.multi_gpu(2)
def test_two_devices_in_one_call(rng, second_gpu):
    x, y = (cupy.asarray(a) for a in make(rng, "series", 2, 9, 8, 1, "f"))
    with cupy.cuda.Device(second_gpu):
        z = cupy.asarray(y.get())
        lengths = cupy.asarray([1, 2])
        grad = cupy.ones(2, np.float32)
    message = "must be on one device"
    with pytest.raises(ValueError, match=message):
        cuda.value(x, z)
    with pytest.raises(ValueError, match=message):
        cuda.value(x, y, y_length=lengths)
    _, tape = cuda.value(x, y, tape=True)
    with pytest.raises(ValueError, match=message):
        cuda.adjoint(tape, grad)
