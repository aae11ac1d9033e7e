"""The losses on the CUDA kernels without a GPU, and their ways to a GPU."""

import contextlib
import functools
from unittest import mock

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import chainer
import chainer.functions as F
import checks
import numpy as np
import pytest
import reference
from chainer import Variable
from chainer.backends import cuda as chainer_cuda
from ptx_on_cpu.sweeps import PTXDevice, unsupported

import sdtw_cpu
from chainer_sdtw import (
    cuda,
    pairwise_soft_dtw,
    soft_dtw,
    soft_dtw_from_cost,
)
from chainer_sdtw._engine import losses, nodes, series_set
from chainer_sdtw._engine import problem as problems
from chainer_sdtw._engine import series as engine_series
from chainer_sdtw.learning._objective import Objective

DTYPES = [np.float16, np.float32, np.float64]
TOLERANCE = {np.float16: 2e-3, np.float32: 1e-5, np.float64: 1e-11}
REDUCE = {"mean": 1 / 3, "sum": 1, "no": 1}


class Executed:
    """chainer_sdtw.cuda, on the CPU."""

    def __init__(self, device):
        for name in ("adjoint", "adjoint_tangent"):
            setattr(self, name, mock.Mock(wraps=getattr(cuda, name)))
        for name in (
            "value",
            "value_from_cost",
            "tangent",
            "tangent_from_cost",
        ):
            sweep = functools.partial(getattr(cuda, name), device=device)
            setattr(self, name, mock.Mock(wraps=sweep))


@pytest.fixture(scope="module")
def device():
    if unsupported():
        pytest.skip(str(unsupported()))
    return PTXDevice()


@pytest.fixture
def sweeps(device, monkeypatch):
    """What the losses call: the kernels, in the place of sdtw_cpu."""
    executed = Executed(device)
    monkeypatch.setattr(problems, "sweeps_for", lambda arrays: executed)
    return executed


@pytest.fixture(params=[1, 3])
def pair(request, rng):
    """A batch (3, 40, d) and (3, 35, d)."""
    d = request.param
    return reference.walks(rng, 3, 40, d), reference.walks(rng, 3, 35, d)


LENGTHS = {"x_length": np.array([40, 1, 33]), "y_length": np.array([8, 35, 2])}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduce", REDUCE)
@pytest.mark.parametrize("lengths", [{}, LENGTHS], ids=["whole", "ragged"])
@pytest.mark.parametrize("gamma", [0, 0.3])
def test_values_and_gradients(sweeps, pair, dtype, reduce, lengths, gamma):
    x, y = (Variable(a.astype(dtype)) for a in pair)
    loss = soft_dtw(x, y, gamma, reduce=reduce, **lengths)
    assert loss.dtype == dtype
    loss.grad = np.full(loss.shape, 2, dtype)
    loss.backward()
    assert sweeps.value.call_count == sweeps.adjoint.call_count == 1
    value, *gradients = reference.batch(x.array, y.array, gamma, **lengths)
    expected = value if reduce == "no" else REDUCE[reduce] * value.sum()
    assert reference.error(loss.array, expected) <= TOLERANCE[dtype]
    for variable, wanted in zip((x, y), gradients):
        assert variable.grad.dtype == dtype
        error = reference.error(variable.grad, 2 * REDUCE[reduce] * wanted)
        assert error <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lengths", [{}, LENGTHS], ids=["whole", "ragged"])
@pytest.mark.parametrize("gamma", [0, 0.3])
def test_costs(sweeps, rng, dtype, lengths, gamma):
    cost = Variable((rng.random((3, 40, 35)) + 0.1).astype(dtype))
    loss = soft_dtw_from_cost(cost, gamma, reduce="no", **lengths)
    loss.grad = grad = np.array([1, -2, 0.5], dtype)
    loss.backward()
    value, e = reference.soft_dtw(cost.array, gamma, **lengths)
    assert loss.dtype == cost.grad.dtype == dtype
    assert reference.error(loss.array, value) <= TOLERANCE[dtype]
    wanted = e * grad[:, None, None]
    assert reference.error(cost.grad, wanted) <= TOLERANCE[dtype]


@pytest.mark.parametrize("kind", [list, tuple, np.int32, np.uint8, Variable])
def test_kinds_of_lengths(sweeps, pair, kind):
    lengths = {name: kind(a) for name, a in LENGTHS.items()}
    actual = soft_dtw(*pair, 0.3, reduce="no", **lengths)
    expected = soft_dtw(*pair, 0.3, reduce="no", **LENGTHS)
    np.testing.assert_array_equal(actual.array, expected.array)


@pytest.mark.parametrize("debug", [False, True])
def test_bad_lengths(sweeps, pair, debug):
    with chainer.using_config("debug", debug):
        message = "x_length must be from 1 to 40, got 41 at 2"
        with pytest.raises(ValueError, match=message):
            soft_dtw(*pair, x_length=[1, 2, 41])


def test_lists(sweeps, rng):
    x, y = (
        [Variable(rng.standard_normal((n, 2))) for n in lengths]
        for lengths in ((40, 2, 1), (3, 35, 33))
    )
    values = soft_dtw(x, y, 0.5, reduce="no")
    F.sum(values).backward()
    assert sweeps.value.call_count == 1
    for value, a, b in zip(values.array, x, y):
        wanted, gx, gy = reference.batch(a.array[None], b.array[None], 0.5)
        np.testing.assert_allclose(value, wanted[0], rtol=1e-11)
        np.testing.assert_allclose(a.grad, gx[0], atol=1e-11)
        np.testing.assert_allclose(b.grad, gy[0], atol=1e-11)


@pytest.mark.parametrize("d", [(), (1,), (3,)], ids=["flat", "1", "3"])
def test_one_pair(sweeps, rng, d):
    x, y = Variable(rng.random((6, *d))), Variable(rng.random((5, *d)))
    value = soft_dtw(x, y, 0.5, x_length=4, reduce="no")
    value.backward()
    assert value.shape == ()
    pair = x.array.reshape(1, 6, -1)[:, :4], y.array.reshape(1, 5, -1)
    wanted, gx, gy = reference.batch(*pair, 0.5)
    np.testing.assert_allclose(value.array, wanted[0], rtol=1e-11)
    assert x.grad.shape == x.shape and y.grad.shape == y.shape
    np.testing.assert_allclose(x.grad[:4].reshape(gx[0].shape), gx[0])
    np.testing.assert_allclose(y.grad.reshape(gy[0].shape), gy[0])
    assert not x.grad[4:].any()


def test_array_that_is_not_contiguous(sweeps, pair):
    x, y = pair
    expected = soft_dtw(x[::-1].copy(), y, 0.5, reduce="no").array
    a = Variable(np.asfortranarray(x)[::-1])
    b = Variable(np.broadcast_to(y[:1], y.shape))
    actual = soft_dtw(a, y, 0.5, reduce="no")
    np.testing.assert_array_equal(actual.array, expected)
    soft_dtw(a, b).backward()
    _, gx, gy = reference.batch(a.array, b.array, 1.0)
    assert reference.error(a.grad, gx / 3) <= 1e-11
    assert reference.error(b.grad, gy / 3) <= 1e-11


@pytest.mark.parametrize("wanted", ["x", "y", "xy"])
def test_gradients_for_what_requires_them(sweeps, pair, wanted):
    x, y = (
        Variable(a, requires_grad=name in wanted)
        for name, a in zip("xy", pair)
    )
    soft_dtw(x, y, 0.5, reduce="sum").backward()
    assert sweeps.value.call_args.kwargs["tape"]
    options = sweeps.adjoint.call_args.kwargs
    assert options == {"x": "x" in wanted, "y": "y" in wanted}
    _, *expected = reference.batch(*pair, 0.5)
    for name, variable, gradient in zip("xy", (x, y), expected):
        if name in wanted:
            assert reference.error(variable.grad, gradient) <= 1e-11
        else:
            assert variable.grad is None


def test_no_tape_without_backprop(sweeps, pair):
    expected = soft_dtw(*map(Variable, pair), reduce="no")
    assert sweeps.value.call_args.kwargs["tape"]
    with chainer.no_backprop_mode():
        values = soft_dtw(*map(Variable, pair), reduce="no")
        soft_dtw_from_cost(Variable(np.ones((1, 3, 4))))
    assert not sweeps.value.call_args.kwargs["tape"]
    assert not sweeps.value_from_cost.call_args.kwargs["tape"]
    np.testing.assert_array_equal(values.array, expected.array)


def test_numerical_gradients(sweeps, rng):
    x, y = rng.standard_normal((2, 6, 2)), rng.standard_normal((2, 5, 2))
    lengths = {"x_length": [6, 3], "y_length": [2, 5]}
    cost = rng.random((2, 4, 5))
    for function, inputs in (
        (lambda a, b: soft_dtw(a, b, 0.5, reduce="no", **lengths), (x, y)),
        (lambda c: soft_dtw_from_cost(c, 0.5, reduce="no"), (cost,)),
    ):
        checks.check_derivatives(function, *inputs)


@pytest.mark.parametrize("name", checks.LOSSES_WITH_OPTIONS)
def test_family(sweeps, monkeypatch, name):
    """Values and derivatives of all losses, as from sdtw_cpu."""
    loss, options = checks.LOSSES_WITH_OPTIONS[name]
    actual = checks.derivatives(loss, *checks.pair(), **options)
    called = (
        sweeps.value,
        sweeps.value_from_cost,
        sweeps.tangent,
        sweeps.tangent_from_cost,
    )
    assert any(sweep.called for sweep in called)
    monkeypatch.setattr(problems, "sweeps_for", lambda arrays: sdtw_cpu)
    expected = checks.derivatives(loss, *checks.pair(), **options)
    for a, b in zip(actual, expected):
        np.testing.assert_allclose(a, b, atol=1e-11)


def test_nan_stays_in_its_pair(sweeps, pair):
    checks.check_nan_stays_in_its_pair(soft_dtw, pair)


# --- Arrays of CuPy, without CuPy ---


class CuPyArray:
    """All that Chainer looks at before it chooses where to compute."""

    dtype = np.dtype(np.float32)
    shape = 2, 3, 1
    ndim = 3


@pytest.fixture
def cupy_array(monkeypatch):
    monkeypatch.setattr(chainer_cuda, "ndarray", CuPyArray)
    return CuPyArray()


def test_arrays_of_cupy_go_to_a_gpu(cupy_array):
    assert problems.sweeps_for((cupy_array, cupy_array)) is cuda


def test_arrays_of_numpy_do_not(rng):
    both = rng.random((2, 3, 1)), rng.random((2, 4, 1))
    assert problems.sweeps_for(both) is sdtw_cpu


def test_arrays_of_both(cupy_array, rng):
    x = rng.random((2, 3, 1)).astype(np.float32)
    problem = problems.Problem("soft_dtw", 1.0, "sqeuclidean")
    for inputs in ((x, cupy_array), (cupy_array, x)):
        with pytest.raises(TypeError, match=r"mixed .* \(soft_dtw\)"):
            nodes.Value(problem, False).apply(inputs)


def test_to_gpu_without_cupy(rng):
    if chainer_cuda.available:
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match="CUDA environment is not correctl"):
        Variable(rng.random((2, 3, 1))).to_gpu()


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence", "sharp"])
def test_objective_of_barycenters(sweeps, rng, loss):
    series = [rng.standard_normal((n, 2)) for n in (7, 40, 12)]
    batch = series_set.as_series_set("series", series)
    labels, z = np.array([1, 0, 1]), rng.standard_normal((2, 20, 2))

    def evaluated():
        options = batch, losses.as_loss(loss, 0.3), None, labels, 2
        return Objective(*options)(z)

    values, gradient = evaluated()
    sweep = sweeps.tangent if loss == "sharp" else sweeps.value
    assert sweep.call_count == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problems, "sweeps_for", lambda arrays: sdtw_cpu)
        expected, expected_gradient = evaluated()
    np.testing.assert_allclose(values, expected, rtol=1e-10)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-9)


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence", "sharp"])
def test_losses_of_all_pairs(sweeps, rng, loss):
    series = [rng.standard_normal((n, 2)) for n in (7, 40, 12, 3)]

    def losses():
        # The slabs have pairs of a few lengths each.
        return pairwise_soft_dtw(series, gamma=0.3, loss=loss, max_bytes=6000)

    got = losses()
    sweep = sweeps.tangent if loss == "sharp" else sweeps.value
    assert sweep.call_count > 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problems, "sweeps_for", lambda arrays: sdtw_cpu)
        expected = losses()
    np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


class DeviceArray(np.ndarray):
    """An array on a device, which nobody may wait for."""

    device = contextlib.nullcontext()

    def _wait(self, *args, **kwargs):
        raise AssertionError("waited for the device")

    min = max = any = all = item = tolist = get = _wait
    __bool__ = __int__ = __index__ = __float__ = __iter__ = _wait


@pytest.fixture
def on_device(monkeypatch):
    monkeypatch.setattr(chainer_cuda, "ndarray", DeviceArray)
    return lambda a, dtype: np.array(a, dtype).view(DeviceArray)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
def test_lengths_on_a_device_are_not_waited_for(on_device, dtype):
    # 100 is more than there are.
    lengths = on_device([40, 100, 1], dtype)
    checked = engine_series.checked_lengths("x_length", lengths, (3, 40))
    assert isinstance(checked, DeviceArray) and checked.dtype == np.int64
    np.testing.assert_array_equal(checked.view(np.ndarray), [40, 100, 1])
    one = on_device(7, dtype)[...]
    assert engine_series.checked_lengths("x", one, (1, 40), False).shape == (
        1,
    )


def test_lengths_on_a_device_of_a_wrong_form(on_device):
    with pytest.raises(ValueError, match=r"x_length must have shape \(2,\)"):
        engine_series.checked_lengths("x_length", on_device([1], int), (2, 40))
    with pytest.raises(TypeError, match="x_length must be integers, got flo"):
        engine_series.checked_lengths(
            "x_length", on_device([1], float), (1, 40)
        )
