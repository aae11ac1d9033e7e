"""The same input gives the same bits: docs/guide/reproducibility.md."""

import chainer_sdtw  # isort: skip

import chainer
import numpy as np
import pytest
import reference
from chainer import Variable
from named_losses import FUNCTIONS

import sdtw_cpu

BATCH, M, N, D = 17, 75, 66, 3
# Of the largest entry, between two instruction sets.
LEVELS = {np.float32: 1e-3, np.float64: 1e-9}
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def derivatives(function, *inputs, twice=True):
    """Values, gradients, and how these change along the inputs themselves."""
    variables = [Variable(a) for a in inputs]
    value = function(*variables)
    total = chainer.functions.sum(value)
    found = [value]
    found += chainer.grad([total], variables, enable_double_backprop=twice)
    if twice:
        along = sum(
            chainer.functions.sum(g * a.astype(a.dtype.newbyteorder("=")))
            for g, a in zip(found[1:], inputs)
        )
        found += chainer.grad([along], variables)
    return [v.array for v in found]


def loss(function, twice=True, **options):
    def run(x, y, **limits):
        return derivatives(
            lambda x, y: function(x, y, reduce="no", **options, **limits),
            x,
            y,
            twice=twice,
        )

    return run


def from_cost(x, y, **limits):
    cost = chainer_sdtw.cost_matrix(x, y).array
    return derivatives(
        lambda cost: chainer_sdtw.soft_dtw_from_cost(
            cost, 0.1, reduce="no", **limits
        ),
        cost,
    )


def cost_matrix(x, y, **limits):
    return derivatives(chainer_sdtw.cost_matrix, x, y, twice=False)


def soft_alignment(x, y, **limits):
    return derivatives(
        lambda x, y: chainer_sdtw.soft_alignment(x, y, 0.1, **limits),
        x,
        y,
        twice=False,
    )


def alignment_path(x, y, **limits):
    paths = chainer_sdtw.alignment_path(x, y, **limits)
    masks = np.zeros((1, len(x), M, N), bool)
    for mask, path in zip(masks[0], paths):
        mask[tuple(path.T)] = True
    return masks


def distortion(x, y, **limits):
    index = chainer_sdtw.temporal_distortion_index
    return [index(x, y, reduce="no", **limits).array]


COMPUTATIONS = {
    # Sharp losses and mean costs are derivatives themselves.
    **{
        name: loss(
            function,
            twice=name.startswith("soft"),
            **({} if name.startswith("mean") else {"gamma": 0.1}),
        )
        for name, function in FUNCTIONS.items()
    },
    **{
        f"soft_dtw-{cost}": loss(chainer_sdtw.soft_dtw, gamma=1, cost=cost)
        for cost in ("euclidean", "manhattan", "huber", "cosine")
    },
    "hard": loss(chainer_sdtw.soft_dtw, gamma=0),
    "band": loss(chainer_sdtw.soft_dtw, gamma=0.1, bandwidth=20),
    "dilate_loss": loss(chainer_sdtw.dilate_loss, twice=False, gamma=0.1),
    "temporal_distortion_index": distortion,
    "soft_alignment": soft_alignment,
    "alignment_path": alignment_path,
    "soft_dtw_from_cost": from_cost,
    "cost_matrix": cost_matrix,
}
computations = pytest.mark.parametrize("name", COMPUTATIONS)


def problem(rng, dtype):
    """Two batches of series, and their lengths."""
    x = reference.walks(rng, BATCH, M, D, dtype=dtype)
    y = reference.walks(rng, BATCH, N, D, dtype=dtype)
    lengths = {
        "x_length": rng.integers(M // 2, M + 1, BATCH),
        "y_length": rng.integers(N // 2, N + 1, BATCH),
    }
    return x, y, lengths


def assert_same(actual, expected):
    for a, b in zip(actual, expected):
        np.testing.assert_array_equal(a, b)


@dtypes
@computations
def test_threads_batch_and_place(rng, dtype, name):
    """One thread and all pairs, or several and some pairs in any order."""
    x, y, lengths = problem(rng, dtype)
    compute = COMPUTATIONS[name]
    sdtw_cpu.set_num_threads(1)
    expected = compute(x, y, **lengths)
    sdtw_cpu.set_num_threads(3)
    assert_same(compute(x, y, **lengths), expected)
    for pairs in (
        rng.permutation(BATCH),
        rng.permutation(BATCH)[:5],
        [BATCH - 1],
        [2, 2, 2],
    ):
        limits = {key: value[pairs] for key, value in lengths.items()}
        some = compute(x[pairs], y[pairs], **limits)
        assert_same(some, [a[pairs] for a in expected])


def fortran(a):
    return np.asfortranarray(a)


def strided(a):
    wide = np.zeros((len(a), 2 * a.shape[1], 3 * a.shape[2]), a.dtype)
    wide[:, ::2, 1::3] = a
    return wide[:, ::2, 1::3]


def reversed_twice(a):
    return a[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]


def swapped(a):
    return a.astype(a.dtype.newbyteorder())


def misaligned(a):
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    raw[...] = a
    return raw


LAYOUTS = [fortran, strided, reversed_twice, swapped, misaligned]


@pytest.mark.parametrize("layout", LAYOUTS)
@dtypes
@computations
def test_layout_in_memory(rng, dtype, name, layout):
    x, y, lengths = problem(rng, dtype)
    expected = COMPUTATIONS[name](x, y, **lengths)
    x_view, y_view = layout(x), layout(y)
    np.testing.assert_array_equal(x_view, x)
    assert_same(COMPUTATIONS[name](x_view, y_view, **lengths), expected)


@dtypes
@computations
def test_instruction_sets(rng, dtype, name):
    x, y, lengths = problem(rng, dtype)
    results = []
    for level in sdtw_cpu.isa_levels():
        sdtw_cpu.set_isa(level)
        results.append(COMPUTATIONS[name](x, y, **lengths))
    for other in results[1:]:
        for a, b in zip(other, results[0]):
            error = abs(a * 1.0 - b).max()
            assert error <= LEVELS[dtype] * abs(b).max()


def pairwise(series, seed):
    return [
        chainer_sdtw.pairwise_soft_dtw(series, None, 0.1, loss=name)
        for name in FUNCTIONS
    ]


def nearest_neighbors(series, seed):
    return [
        array
        for name in FUNCTIONS
        for array in chainer_sdtw.nearest_neighbors(
            series[:7], series[7:], 3, 0.1, loss=name
        )
    ]


def barycenter(series, seed):
    return [
        chainer_sdtw.barycenter(
            series, 0.1, init="random", max_iter=3, random_state=seed
        )
    ]


def clusters(series, seed):
    pytest.importorskip("sklearn")
    series = series[:8, :12]
    results = []
    for name in "SoftDTWKMeans", "SoftDTWMiniBatchKMeans":
        model = getattr(chainer_sdtw.estimators, name)(
            n_clusters=2, gamma=0.1, max_iter=2, random_state=seed
        ).fit(series)
        results += [model.cluster_centers_, model.labels_, model.inertia_]
    return results


OF_SETS = [pairwise, nearest_neighbors, barycenter, clusters]


@dtypes
@pytest.mark.parametrize("compute", OF_SETS)
def test_sets_of_series(rng, dtype, compute):
    """Threads and layouts, and the same seed twice."""
    series = reference.walks(rng, BATCH, 40, 2, dtype=dtype)
    sdtw_cpu.set_num_threads(1)
    expected = compute(series, 0)
    sdtw_cpu.set_num_threads(3)
    for layout in np.copy, strided, fortran:
        assert_same(compute(layout(series), 0), expected)


@dtypes
@pytest.mark.parametrize("name", FUNCTIONS)
def test_sets_in_any_order(rng, dtype, name):
    """A matrix and neighbors of some series, in another order."""
    series = reference.walks(rng, BATCH, 40, 2, dtype=dtype)
    order = rng.permutation(BATCH)[:11]
    whole = chainer_sdtw.pairwise_soft_dtw(series, series, 0.1, loss=name)
    part = chainer_sdtw.pairwise_soft_dtw(
        series[order], series[order], 0.1, loss=name
    )
    np.testing.assert_array_equal(part, whole[order][:, order])
    for k in 1, 3:
        losses, indices = chainer_sdtw.nearest_neighbors(
            series[order], series, k, 0.1, loss=name
        )
        np.testing.assert_array_equal(
            losses, np.take_along_axis(whole[order], indices, axis=1)
        )
        np.testing.assert_array_equal(
            losses, np.sort(whole[order], axis=1)[:, :k]
        )
