"""Matrices of losses in Zarr stores."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import os
import signal
import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest
import reference

from chainer_sdtw import pairwise_soft_dtw
from chainer_sdtw._engine import losses

zarr = pytest.importorskip("zarr")


def ragged(rng, lengths, d=2):
    return [reference.walks(rng, 1, n, d)[0] for n in lengths]


def array(shape, chunks, dtype="f8", fill_value=0):
    """A Zarr array in memory."""
    return zarr.create(
        shape=shape, chunks=chunks, dtype=dtype, fill_value=fill_value
    )


@pytest.fixture
def count_sweeps(monkeypatch):
    """A list that has an entry for each sweep over pairs."""
    sweeps = []
    between = losses.Loss.between

    def spy(self, pairs):
        sweeps.append(len(pairs.x))
        return between(self, pairs)

    monkeypatch.setattr(losses.Loss, "between", spy)
    return sweeps


@pytest.mark.parametrize("loss", ["soft_dtw", "sharp_divergence"])
@pytest.mark.parametrize("chunks", [(4, 4), (2, 3), (11, 11)], ids=str)
@pytest.mark.parametrize("one", [True, False], ids=["one set", "two sets"])
def test_the_same_bits_as_in_memory(rng, loss, chunks, one):
    X = ragged(rng, [7, 3, 12, 9, 1, 7, 30, 5, 4, 8, 20])
    Y = None if one else ragged(rng, [4, 10, 2, 6, 9])
    expected = pairwise_soft_dtw(X, Y, loss=loss)
    out = array(expected.shape, chunks)
    got = pairwise_soft_dtw(X, Y, loss=loss, out=out, max_bytes=1200)
    assert got is out
    np.testing.assert_array_equal(got[...], expected)


def test_a_cost_that_is_a_function(rng):
    X = ragged(rng, [7, 3, 12])

    def cost(x, y):
        return abs(x[:, :, None, 0] - y[:, None, :, 0]) * 2

    out = pairwise_soft_dtw(X, cost=cost, out=array((3, 3), (2, 2)))
    np.testing.assert_array_equal(out[...], pairwise_soft_dtw(X, cost=cost))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_types_and_paths(rng, tmp_path, dtype):
    X = reference.walks(rng, 9, 8, 1).astype(dtype)
    expected = pairwise_soft_dtw(X, X[:4])
    for path in (tmp_path / "a.zarr", str(tmp_path / "b.zarr")):
        out = pairwise_soft_dtw(X, X[:4], out=path, max_bytes=16)
        assert out.dtype == dtype
        assert np.isnan(out.fill_value)
        assert np.prod(out.chunks) * out.dtype.itemsize <= 16
        np.testing.assert_array_equal(out[...], expected)
        np.testing.assert_array_equal(zarr.open_array(path)[...], expected)


def test_memory_is_that_of_a_tile(rng, tmp_path):
    X = reference.walks(rng, 500, 4, 1)
    tracemalloc.start()
    try:
        pairwise_soft_dtw(X, out=tmp_path / "m.zarr", max_bytes=2**15)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The matrix is 2 MB.
    assert peak < 2**19


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence"])
def test_goes_on_after_an_interrupt(rng, tmp_path, monkeypatch, loss):
    X = ragged(rng, [7, 3, 12, 9, 5, 8])
    expected = pairwise_soft_dtw(X, loss=loss)
    options = {"loss": loss, "out": tmp_path / "m.zarr", "max_bytes": 32}
    between = losses.Loss.between
    sweeps = []

    def interrupted(self, pairs):
        sweeps.append(1)
        if len(sweeps) == 5:
            raise KeyboardInterrupt
        return between(self, pairs)

    monkeypatch.setattr(losses.Loss, "between", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pairwise_soft_dtw(X, **options)
    assert len(sweeps) == 5
    out = pairwise_soft_dtw(X, resume=True, **options)
    np.testing.assert_array_equal(out[...], expected)
    # Of 21 sweeps with a pair each, those of one tile of 2 x 2 are repeated.
    assert 21 < len(sweeps) <= 21 + 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_goes_on_after_sigkill(rng, tmp_path, count_sweeps):
    X = reference.walks(rng, 9, 20, 1)
    np.save(tmp_path / "x.npy", X)
    path = tmp_path / "m.zarr"
    code = f"""
        import os, signal, chainer_sdtw, numpy, zarr
        write, writes = zarr.Array.__setitem__, []
        def killed(array, key, value):
            writes.append(key)
            if len(writes) == 6:
                os.kill(os.getpid(), signal.SIGKILL)
            write(array, key, value)
        zarr.Array.__setitem__ = killed
        X = numpy.load({str(tmp_path / "x.npy")!r})
        chainer_sdtw.pairwise_soft_dtw(X, out={str(path)!r}, max_bytes=72)
    """
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        timeout=120,
        check=False,
        capture_output=True,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    before = zarr.open_array(path, mode="r")[...]
    assert 0 < np.isnan(before).sum() < before.size
    out = pairwise_soft_dtw(X, out=path, resume=True, max_bytes=72)
    # The tiles at (0, 0), (0, 1) and (0, 2) were there, of six.
    resumed = sum(count_sweeps)
    assert resumed == 6 + 9 + 6
    np.testing.assert_array_equal(out[...], pairwise_soft_dtw(X))


@pytest.mark.parametrize("left", [None, ".zarray.1b.partial"])
def test_goes_on_after_sigkill_at_once(rng, tmp_path, left):
    """When the array was being made: there is a folder, but no array."""
    X = reference.walks(rng, 5, 8, 1)
    path = tmp_path / "m.zarr"
    path.mkdir()
    if left:
        (path / left).write_text("{")
    with pytest.raises(FileExistsError):
        pairwise_soft_dtw(X, out=path)
    out = pairwise_soft_dtw(X, out=path, resume=True)
    np.testing.assert_array_equal(out[...], pairwise_soft_dtw(X))


def test_a_chunk_that_was_cut_short_is_computed_again(rng, tmp_path):
    X = reference.walks(rng, 8, 6, 1)
    path = tmp_path / "m.zarr"
    expected = pairwise_soft_dtw(X, out=path, max_bytes=128)[...]
    chunks = [
        file
        for file in path.rglob("*")
        if file.is_file() and file.name[0].isdigit()
    ]
    assert len(chunks) == 4
    chunks[0].write_bytes(chunks[0].read_bytes()[:9])
    chunks[1].write_bytes(b"")
    out = pairwise_soft_dtw(X, out=path, resume=True, max_bytes=128)
    np.testing.assert_array_equal(out[...], expected)


def test_series_with_a_nan_are_finished(rng, count_sweeps):
    X = reference.walks(rng, 6, 8, 1)
    X[2, 3] = np.nan
    out = array((6, 6), (2, 2))
    pairwise_soft_dtw(X, out=out)
    assert np.isnan(out[2]).all()
    assert count_sweeps
    del count_sweeps[:]
    pairwise_soft_dtw(X, out=out, resume=True)
    assert not count_sweeps


def test_what_is_there_is_overwritten_only_if_it_is_not_ours(rng):
    X = reference.walks(rng, 4, 8, 1)
    out = array((4, 4), (2, 2), fill_value=7)
    pairwise_soft_dtw(X, out=out, resume=True)
    expected = pairwise_soft_dtw(X)
    np.testing.assert_array_equal(out[...], expected)
    for options in (
        {},
        {"gamma": 2, "resume": True},
        {"loss": "sharp", "resume": True},
        {"cost": "manhattan", "resume": True},
        {"bandwidth": 3, "resume": True},
    ):
        with pytest.raises(ValueError, match="out has"):
            pairwise_soft_dtw(X, out=out, **options)
    changed = X.copy()
    changed[3, 4] += 1e-9
    with pytest.raises(ValueError, match="other X: "):
        pairwise_soft_dtw(changed, out=out, resume=True)
    with pytest.raises(ValueError, match="other Y: "):
        pairwise_soft_dtw(X, X, out=out, resume=True)
    np.testing.assert_array_equal(out[...], expected)


def test_errors(rng, tmp_path):
    X = reference.walks(rng, 4, 8, 1)
    for options, error, message in (
        ({"out": array((4, 3), (2, 2))}, ValueError, r"shape \(4, 4\), got"),
        ({"out": array((4, 4), (2, 2), "f4")}, ValueError, "must be float64"),
        (
            {"out": array((4, 4), (4, 4)), "max_bytes": 100},
            ValueError,
            r"chunks \(4, 4\) of out take 128 bytes, more than max_bytes=100",
        ),
        ({"resume": True}, ValueError, "resume=True needs out="),
        ({"out": tmp_path}, FileExistsError, "exists: with resume=True"),
    ):
        with pytest.raises(error, match=message):
            pairwise_soft_dtw(X, **options)


def test_series_are_not_overwritten(rng, tmp_path):
    """A matrix may have the shape of its series."""
    pytest.importorskip("dask")
    series = rng.standard_normal((4, 4))
    path = tmp_path / "series.zarr"
    on_disk = zarr.open_array(
        str(path), mode="w", shape=(4, 4), chunks=(2, 4), dtype="f8"
    )
    in_memory = array((4, 4), (2, 4))
    for stored in (on_disk, in_memory):
        stored[...] = series
    for X, out in (
        (on_disk, on_disk),
        (path, on_disk),
        (str(path), path),
        (zarr.open_array(str(path), mode="r"), str(path)),
        (in_memory, in_memory),
    ):
        for sets in ((X,), (series, X)):
            name = "X" if len(sets) == 1 else "Y"
            with pytest.raises(ValueError, match=f"out must not be {name}"):
                pairwise_soft_dtw(*sets, out=out, resume=True)
    for stored in (on_disk, in_memory):
        np.testing.assert_array_equal(stored[...], series)
    out = pairwise_soft_dtw(in_memory, out=array((4, 4), (2, 4)))
    np.testing.assert_array_equal(out[...], pairwise_soft_dtw(series))


def test_paths_without_an_array(rng, tmp_path):
    zarr.open_group(str(tmp_path / "group"), mode="w")
    (tmp_path / "file").write_text("no array")
    for name in ("group", "file"):
        with pytest.raises(ValueError, match="exists, but is no Zarr array"):
            pairwise_soft_dtw(np.eye(3), out=tmp_path / name, resume=True)
    assert (tmp_path / "file").read_text() == "no array"
