"""The losses on a GPU."""

import chainer_sdtw  # isort: skip  (makes Chainer work)

import chainer
import chainer.functions as F
import checks
import numpy as np
import pytest
import reference
from chainer import Variable, gradient_check, testing
from chainer.backends.cuda import cupy
from chainer.testing import attr

from chainer_sdtw import soft_dtw, soft_dtw_from_cost

GPU = "@cupy:0"
TOLERANCE = {np.float16: 2e-3, np.float32: 1e-5, np.float64: 1e-10}


@testing.parameterize(
    *testing.product(
        {
            "dtype": checks.DTYPES,
            "gamma": [0.3],
            "reduce": ["mean", "sum", "no"],
            "shape": [(2, 5, 4, 3), (20, 3, 4, 1), (4, 5, 6)],
            "ragged": [False, True],
        }
    )
)
@testing.inject_backend_tests(None, [{"use_cuda": True}])
@testing.fix_random()
class TestSoftDTW(checks.SoftDTWCase):
    """On a GPU, of series and of costs."""


def gradients(value, *variables):
    return chainer.grad([value], variables, enable_double_backprop=True)


def to_gpu(a):
    """A variable with the array on the GPU."""
    variable = Variable(a)
    variable.to_gpu()
    return variable


@pytest.fixture
def pair(rng):
    """A batch (3, 40, 2) and (3, 35, 2)."""
    return reference.walks(rng, 3, 40, 2), reference.walks(rng, 3, 35, 2)


LENGTHS = {"x_length": np.array([40, 1, 33]), "y_length": np.array([8, 35, 2])}


@attr.gpu
@pytest.mark.parametrize("dtype", checks.DTYPES)
@pytest.mark.parametrize("lengths", [{}, LENGTHS], ids=["whole", "ragged"])
@pytest.mark.parametrize("gamma", [0, 0.3])
def test_values_and_gradients(pair, dtype, lengths, gamma):
    pair = [a.astype(dtype) for a in pair]
    x, y = map(to_gpu, pair)
    values = soft_dtw(x, y, gamma, reduce="no", **lengths)
    grad = np.array([1, -2, 0.5], dtype)
    values.grad = cupy.asarray(grad)
    values.backward()
    expected, *gradients = reference.batch(*pair, gamma, **lengths)
    assert type(values.array) is cupy.ndarray and values.dtype == dtype
    error = reference.error(values.array.get(), expected)
    assert error <= TOLERANCE[dtype]
    for variable, wanted in zip((x, y), gradients):
        assert type(variable.grad) is cupy.ndarray
        assert variable.grad.dtype == dtype
        wanted = wanted * grad[:, None, None]
        error = reference.error(variable.grad.get(), wanted)
        assert error <= TOLERANCE[dtype]


@attr.gpu
@pytest.mark.parametrize("dtype", checks.DTYPES)
@pytest.mark.parametrize("lengths", [{}, LENGTHS], ids=["whole", "ragged"])
@pytest.mark.parametrize("gamma", [0, 0.3])
def test_costs(rng, dtype, lengths, gamma):
    matrices = (rng.random((3, 40, 35)) + 0.1).astype(dtype)
    cost = to_gpu(matrices)
    values = soft_dtw_from_cost(cost, gamma, reduce="no", **lengths)
    grad = np.array([1, -2, 0.5], dtype)
    values.grad = cupy.asarray(grad)
    values.backward()
    expected, e = reference.soft_dtw(matrices, gamma, **lengths)
    assert values.dtype == cost.grad.dtype == dtype
    error = reference.error(values.array.get(), expected)
    assert error <= TOLERANCE[dtype]
    error = reference.error(cost.grad.get(), e * grad[:, None, None])
    assert error <= TOLERANCE[dtype]


@attr.gpu
@pytest.mark.parametrize("reduce", checks.REDUCE)
def test_the_same_graph_on_both(pair, reduce):
    """Links before the loss and functions after it."""
    found = []
    for device in ("@numpy", GPU):
        device = chainer.get_device(device)
        with chainer.using_device(device):
            x, y = (Variable(device.send(a)) for a in pair)
            loss = soft_dtw(F.sin(x * 2), y[:, ::-1], 0.5, reduce=reduce)
            F.sum(loss * loss).backward()
        host = chainer.get_device("@numpy")
        found.append([host.send(a) for a in (loss.array, x.grad, y.grad)])
    for expected, actual in zip(*found):
        assert actual.shape == expected.shape
        assert reference.error(actual, expected) <= 1e-10


@attr.gpu
@pytest.mark.parametrize("wanted", ["x", "y", "xy"])
def test_gradients_for_what_requires_them(pair, wanted):
    x, y = (
        Variable(cupy.asarray(a), requires_grad=name in wanted)
        for name, a in zip("xy", pair)
    )
    soft_dtw(x, y, 0.5, reduce="sum").backward()
    _, *expected = reference.batch(*pair, 0.5)
    for name, variable, gradient in zip("xy", (x, y), expected):
        if name in wanted:
            assert reference.error(variable.grad.get(), gradient) <= 1e-10
        else:
            assert variable.grad is None


@attr.gpu
def test_no_backprop_mode(pair):
    expected = soft_dtw(*map(to_gpu, pair), reduce="no").array.get()
    with chainer.no_backprop_mode():
        values = soft_dtw(*map(to_gpu, pair), reduce="no").array.get()
    np.testing.assert_array_equal(values, expected)


@attr.gpu
def test_any_strides(pair):
    x, y = pair
    a = Variable(cupy.asarray(x).transpose(0, 2, 1).copy().transpose(0, 2, 1))
    b = Variable(cupy.broadcast_to(cupy.asarray(y[:1]), y.shape))
    assert not a.array.flags.c_contiguous
    assert not b.array.flags.c_contiguous
    values = soft_dtw(a[::-1], b, 0.5, reduce="no")
    F.sum(values).backward()
    wanted, gx, gy = reference.batch(
        x[::-1], np.broadcast_to(y[:1], y.shape), 0.5
    )
    np.testing.assert_allclose(values.array.get(), wanted, rtol=1e-10)
    assert reference.error(a.grad.get(), gx[::-1]) <= 1e-10
    assert reference.error(b.grad.get(), gy) <= 1e-10


@attr.gpu
def test_lists(rng):
    x, y = (
        [to_gpu(rng.standard_normal((n, 2))) for n in lengths]
        for lengths in ((40, 2, 1), (3, 35, 33))
    )
    values = soft_dtw(x, y, 0.5, reduce="no")
    F.sum(values).backward()
    for value, a, b in zip(values.array.get(), x, y):
        host = a.array.get()[None], b.array.get()[None]
        wanted, gx, gy = reference.batch(*host, 0.5)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-10)
        np.testing.assert_allclose(a.grad.get(), gx[0], atol=1e-10)
        np.testing.assert_allclose(b.grad.get(), gy[0], atol=1e-10)


@attr.gpu
def test_one_pair(rng):
    x, y = to_gpu(rng.random((6, 1))), to_gpu(rng.random((5, 1)))
    value = soft_dtw(x, y, 0.5, reduce="no")
    value.backward()
    assert x.grad.shape == (6, 1) and y.grad.shape == (5, 1)
    assert value.shape == ()
    flat = soft_dtw(x.array[:, 0], y.array[:, 0], 0.5)
    assert flat.shape == () and flat.array == value.array


# --- Lengths ---


@attr.gpu
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("where", ["host", "device"])
@pytest.mark.parametrize("kind", [np.asarray, Variable, np.int32, list])
def test_lengths(pair, kind, where, debug):
    expected, *_ = reference.batch(*pair, 0.5, **LENGTHS)
    lengths = {name: kind(a) for name, a in LENGTHS.items()}
    if where == "device":
        lengths = {name: cupy.asarray(a) for name, a in LENGTHS.items()}
        if kind is Variable:
            lengths = {name: Variable(a) for name, a in lengths.items()}
    with chainer.using_config("debug", debug):
        x, y = map(to_gpu, pair)
        values = soft_dtw(x, y, 0.5, reduce="no", **lengths)
        F.sum(values).backward()
    np.testing.assert_allclose(values.array.get(), expected, rtol=1e-10)
    assert not x.grad[1, 1:].any()


@attr.gpu
def test_lengths_out_of_range(pair):
    x, y = map(to_gpu, pair)
    on_host = [1, 2, 41]
    message = "x_length must be from 1 to 40, got 41 at 2"
    with pytest.raises(ValueError, match=message):
        soft_dtw(x, y, x_length=on_host)
    lengths = cupy.asarray(on_host)
    values = soft_dtw(x, y, x_length=lengths, reduce="no")
    assert np.isnan(values.array.get()).tolist() == [False, False, True]
    with (
        chainer.using_config("debug", True),
        pytest.raises(ValueError, match=message),
    ):
        soft_dtw(x, y, x_length=lengths, reduce="no")


# --- Chainer ---


@attr.gpu
@pytest.mark.parametrize("lengths", [{}, {"x_length": [6, 3]}])
def test_numerical_gradients(rng, lengths):
    x, y = rng.standard_normal((2, 6, 2)), rng.standard_normal((2, 5, 2))
    cost = rng.random((2, 6, 5))
    for function, inputs in (
        (lambda a, b: soft_dtw(a, b, 0.5, reduce="no", **lengths), (x, y)),
        (
            lambda c: soft_dtw_from_cost(c, 0.5, reduce="no", **lengths),
            (cost,),
        ),
    ):
        gradient_check.check_backward(
            function,
            tuple(map(cupy.asarray, inputs)),
            cupy.asarray(rng.standard_normal(2)),
            dtype=np.float64,
            atol=1e-6,
            rtol=1e-6,
        )


@attr.gpu
@pytest.mark.parametrize("name", checks.LOSSES_WITH_OPTIONS)
def test_family(name):
    """Values and derivatives of all losses, as on the CPU."""
    loss, options = checks.LOSSES_WITH_OPTIONS[name]
    pair = checks.pair()
    expected = checks.derivatives(loss, *pair, **options)
    found = checks.derivatives(loss, *map(cupy.asarray, pair), **options)
    for actual, wanted in zip(found, expected):
        assert type(actual) is cupy.ndarray
        np.testing.assert_allclose(actual.get(), wanted, atol=1e-10)


@attr.gpu
def test_third_derivative(pair):
    found = []
    for kind in (np.asarray, cupy.asarray):
        x, y = (Variable(kind(a[:2, :5])) for a in pair)
        (gx,) = gradients(soft_dtw(x, y, 0.5), x)
        (h,) = gradients(F.sum(gx * gx), x)
        (third,) = gradients(F.sum(h * h), y)
        found.append(third.array)
    assert reference.error(found[1].get(), found[0]) <= 1e-9


@attr.gpu
def test_where_arguments_are(pair):
    """Masks, bandwidths, lengths and y-terms may be on either side."""
    x, y = pair
    mask = np.ones((3, 40, 35), dtype=bool)
    mask[:, 20, 17] = False
    for loss, name, value in (
        (soft_dtw, "mask", mask),
        (soft_dtw, "mask", chainer_sdtw.itakura_mask(40, 35)),
        (soft_dtw, "bandwidth", np.array([3, 1, 9])),
        (chainer_sdtw.soft_dtw_divergence, "y_term", np.ones(3)),
    ):
        lengths = {"x_length": np.array([40, 40, 33])}
        if name == "mask" and value.ndim == 2:
            lengths = {}
        expected = loss(x, y, reduce="no", **{name: value}, **lengths)
        for kind in (np.asarray, cupy.asarray):
            options = {k: kind(v) for k, v in lengths.items()}
            options[name] = kind(value)
            actual = loss(*map(to_gpu, pair), reduce="no", **options)
            assert type(actual.array) is cupy.ndarray
            error = reference.error(actual.array.get(), expected.array)
            assert error <= 1e-10


@attr.gpu
def test_alignment_path_is_on_the_host(pair):
    expected = chainer_sdtw.alignment_path(*pair)
    found = chainer_sdtw.alignment_path(*map(cupy.asarray, pair))
    for actual, wanted in zip(found, expected):
        np.testing.assert_array_equal(actual, wanted)


@attr.gpu
def test_arrays_of_both(pair):
    x, y = pair
    for inputs in ((x, cupy.asarray(y)), (cupy.asarray(x), y)):
        with pytest.raises(TypeError, match="incompatible array types are mi"):
            soft_dtw(*inputs)


@attr.gpu
def test_nan_stays_in_its_pair(pair):
    pair[0][1, 2, 0] = np.nan
    x, y = map(to_gpu, pair)
    values = soft_dtw(x, y, reduce="no")
    F.sum(values).backward()
    assert np.isnan(values.array.get()).tolist() == [False, True, False]
    for variable in (x, y):
        bad = np.isnan(variable.grad.get()).all(axis=(1, 2))
        assert bad.tolist() == [False, True, False]


@attr.gpu
@pytest.mark.alone
def test_nothing_waits_for_the_device(pair, stream, busy):
    """Loss and gradients are queued behind what the stream is at."""
    _, *expected = reference.batch(*pair, 0.5, **LENGTHS)
    x, y = map(cupy.asarray, pair)
    late_x, late_y = cupy.zeros_like(x), cupy.zeros_like(y)
    lengths = {name: cupy.asarray(a) for name, a in LENGTHS.items()}
    cupy.cuda.Device().synchronize()
    # First compile the kernels and fill the pools of memory.
    for _ in range(3):
        with stream:
            late_x.fill(0)
            busy(0.25)
            cupy.copyto(late_x, x)
            cupy.copyto(late_y, y)
            series = Variable(late_x), Variable(late_y)
            loss = soft_dtw(*series, 0.5, reduce="sum", **lengths)
            loss.backward()
            running = not stream.done
        stream.synchronize()
        for variable, gradient in zip(series, expected):
            assert reference.error(variable.grad.get(), gradient) <= 1e-10
        del series, loss, variable
    assert running


@attr.gpu
def test_memory_is_given_back(pair):
    """By the end of the last variable, without a garbage collection."""
    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        for function in (
            lambda x, y: soft_dtw(x, y, 0.5),
            lambda x, y: soft_dtw_from_cost(x, 0.5),
        ):
            x, y = map(to_gpu, pair)
            loss = function(x, y)
            assert pool.used_bytes() > x.array.nbytes + y.array.nbytes
            loss.backward()
            del x, y, loss
            assert pool.used_bytes() == 0


# --- More than one GPU ---


@attr.multi_gpu(2)
def test_another_device(pair, second_gpu):
    x, y = (Variable(a) for a in pair)
    for variable in (x, y):
        variable.to_gpu(second_gpu)
    soft_dtw(x, y, 0.5, reduce="sum").backward()
    _, *expected = reference.batch(*pair, 0.5)
    for variable, gradient in zip((x, y), expected):
        assert variable.grad.device.id == second_gpu
        assert reference.error(variable.grad.get(), gradient) <= 1e-10
    assert cupy.cuda.Device().id == 0


@attr.multi_gpu(2)
def test_inputs_on_two_devices(pair, second_gpu):
    x, y = map(Variable, pair)
    x.to_gpu(0)
    y.to_gpu(second_gpu)
    with pytest.raises(ValueError, match="x and y must be on one device"):
        soft_dtw(x, y)
