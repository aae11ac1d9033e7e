"""Collections of series, as blocks that are loaded where they are computed."""

import subprocess
import sys

import numpy as np
import pytest

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
zarr = pytest.importorskip("zarr")

import sdtw_cpu  # noqa: E402
from chainer_sdtw.distributed import (  # noqa: E402
    Blocks,
    as_blocks,
    is_collection,
    read_parquet,
)


@pytest.fixture(autouse=True)
def synchronous():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def equal(rng):
    return rng.standard_normal((23, 10, 2))


@pytest.fixture
def ragged(rng):
    return [rng.standard_normal(3 + i % 4) for i in range(23)]


def loaded(series):
    """A function of a block: its series."""
    return [
        row[:length].copy()
        for row, length in zip(series.array, series.lengths)
    ]


def assert_holds(blocks, series):
    """Compare the series of blocks with what they should be."""
    parts = blocks.map(loaded)
    assert tuple(map(len, parts)) == blocks.sizes
    everything = [row for part in parts for row in part]
    assert len(blocks) == len(everything) == len(series)
    for row, expected in zip(everything, series):
        expected = np.asarray(expected)
        np.testing.assert_array_equal(row, expected.reshape(len(row), -1))
        assert row.shape[1] == blocks.features
    indexes = [20, 3, 3, 0]
    for index, row in zip(indexes, blocks.gather(indexes)):
        np.testing.assert_array_equal(row, everything[index])


def test_dask_array(equal):
    blocks = as_blocks(da.from_array(equal, chunks=(5, 4, 1)))
    assert blocks.sizes == (5, 5, 5, 5, 3)
    assert (blocks.features, blocks.length) == (2, 10)
    assert not blocks.univariate
    assert_holds(blocks, equal)


def test_univariate_integers(equal):
    integers = (10 * equal[:, :, 0]).astype(int)
    blocks = as_blocks(da.from_array(integers, chunks=(8, 10)))
    assert blocks.univariate
    assert blocks.dtype == np.float64
    assert_holds(blocks, integers)


def test_sizes_that_are_not_known(equal):
    x = da.from_array(equal[:, :, 0], chunks=(6, 10))
    chosen = x[x[:, 0] > 0]
    assert np.isnan(chosen.shape[0])
    expected = equal[equal[:, 0, 0] > 0][:, :, 0]
    blocks = as_blocks(chosen)
    np.testing.assert_array_equal(
        np.concatenate(blocks.map(loaded))[:, :, 0], expected
    )
    steps = da.from_array(equal[:, :, 0], chunks=(6, 4))
    steps = steps[:, da.from_array(equal[0, :, 0] > 0, chunks=4)]
    assert np.isnan(steps.shape[1])
    assert_holds(as_blocks(steps), equal[:, equal[0, :, 0] > 0, 0])


def test_large_chunks_are_cut(equal, monkeypatch):
    monkeypatch.setattr("chainer_sdtw.distributed.sources.MAX_BYTES", 1000)
    blocks = as_blocks(da.from_array(equal, chunks=(20, 10, 2)))
    assert blocks.sizes == (5, 5, 5, 5, 3)  # of at most 6 series
    assert_holds(blocks, equal)


def test_zarr(equal, tmp_path):
    path = tmp_path / "series.zarr"
    array = zarr.open(
        str(path), mode="w", shape=equal.shape, chunks=(7, 10, 2), dtype="f8"
    )
    array[:] = equal
    for X in (array, path, str(path)):
        blocks = as_blocks(X)
        assert blocks.sizes == (7, 7, 7, 2)
        assert_holds(blocks, equal)


def test_a_group_is_no_array(tmp_path):
    zarr.open_group(str(tmp_path / "group"), mode="w")
    with pytest.raises(ValueError, match="is a group of Zarr arrays"):
        as_blocks(tmp_path / "group")


def test_delayed_and_bag(ragged):
    tasks = [dask.delayed(part) for part in (ragged[:9], [], ragged[9:])]
    blocks = as_blocks(tasks)
    assert blocks.sizes == (9, 14)
    assert blocks.length is None
    assert_holds(blocks, ragged)
    bag = pytest.importorskip("dask.bag").from_sequence(ragged, npartitions=4)
    assert_holds(as_blocks(bag), ragged)


def test_types(ragged):
    """All blocks have the widest type, in the order of this machine."""
    single = [row.astype("f4") for row in ragged]
    blocks = as_blocks([dask.delayed(single[:9]), dask.delayed(ragged[9:])])
    assert blocks.dtype == np.float64
    types = blocks.map(lambda series: (series.array.dtype, series.dtype))
    assert types == [(np.float64, np.float64)] * 2
    swapped = np.ones((3, 2), np.dtype("f4").newbyteorder())
    assert as_blocks(da.from_array(swapped)).dtype.isnative


def test_gather_takes_indexes_of_series_only(equal):
    blocks = as_blocks(da.from_array(equal, chunks=(9, 10, 2)))
    for index in (-1, 23):
        with pytest.raises(IndexError, match=f"< 23, got {index}"):
            blocks.gather([0, index])


class TestParquet:
    @pytest.fixture
    def write(self, tmp_path):
        arrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")

        def write(columns):
            path = tmp_path / "series.parquet"
            table = arrow.table(columns)
            parquet.write_table(table, path, row_group_size=6)
            return path

        return write

    def test_lists(self, write, ragged):
        path = write({"label": list(range(23)), "series": ragged})
        blocks = as_blocks(path)
        assert blocks.sizes == (6, 6, 6, 5)
        assert blocks.univariate
        assert_holds(blocks, ragged)
        assert_holds(read_parquet(path, "series"), ragged)
        assert_holds(as_blocks(path.parent), ragged)

    def test_lists_of_lists(self, write, equal):
        assert_holds(as_blocks(write({"x": equal.tolist()})), equal)

    def test_a_column_for_each_feature(self, write, equal):
        path = write({"a": list(equal[:, :, 0]), "b": list(equal[:, :, 1])})
        assert_holds(as_blocks(path), equal)
        swapped = read_parquet(path, ["b", "a"])
        assert_holds(swapped, equal[:, :, ::-1])

    def test_a_column_for_each_step(self, write, equal):
        path = write({str(i): equal[:, i, 0] for i in range(10)})
        blocks = as_blocks(path)
        assert blocks.length == 10
        assert_holds(blocks, equal[:, :, 0])

    def test_the_index_of_a_data_frame_is_no_step(self, rng, equal, tmp_path):
        pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
        frame = pandas.DataFrame(equal[:, :, 0]).add_prefix("t")
        path = tmp_path / "frame.parquet"
        order = rng.permutation(23)
        for chosen in (frame.iloc[order], frame.iloc[order].rename_axis("id")):
            chosen.to_parquet(path)
            assert_holds(as_blocks(path), equal[order, :, 0])

    def test_errors(self, write, ragged, tmp_path):
        pyarrow = pytest.importorskip("pyarrow")
        path = write({"x": ragged, "y": ragged[1:] + ragged[:1]})
        with pytest.raises(ValueError, match="same lengths in each row"):
            as_blocks(path)
        with pytest.raises(ValueError, match="no column 'z', but x, y"):
            read_parquet(path, "z")
        with pytest.raises(ValueError, match="no columns of numbers"):
            as_blocks(write({"x": ["a"] * 23}))
        with pytest.raises(ValueError, match="must not have missing lists"):
            as_blocks(write({"x": [None, *ragged[1:]]}))
        with pytest.raises(ValueError, match="must not have missing values"):
            as_blocks(write({"x": [None, *map(float, range(22))]}))
        with pytest.raises(TypeError, match="lists of numbers"):
            as_blocks(write({"x": [["a"]] * 23}))
        with pytest.raises(ValueError, match="same number of features"):
            as_blocks(write({"x": [[[1.0, 2.0], [3.0]]] * 23}))
        with pytest.raises(ValueError, match="empty"):
            kind = pyarrow.list_(pyarrow.list_(pyarrow.float64()))
            as_blocks(write({"x": pyarrow.array([[]] * 23, kind)}))
        broken = tmp_path / "broken.parquet"
        broken.write_text("no Parquet")
        with pytest.raises(ValueError, match="cannot be read as Parquet"):
            as_blocks(broken)


def test_function_gets_what_is_shared_and_what_is_each_blocks(equal):
    blocks = as_blocks(da.from_array(equal, chunks=(9, -1, -1)))
    weights = np.arange(23.0)
    parts = blocks.split(weights)
    assert [len(part) for part in parts] == [9, 9, 5]
    sums = blocks.map(
        lambda series, part, center: (
            part @ (series.array - center).sum(axis=(1, 2))
        ),
        equal[0],
        each=[(part,) for part in parts],
    )
    expected = weights @ (equal - equal[0]).sum(axis=(1, 2))
    assert sum(sums) == pytest.approx(expected)
    some = blocks.take([2, 0])
    assert some.sizes == (5, 9)
    np.testing.assert_array_equal(
        np.concatenate(some.map(loaded)),
        np.concatenate([equal[18:], equal[:9]]),
    )


def test_a_task_has_one_thread(equal):
    before = sdtw_cpu.get_num_threads()
    sdtw_cpu.set_num_threads(3)
    try:
        blocks = as_blocks(da.from_array(equal, chunks=(9, -1, -1)))
        threads = blocks.map(lambda series: sdtw_cpu.get_num_threads())
        assert threads == [1, 1, 1]
        assert sdtw_cpu.get_num_threads() == 3
    finally:
        sdtw_cpu.set_num_threads(before)


def test_errors_name_the_series(equal):
    x = da.from_array(equal, chunks=(9, 10, 2))
    bad = equal.copy()
    bad[12, 3] = np.nan
    with pytest.raises(ValueError, match=r"X\[9:18\]\[3\] contains NaN"):
        as_blocks(da.from_array(bad, chunks=(9, 10, 2))).map(loaded)
    lie = da.map_blocks(lambda b: b[:-1], x, chunks=x.chunks, dtype=float)
    with pytest.raises(ValueError, match=r"\] must have \d series as"):
        as_blocks(lie).map(loaded)
    with pytest.raises(TypeError, match="real numbers, got complex"):
        as_blocks(x.astype(complex))
    with pytest.raises(ValueError, match=r"got shape \(23,\)"):
        as_blocks(x[:, 0, 0])
    with pytest.raises(ValueError, match=r"got shape \(0, 10, 2\)"):
        as_blocks(x[:0])
    with pytest.raises(TypeError, match=r"Dask array or bag, .* got ndarray"):
        as_blocks(equal)
    with pytest.raises(FileNotFoundError, match="nothing at"):
        as_blocks("no/such/path")
    with pytest.raises(ValueError, match="block 1 of X must be like the fir"):
        as_blocks([dask.delayed(equal), dask.delayed(equal[:, :, 0])])
    with pytest.raises(ValueError, match="at least one series"):
        as_blocks([dask.delayed([])])


def test_is_collection(equal):
    x = da.from_array(equal)
    for X in (x, as_blocks(x), "path", [dask.delayed(equal)]):
        assert is_collection(X)
    for X in (equal, list(equal), [], 1.0, dask.delayed(equal)):
        assert not is_collection(X)
    assert isinstance(as_blocks(as_blocks(x), "Y"), Blocks)
    assert as_blocks(as_blocks(x), "Y").name == "Y"


def test_nothing_optional_is_imported():
    code = (
        "import sys, chainer_sdtw, chainer_sdtw.distributed as d\n"
        "assert not d.is_collection([1.0])\n"
        "print({'dask', 'zarr', 'pyarrow', 'distributed'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
