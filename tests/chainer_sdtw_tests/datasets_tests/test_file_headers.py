"""Headers, time stamps and faults of files of series."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import numpy as np
import pytest
from file_texts import HEADER, STAMPS

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
