"""Data sets that get_ucr refuses, or does not find."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import numpy as np
import pytest
from ucr_folders import TRAIN, layouts, table, ts, write, write_layout

from chainer_sdtw.datasets import get_ucr


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
