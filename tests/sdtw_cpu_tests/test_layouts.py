"""Any shapes, lengths, types, strides and padding: the same results."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import sdtw_cpu


def reversed_axes(a):
    return a[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]


def sliced(a):
    whole = np.full([2 * size + 1 for size in a.shape], np.nan, a.dtype)
    view = whole[1::2, 1::2, 1::2]
    view[...] = a
    return view


def features_first(a):
    return a.transpose(2, 0, 1).copy().transpose(1, 2, 0)


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def unaligned(a):
    copy = np.ndarray(a.shape, a.dtype, bytearray(a.nbytes + 1), 1)
    copy[...] = a
    return copy


def byte_swapped(a):
    return a.astype(a.dtype.newbyteorder())


ZERO_COPY = {
    "contiguous": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "reversed": reversed_axes,
    "sliced": sliced,
    "features first": features_first,
    "read-only": read_only,
}
LAYOUTS = {
    **ZERO_COPY,
    "unaligned": unaligned,
    "byte-swapped": byte_swapped,
    "list": np.ndarray.tolist,
}
GARBAGE = (0.0, np.nan, np.inf, -np.inf, 1e30)

layouts = st.sampled_from(sorted(LAYOUTS))
gammas = st.one_of(st.just(0.0), st.floats(-3, 3).map(lambda power: 10**power))
sizes = st.one_of(st.integers(1, 9), st.integers(1, 70))


@st.composite
def batches(draw):
    """Shapes, lengths and the rest of a call, as keyword arguments."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    shape = draw(st.integers(1, 20)), draw(sizes), draw(sizes)
    lengths = {}
    for name, longest in zip(("x_length", "y_length"), shape[1:]):
        if draw(st.booleans()):
            kind = draw(st.sampled_from((np.int8, np.uint64, np.int64)))
            a = rng.integers(1, longest + 1, shape[0])
            lengths[name] = a.astype(kind)
    sdtw_cpu.set_isa(draw(st.sampled_from(sdtw_cpu.isa_levels())))
    sdtw_cpu.set_num_threads(draw(st.integers(1, 3)))
    garbage = draw(st.sampled_from(GARBAGE))
    return rng, shape, lengths, garbage, draw(gammas)


def fill_padding(a, lengths, garbage):
    for series, length in zip(a, lengths if lengths is not None else ()):
        series[int(length) :] = garbage


@settings(max_examples=150)
@given(batches(), st.integers(1, 6), layouts, layouts, st.booleans())
def test_series(call, d, x_layout, y_layout, single):
    rng, (size, m, n), lengths, garbage, gamma = call
    x = reference.walks(rng, size, m, d)
    y = reference.walks(rng, size, n, d)
    if single and "list" not in (x_layout, y_layout):
        x, y = x.astype(np.float32), y.astype(np.float32)
    fill_padding(x, lengths.get("x_length"), garbage)
    fill_padding(y, lengths.get("y_length"), garbage)
    expected = reference.batch(x, y, gamma, **lengths)

    x, y = LAYOUTS[x_layout](x), LAYOUTS[y_layout](y)
    values, tape = sdtw_cpu.value(x, y, gamma, tape=True, **lengths)
    gx, gy = sdtw_cpu.adjoint(tape)
    np.testing.assert_array_equal(
        values, sdtw_cpu.value(x, y, gamma, **lengths)
    )
    dtype = np.asarray(x).dtype.newbyteorder("=")
    assert values.dtype == gx.dtype == gy.dtype == dtype
    exact = dtype == np.float64
    scale = np.abs(expected[0]) + gamma * (m + n)
    assert (
        np.abs(values - expected[0]) <= (1e-11 if exact else 1e-5) * scale
    ).all()
    for actual, wanted, length in zip(
        (gx, gy), expected[1:], ("x_length", "y_length")
    ):
        if gamma or exact:  # float32 may choose another optimal path
            assert reference.error(actual, wanted) < (1e-8 if exact else 3e-4)
        if length in lengths:
            for series, valid in zip(actual, lengths[length]):
                assert not series[int(valid) :].any()


@settings(max_examples=100)
@given(batches(), layouts, st.booleans())
def test_costs(call, layout, single):
    rng, (size, m, n), lengths, garbage, gamma = call
    dtype = np.float32 if single and layout != "list" else np.float64
    cost = rng.standard_normal((size, m, n)).astype(dtype)
    x_length = lengths.get("x_length", np.full(size, m)).astype(int)
    y_length = lengths.get("y_length", np.full(size, n)).astype(int)
    for matrix, rows, columns in zip(cost, x_length, y_length):
        matrix[rows:] = garbage
        matrix[:, columns:] = garbage

    values, tape = sdtw_cpu.value_from_cost(
        LAYOUTS[layout](cost), gamma, tape=True, **lengths
    )
    e = sdtw_cpu.adjoint(tape)
    assert values.dtype == e.dtype == dtype
    tolerance = 1e-10 if dtype == np.float64 else 3e-5
    valid = np.arange(m) < x_length[:, None]
    valid = valid[:, :, None] & (np.arange(n) < y_length[:, None])[:, None]
    expected, wanted = reference.soft_dtw(
        np.where(valid, cost, 0), gamma, x_length, y_length
    )
    scale = np.abs(expected) + gamma * (m + n)
    assert (np.abs(values - expected) <= tolerance * scale).all()
    assert not e[~valid].any()
    if gamma or dtype == np.float64:
        assert reference.error(e, wanted) < 10 * tolerance


@pytest.mark.parametrize("layout", ZERO_COPY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_are_not_copied(rng, layout, dtype):
    x = ZERO_COPY[layout](rng.standard_normal((3, 5, 2)).astype(dtype))
    y = ZERO_COPY[layout](rng.standard_normal((3, 4, 2)).astype(dtype))
    _, tape = sdtw_cpu.value(x, y, tape=True)
    assert tape._sweep.x is x and tape._sweep.y is y
    _, tape = sdtw_cpu.value_from_cost(x, tape=True)
    assert tape._sweep.x is x


@pytest.mark.parametrize("batch", [1, 3, 40])
def test_broadcast(isa, rng, batch):
    """One series against a batch, without copies of it."""
    x = np.broadcast_to(rng.standard_normal((1, 20, 2)), (batch, 20, 2))
    y = rng.standard_normal((batch, 25, 2))
    values, tape = sdtw_cpu.value(x, y, 0.5, tape=True)
    assert tape._sweep.x is x
    expected = reference.batch(x, y, 0.5)
    np.testing.assert_allclose(values, expected[0], rtol=1e-10)
    for actual, wanted in zip(sdtw_cpu.adjoint(tape), expected[1:]):
        assert reference.error(actual, wanted) < 1e-9


def test_inputs_are_left_alone(rng):
    x, y = rng.standard_normal((2, 4, 9, 2))
    copies = x.copy(), y.copy()
    _, tape = sdtw_cpu.value(x, y, tape=True)
    sdtw_cpu.adjoint(tape)
    np.testing.assert_array_equal((x, y), copies)


def test_inputs_live_as_long_as_the_tape(rng):
    x, y = rng.standard_normal((2, 4, 30, 2))
    expected = reference.batch(x, y, 1.0)
    _, tape = sdtw_cpu.value(x.copy(), y.copy(), tape=True)
    np.full(10 * x.size, np.nan)  # takes memory that was given back
    for actual, wanted in zip(sdtw_cpu.adjoint(tape), expected[1:]):
        assert reference.error(actual, wanted) < 1e-9


@pytest.mark.parametrize("gamma", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(1, 50, 60, 2), (20, 9, 8, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
class TestAdjoint:
    @pytest.fixture
    def tape(self, isa, rng, shape, dtype, gamma):
        size, m, n, d = shape
        x = rng.standard_normal((size, m, d)).astype(dtype)
        y = rng.standard_normal((size, n, d)).astype(dtype)
        return sdtw_cpu.value(x, y, gamma, tape=True)[1]

    def test_one_side_alone(self, tape):
        gx, gy = sdtw_cpu.adjoint(tape)
        alone, none = sdtw_cpu.adjoint(tape, y=False)
        np.testing.assert_array_equal(alone, gx)
        assert none is None
        none, alone = sdtw_cpu.adjoint(tape, x=False)
        np.testing.assert_array_equal(alone, gy)
        assert none is None
        assert sdtw_cpu.adjoint(tape, x=False, y=False) == (None, None)

    def test_grad(self, tape, rng, shape, dtype):
        grad = rng.standard_normal(shape[0])
        grad[0] = 0
        unit = sdtw_cpu.adjoint(tape)
        for actual, one in zip(sdtw_cpu.adjoint(tape, grad), unit):
            expected = one * grad[:, None, None]
            np.testing.assert_allclose(
                actual, expected, rtol=4 * np.finfo(dtype).eps
            )
            assert not actual[0].any()

    def test_nan_grad_stays_in_its_pair(self, tape, shape):
        grad = np.ones(shape[0])
        grad[-1] = np.nan
        unit = sdtw_cpu.adjoint(tape)
        for actual, one in zip(sdtw_cpu.adjoint(tape, grad), unit):
            np.testing.assert_array_equal(actual[:-1], one[:-1])
            assert np.isnan(actual[-1]).all()

    def test_tape_can_be_used_again(self, tape):
        first, second = sdtw_cpu.adjoint(tape), sdtw_cpu.adjoint(tape)
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])


def test_grad_of_costs(isa, rng):
    cost = rng.standard_normal((20, 6, 7))
    grad = rng.standard_normal(20)
    grad[:2] = 0, np.nan
    _, tape = sdtw_cpu.value_from_cost(cost, 0.5, tape=True)
    e = sdtw_cpu.adjoint(tape)
    actual = sdtw_cpu.adjoint(tape, grad.astype(np.float32))
    assert not actual[0].any() and np.isnan(actual[1]).all()
    expected = e * grad.astype(np.float32)[:, None, None]
    np.testing.assert_allclose(actual[2:], expected[2:], rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [0.0, 1e-3, 1.0])
def test_pairs_do_not_depend_on_their_batch(isa, rng, gamma, dtype):
    """Alone or in a batch, a pair has the same results to rounding."""
    x = reference.walks(rng, 37, 60, 2, dtype=dtype)
    y = reference.walks(rng, 37, 50, 2, dtype=dtype)
    lengths = rng.integers(1, 51, 37)
    both = {"x_length": lengths + 10, "y_length": lengths}
    values, tape = sdtw_cpu.value(x, y, gamma, tape=True, **both)
    gx, gy = sdtw_cpu.adjoint(tape)
    tolerance = 100 * np.finfo(dtype).eps
    for b, n in enumerate(lengths):
        one = x[b : b + 1, : n + 10], y[b : b + 1, :n]
        value, tape = sdtw_cpu.value(*one, gamma, tape=True)
        np.testing.assert_allclose(value, values[b : b + 1], rtol=tolerance)
        alone = sdtw_cpu.adjoint(tape)
        assert reference.error(gx[b, : n + 10], alone[0][0]) < tolerance
        assert reference.error(gy[b, :n], alone[1][0]) < tolerance
