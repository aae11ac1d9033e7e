"""Matrices of losses by tasks of Dask."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference

from chainer_sdtw import pairwise_soft_dtw
from chainer_sdtw.distributed import as_blocks
from chainer_sdtw.learning import _stored

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
zarr = pytest.importorskip("zarr")
distributed = pytest.importorskip("distributed")

SIGKILL = getattr(signal, "SIGKILL", signal.SIGTERM)
LOSSES = ["soft_dtw", "divergence"]


@pytest.fixture
def in_this_thread():
    """Dask computes in the thread that asks."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def computed(monkeypatch):
    """A list that gets the shape of each tile that is computed."""
    shapes = []
    tile_values = _stored.tile_values

    def spy(x, y, loss, **options):
        shapes.append((len(x), len(y)))
        return tile_values(x, y, loss, **options)

    monkeypatch.setattr("chainer_sdtw.distributed._pairwise.tile_values", spy)
    return shapes


def ragged(rng, count):
    return [reference.walks(rng, 1, n, 2)[0] for n in 1 + np.arange(count) % 7]


def delayed_blocks(series, *sizes):
    """Blocks of series, each of which a task loads."""
    edges = np.cumsum((0, *sizes))
    return [
        dask.delayed(series[a:b], traverse=False)
        for a, b in zip(edges, edges[1:])
    ]


@pytest.mark.usefixtures("in_this_thread")
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_dask_array_gives_one(rng, computed, loss, dtype):
    X = reference.walks(rng, 10, 8, 1)[..., 0].astype(dtype)
    got = pairwise_soft_dtw(da.from_array(X, chunks=(4, 3)), loss=loss)
    assert isinstance(got, da.Array)
    assert got.chunks == ((4, 4, 2), (4, 4, 2))
    assert got.dtype == dtype
    assert not computed
    np.testing.assert_array_equal(
        got.compute(), pairwise_soft_dtw(X, loss=loss)
    )
    # Half of the nine.
    assert sorted(computed) == [(2, 2)] + 2 * [(4, 2)] + 3 * [(4, 4)]


@pytest.mark.usefixtures("in_this_thread")
@pytest.mark.parametrize("loss", LOSSES)
def test_two_sets_of_which_one_is_in_memory(rng, loss):
    X, Y = ragged(rng, 11), ragged(rng, 5)
    blocks = delayed_blocks(X, 3, 1, 7)
    got = pairwise_soft_dtw(blocks, Y, loss=loss)
    assert got.chunks == ((3, 1, 7), (5,))
    expected = pairwise_soft_dtw(X, Y, loss=loss)
    np.testing.assert_array_equal(got.compute(), expected)
    got = pairwise_soft_dtw(Y, blocks, loss=loss)
    np.testing.assert_array_equal(
        got.compute(), pairwise_soft_dtw(Y, X, loss=loss)
    )


@pytest.mark.usefixtures("in_this_thread")
def test_series_of_two_types(rng):
    X = reference.walks(rng, 6, 8, 2).astype(np.float32)
    Y = reference.walks(rng, 3, 7, 2)
    got = pairwise_soft_dtw(
        da.from_array(X, chunks=4), da.from_array(Y), loss="divergence"
    )
    np.testing.assert_array_equal(
        got.compute(), pairwise_soft_dtw(X, Y, loss="divergence")
    )


@pytest.mark.usefixtures("in_this_thread")
@pytest.mark.parametrize("loss", LOSSES)
def test_blocks_of_two_types(rng, tmp_path, loss):
    X = reference.walks(rng, 6, 8, 2)
    X[:4] = X[:4].astype(np.float32)
    blocks = [dask.delayed(X[:4].astype(np.float32)), dask.delayed(X[4:])]
    expected = pairwise_soft_dtw(X, loss=loss)
    got = pairwise_soft_dtw(blocks, loss=loss)
    np.testing.assert_array_equal(got.compute(), expected)
    options = {"loss": loss, "out": tmp_path / "m.zarr"}
    pairwise_soft_dtw(blocks, **options)
    got = pairwise_soft_dtw(X, resume=True, **options)
    np.testing.assert_array_equal(got[...], expected)


@pytest.mark.usefixtures("in_this_thread")
def test_some_of_the_blocks(rng, tmp_path):
    X = reference.walks(rng, 11, 8, 1)
    some = as_blocks(da.from_array(X, chunks=(4, -1, -1))).take([2, 0])
    expected = pairwise_soft_dtw(np.concatenate([X[8:], X[:4]]))
    np.testing.assert_array_equal(pairwise_soft_dtw(some).compute(), expected)
    out = pairwise_soft_dtw(some, out=tmp_path / "m.zarr", max_bytes=128)
    np.testing.assert_array_equal(out[...], expected)


@pytest.mark.usefixtures("in_this_thread")
def test_blocks_of_another_size_than_was_said(rng):
    X = da.from_array(reference.walks(rng, 11, 8, 1), chunks=(4, -1, -1))
    lie = X.map_blocks(lambda block: block[:-1], chunks=X.chunks, dtype="f8")
    with pytest.raises(ValueError, match=r"\] must have \d series as"):
        pairwise_soft_dtw(lie).compute()


@pytest.mark.usefixtures("in_this_thread")
@pytest.mark.parametrize("loss", LOSSES)
def test_blocks_of_any_size_to_a_store(rng, tmp_path, computed, loss):
    X = ragged(rng, 11)
    path = tmp_path / "m.zarr"
    options = {"loss": loss, "out": path, "max_bytes": 128}
    out = pairwise_soft_dtw(delayed_blocks(X, 3, 1, 7), **options)
    assert out.chunks == (4, 4)
    expected = pairwise_soft_dtw(X, loss=loss)
    np.testing.assert_array_equal(out[...], expected)
    out[4:8, 8:] = np.nan
    del computed[:]
    # The same series, in other blocks, in memory and in a store.
    again = pairwise_soft_dtw(delayed_blocks(X, 6, 5), resume=True, **options)
    assert computed == [(4, 3)]
    np.testing.assert_array_equal(again[...], expected)
    pairwise_soft_dtw(X, resume=True, **options)
    assert computed == [(4, 3)]
    with pytest.raises(ValueError, match="other X: "):
        pairwise_soft_dtw(
            delayed_blocks(X[::-1], 6, 5), resume=True, **options
        )


@pytest.mark.usefixtures("in_this_thread")
def test_series_from_a_store(rng, tmp_path):
    X = reference.walks(rng, 9, 5, 2)
    series = zarr.open_array(
        tmp_path / "x.zarr", mode="w", shape=X.shape, chunks=(2, 5, 2)
    )
    series[...] = X
    expected = pairwise_soft_dtw(X)
    for form in (series, tmp_path / "x.zarr"):
        got = pairwise_soft_dtw(form)
        np.testing.assert_array_equal(got.compute(), expected)


def test_errors(rng, tmp_path):
    X = da.from_array(reference.walks(rng, 4, 8, 2), chunks=2)
    for args, options, error, message in (
        ((X, np.zeros((2, 3))), {}, ValueError, "features, got 2 and 1"),
        ((X,), {"out": np.zeros((4, 4))}, TypeError, "out must be a Zarr"),
        ((X,), {"resume": True}, ValueError, "resume=True needs out="),
        ((X,), {"client": "tcp://a:8786"}, TypeError, "client must be a Cl"),
        ((X[0, 0],), {}, ValueError, "X must be series of shape"),
        ((tmp_path / "none",), {}, FileNotFoundError, "X: there is nothing"),
    ):
        with pytest.raises(error, match=message):
            pairwise_soft_dtw(*args, **options)


@pytest.fixture(scope="module")
def client():
    """Of a cluster of two processes with one thread each."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, timeout=30) as client,
    ):
        yield client


def within(seconds, function, *args, **options):
    """Return what a function returns, or fail after so many seconds."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(function, *args, **options).result(seconds)
    finally:
        pool.shutdown(wait=False)


@pytest.mark.parametrize("loss", LOSSES)
def test_on_a_cluster(rng, tmp_path, client, loss):
    X, Y = ragged(rng, 60), ragged(rng, 9)
    for args in ((X,), (X, Y)):
        expected = pairwise_soft_dtw(*args, loss=loss)
        got = within(60, pairwise_soft_dtw, *args, loss=loss, client=client)
        np.testing.assert_array_equal(got, expected)
    whole = np.zeros((120, 9))
    out = whole[::2]
    got = within(
        60, pairwise_soft_dtw, X, Y, loss=loss, client=client, out=out
    )
    assert got is out
    np.testing.assert_array_equal(got, expected)
    assert not whole[1::2].any()


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(rng, tmp_path, client):
    X = reference.walks(rng, 200, 60, 1)
    path = tmp_path / "m.zarr"
    pids = client.run(os.getpid)

    def kill():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if len([p for p in path.rglob("*") if p.is_file()]) > 8:
                os.kill(min(pids.values()), SIGKILL)
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    out = within(
        60, pairwise_soft_dtw, X, out=path, client=client, max_bytes=2000
    )
    killer.join()
    assert min(pids.values()) not in client.run(os.getpid).values()
    np.testing.assert_array_equal(out[...], pairwise_soft_dtw(X))


@pytest.mark.slow
def test_a_store_that_workers_do_not_share(rng, client):
    X = reference.walks(rng, 5, 6, 1)
    out = zarr.create(shape=(5, 5), chunks=(2, 2), dtype="f8", fill_value=0)
    with pytest.raises(RuntimeError, match="on storage that workers and"):
        within(60, pairwise_soft_dtw, X, out=out, client=client)
