"""The sweeps of chainer_sdtw.cuda on a GPU, beside sdtw_cpu."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import large_costs
import numpy as np
import pytest
import reference
from chainer.backends.cuda import cupy
from chainer.testing import attr
from reference import make

import sdtw_cpu
from chainer_sdtw import cuda
from chainer_sdtw.cuda import _plan, _tangents
from sdtw_cpu.checks import COSTS

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
KINDS = ("univariate", "multivariate", "explicit")


def swept(arrays, gamma, lengths=(None, None), grad=None, sweeps=cuda, **more):
    """Value and gradients of arrays that are where the sweeps run."""
    name = "value" if len(arrays) == 2 else "value_from_cost"
    value, tape = getattr(sweeps, name)(
        *(*arrays, gamma),
        x_length=lengths[0],
        y_length=lengths[1],
        tape=True,
        **more,
    )
    gradients = sweeps.adjoint(tape, grad)
    return (value, *(gradients if len(arrays) == 2 else (gradients,)))


def on_gpu(arrays, gamma, lengths=(None, None), grad=None):
    """The same for arrays of NumPy, and back."""
    if grad is not None:
        grad = cupy.asarray(grad)
    found = swept([cupy.asarray(a) for a in arrays], gamma, lengths, grad)
    assert all(type(a) is cupy.ndarray for a in found)
    return [a.get() for a in found]


def exact(arrays, gamma, lengths=(None, None), grad=None):
    """The CPU's, in float64."""
    with np.errstate(all="ignore"):
        wide = [np.asarray(a, np.float64) for a in arrays]
        return swept(wide, gamma, lengths, grad, sdtw_cpu)


def assert_near(actual, expected, gamma, dtype):
    """Values and gradients are of a type and near enough."""
    # A value may be what is left of costs and gamma times an entropy.
    scale = max(np.abs(expected[0]).max(), gamma)
    assert np.abs(actual[0] - expected[0]).max() <= TOLERANCE[dtype] * scale
    for a, e in zip(actual, expected):
        assert a.dtype == dtype and a.shape == e.shape
    for a, e in zip(actual[1:], expected[1:]):
        assert reference.error(a, e) <= TOLERANCE[dtype]


def assert_same(actual, expected):
    """The same bits."""
    for a, e in zip(actual, expected):
        np.testing.assert_array_equal(a, e)


def check(arrays, gamma, lengths=(None, None)):
    dtype = arrays[0].dtype.type
    grad = np.linspace(-1, 2, len(arrays[0])).astype(dtype)
    actual = on_gpu(arrays, gamma, lengths, grad)
    assert_near(actual, exact(arrays, gamma, lengths, grad), gamma, dtype)


# --- Shapes and numbers ---


@attr.gpu
@pytest.mark.parametrize("d", [1, 2, 17, 64, "explicit"])
@pytest.mark.parametrize("gamma", [0, 1e-3, 0.1, 1, 10])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_gradients(rng, dtype, gamma, d):
    kind, d = ("explicit", 2) if d == "explicit" else ("series", d)
    arrays = make(rng, kind, 5, 100, 77, d, dtype)
    check(arrays, gamma)
    for _ in range(3):
        check(arrays, gamma, [rng.integers(1, k + 1, 5) for k in (100, 77)])


@attr.gpu
@pytest.mark.parametrize("d", [1, 2, 17, 64])
@pytest.mark.parametrize("cost", COSTS[1:])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_costs(rng, dtype, cost, d):
    x, y = make(rng, "series", 5, 100, 77, d, dtype)
    y[:, :9] = x[:, 7:16]  # where distances are zero
    y[:, 9:12, 0] = x[:, 2:5, 0]
    given = cupy.asarray(x), cupy.asarray(y)
    lengths = [rng.integers(1, k + 1, 5) for k in (100, 77)]
    for gamma in (0, 1e-3, 0.1, 1):
        actual = [a.get() for a in swept(given, gamma, lengths, cost=cost)]
        expected = reference.batch_of_cost(x, y, gamma, cost, *lengths)
        assert_near(actual, expected, gamma, dtype)
        again = [a.get() for a in swept(given, gamma, lengths, cost=cost)]
        assert_same(again, actual)


@attr.gpu
@pytest.mark.parametrize("gamma", [0, 0.01, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents_from_cost(rng, dtype, gamma):
    (cost,) = make(rng, "explicit", 3, 100, 77, 2, dtype)
    z = rng.standard_normal(cost.shape).astype(dtype)
    lengths = [rng.integers(1, k + 1, 3) for k in (100, 77)]
    seeds = rng.standard_normal((2, 3)).astype(dtype)
    expected = reference.tangent(cost, z, gamma, *lengths, *seeds)
    found = []
    for _ in range(2):
        value, change, tape = cuda.tangent_from_cost(
            *(cupy.asarray(cost), cupy.asarray(z), gamma),
            x_length=lengths[0],
            y_length=lengths[1],
            tape=True,
        )
        et = cuda.adjoint_tangent(tape, *map(cupy.asarray, seeds))
        found.append([a.get() for a in (value, change, et)])
    for a, e in zip(found[0], expected):
        scale = max(np.linalg.norm(e), gamma)
        assert np.linalg.norm(a - e) <= 2 * TOLERANCE[dtype] * scale
    assert_same(*found)


@attr.gpu
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents(rng, dtype, cost, d, monkeypatch):
    x, y = make(rng, "series", 3, 70, 45, d, dtype)
    y[:, :5] = x[:, 7:12]  # where distances are zero
    dx, dy = (rng.standard_normal(a.shape).astype(dtype) for a in (x, y))
    dx[:, 7:12] = dy[:, :5]  # and stay so
    lengths = np.array([70, 33, 20]), np.array([30, 45, 45])
    seeds = rng.standard_normal((2, 3)).astype(dtype)
    matrix = rng.random((1, 70, 45)).astype(dtype)
    for z in ((dx, dy), "cost", matrix):
        if isinstance(z, tuple):
            given = tuple(map(cupy.asarray, z))
        else:
            given = z if isinstance(z, str) else cupy.asarray(z)
        found = []
        for portion in (1 << 29, 1):
            monkeypatch.setattr(_tangents, "PORTION_BYTES", portion)
            value, change, tape = cuda.tangent(
                *(cupy.asarray(x), cupy.asarray(y), given, 0.1),
                cost=cost,
                x_length=lengths[0],
                y_length=cupy.asarray(lengths[1]),
                tape=True,
            )
            gradients = cuda.adjoint_tangent(tape, *map(cupy.asarray, seeds))
            found.append([a.get() for a in (value, change, *gradients)])
        expected = reference.tangents(x, y, z, 0.1, cost, *lengths, *seeds)
        for a, e in zip(found[0], expected):
            assert a.dtype == dtype and a.shape == e.shape
            tolerance = max(TOLERANCE[dtype], 1e-11)
            scale = max(np.linalg.norm(e), 1)
            assert np.linalg.norm(a - e) <= tolerance * scale
        assert_same(*found)


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_edges_of_strips_and_segments(rng, dtype, kind):
    d = 1 if kind == "univariate" else 17
    edges = (1, 2, 7, 8, 31, 32, 33, 63, 64, 65)
    for m in edges:
        for n in edges:
            check(make(rng, kind, 1, m, n, d, dtype), 1.0)


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_pairs(rng, dtype):
    lengths = [rng.integers(1, k + 1, 2000) for k in (40, 50)]
    check(make(rng, "series", 2000, 40, 50, 3, dtype), 0.5, lengths)


@attr.gpu
def test_reference_values():
    for case in reference.cases().values():
        x, y = case["x"][None], case["y"][None]
        value, gx, _ = on_gpu((x, y), float(case["gamma"]))
        assert reference.error(value, case["value"]) <= 1e-10
        assert reference.error(gx[0], case["gx"]) <= 1e-8


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pairs_of_all_ranges_in_one_batch(rng, dtype):
    """For float32: float, double, log space, NaN; each as if it were alone."""
    scale = np.array([1, 1e4, 1e18, 1, 1], dtype)[:, None, None]
    x, y = make(rng, "univariate", 5, 70, 40, 1, dtype)
    x, y = x * scale, y * scale
    x[3, 20] = np.nan
    y[4, 39] = np.inf
    actual = on_gpu((x, y), 0.01)
    expected = exact((x[:3], y[:3]), 0.01)
    for a, e in zip(actual, expected):
        assert np.isnan(a[3:]).all()
        for b in range(3):
            assert reference.error(a[b], e[b]) <= TOLERANCE[dtype]


class OnGPU:
    """The sweeps for arrays of NumPy, and back."""

    def __getattr__(self, name):
        def sweep(*arrays, **options):
            return move(getattr(cuda, name)(*move(arrays), **options))

        def move(a):
            if isinstance(a, (tuple, list)):
                return tuple(map(move, a))
            if isinstance(a, np.ndarray):
                return cupy.asarray(a)
            return a.get() if isinstance(a, cupy.ndarray) else a

        return sweep


@attr.gpu
@pytest.mark.parametrize("first", range(0, 120, 20))
def test_large_costs(first):
    for index in range(first, first + 20):
        large_costs.check(large_costs.problem(index), OnGPU())


@attr.gpu
@pytest.mark.parametrize("gamma", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forbidden_cells(rng, dtype, gamma):
    (cost,) = make(rng, "explicit", 4, 60, 50, 2, dtype)
    cost[0][rng.random((60, 50)) < 0.2] = np.inf
    cost[0].flat[:: 50 + 1] = 0
    cost[0, 49:, 49] = 0
    cost[1, 30] = np.inf  # no path
    cost[2, 10, 10] = np.nan
    cost[3, 10, 10] = -np.inf
    value, e = on_gpu((cost,), gamma)
    assert np.isfinite(value[0]) and value[1] == np.inf
    assert np.isnan(value[2:]).all() and np.isnan(e[2:]).all()
    assert not e[1].any() and not e[0][cost[0] == np.inf].any()
    expected = exact((cost[:1],), gamma)
    assert_near((value[:1], e[:1]), expected, gamma, dtype)


@attr.gpu
@pytest.mark.parametrize("gamma", [1, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("length", [1024, 4096])
@pytest.mark.parametrize("d", [1, 8])
def test_float32_gradients(d, length, gamma):
    rng = np.random.default_rng([d, length])
    arrays = make(rng, "series", 2, length, length, d, np.float32)
    actual, expected = on_gpu(arrays, gamma), exact(arrays, gamma)
    for a, e in zip(actual[1:], expected[1:]):
        for b in range(2):
            assert reference.error(a[b], e[b]) <= 1e-5


# --- Bands ---


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gamma", [0, 0.01, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_band(rng, dtype, gamma, kind):
    """As explicit costs that are inf outside of it; the same bits twice."""
    d = 1 if kind == "univariate" else 5
    for i in range(8):
        m, n = (int(v) for v in rng.integers(1, 400, 2))
        lengths = (None, None)
        if i % 2:
            lengths = [rng.integers(1, k + 1, 3) for k in (m, n)]
        band = reference.random_band(rng, 3, m, n, 10 * i, *lengths)
        arrays = make(rng, kind, 3, m, n, d, dtype)
        cost = arrays[0]
        if len(arrays) == 2:
            cost = reference.squared_euclidean(*arrays)
        j = np.arange(n)
        inside = (band[..., :1] <= j) & (j < band[..., 1:])
        value, e = reference.soft_dtw(
            np.where(inside, cost, np.inf), gamma, *lengths
        )
        expected = value, e
        if len(arrays) == 2:
            series = [reference.masked(*a) for a in zip(arrays, lengths)]
            expected = (value, *reference.gradients(*series, e))
        given = [cupy.asarray(a) for a in arrays]
        actual = [a.get() for a in swept(given, gamma, lengths, band=band)]
        assert_near(actual, expected, gamma, dtype)
        again = [a.get() for a in swept(given, gamma, lengths, band=band)]
        assert_same(again, actual)


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_wide_and_narrow_bands(rng, kind):
    d = 1 if kind == "univariate" else 8
    arrays = make(rng, kind, 4, 2000, 2200, d, np.float32)
    for bandwidth in (0, 50, 4000):
        band = sdtw_cpu.sakoe_chiba_band(2000, 2200, bandwidth)
        wide = [np.asarray(a, np.float64) for a in arrays]
        expected = swept(wide, 0.1, sweeps=sdtw_cpu, band=band)
        given = [cupy.asarray(a) for a in arrays]
        actual = [a.get() for a in swept(given, 0.1, band=band)]
        assert_near(actual, expected, 0.1, np.float32)
    assert_same(actual, on_gpu(arrays, 0.1))


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_band_in_slabs(rng, kind, monkeypatch):
    """With less memory than the tape would take, the same bits."""
    d = 1 if kind == "univariate" else 3
    given = [
        cupy.asarray(a) for a in make(rng, kind, 3, 500, 400, d, np.float32)
    ]
    band = sdtw_cpu.sakoe_chiba_band(500, 400, 20)
    whole = [a.get() for a in swept(given, 0.05, band=band)]
    for size in (1 << 16, 1):
        monkeypatch.setattr(_plan, "WHOLE_TAPE_BYTES", size)
        again = [a.get() for a in swept(given, 0.05, band=band)]
        assert_same(again, whole)


# --- Large ---


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_large(rng, kind, dtype):
    d = 1 if kind == "univariate" else 8
    lengths = np.array([2000, 1, 1999, 31]), np.array([3000, 3000, 1025, 64])
    arrays = make(rng, kind, 4, 2000, 3000, d, dtype)
    check(arrays, 1.0)
    check(arrays, 0.1, lengths)


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_of_a_long_pair(rng, dtype):
    length = 16384
    x, y = make(rng, "univariate", 1, length, length, 1, dtype)
    value = cuda.value(cupy.asarray(x), cupy.asarray(y), 1.0)
    expected = sdtw_cpu.value(x.astype(float), y.astype(float), 1.0)
    assert reference.error(value.get(), expected) <= TOLERANCE[dtype]


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slabs(rng, dtype, kind, monkeypatch):
    """With less memory than the tape would take, the same bits."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 3, 230, 90, d, dtype)
    arrays[0][2] *= 300  # in float32, not for a mantissa of 24 bits
    lengths = np.array([230, 100, 225]), np.array([60, 90, 90])
    whole = on_gpu(arrays, 0.05, lengths)
    assert_near(whole, exact(arrays, 0.05, lengths), 0.05, dtype)
    slabs = set()
    for part in (2, 3, 5, 100):
        limit = _plan.fine_bytes(3, 230, 90, np.dtype(dtype)) // part
        monkeypatch.setattr(_plan, "WHOLE_TAPE_BYTES", limit)
        plan = _plan.make_plan(3, 230, 90, np.dtype(dtype), True)
        slabs.add(plan.passes[0].slabs)
        assert_same(on_gpu(arrays, 0.05, lengths), whole)
    assert len(slabs) > 2 and max(slabs) == 8


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_runs_give_the_same_bits(rng, dtype, kind):
    d = 1 if kind == "univariate" else 8
    arrays = make(rng, kind, 64, 300, 300, d, dtype)
    first = on_gpu(arrays, 0.1)
    assert np.isfinite(first[0]).all()
    for _ in range(3):
        assert_same(on_gpu(arrays, 0.1), first)


# --- Calls ---


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


# --- Streams ---


@attr.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_the_current_stream_is_used(rng, stream, busy, kind):
    """Its inputs are made late, in the stream, and its outputs read there."""
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 8, 100, 90, d, np.float32)
    grad = np.linspace(-1, 2, 8).astype(np.float32)
    expected = on_gpu(arrays, 0.5, grad=grad)
    sources = [cupy.asarray(a) for a in (*arrays, grad)]
    late = [cupy.zeros_like(a) for a in sources]
    cupy.cuda.Device().synchronize()
    with stream:
        busy(0.2)
        for a, source in zip(late, sources):
            cupy.copyto(a, source)
        *given, late_grad = late
        actual = swept(given, 0.5, grad=late_grad)
    stream.synchronize()
    assert_same([a.get() for a in actual], expected)


@attr.gpu
def test_streams_side_by_side(rng):
    batches = [
        make(rng, "series", 16, 400, 300, d, dtype)
        for d in (1, 5)
        for dtype in (np.float32, np.float64)
    ]
    expected = [on_gpu(arrays, 0.5) for arrays in batches]
    given = [[cupy.asarray(a) for a in arrays] for arrays in batches]
    cupy.cuda.Device().synchronize()
    streams = [cupy.cuda.Stream(non_blocking=True) for _ in batches]
    for _ in range(5):
        actual = []
        for stream, arrays in zip(streams, given):
            with stream:
                actual.append(swept(arrays, 0.5))
        for stream in streams:
            stream.synchronize()
        for a, e in zip(actual, expected):
            assert_same([v.get() for v in a], e)


@attr.gpu
@pytest.mark.parametrize("lengths", ["none", "device", "host"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_waits_for_the_device(rng, stream, busy, kind, lengths):
    d = 1 if kind == "univariate" else 3
    arrays = make(rng, kind, 8, 100, 90, d, np.float32)
    arrays = [cupy.asarray(a) for a in arrays]
    given = (None, None)
    if lengths != "none":
        given = [np.arange(8) * 11 + 1, np.arange(8) * 10 + 2]
    if lengths == "device":
        given = [cupy.asarray(a) for a in given]
    grad = cupy.ones(8, np.float32)
    cupy.cuda.Device().synchronize()
    # First compile the kernels and fill the pools of memory.
    for _ in range(3):
        with stream:
            busy(0.25)
            found = swept(arrays, 0.5, given, grad)
            running = not stream.done
        stream.synchronize()
        value = found[0].get()
        del found
    assert running
    assert np.isfinite(value).all()


# --- Memory ---


@attr.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory(rng, dtype):
    series = make(rng, "series", 32, 2048, 2048, 64, dtype)
    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        x, y = map(cupy.asarray, series)
        before = pool.used_bytes()
        value, tape = cuda.value(x, y, 1.0, tape=True)
        gx, gy = cuda.adjoint(tape)
        arrays = sum(a.nbytes for a in (x, y, value, gx, gy))
        # All that has ever been in use at a time, and fragments.
        assert pool.total_bytes() - arrays <= 150e6
        del value, tape, gx, gy
        assert pool.used_bytes() == before
        cuda.value(x, y, 1.0)
        assert pool.used_bytes() == before


@attr.gpu
def test_memory_of_slabs(rng):
    """Tapes that are too large are not kept."""
    series = make(rng, "univariate", 1, 65536, 32768, 1, np.float32)
    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc):
        x, y = map(cupy.asarray, series)
        value, tape = cuda.value(x, y, 1.0, tape=True)
        gx, gy = cuda.adjoint(tape)
        assert pool.total_bytes() <= 300e6
        whole = _plan.fine_bytes(1, 65536, 32768, np.dtype(np.float32))
        assert whole > 1e9
        # The sum of the gradients does not depend on the alignment's shape:
        # a shift of both series changes nothing.
        a, b = gx.astype(float).sum(), gy.astype(float).sum()
        scale = abs(gx).astype(float).sum()
        assert abs(a + b) <= 1e-4 * scale
        assert np.isfinite(value.get()).all()
        del tape


# --- More than one GPU ---


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
