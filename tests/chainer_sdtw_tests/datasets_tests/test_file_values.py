"""Missing values, targets and damage in files of series."""

import chainer_sdtw  # isort: skip  (before chainer)

import os
import re

import chainer.functions as F
import numpy as np
import pytest
from file_texts import ARFF, STAMPS, TEXTS, layouts, needs_aeon
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainer_sdtw.datasets import get_ucr, ucr


@pytest.mark.parametrize("gap", ["NaN", "?", "", " nan "])
def test_interpolation(load, gap):
    # Linear between, constant at the ends; each channel by itself.
    text = "@classLabel true a\n@data\n{0},1,{0},{0},4,{0},9:5,{0},6,6,6,6,6:a"
    train, _ = load(".ts", text.format(gap), missing="interpolate")
    np.testing.assert_array_equal(
        train.series[0].T, [[1, 1, 2, 3, 4, 6.5, 9], [5, 5.5, 6, 6, 6, 6, 6]]
    )


@layouts
@pytest.mark.parametrize("gap", ["?", "NaN"])
def test_missing_in_every_layout(load, refuses, layout, gap):
    if (layout, gap) == (".arff", "NaN"):
        gap = "?"
    text = TEXTS[layout].replace("2.5", gap)
    refuses(layout, text, "missing='interpolate' fills them in")
    train, _ = load(layout, text, missing="interpolate")
    np.testing.assert_array_equal(train.series[0, :, 0], [1, -1, -3])


@layouts
def test_missing_at_the_ends(load, layout):
    text = TEXTS[layout].replace("4", "?", 1)
    assert "?" in text
    train, _ = load(layout, text, missing="interpolate")
    np.testing.assert_array_equal(train.series[1, :, 0], [5, 5, 6])


@pytest.mark.parametrize("layout", [".tsv", "", ".txt", ".ts"])
def test_padding_is_not_filled(load, layout):
    text = TEXTS[layout].replace("-3", "NaN").replace("6", "?")
    train, _ = load(layout, text, missing="interpolate")
    np.testing.assert_array_equal(train.series[0][:, 0], [1, 2.5])
    np.testing.assert_array_equal(train.series[1][:, 0], [4, 5, 5])


def test_padding_of_arff(load):
    train, _ = load(".arff", TEXTS[".arff"].replace("6", "?"))
    np.testing.assert_array_equal(train.series[1][:, 0], [4, 5])


def test_channel_without_values(refuses):
    text = "@classLabel true a\n@data\n1,2:?,?:a\n"
    message = "channel 2 has no values"
    refuses(".ts", text, message, line=3, missing="interpolate")
    text = "@classLabel true a\n@data\nNaN,NaN:?,?:a\n"
    refuses(".ts", text, "the series has no values", 3, missing="interpolate")


@pytest.mark.parametrize("missing", ["fill", None, True])
def test_no_way_to_fill(load, missing):
    with pytest.raises(ValueError, match=re.escape(f"late': {missing!r}")):
        load(".tsv", TEXTS[".tsv"], missing=missing)


TARGETS = {
    ".ts": "@targetLabel true\n@data\n1,2:3,4:-0.1\n5,6:7,8:1e5\n",
    ".arff": "@relation Toy\n@attribute x relational\n@attribute a real\n"
    "@attribute b real\n@end x\n@attribute y numeric\n@data\n"
    "'1,2\\n3,4',-0.1\n'5,6\\n7,8',1e5\n",
}


@pytest.mark.parametrize("layout", TARGETS)
def test_targets(load, layout):
    train, test = load(layout, TARGETS[layout], dtype=np.float32)
    for half in train, test:
        assert half.classes == ()
        assert half.labels.dtype == np.float64
        np.testing.assert_array_equal(half.labels, [-0.1, 1e5])
    assert train.series.dtype == np.float32
    np.testing.assert_array_equal(train[1][0], [[5, 7], [6, 8]])
    assert train[0][1] == -0.1
    # As the documentation has it.
    x, t = (np.stack(a) for a in zip(*train))
    y = chainer_sdtw.mean_cost(x, x, reduce="no")
    assert F.mean_squared_error(y, t.astype(y.dtype)).dtype == np.float32


@pytest.mark.parametrize("target", ["", "?", "NaN", "inf", "1_0", "high"])
def test_no_target(refuses, target):
    text = TARGETS[".ts"].replace("1e5", target)
    refuses(".ts", text, "expected a number as the target", line=4)


@needs_aeon
def test_bundled_targets():
    train, test = get_ucr("Covid3Month")
    assert (len(train), len(test)) == (140, 61)
    assert train.series.shape == (140, 84, 1)
    assert train.classes == test.classes == ()
    assert test.labels.dtype == np.float64
    # The last line of the file.
    assert train.labels[-1] == 0.005509641873278237


def test_halves_of_different_kinds(load):
    classes = "@classLabel true 1\n@data\n1,2:3,4:1\n"
    with pytest.raises(ValueError, match="class labels and the other targets"):
        load(".ts", TARGETS[".ts"], classes)


def test_multivariate_arff(load):
    text = TARGETS[".arff"].replace("y numeric", "y {a,B}")
    text = text.replace("-0.1", "B").replace("1e5", "a")
    train, _ = load(".arff", text)
    np.testing.assert_array_equal(train.series[0], [[1, 3], [2, 4]])
    assert train.classes == ("B", "a")
    np.testing.assert_array_equal(train.labels, [0, 1])


@pytest.mark.parametrize(
    "layout_of, change, message, line",
    [
        (TEXTS, ("4,5,6", "4,5,6,7"), "", None),
        (TARGETS, ("7,8", "7,8,9"), "attributes declare, but there are 1", 9),
        (TARGETS, ("5,6", "5"), "not a complete .arff file", None),
        (TARGETS, ("1e5", "?"), "expected a number as the target", 9),
        (TEXTS, ("6,Unter", "6,?"), "the class label is missing", 9),
        (TEXTS, ("a numeric", "a {1,4}"), "expected numeric attributes", None),
        (TEXTS, ("a numeric", "a string"), "not a complete .arff", None),
        (TEXTS, ("@data", ""), "not a complete .arff file", None),
        (TARGETS, ("a real", "a {x,y}"), "not a complete .arff file", None),
        (TEXTS, ("4,5,6,Unter", "4,5,six,Unter"), "'six'", None),
        (TEXTS, ("4,5,6,Unter", "4,5,"), "not a complete .arff file", None),
    ],
)
def test_faults_of_arff(refuses, layout_of, change, message, line):
    text = layout_of[".arff"]
    assert change[0] in text
    refuses(".arff", text.replace(*change), message, line)


def test_attributes_of_other_kinds(refuses):
    text = "@relation Toy\n@data\n1,2\n"
    refuses(".arff", text, "expected numeric attributes")
    text = TARGETS[".arff"].replace("a real", "a date 'yyyy'")
    text = text.replace("'1,", "'2001,").replace("'5,", "'2005,")
    text = text.replace("3,4", "2003,4").replace("7,8", "2007,8")
    refuses(".arff", text, "expected numeric attributes in the rel", line=8)


def test_arff_of_targets_with_too_many_values(refuses):
    # SciPy would take the fourth value for the target.
    text = ARFF.replace("class {Über, Unter}", "y numeric")
    refuses(".arff", text + "1,2,3,4,5\n", "there are 1 more", line=8)


PIECES = [*",:()?\t \n\r'\\%#{}\xff\0e-\x85\ufeff", "", "9" * 400, "1_0"]
PIECES += ["nan", "inf", "@data", "relational", "@end x", "true", "false"]


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    layout=st.sampled_from(list(TEXTS)),
    which=st.integers(0, 2),
    damage=st.lists(
        st.tuples(
            st.integers(0, 400),
            st.sampled_from([0, 0, 1, 2, 5, 20]),
            st.sampled_from(PIECES),
            st.sampled_from(["utf-8", "latin-1"]),
        ),
        min_size=1,
        max_size=3,
    ),
    missing=st.sampled_from(["raise", "interpolate"]),
)
def test_any_damage(tmp_path, load, layout, which, damage, missing):
    texts = [TEXTS[layout]]
    if layout in TARGETS:
        texts.append(TARGETS[layout])
    if layout == ".ts":
        texts.append(STAMPS + "(0,1),(1,2):(0,4),(1,-5):a\n")
    content = texts[which % len(texts)].encode()
    for at, length, piece, encoding in damage:
        at %= len(content) + 1
        piece = piece.encode(encoding, errors="replace")
        content = content[:at] + piece + content[at + length :]
    try:
        train, _ = load(layout, content, missing=missing)
    except ValueError as e:
        assert str(e).startswith((str(tmp_path), "Toy: all series must have"))
    else:
        assert len(train.labels) == len(train.series) > 0
        assert all(np.isfinite(s).all() and s.size for s in train.series)
        assert np.isfinite(train.labels).all()


@needs_aeon
@pytest.mark.parametrize("name", ["ArrowHead", "BasicMotions", "GunPoint"])
def test_arff_and_ts_agree(name, tmp_path):
    # aeon has these training sets in both layouts.
    path = os.path.join(ucr._bundle(), name, f"{name}_TRAIN.arff")
    if not os.path.exists(path):
        pytest.skip("not in this version of aeon")
    (tmp_path / name).mkdir()
    with open(path, "rb") as file:
        content = file.read()
    for split in "TRAIN", "TEST":
        (tmp_path / name / f"{name}_{split}.arff").write_bytes(content)
    actual, _ = get_ucr(name, tmp_path)
    expected, _ = get_ucr(name)
    np.testing.assert_array_equal(actual.series, expected.series)
    np.testing.assert_array_equal(actual.labels, expected.labels)
    assert actual.classes == expected.classes
