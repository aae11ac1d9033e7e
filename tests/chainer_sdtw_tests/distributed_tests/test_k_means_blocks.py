"""K-means of series that are loaded block by block."""

import chainer_sdtw  # isort: skip

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs scikit-learn")
dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

from chainer_sdtw.distributed import Blocks, as_blocks  # noqa: E402
from chainer_sdtw.estimators import (  # noqa: E402
    SoftDTWKMeans,
    SoftDTWMiniBatchKMeans,
)

LOSSES = ["soft_dtw", "divergence", "sharp", "mean_cost_divergence"]


@pytest.fixture(autouse=True)
def synchronous():
    with dask.config.set(scheduler="synchronous"):
        yield


def walks(rng, lengths, dtype=np.float64, features=2):
    return [
        rng.standard_normal((n, features)).cumsum(axis=0).astype(dtype)
        for n in lengths
    ]


def delayed(series, count):
    """Blocks of a list of series."""
    parts = np.array_split(np.arange(len(series)), count)
    return [dask.delayed([series[i] for i in part]) for part in parts]


def assert_equal(model, other):
    """All that was fitted is the same to the last bit."""
    for name in ("cluster_centers_", "labels_", "inertia_", "n_iter_"):
        value = getattr(model, name)
        np.testing.assert_array_equal(value, getattr(other, name))
    assert model.cluster_centers_.dtype == other.cluster_centers_.dtype


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ragged_series_as_in_memory(rng, loss, dtype):
    X = walks(rng, rng.integers(8, 13, 40), dtype)
    weights = rng.integers(0, 4, 40) / 4
    model = SoftDTWKMeans(3, gamma=0.5, loss=loss, random_state=0)
    other = SoftDTWKMeans(3, gamma=0.5, loss=loss, random_state=0)
    model.fit(X, sample_weight=weights)
    other.fit(delayed(X, 3), sample_weight=weights)
    assert_equal(model, other)


@pytest.mark.parametrize(
    "options",
    [
        {"init": "random", "n_init": 2},
        {"length": 9, "bandwidth": 3},
        {"cost": "cosine"},
        {"cost": chainer_sdtw.cost_matrix},
        {"init_size": 20},
        {"init_size": 20, "loss": "divergence"},
    ],
    ids=["random", "length", "cosine", "callable", "sample", "divergence"],
)
@pytest.mark.parametrize("kind", [SoftDTWKMeans, SoftDTWMiniBatchKMeans])
def test_dask_array_as_in_memory(rng, options, kind):
    if kind is SoftDTWMiniBatchKMeans:
        options = {**options, "batch_size": 16, "max_iter": 2}
        options.pop("n_init", None)
    X = np.array(walks(rng, [12] * 50))
    options = {"random_state": 1, **options}
    model = kind(3, **options).fit(X)
    array = da.from_array(X, chunks=(13, 5, 1))
    other = kind(3, **options)
    np.testing.assert_array_equal(other.fit_predict(array), model.labels_)
    assert_equal(model, other)
    for method in ("predict", "transform"):
        computed = getattr(other, method)(array)
        expected = getattr(model, method)(X)
        assert isinstance(computed, da.Array)
        assert computed.dtype == expected.dtype
        assert computed.shape == expected.shape
        np.testing.assert_array_equal(computed.compute(), expected)
    weights = rng.random(50)
    np.testing.assert_allclose(
        other.score(array, sample_weight=da.from_array(weights)),
        model.score(X, sample_weight=weights),
    )


def test_given_centers_and_empty_clusters(rng):
    X = walks(rng, [10] * 30)
    # Of four equal centers, three lose their series at once.
    init = np.stack([X[0]] * 4)
    weights = rng.random(30)
    model = SoftDTWKMeans(4, init=init).fit(X, sample_weight=weights)
    other = SoftDTWKMeans(4, init=init)
    other.fit(delayed(X, 4), sample_weight=da.from_array(weights, chunks=7))
    assert_equal(model, other)
    assert len(set(other.labels_)) == 4


def test_rows_of_a_zarr_array(rng, tmp_path):
    zarr = pytest.importorskip("zarr")
    X = np.array(walks(rng, [12] * 40, np.float32, 1))[:, :, 0]
    path = tmp_path / "series.zarr"
    zarr.save_array(str(path), X)
    model = SoftDTWKMeans(3, random_state=0).fit(X)
    other = SoftDTWKMeans(3, random_state=0).fit(path)
    assert_equal(model, other)
    assert model.n_features_in_ == other.n_features_in_ == 12
    np.testing.assert_array_equal(other.predict(str(path)), model.predict(X))
    with pytest.raises(ValueError, match="X has 11 features, but"):
        other.predict(da.from_array(X[:, :11]))


def test_column_of_a_parquet_file(rng, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    X = [x[:, 0] for x in walks(rng, rng.integers(6, 12, 40), features=1)]
    path = tmp_path / "series.parquet"
    parquet.write_table(arrow.table({"x": X}), path, row_group_size=9)
    model = SoftDTWKMeans(3, random_state=0).fit(X)
    other = SoftDTWKMeans(3, random_state=0).fit(path)
    assert_equal(model, other)


@pytest.fixture
def passes(monkeypatch):
    """The functions of all passes, with the number of their blocks."""
    made = []
    original = Blocks.map

    def counted(blocks, function, *shared, each=None):
        made.append((function.__name__, len(blocks.sizes)))
        return original(blocks, function, *shared, each=each)

    monkeypatch.setattr(Blocks, "map", counted)
    return made


def test_an_evaluation_is_a_pass(rng, passes):
    X = np.array(walks(rng, [12] * 50))
    model = SoftDTWKMeans(2, max_iter=1, max_iter_barycenter=1, init=X[:2])
    model.fit(da.from_array(X, chunks=(10, -1, -1)))
    names = [name for name, _ in passes]
    assert names[0] == names[-1] == "_block_assigned"
    evaluations = names[1:-1]
    # The search takes its first evaluation from the assignment.
    assert set(evaluations) == {"_block_evaluated"}
    assert len(evaluations) == 1


def test_only_blocks_of_moving_centers_are_loaded(rng, passes):
    # Two groups, each in blocks of its own, of which one has settled.
    X = np.array(walks(rng, [12] * 40))
    X[20:] += 1e3
    init = np.stack([X[0], X[30]])
    init[1] = SoftDTWKMeans(1, init=X[30:31]).fit(X[20:]).cluster_centers_[0]
    model = SoftDTWKMeans(2, max_iter=1, init=init)
    model.fit(da.from_array(X, chunks=(10, -1, -1)))
    counts = [n for name, n in passes if name == "_block_evaluated"]
    assert set(counts) == {2}
    assert passes[0] == passes[-1] == ("_block_assigned", 4)


def test_many_batches_come_from_one_pass(rng, passes):
    X = np.array(walks(rng, [12] * 50))
    model = SoftDTWMiniBatchKMeans(
        2, batch_size=10, init="random", max_iter=3, max_no_improvement=None
    )
    model.fit(da.from_array(X, chunks=(10, -1, -1)))
    assert model.n_steps_ == 15
    # The centers, the batches and the labels in the end.
    assert [name for name, _ in passes] == [
        "_rows",
        "_rows",
        "_block_assigned",
    ]


def test_groups_of_batches_are_those_in_memory(rng, monkeypatch):
    module = chainer_sdtw.estimators._series_in_blocks
    monkeypatch.setattr(module, "_BATCH_BYTES", 25 * 12 * 2 * 8)
    X = walks(rng, rng.integers(8, 13, 50))
    options = {"batch_size": 10, "max_iter": 3, "random_state": 0}
    model = SoftDTWMiniBatchKMeans(3, **options).fit(X)
    other = SoftDTWMiniBatchKMeans(3, **options).fit(delayed(X, 4))
    assert_equal(model, other)


def test_errors(rng):
    X = walks(rng, [10] * 12)
    blocks = as_blocks(delayed(X, 3))
    with pytest.raises(ValueError, match="n_samples=12 should be >= n_clu"):
        SoftDTWKMeans(13).fit(blocks)
    with pytest.raises(ValueError, match=r"sample_weight must .*\(12,\)"):
        SoftDTWKMeans(2).fit(blocks, sample_weight=np.ones(11))
    with pytest.raises(ValueError, match=r"shape \(2, length, 2\)"):
        SoftDTWKMeans(2, init=np.zeros((2, 10, 3))).fit(blocks)
    with pytest.raises(FileNotFoundError, match="nothing at nowhere"):
        SoftDTWKMeans(2).fit("nowhere")
    X[7][3, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[4:8\]\[3\] contains NaN"):
        SoftDTWKMeans(2, random_state=0).fit(delayed(X, 3))
