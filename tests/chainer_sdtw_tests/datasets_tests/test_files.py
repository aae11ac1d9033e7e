"""Files as they are found: marks, encodings, headers, gaps and cuts."""

import chainer_sdtw  # isort: skip  (before chainer)

import codecs
import importlib.util
import os
import re

import chainer.functions as F
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainer_sdtw.datasets import get_ucr, ucr

HEADER = """\
# A comment.
@problemName Toy
@timeStamps false
@missing false
@univariate {univariate}
@dimensions {channels}
@equalLength true
@seriesLength 3
@classLabel true {classes}
@data
"""
TS = HEADER.format(univariate="true", channels=1, classes="Über Unter")
ARFF = """\
% A comment.
@relation Toy
@attribute a numeric
@attribute b numeric
@attribute c numeric
@attribute class {Über, Unter}
@data
"""
# By the end of the name: a file of two series, one of either class.
TEXTS = {
    ".tsv": "Über\t1\t2.5\t-3\nUnter\t4\t5\t6\n",
    "": "Über,1,2.5,-3\nUnter,4,5,6\n",
    ".txt": "  Über  1.0e+00  2.5  -3\n  Unter  4  5  6\n",
    ".ts": TS + "1,2.5,-3:Über\n4,5,6:Unter\n",
    ".arff": ARFF + "1,2.5,-3,Über\n4,5,6,Unter\n",
}
COMMENTS = {".ts": "#", ".arff": "%"}
layouts = pytest.mark.parametrize("layout", TEXTS)
needs_aeon = pytest.mark.skipif(
    importlib.util.find_spec("aeon") is None, reason="needs aeon"
)


@pytest.fixture
def load(tmp_path):
    """Writes both halves, of which the second may be another, and reads."""

    def load(layout, train, test=None, *, dtype=np.float64, **options):
        (tmp_path / "Toy").mkdir(exist_ok=True)
        test = train if test is None else test
        for split, content in ("TRAIN", train), ("TEST", test):
            if isinstance(content, str):
                content = content.encode()
            path = tmp_path / "Toy" / f"Toy_{split}{layout}"
            path.write_bytes(content)
        return get_ucr("Toy", tmp_path, dtype=dtype, **options)

    return load


@pytest.fixture
def refuses(load, tmp_path):
    """Checks that the first half is refused, and with which words."""

    def refuses(layout, train, message, line=None, **options):
        with pytest.raises(ValueError) as e:
            load(layout, train, **options)
        where = str(tmp_path / "Toy" / f"Toy_TRAIN{layout}")
        where += f", line {line}" if line else ""
        assert str(e.value).startswith(where), str(e.value)
        assert message in str(e.value)

    return refuses


def check(halves):
    for half in halves:
        np.testing.assert_array_equal(
            half.series[..., 0], [[1, 2.5, -3], [4, 5, 6]]
        )
        assert half.classes == ("Unter", "Über")
        np.testing.assert_array_equal(half.labels, [1, 0])


# Marks, encodings and ends of lines


@layouts
def test_plain(load, layout):
    check(load(layout, TEXTS[layout]))


@layouts
def test_byte_order_mark(load, layout):
    # A mark is part of no label, whether one half or both begin with it.
    marked = codecs.BOM_UTF8 + TEXTS[layout].encode()
    check(load(layout, marked, TEXTS[layout]))
    check(load(layout, marked))
    check(load(layout, marked, encoding="utf-8"))
    check(load(layout, marked, encoding="utf-8-sig"))
    check(load(layout, marked, encoding="cp1252"))
    check(load(layout, marked, encoding="latin-1"))


@pytest.mark.parametrize("layout", [".tsv", "", ".txt"])
def test_marks_of_files_that_were_joined(load, layout):
    marked = codecs.BOM_UTF8 + TEXTS[layout].encode()
    train, _ = load(layout, marked + marked)
    assert train.classes == ("Unter", "Über")
    np.testing.assert_array_equal(train.labels, [1, 0, 1, 0])


@layouts
@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "latin-1", "cp1252"]
)
def test_other_encodings(load, refuses, layout, encoding):
    content = TEXTS[layout].encode(encoding)
    check(load(layout, content, encoding=encoding))
    refuses(layout, content, "is not utf-8; name the encoding of the file")
    refuses(layout, content, "encoding='cp1252' or encoding='utf-16'")


@layouts
def test_labels_of_different_bytes_stay_different(refuses, layout):
    # What cannot be decoded never becomes one and the same character.
    text = TEXTS[layout].replace("Unter", "Äber")
    line = 1 + text.splitlines().index(
        next(s for s in text.splitlines() if "Über" in s)
    )
    refuses(layout, text.encode("cp1252"), "0xdc is not utf-8", line=line)


@pytest.mark.parametrize("layout", COMMENTS)
def test_comments_in_any_encoding(load, layout):
    comment = f"{COMMENTS[layout]} “Quoted” é… ".encode("cp1252")
    content = comment + b"\n" + TEXTS[layout].encode()
    check(load(layout, content))
    # 0x85 is the end of a line in Latin-1, but not in a file.
    check(
        load(
            layout,
            comment + b"\n" + TEXTS[layout].encode("latin-1"),
            encoding="latin-1",
        )
    )


@layouts
def test_encoding_of_the_file_is_another(refuses, layout):
    refuses(
        layout, TEXTS[layout], "not in encoding='utf-16'", encoding="utf-16"
    )
    refuses(layout, TEXTS[layout], "is not ascii", encoding="ascii")


@pytest.mark.parametrize("encoding", ["utf-9", "hex", None, 8])
def test_no_encoding(load, encoding):
    with pytest.raises(ValueError, match=f"encoding must be.*{encoding!r}"):
        load(".tsv", TEXTS[".tsv"], encoding=encoding)


@layouts
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\n \t\n"])
def test_ends_of_lines(load, layout, newline, end):
    text = TEXTS[layout].rstrip("\n") + end
    check(load(layout, text.replace("\n", newline)))


@layouts
def test_cut_within_a_character(refuses, layout):
    content = TEXTS[layout].encode()
    end = content.rindex("Ü".encode()) + 1
    refuses(layout, content[:end], "")


# Labels


@layouts
def test_labels_are_as_they_are_written(load, layout):
    text = TEXTS[layout].replace("Über", "aB").replace("Unter", "Ab")
    train, test = load(layout, text)
    assert train.classes == test.classes == ("Ab", "aB")
    np.testing.assert_array_equal(train.labels, [1, 0])


@layouts
def test_classes_that_differ_by_case(load, layout):
    text = TEXTS[layout].replace("Über", "a").replace("Unter", "A")
    assert load(layout, text)[0].classes == ("A", "a")


@layouts
@pytest.mark.parametrize(
    "labels",
    [
        ("1_0", "10_"),  # which Python takes for 10
        ("123456789012345678901", "123456789012345678902"),
        ("1e400", "1e500"),
        ("inf", "infinity"),
        ("\u0661", "1"),  # a digit, in Arabic
    ],
)
def test_labels_that_are_almost_numbers(load, layout, labels):
    text = TEXTS[layout].replace("Über", labels[0])
    train, _ = load(layout, text.replace("Unter", labels[1]))
    assert {str(label) for label in train.classes} == set(labels)


@needs_aeon
def test_bundled_spelling():
    train, test = get_ucr("BasicMotions")
    names = ("Badminton", "Running", "Standing", "Walking")
    assert train.classes == test.classes == names
    assert train.classes[train.labels[0]] == "Standing"


def test_labels_of_arff_with_marks_of_xml(load):
    text = TEXTS[".arff"].replace("Über", "&#220;ber").replace("Unter", "&")
    assert load(".arff", text)[0].classes == ("&", "&#220;ber")


def test_quoted_labels_of_arff(load):
    text = TEXTS[".arff"].replace("Über", "'a, é'")
    train, _ = load(".arff", text)
    assert train.classes == ("Unter", "a, é")


@layouts
def test_labels_with_brackets(load, layout):
    text = TEXTS[layout].replace("Über", "run(fast)").replace("Unter", "run")
    assert load(layout, text)[0].classes == ("run", "run(fast)")
    if layout == ".ts":
        text = STAMPS.replace(" a", " run(fast)") + "(0,1),(1,2):run(fast)"
        assert load(layout, text)[0].classes == ("run(fast)",)


def test_undeclared_label(refuses):
    refuses(
        ".ts",
        TEXTS[".ts"].replace(":Unter", ":unter"),
        "'unter' is not among the classes that the header declares, "
        "('Unter', 'Über')",
        line=12,
    )


def test_undeclared_label_of_arff(refuses):
    text = TEXTS[".arff"].replace("6,Unter", "6,unter")
    refuses(".arff", text, "unter value not in")


# Headers of .ts files


BOTH = "1,2,3:4,5,6:a\n7,8,9:0,1,2:b\n"


@pytest.mark.parametrize(
    "header, lines, message, line",
    [
        (
            (),
            "1,2,3:a\n4,5:b\n",
            "2 time steps where the header says @ser",
            12,
        ),
        ((), "1,2,3:a\n4,5,6\n", "expected channels and a label", 12),
        ((), "1,2,3:a\n\n4,5,6:b\n", "expected channels and a label", 12),
        ((), BOTH, "2 channels and a label where the header says @univ", 11),
        ((), "1,2,x:a\n", "value 3: not a number: 'x'", 11),
        ((), "1,2,:a\n", "1 of 3 values are missing", 11),
        ((), "1,2,3:\n", "the class label is missing", 11),
        ((), "(0,1),(1,2),(2,3):a\n", "does not say @timeStamps true", 11),
        ((), "\0\0\0", "expected channels and a label", 11),
        (("Length true", "Length maybe"), BOTH, "@equallength, but read", 7),
        (("Length 3", "Length x"), BOTH, "number > 0 after @serieslength", 8),
        (("@classLabel true a b", "@classLabel true"), BOTH, "labels of", 9),
        (("# A comment.", "A comment."), BOTH, "begins with @ or #", 1),
        (("@data", ""), BOTH, "expected a line of the header", 11),
        (("@data\n", ""), "", "expected a line @data", None),
        ((), "", "the file has no series", None),
        (("@classLabel true a b", ""), BOTH, "neither class labels nor", None),
        (("Label true", "Label false"), BOTH, "neither class labels", None),
    ],
)
def test_faults(refuses, header, lines, message, line):
    text = HEADER.format(univariate="true", channels=1, classes="a b")
    if header:
        assert header[0] in text
        text = text.replace(*header)
    refuses(".ts", text + lines, message, line)


@pytest.mark.parametrize(
    "header, message",
    [
        ("@dimensions 3", "line 5: 2 channels and a label where the header"),
        ("@dimension 3", "line 5: 2 channels and a label where the header"),
        ("@univariate true", "header says @univariate true"),
        ("@seriesLength 4", "3 time steps where the header says @seriesLen"),
    ],
)
def test_counts_of_the_header(load, header, message):
    text = "@problemName Toy\n{}\n@classLabel true a b\n@data\n" + BOTH
    train, _ = load(".ts", text.format("@dimensions 2"))
    assert train.series.shape == (2, 3, 2)
    np.testing.assert_array_equal(train.series[0, :, 1], [4, 5, 6])
    with pytest.raises(ValueError, match=message):
        load(".ts", text.format(header))


def test_lengths(load, refuses):
    text = "@equalLength {}\n@classLabel true a b\n@data\n1,2,3:a\n4,5:b\n"
    train, _ = load(".ts", text.format("false"))
    assert [len(s) for s in train.series] == [3, 2]
    refuses(
        ".ts",
        text.format("true"),
        "2 time steps where the header says @equalLength true and the first "
        "series has 3",
        line=5,
    )
    channels = "@classLabel true a\n@data\n1,2,3:4,5:a\n"
    refuses(".ts", channels, "channel 2 has 2 time steps, but channel 1 3", 3)


def test_channels_of_the_series_differ(refuses):
    text = "@classLabel true a\n@data\n1,2:3,4:a\n5,6:a\n"
    refuses(".ts", text, "1 channel where the first series has 2", line=4)


def test_a_first_line_that_was_cut(refuses):
    # What is left, 3 for the label, is a class.
    text = "@univariate false\n@classLabel true 1 3\n@data\n1,2:3"
    refuses(".ts", text, "1 channel and a label where the header says", 4)


# Time stamps


STAMPS = "@timeStamps true\n@classLabel true a\n@data\n"


@pytest.mark.parametrize(
    "line",
    [
        "(0,-1.5),(1,2),(2,1e-3):(0,4),(1,-5),(2,6):a",
        "(0.1, -1.5), (0.2, 2), (0.3, 1e-3):(5,4),(6,-5),(7,6):a",
        "(2007-01-01 00:00:00,-1.5),(2007-01-01 00:01:00,2),"
        "(2007-01-01 00:02:00,1e-3):(2007-01-01,4),(2007-01-02,-5),"
        "(2007-01-03,6):a",
    ],
)
def test_time_stamps(load, line):
    # Signs and exponents are not lost.
    train, _ = load(".ts", STAMPS + line)
    np.testing.assert_array_equal(
        train.series[0], [[-1.5, 4], [2, -5], [1e-3, 6]]
    )


@pytest.mark.parametrize(
    "line, message",
    [
        ("(0,1),(1,2),(3,3):a", "not evenly spaced"),
        ("(0,1),(0,2):a", "not evenly spaced"),
        ("(2,1),(1,2):a", "not evenly spaced"),
        ("1,2,3:a", "expected pairs of a time stamp and a value"),
        ("(0,1),(1,2:a", "expected pairs of a time stamp and a value"),
        ("(0,1),(1),(2,3):a", "expected pairs of a time stamp"),
        ("(noon,1),(one,2):a", "expected numbers or dates as time stamps"),
        ("(0,1),(1,?):a", "1 of 2 values are missing"),
    ],
)
def test_faults_of_time_stamps(refuses, line, message):
    refuses(".ts", STAMPS + line, message, line=4)


# Missing values


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


# Regression


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


# .arff files


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


# Any damage


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
