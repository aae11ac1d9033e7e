"""What is launched, in which order, and what is where in memory by then."""

import re
import threading
import weakref

import numpy as np
import pytest
from rehearsal import Rehearsal

import sdtw_cpu
from chainer_sdtw import cuda
from chainer_sdtw.cuda import _batch, _launch, _memory, _modules, _plan
from chainer_sdtw.cuda._arguments import ARGUMENTS
from chainer_sdtw.cuda._arrays import Limits
from chainer_sdtw.cuda._variants import Variant, variant

C_TYPES = {"int": "i4", "long long": "i8", "double": "f8"}


# --- What the kernels and Python have in common ---


def test_arguments_are_those_of_the_kernels():
    text = _modules.source()
    body = re.search(r"^struct Arguments \{\n(.*?)^\};", text, re.M | re.S)[1]
    body = re.sub(r"//.*", "", body)
    fields = []
    for line in re.findall(r"^  (\S.*?);", body, re.M):
        kind, names = re.fullmatch(
            r"(Global<.*?>|[a-z]+(?: long)?) (.*)", line
        ).groups()
        for name in names.split(","):
            code = "u8" if kind.startswith("Global") else C_TYPES[kind]
            fields.append((name.strip(), code))
    assert len(fields) > 40
    assert fields == [
        (name, ARGUMENTS[name].str[1:]) for name in ARGUMENTS.names
    ]
    assert ARGUMENTS.alignment == 8 and ARGUMENTS.itemsize <= 4096


@pytest.mark.parametrize("cost", ["sqeuclidean", "explicit"])
def test_options_are_those_of_the_source(cost):
    options = Variant("float", "double", cost).options
    names = [option[2:].partition("=")[0] for option in options]
    text = re.sub(r"//.*", "", _modules.source())
    defined = set(re.findall(r"# *define +(SDTW_\w+)", text))
    marks = {"SDTW_DEVICE", "SDTW_KERNEL", "SDTW_BOUNDS"}
    marks |= {"SDTW_UNROLL", "SDTW_UNROLL_BY"}
    used = set(re.findall(r"\bSDTW_[A-Z_]+\b", text)) - defined - marks
    assert used == set(names) and len(names) == len(used)


def test_one_feature():
    assert variant(4, 4, "euclidean", 1, False) == Variant(
        "float", "float", "manhattan", univariate=True
    )
    assert variant(4, 8, "euclidean", 2, False) == Variant(
        "float", "double", "euclidean"
    )
    # An explicit cost has no features.
    assert variant(8, 8, "explicit", 1, True) == Variant(
        "double", "double", "explicit", dual=True
    )


def test_bytes_of_a_cell_are_those_of_both_modules():
    def of(*given):
        return variant(*given).cell_bytes

    for size in (4, 8):
        assert of(4, size, "sqeuclidean", 3, False) == 8
        assert of(4, size, "euclidean", 3, False) == 12
        assert of(4, size, "explicit", 1, True) == 16
        assert of(4, size, "sqeuclidean", 1, False) == 0
    assert of(8, 8, "euclidean", 3, False) == 8


# --- Launches ---


KINDS = ["univariate", "multivariate", "explicit"]


def make(kind, size, m, n, dtype):
    if kind == "explicit":
        return (np.zeros((size, m, n), dtype),)
    d = 1 if kind == "univariate" else 5
    return np.zeros((size, m, d), dtype), np.zeros((size, n, d), dtype)


def swept(device, arrays, gamma=1.0, **options):
    value = cuda.value if len(arrays) == 2 else cuda.value_from_cost
    return value(*arrays, gamma, device=device, **options)


def check_gradients(tape, arrays, device):
    """All of the gradients has been written, by those who had to."""
    size, m = arrays[0].shape[:2]
    before = len(device.launches)
    grads = cuda.adjoint(tape)
    by_pair = np.arange(1, size + 1)[:, None, None]
    if len(arrays) == 1:
        assert (grads == by_pair).all()
    else:
        gx, gy = grads
        assert (gx == by_pair).all()
        strips = -(-m // 32)
        one = arrays[0].shape[2] == 1
        assert (gy == (by_pair if one else strips)).all()
    return len(device.launches) - before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("size", "m", "n"), [(1, 1, 1), (5, 230, 90)])
def test_sweeps_find_what_they_need(kind, dtype, size, m, n):
    arrays = make(kind, size, m, n, dtype)
    whole = None
    for part in (0, 1, 1.1, 1.5, 2, 3, 5, 10, 30, 100):
        device = Rehearsal()
        limit = int(whole / part) if part else None
        with cuda.memory_limit(limit):
            value, tape = swept(device, arrays, tape=True)
            alone = swept(device, arrays)
        plan = tape.plan
        whole = whole or plan.nbytes
        least = plan.pairs == 1 and plan.passes[-1].slab_strips < 8
        assert limit is None or plan.nbytes <= limit or least
        np.testing.assert_array_equal(value, 100 + np.arange(size))
        np.testing.assert_array_equal(alone, value)
        value[:] = 0
        first = check_gradients(tape, arrays, device)
        again = check_gradients(tape, arrays, device)
        assert again >= first
        assert not value.any()  # no adjoint writes values
        assert device.asked == 0


# Whether there are portions, whose tapes take turns, and slabs.
WAYS = {
    "slabs": (False, False, True),
    "portions of cells": (True, False, False),
    "portions": (True, True, False),
    "slabs of a pair": (True, True, True),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_every_way(kind, way, monkeypatch):
    """To do with less memory."""
    # A device that pairs keep busy at once, or never.
    busy = 1 if way == "portions of cells" else 10**9
    monkeypatch.setattr(_plan, "_BUSY_STRIPS", busy)
    _plan.make_plan.cache_clear()
    arrays = make(kind, 12, 400, 40, np.float32)
    device = Rehearsal()
    found = set()
    for limit in np.geomspace(30_000, 10**7, 60, dtype=int):
        with cuda.memory_limit(limit):
            _, tape = swept(device, arrays, tape=True)
        plan = tape.plan
        slabs = plan.passes[-1].slabs > 1
        if WAYS[way] == (plan.pairs < 12, plan.tape_pairs < 12, slabs):
            found.add(plan)
            check_gradients(tape, arrays, device)
            check_gradients(tape, arrays, device)
        if len(found) == 3:
            break
    _plan.make_plan.cache_clear()
    # Univariate series have no cells.
    assert found or (kind, way) == ("univariate", "portions of cells")


def test_the_first_adjoint_uses_the_cells(dtype=np.float32):
    device = Rehearsal()
    x, y = make("multivariate", 4, 100, 90, dtype)
    _, tape = cuda.value(x, y, tape=True, device=device)
    names = [name for name, *_ in device.launches]
    assert names == [
        "soft_dtw_survey_series",
        "soft_dtw_cells",
        "soft_dtw_value",
        "soft_dtw_cells",
        "soft_dtw_value",
        "soft_dtw_clear",
        "soft_dtw_value",
    ]
    before = tape.nbytes
    cells = weakref.ref(tape._cells)
    assert check_gradients(tape, (x, y), device) == 3
    assert before - tape.nbytes == 4 * 4 * 5 * 1024 * 8
    assert cells() is None  # given back
    assert check_gradients(tape, (x, y), device) == 5


def test_univariate_series_take_few_launches():
    device = Rehearsal()
    arrays = make("univariate", 4, 100, 90, np.float32)
    _, tape = swept(device, arrays, tape=True)
    assert len(device.launches) == 5
    assert check_gradients(tape, arrays, device) == 2


@pytest.mark.parametrize(
    ("dtype", "gamma", "expected"),
    [
        (np.float32, 1.0, ["float", "double", "double"]),
        (np.float64, 1.0, ["double", "double"]),
        (np.float32, 0.0, ["float", "double"]),
        (np.float64, 0.0, ["double"]),
    ],
)
def test_how_often_values_are_swept(dtype, gamma, expected):
    """Twice in double, but for gamma 0."""
    device = Rehearsal()
    swept(device, make("explicit", 1, 3, 4, dtype), gamma)
    found = [t for name, t, _ in device.launches if name == "soft_dtw_value"]
    assert found == expected


def test_gradients_that_are_not_wanted():
    device = Rehearsal()
    x, y = make("multivariate", 2, 40, 50, np.float32)
    _, tape = cuda.value(x, y, tape=True, device=device)
    before = len(device.launches)
    assert cuda.adjoint(tape, x=False, y=False) == (None, None)
    assert len(device.launches) == before
    gx, gy = cuda.adjoint(tape, y=False)
    assert gy is None and (gx == [[[1]], [[2]]]).all()
    gx, gy = cuda.adjoint(tape, x=False)
    assert gx is None and (gy == 2).all()
    assert all(not r["grad"] for *_, r in device.launches)


def test_gradients_of_padding_are_zeros():
    """Univariate series with lengths or a band, as only cells are written."""
    for options in (
        {"x_length": [3, 40]},
        {"y_length": [50, 7]},
        {"band": sdtw_cpu.sakoe_chiba_band(40, 50, 5)},
    ):
        device = Rehearsal()
        device.kernel = lambda name, options: lambda *arguments: None
        x, y = make("univariate", 2, 40, 50, np.float32)
        _, tape = cuda.value(x, y, tape=True, device=device, **options)
        gx, gy = cuda.adjoint(tape)
        assert not gx.any() and not gy.any()


def test_arguments_of_the_problem():
    device = Rehearsal()
    x, y = make("multivariate", 2, 40, 50, np.float64)
    band = sdtw_cpu.sakoe_chiba_band(40, 50, 5)
    cuda.value(x, y, 0.5, x_length=[30, 40], band=band, device=device)
    record = device.launches[-1][2]
    assert (record["m"], record["n"], record["d"]) == (40, 50, 5)
    assert record["x"] == x.ctypes.data and record["y"] == y.ctypes.data
    assert record["x_length"] and not record["y_length"]
    assert record["band"] and record["band_rows"] == 0
    assert record["rate"] == pytest.approx(1 / (0.5 * np.log(2)))
    assert record["forbidden"] * record["rate"] >= 2.0**49
    assert not record["states"] and not record["direction"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tangents(dtype):
    cost = np.zeros((3, 70, 50), dtype)
    for direction, stride in ((cost, 70 * 50), (cost[:1], 0)):
        for limit in (None, 300_000, 100_000):
            device = Rehearsal()
            with cuda.memory_limit(limit):
                *_, tape = cuda.tangent_from_cost(
                    cost, direction, tape=True, device=device
                )
            change = cuda.adjoint_tangent(tape, grad_tangent=[1, 2, 3])
            assert (change == [[[1]], [[2]], [[3]]]).all()
            record = device.launches[-1][2]
            assert record["direction_stride"] == stride
            assert record["grad_tangent"] and not record["grad"]


# --- Memory ---


def test_the_device_is_asked_only_by_the_large():
    x, y = make("multivariate", 4, 64, 64, np.float32)
    device = Rehearsal(free=20 << 30)
    cuda.value(x, y, tape=True, device=device)
    assert device.asked == 0

    def limits_of(m, free):
        device = Rehearsal(free=free)
        x = np.zeros((1, m, 2), np.float32)
        batch = _batch.DeviceBatch(device, "sqeuclidean", x, x, 1.0, Limits())
        return device, batch.plan(True)

    device, plan = limits_of(16384, 80 * 10**9)
    assert device.asked == 1 and plan.is_whole
    device, plan = limits_of(16384, 20 * 10**9)
    assert device.asked == 1 and 0.8e9 < plan.nbytes <= 1e9
    device, plan = limits_of(16384, 0)
    assert 200e6 < plan.nbytes <= _memory.ASK_BYTES


def test_limits_are_of_the_thread_or_of_all():
    device = Rehearsal(free=200 * 10**9)
    seen = []

    def look():
        seen.append(_memory.limit_for(device, 10**9))

    def look_from_another_thread():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    look()
    with cuda.memory_limit(10**6):
        look()
        look_from_another_thread()
        with cuda.memory_limit(None):
            look()
        look()
    try:
        cuda.set_memory_limit(np.int64(10**7))
        look()
        look_from_another_thread()
        with cuda.memory_limit(10**8):
            look()
    finally:
        cuda.set_memory_limit(None)
    look()
    assert seen == [
        None,
        10**6,
        None,
        None,
        10**6,
        10**7,
        10**7,
        10**8,
        None,
    ]
    with pytest.raises(RuntimeError), cuda.memory_limit(5):
        raise RuntimeError
    assert _memory.limit_for(device, 10**9) is None


@pytest.mark.parametrize("function", [cuda.set_memory_limit, None])
def test_limits_that_are_none(function):
    def use(size):
        with cuda.memory_limit(size):
            raise AssertionError("not refused")

    function = function or use
    with pytest.raises(TypeError, match="size must be an integer"):
        function(1e9)
    for size in (0, -5):
        with pytest.raises(ValueError, match=f"size must be.*got {size}"):
            function(size)


def test_bytes_of_a_tape():
    device = Rehearsal()
    x, y = make("univariate", 2, 64, 64, np.float32)
    band = sdtw_cpu.sakoe_chiba_band(64, 64, 3)
    _, tape = cuda.value(x, y, tape=True, device=device, band=band)
    kept = tape.plan.tape_bytes + band.astype(np.int32).nbytes
    assert kept < tape.nbytes < kept + 4096
    assert repr(tape) == f"SweepTape(nbytes={tape.nbytes})"
    assert isinstance(tape, cuda.Tape) and isinstance(tape, _launch.Tape)
