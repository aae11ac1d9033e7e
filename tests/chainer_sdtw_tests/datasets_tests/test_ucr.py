"""What get_ucr makes of the files of a data set."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import chainer
import numpy as np
import pytest
from chainer.datasets import TupleDataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ucr_folders import TEST, TRAIN, layouts, table, ts, write, write_layout

from chainer_sdtw.datasets import get_ucr


@layouts
def test_layouts_agree(tmp_path, layout):
    write_layout(tmp_path, layout)
    train, test = get_ucr("Toy", tmp_path)
    assert isinstance(train, TupleDataset)
    assert isinstance(test, TupleDataset)
    assert (len(train), len(test)) == (3, 2)
    assert train.classes == test.classes == (1, 2, 5)
    assert (train.name, train.split, test.split) == ("Toy", "TRAIN", "TEST")
    for dataset, (series, labels) in (train, TRAIN), (test, TEST):
        np.testing.assert_array_equal(
            dataset.series, np.array(series, np.float32)[..., None]
        )
        assert dataset.series.dtype == np.float32
        assert dataset.labels.dtype == np.int32
        assert [str(dataset.classes[k]) for _, k in dataset] == labels
    series, label = train[0]
    assert series.shape == (3, 1)
    assert label == 1
    assert isinstance(label, np.int32)


def test_batches(tmp_path):
    write_layout(tmp_path, ".tsv")
    train, _ = get_ucr("Toy", tmp_path)
    iterator = chainer.iterators.SerialIterator(train, 2, shuffle=False)
    x, t = chainer.dataset.concat_examples(iterator.next())
    assert x.shape == (2, 3, 1)
    np.testing.assert_array_equal(t, [1, 0])
    assert [label for _, label in train[1:]] == [0, 2]


def test_root_from_environment(tmp_path, monkeypatch):
    write_layout(tmp_path, ".tsv")
    monkeypatch.setenv("CHAINER_SDTW_UCR_ROOT", str(tmp_path))
    assert len(get_ucr("Toy")[0]) == 3
    # The argument comes first.
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no data set"):
        get_ucr("Toy", root=tmp_path / "empty")


def test_class_absent_from_one_half(tmp_path):
    write(
        tmp_path,
        table([[1, 2], [3, 4]], ["a", "c"], "\t"),
        table([[5, 6], [7, 8]], ["c", "b"], "\t"),
    )
    train, test = get_ucr("Toy", tmp_path)
    assert train.classes == test.classes == ("a", "b", "c")
    np.testing.assert_array_equal(train.labels, [0, 2])
    np.testing.assert_array_equal(test.labels, [2, 1])


def test_labels_of_one_class_written_differently(tmp_path):
    write(
        tmp_path,
        table([[1, 2]] * 3, ["1.0000000e+00", "-1", "  1"], ","),
        table([[1, 2]] * 2, ["1.0", "0.5"], ","),
        "",
    )
    train, test = get_ucr("Toy", tmp_path)
    assert train.classes == (-1, 0.5, 1)
    assert [type(y) for y in train.classes] == [int, float, int]
    np.testing.assert_array_equal(train.labels, [2, 0, 2])
    np.testing.assert_array_equal(test.labels, [2, 1])


def test_many_classes_in_the_order_of_numbers(tmp_path):
    write(
        tmp_path,
        table([[1, 2]] * 12, map(str, range(12, 0, -1)), "\t"),
        table([[1, 2]], ["10"], "\t"),
    )
    train, test = get_ucr("Toy", tmp_path)
    assert train.classes == tuple(range(1, 13))
    assert test[0][1] == 9


def test_padding_is_cut(tmp_path):
    write(
        tmp_path,
        table([[1, 2, 3, 4], [5, 6, "NaN", "NaN"]], "12", "\t"),
        table([[7, 8, 9, "nan"], [1, 2, 3, "NaN"]], "12", "\t"),
    )
    train, test = get_ucr("Toy", tmp_path)
    assert isinstance(train.series, list)
    assert [s.shape for s in train.series] == [(4, 1), (2, 1)]
    np.testing.assert_array_equal(train[1][0][:, 0], [5, 6])
    assert test.series.shape == (2, 3, 1)


@pytest.mark.parametrize("equal", [True, False])
def test_multivariate(tmp_path, equal):
    first = [[1, 2, 3], [4, 5, 6]]
    second = [[7, 8, 9], [0, 1, 2]] if equal else [[7, 8], [9, 10]]
    text = ts(
        [first, second], ["Sitting", "Banana"], equal=equal, univariate=False
    )
    write(tmp_path, text, text, ".ts")
    train, _ = get_ucr("Toy", tmp_path)
    assert isinstance(train.series, np.ndarray if equal else list)
    np.testing.assert_array_equal(train[0][0], np.transpose(first))
    np.testing.assert_array_equal(train[1][0], np.transpose(second))
    assert train.classes == ("Banana", "Sitting")
    np.testing.assert_array_equal(train.labels, [1, 0])


def test_multivariate_padding(tmp_path):
    text = ts([[[1, 2, "NaN"], [4, "NaN", "NaN"]]], ["1"], univariate=False)
    write(tmp_path, text, text, ".ts")
    # The last step is padding, the one before lacks a channel.
    with pytest.raises(ValueError, match=r"1 of 4 .* missing.*time step 2"):
        get_ucr("Toy", tmp_path)


@pytest.mark.parametrize("dtype", [np.float16, "float32", np.float64])
def test_dtype(tmp_path, dtype):
    write_layout(tmp_path, ".tsv")
    train, test = get_ucr("Toy", tmp_path, dtype=dtype)
    assert train[0][0].dtype == test[0][0].dtype == dtype


def test_dtype_of_chainer_config(tmp_path):
    write_layout(tmp_path, ".tsv")
    with chainer.using_config("dtype", np.float64):
        assert get_ucr("Toy", tmp_path)[0][0][0].dtype == np.float64
    with chainer.using_config("dtype", chainer.mixed16):
        assert get_ucr("Toy", tmp_path)[0][0][0].dtype == np.float32
    with pytest.raises(ValueError, match=r"dtype.*int32"):
        get_ucr("Toy", tmp_path, dtype=np.int32)


def test_normalize(tmp_path):
    write(
        tmp_path,
        table([[1, 2, 6], [0.1, 0.1, 0.1]], "12", "\t"),
        table([[1e3, 1e3 + 1, 1e3 + 2, "NaN"]], "1", "\t"),
    )
    train, test = get_ucr("Toy", tmp_path, normalize=True, dtype=np.float64)
    x = np.array([1, 2, 6])
    np.testing.assert_allclose(
        train[0][0][:, 0], (x - x.mean()) / x.std(), rtol=1e-12
    )
    np.testing.assert_array_equal(train[1][0], np.zeros((3, 1)))
    np.testing.assert_allclose(
        test[0][0][:, 0], np.sqrt(1.5) * np.array([-1, 0, 1]), rtol=1e-9
    )


@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    values=hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2),
        elements=st.floats(allow_nan=False, allow_infinity=False),
    ),
    separator=st.sampled_from("\t,"),
)
def test_round_trip(tmp_path, values, separator):
    text = table(values.tolist(), ["1"] * len(values), separator)
    write(tmp_path, text, text)
    train, test = get_ucr("Toy", tmp_path, dtype=np.float64)
    np.testing.assert_array_equal(train.series[..., 0], values)
    np.testing.assert_array_equal(test.series[..., 0], values)
