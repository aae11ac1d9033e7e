import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import os
import sys

import chainer
import numpy as np
import pytest
from chainer.datasets import TupleDataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainer_sdtw.datasets import get_ucr, ucr

TRAIN = ([[1.5, -2.25, 0.125], [0.5, 0, 3], [7, 8, 9]], ["2", "1", "5"])
TEST = ([[4, 5, 6.5], [1, 1, 1]], ["5", "2"])


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv(ucr.ROOT_VARIABLE, raising=False)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(
        chainer.dataset.download, "_dataset_root", str(tmp_path / "cache")
    )
    return tmp_path / "cache" / "chainer_sdtw" / "ucr"


def table(series, labels, separator):
    return "".join(
        separator.join([label, *map(str, values)]) + "\n"
        for values, label in zip(series, labels)
    )


def ts(series, labels, classes=None, equal=True, univariate=True):
    # A series is a list of values or, if multivariate, of channels.
    classes = " ".join(sorted(set(classes or labels)))
    lines = [
        "# a comment",
        "@problemName Toy",
        "@timeStamps false",
        "@missing false",
        f"@univariate {str(univariate).lower()}",
        f"@equalLength {str(equal).lower()}",
        f"@classLabel true {classes}",
        "@data",
    ]
    for values, label in zip(series, labels):
        channels = [values] if univariate else values
        lines.append(
            ":".join([*(",".join(map(str, c)) for c in channels), label])
        )
    return "\n".join(lines) + "\n"


def arff(series, labels, classes=None, univariate=True):
    steps = len(series[0] if univariate else series[0][0])
    values = [f"@attribute t{i} numeric" for i in range(steps)]
    if not univariate:
        values = [
            "@attribute relationalAtt relational",
            *values,
            "@end relationalAtt",
        ]
    kind = "numeric"
    if classes != "targets":
        kind = "{" + ",".join(sorted(set(classes or labels))) + "}"
    lines = ["% a comment", "@relation Toy", *values]
    lines += [f"@attribute target {kind}", "", "@data"]
    for x, label in zip(series, labels):
        channels = [",".join(map(str, c)) for c in ([x] if univariate else x)]
        text = "\\n".join(channels)
        lines.append(f"{text},{label}" if univariate else f"'{text}',{label}")
    return "\n".join(lines) + "\n"


def write(root, train, test, suffix=".tsv", name="Toy"):
    folder = root / name
    folder.mkdir(exist_ok=True)
    for split, text in ("TRAIN", train), ("TEST", test):
        if text is not None:
            (folder / f"{name}_{split}{suffix}").write_text(text)
    return folder


def write_layout(root, layout, train=TRAIN, test=TEST):
    if layout == ".ts":
        classes = train[1] + test[1]
        write(root, ts(*train, classes), ts(*test, classes), ".ts")
    elif layout == ".arff":
        classes = train[1] + test[1]
        write(root, arff(*train, classes), arff(*test, classes), ".arff")
    else:
        separator = {"": ",", ".tsv": "\t", ".txt": "  "}[layout]
        write(root, table(*train, separator), table(*test, separator), layout)


layouts = pytest.mark.parametrize(
    "layout", [".tsv", "", ".ts", ".txt", ".arff"]
)


# What comes out


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


# What cannot be read


@pytest.mark.parametrize("cell", ["NaN", "?", "", " nan "])
@pytest.mark.parametrize("position", [0, 1])
def test_missing_values(tmp_path, cell, position):
    values = [1, 2, 3]
    values[position] = cell
    write(
        tmp_path,
        table([[1, 2, 3], values], "12", "\t"),
        table([[1, 2, 3]], "1", "\t"),
    )
    with pytest.raises(ValueError) as e:
        get_ucr("Toy", tmp_path)
    assert f"{tmp_path / 'Toy' / 'Toy_TRAIN.tsv'}, line 2" in str(e.value)
    assert "1 of 3 values are missing" in str(e.value)
    assert f"time step {position + 1}" in str(e.value)


@pytest.mark.parametrize("cell", ["?", ""])
def test_padding_is_nan_only(tmp_path, cell):
    write(
        tmp_path,
        table([[1, 2, cell]], "1", "\t"),
        table([[1, 2, 3]], "1", "\t"),
    )
    with pytest.raises(ValueError, match="missing"):
        get_ucr("Toy", tmp_path)


def test_missing_values_ts(tmp_path):
    write(tmp_path, ts([[1, "?", 3]], "1"), ts([[1, 2, 3]], "1"), ".ts")
    with pytest.raises(ValueError, match=r"Toy_TRAIN.ts, line 9: 1 of 3"):
        get_ucr("Toy", tmp_path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the file has no series"),
        ("\n\n", "the file has no series"),
        ("1\n", "line 1: expected a label and values"),
        ("1\t0,5\t0,6\n", "line 1: expected a label and values"),
        ("1\t0.5\t1_0\n", "line 1, value 2: not a number: '1_0'"),
        ("1\t2\t3\n2\t2\n", "line 2: 1 values where line 1 has 2"),
        ("1\t2\t3\n2\t2\t3\t4\n", "line 2: 3 values where line 1 has 2"),
        ("1\t2\t3\n2\t2\t-", "line 2, value 2: not a number: '-'"),
        ("1\t2\t3\n\n2\t2\t3\n", "line 2: expected a label and values"),
        ("\t2\t3\n", "line 1: the class label is missing"),
        ("NaN\t2\t3\n", "line 1: the class label is missing"),
        ("1\tNaN\tNaN\n", "line 1: the series has no values"),
        ("1\t2\tinf\n", "line 1: the series has infinite values"),
        ("\0\0\0\0\0", "line 1: expected a label and values"),
    ],
)
def test_malformed_table(tmp_path, text, message):
    write(tmp_path, table(*TRAIN, "\t"), text)
    with pytest.raises(ValueError) as e:
        get_ucr("Toy", tmp_path)
    assert message in str(e.value)
    assert str(tmp_path / "Toy" / "Toy_TEST.tsv") in str(e.value)


def test_half_written_ts(tmp_path):
    # Wherever the file is cut off: an error, or all that is before the cut.
    text = ts(
        [[[1.5, 2], [3, 4]], [[5, 6], [7, 8]]],
        ["up", "down"],
        univariate=False,
    )
    folder = write(tmp_path, text, text, ".ts")
    whole, _ = get_ucr("Toy", tmp_path)
    n_read = 0
    for end in range(len(text)):
        (folder / "Toy_TRAIN.ts").write_text(text[:end])
        try:
            train, _ = get_ucr("Toy", tmp_path)
        except ValueError as e:
            assert "Toy_TRAIN.ts" in str(e)
        else:
            n_read += 1
            np.testing.assert_array_equal(
                train.series, whole.series[: len(train)]
            )
            assert train.classes == whole.classes
    # After line 1, with and without its end, and without the last end.
    assert n_read == 3


def test_half_written_table(tmp_path):
    # A cut between lines or within the last number of one cannot be seen.
    text = table(*TRAIN, "\t")
    folder = write(tmp_path, text, text)
    for end in range(text.index("\n") + 1, len(text)):
        (folder / "Toy_TRAIN.tsv").write_text(text[:end])
        last = text[:end].split("\n")[-1].split("\t")
        if last == [""] or (len(last) == 4 and last[-1] not in ("", "-")):
            assert len(get_ucr("Toy", tmp_path)[0]) > 0
        else:
            with pytest.raises(ValueError, match=r"TRAIN.tsv, line [23]"):
                get_ucr("Toy", tmp_path)


def test_different_numbers_of_channels(tmp_path):
    write(
        tmp_path,
        ts([[1, 2, 3]], "1"),
        ts([[[1, 2], [3, 4]]], "1", univariate=False),
        ".ts",
    )
    with pytest.raises(ValueError, match=r"number of channels.*\[1, 2\]"):
        get_ucr("Toy", tmp_path)


# What is not there


@pytest.mark.parametrize("there", ["TRAIN", "TEST"])
@layouts
def test_one_half_missing(tmp_path, layout, there):
    write_layout(tmp_path, layout)
    missing = "TEST" if there == "TRAIN" else "TRAIN"
    path = tmp_path / "Toy" / f"Toy_{missing}{layout}"
    path.unlink()
    with pytest.raises(FileNotFoundError) as e:
        get_ucr("Toy", tmp_path)
    assert str(path) in str(e.value)


def test_other_layout_instead_of_half(tmp_path):
    write(tmp_path, table(*TRAIN, "\t"), None, ".tsv")
    write_layout(tmp_path, "")
    assert len(get_ucr("Toy", tmp_path)[1]) == 2


def test_folder_without_files(tmp_path):
    (tmp_path / "Toy").mkdir()
    with pytest.raises(FileNotFoundError) as e:
        get_ucr("Toy", tmp_path)
    for part in str(tmp_path / "Toy"), "Toy_TRAIN.tsv", "Toy_TRAIN.ts":
        assert part in str(e.value)


def test_unknown_name_in_root(tmp_path):
    for name in "Gun_Point", "GunPointAgeSpan", "Wafer":
        (tmp_path / name).mkdir()
    (tmp_path / "GunPoint.txt").touch()
    with pytest.raises(ValueError) as e:
        get_ucr("gunpoint", tmp_path)
    assert f"no data set 'gunpoint' in {str(tmp_path)!r}" in str(e.value)
    assert "gunpoint_TRAIN.tsv" in str(e.value)
    assert "names near: Gun_Point, GunPointAgeSpan" in str(e.value)
    with pytest.raises(ValueError, match="no name is near"):
        get_ucr("Xyzzy", tmp_path)


def test_root_one_folder_too_deep(tmp_path):
    write_layout(tmp_path, ".tsv")
    with pytest.raises(ValueError, match="root must be the folder") as e:
        get_ucr("Toy", tmp_path / "Toy")
    assert repr(str(tmp_path)) in str(e.value)


def test_no_root(tmp_path):
    with pytest.raises(FileNotFoundError, match="CHAINER_SDTW_UCR_ROOT"):
        get_ucr("Toy", tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", "../Toy", "To/y", "Toy\n", None, 3])
def test_bad_names(tmp_path, name):
    with pytest.raises(ValueError, match="name must be"):
        get_ucr(name, tmp_path)


# aeon's data sets


@pytest.mark.parametrize(
    "name, n_train, n_test, shape, n_class",
    [
        ("GunPoint", 50, 150, (150, 1), 2),
        ("ItalyPowerDemand", 67, 1029, (24, 1), 2),
        ("ArrowHead", 36, 175, (251, 1), 3),
        ("OSULeaf", 200, 242, (427, 1), 6),
        ("ACSF1", 100, 100, (1460, 1), 10),
        ("BasicMotions", 40, 40, (100, 6), 4),
    ],
)
def test_bundled(name, n_train, n_test, shape, n_class):
    pytest.importorskip("aeon")
    train, test = get_ucr(name)
    assert train.series.shape == (n_train, *shape)
    assert test.series.shape == (n_test, *shape)
    assert len(train.classes) == n_class
    assert set(train.labels) | set(test.labels) == set(range(n_class))


def test_bundled_with_unequal_lengths():
    pytest.importorskip("aeon")
    train, test = get_ucr("JapaneseVowels")
    assert (len(train), len(test)) == (270, 370)
    lengths = [len(s) for s, _ in [*train, *test]]
    assert (min(lengths), max(lengths)) == (7, 29)
    assert {s.shape[1] for s, _ in train} == {12}
    assert train.classes == tuple(range(1, 10))


def test_bundled_is_what_the_archive_has(tmp_path):
    # aeon also has the training set of GunPoint in the layout of 2018.
    pytest.importorskip("aeon")
    path = os.path.join(ucr._bundle(), "GunPoint", "GunPoint_TRAIN.tsv")
    if not os.path.exists(path):
        pytest.skip("not in this version of aeon")
    with open(path) as file:
        text = file.read()
    write(tmp_path, text, text, name="GunPoint")
    expected, _ = get_ucr("GunPoint")
    actual, _ = get_ucr("GunPoint", tmp_path)
    np.testing.assert_array_equal(actual.series, expected.series)
    np.testing.assert_array_equal(actual.labels, expected.labels)
    assert actual.classes == expected.classes


def test_unknown_name(cache, monkeypatch):
    pytest.importorskip("aeon")
    monkeypatch.setattr("socket.socket", None)  # and nothing is downloaded
    with pytest.raises(ValueError) as e:
        get_ucr("GunPont")
    assert "no data set 'GunPont'" in str(e.value)
    assert str(cache) in str(e.value)
    assert "names near: GunPoint" in str(e.value)
    assert not cache.exists()


def fake_download(monkeypatch, write_files):
    """Makes aeon download by a call of write_files(folder)."""
    datasets = pytest.importorskip("aeon.datasets")
    real = datasets.load_classification
    calls = []

    def load_classification(name, split=None, extract_path=None, **kwargs):
        folder = os.path.join(extract_path, name)
        if not os.path.exists(folder):
            calls.append(name)
            os.makedirs(folder)
            write_files(folder)
        return real(name, split=split, extract_path=extract_path, **kwargs)

    monkeypatch.setattr(datasets, "load_classification", load_classification)
    return calls


def write_half(folder):
    with open(os.path.join(folder, "FordA_TRAIN.ts"), "w") as file:
        file.write(ts([[1, 2, 3]], "1"))


def write_both(folder):
    write_half(folder)
    with open(os.path.join(folder, "FordA_TEST.ts"), "w") as file:
        file.write(ts([[4, 5, 6]], "1"))


def test_download(cache, monkeypatch):
    calls = fake_download(monkeypatch, write_both)
    for _ in range(2):
        train, test = get_ucr("FordA")
        np.testing.assert_array_equal(train[0][0][:, 0], [1, 2, 3])
        np.testing.assert_array_equal(test[0][0][:, 0], [4, 5, 6])
    assert calls == ["FordA"]
    assert sorted(os.listdir(cache)) == ["FordA"]


@pytest.mark.parametrize("error", [OSError("reset"), KeyboardInterrupt()])
def test_interrupted_download(cache, monkeypatch, error):
    def interrupt(folder):
        write_half(folder)
        raise error

    fake_download(monkeypatch, interrupt)
    with pytest.raises((ConnectionError, KeyboardInterrupt)) as e:
        get_ucr("FordA")
    if isinstance(e.value, ConnectionError):
        assert "could not download the data set 'FordA'" in str(e.value)
        assert "reset" in str(e.value)
        assert "CHAINER_SDTW_UCR_ROOT" in str(e.value)
    assert os.listdir(cache) == []
    fake_download(monkeypatch, write_both)
    assert len(get_ucr("FordA")[1]) == 1


def test_killed_download(cache, monkeypatch):
    # What a killed process leaves behind does no harm.
    left = cache / ".download-abc" / "FordA"
    left.mkdir(parents=True)
    write_half(str(left))
    calls = fake_download(monkeypatch, write_both)
    assert len(get_ucr("FordA")[1]) == 1
    assert calls == ["FordA"]


def test_two_downloads_at_once(cache, monkeypatch):
    def other_process_first(folder):
        write_both(folder)
        (cache / "FordA").mkdir()
        write_both(str(cache / "FordA"))

    fake_download(monkeypatch, other_process_first)
    assert len(get_ucr("FordA")[1]) == 1
    assert os.listdir(cache) == ["FordA"]


def test_other_errors_of_aeon(cache, monkeypatch):
    # Its reader refuses what it downloaded; this one says why, or reads it.
    def write_stamps(folder):
        for split in "TRAIN", "TEST":
            with open(os.path.join(folder, f"FordA_{split}.ts"), "w") as file:
                file.write(
                    "@timeStamps true\n@univariate true\n@equalLength true\n"
                    "@classLabel true a\n@data\n(0,-1),(1,2):a\n"
                )

    fake_download(monkeypatch, write_stamps)
    train, _ = get_ucr("FordA")
    np.testing.assert_array_equal(train[0][0][:, 0], [-1, 2])


def test_download_of_targets(cache, monkeypatch):
    datasets = pytest.importorskip("aeon.datasets")

    def load_regression(name, split=None, extract_path=None, **kwargs):
        folder = os.path.join(extract_path, name)
        os.makedirs(folder, exist_ok=True)
        for half in "TRAIN", "TEST":
            path = os.path.join(folder, f"{name}_{half}.ts")
            with open(path, "w") as file:
                file.write("@targetLabel true\n@data\n1,2:0.5\n")

    monkeypatch.setattr(datasets, "load_regression", load_regression)
    train, test = get_ucr("AppliancesEnergy")
    np.testing.assert_array_equal(train.labels, [0.5])
    assert test.classes == ()


def forget_aeon(monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == "aeon"]:
        monkeypatch.delitem(sys.modules, name)


def test_without_aeon(cache, tmp_path, monkeypatch):
    forget_aeon(monkeypatch)
    monkeypatch.setitem(sys.modules, "aeon", None)
    with pytest.raises(ImportError, match="pip install aeon"):
        get_ucr("GunPoint")
    # Local files do without it.
    for layout in ".ts", ".arff", ".txt", "", ".tsv":
        write_layout(tmp_path, layout)
        assert len(get_ucr("Toy", tmp_path)[0]) == 3


def test_aeon_of_another_numpy(cache, tmp_path, monkeypatch):
    # It cannot be imported, but what comes with it is there.
    data = tmp_path / "aeon" / "datasets" / "data"
    data.mkdir(parents=True)
    cause = "Numba needs NumPy 2.3 or less. Got NumPy 2.4."
    text = f"raise ImportError({cause!r})"
    (tmp_path / "aeon" / "__init__.py").write_text(text)
    write_layout(data, ".ts")
    forget_aeon(monkeypatch)
    monkeypatch.syspath_prepend(tmp_path)
    assert len(get_ucr("Toy")[0]) == 3
    with pytest.raises(ImportError, match="cannot be imported") as e:
        get_ucr("FordA")
    assert cause in str(e.value)
    assert "pip install" not in str(e.value)
    # Nor does it take aeon to read what was downloaded.
    (cache / "FordA").mkdir(parents=True)
    write_both(str(cache / "FordA"))
    assert len(get_ucr("FordA")[0]) == 1
