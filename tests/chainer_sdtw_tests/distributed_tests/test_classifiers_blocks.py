"""Classifiers of collections of series."""

import numpy as np
import pytest

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
pytest.importorskip("sklearn")
zarr = pytest.importorskip("zarr")

from chainer_sdtw.estimators import (  # noqa: E402
    SoftDTWKNeighborsClassifier,
    SoftDTWNearestCentroid,
)


@pytest.fixture(autouse=True)
def synchronous():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def series(rng):
    return rng.standard_normal((40, 9, 2)).cumsum(axis=1)


@pytest.fixture
def classes(rng):
    return rng.choice(["low", "middle", "high"], 40)


def ragged(series):
    return [s[: 5 + i % 5] for i, s in enumerate(series)]


@pytest.mark.parametrize(
    "model", [SoftDTWKNeighborsClassifier(), SoftDTWNearestCentroid()]
)
def test_score_loads_each_block_once(series, classes, model):
    loaded = []

    def load(part):
        loaded.append(len(part))
        return part

    tasks = [dask.delayed(load)(part) for part in np.split(series, 4)]
    X = da.concatenate(
        [da.from_delayed(task, (10, 9, 2), "f8") for task in tasks]
    )
    model.fit(series, classes)
    for y in (classes, da.from_array(classes, chunks=7)):
        loaded.clear()
        assert model.score(X, y) == np.mean(model.predict(series) == classes)
        assert loaded == [10] * 4


class TestNearestCentroid:
    @pytest.mark.parametrize("loss", ["soft_dtw", "soft_dtw_divergence"])
    @pytest.mark.parametrize("dtype", ["f4", "f8"])
    @pytest.mark.parametrize("size", [40, 7, 1])
    def test_it_is_as_in_memory(self, series, classes, loss, dtype, size):
        series = series.astype(dtype)
        model = SoftDTWNearestCentroid(gamma=0.5, loss=loss, max_iter=20)
        expected = model.fit(series, classes).centroids_
        X = da.from_array(series, chunks=(size, 4, 1))
        for y in (classes, da.from_array(classes, chunks=11)):
            centroids = model.fit(X, y).centroids_
            assert centroids.dtype == dtype
            np.testing.assert_array_equal(centroids, expected)

    def test_series_of_different_lengths(self, series, classes):
        series = ragged(series)
        model = SoftDTWNearestCentroid(gamma=0.5)
        expected = model.fit(series, classes)
        centroids, labels = expected.centroids_, expected.predict(series)
        parts = [dask.delayed(series[i : i + 9]) for i in range(0, 40, 9)]
        model.fit(parts, classes)
        np.testing.assert_array_equal(model.centroids_, centroids)
        lazy = model.predict(parts)
        assert lazy.chunks == ((9, 9, 9, 9, 4),)
        assert lazy.dtype == labels.dtype
        np.testing.assert_array_equal(lazy.compute(), labels)
        assert model.score(parts, classes) == np.mean(labels == classes)

    def test_zarr(self, series, classes, tmp_path):
        path = tmp_path / "series.zarr"
        stored = zarr.open(
            str(path), mode="w", shape=series.shape, chunks=(7, 9, 2)
        )
        stored[:] = series
        y = zarr.array(np.unique(classes, return_inverse=True)[1])
        model = SoftDTWNearestCentroid(length=5, max_iter=5).fit(path, y)
        labels = model.predict(path).compute()
        expected = model.fit(series, y[:]).predict(series)
        np.testing.assert_array_equal(labels, expected)

    def test_errors(self, series, classes):
        X = da.from_array(series, chunks=(9, 9, 2))
        model = SoftDTWNearestCentroid(max_iter=1)
        with pytest.raises(ValueError, match=r"inconsistent .*\[40, 39\]"):
            model.fit(X, classes[1:])
        model.fit(X, classes)
        with pytest.raises(ValueError, match="X has 1 features, but SoftDTWN"):
            model.predict(X[:, :, :1])
        bad = series.copy()
        bad[12, 3] = np.inf
        bad = da.from_array(bad, chunks=(9, 9, 2))
        with pytest.raises(ValueError, match=r"X\[9:18\]\[3\] contains NaN"):
            model.fit(bad, classes)
        with pytest.raises(ValueError, match=r"X\[9:18\]\[3\] contains NaN"):
            model.predict(bad).compute()


class TestKNeighbors:
    @pytest.mark.parametrize("dtype", ["f4", "f8"])
    def test_it_is_as_in_memory(self, series, classes, dtype):
        model = SoftDTWKNeighborsClassifier(
            3, loss="soft_dtw_divergence", weights="distance"
        ).fit(series, classes)
        queries = series[::-1].astype(dtype)
        X = da.from_array(queries, chunks=(11, 4, 1))
        for method in ("predict", "predict_proba"):
            lazy = getattr(model, method)(X)
            expected = getattr(model, method)(queries)
            assert lazy.chunks[0] == X.chunks[0]
            assert lazy.dtype == expected.dtype
            np.testing.assert_array_equal(lazy.compute(), expected)
        lazy = model.kneighbors(X)
        for one, expected in zip(lazy, model.kneighbors(queries)):
            assert one.dtype == expected.dtype
            np.testing.assert_array_equal(one.compute(), expected)
        indexes = model.kneighbors(X, 1, return_distance=False)
        expected = model.kneighbors(queries, 1, return_distance=False)
        np.testing.assert_array_equal(indexes.compute(), expected)

    def test_a_later_fit_changes_nothing(self, series, classes):
        model = SoftDTWKNeighborsClassifier(1).fit(series, classes)
        expected = model.predict(series)
        lazy = model.predict(da.from_array(series, chunks=(10, 9, 2)))
        model.fit(series, np.roll(classes, 1))
        np.testing.assert_array_equal(lazy.compute(), expected)

    def test_threads_are_those_of_dask(self, series, classes, monkeypatch):
        model = SoftDTWKNeighborsClassifier(1, n_jobs=2).fit(series, classes)
        lazy = model.predict(da.from_array(series, chunks=(10, 9, 2)))
        set_to = []
        monkeypatch.setattr("sdtw_cpu.set_num_threads", set_to.append)
        lazy.compute()
        assert set_to == []
        model.predict(series)
        assert set_to != []
