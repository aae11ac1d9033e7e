"""Marks, encodings and labels of files of series."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import codecs

import numpy as np
import pytest
from file_texts import COMMENTS, STAMPS, TEXTS, check, layouts, needs_aeon

from chainer_sdtw.datasets import get_ucr


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


@pytest.mark.parametrize(
    "encoding", ["utf-9", "hex", "undefined", "\0", "", None, 8]
)
def test_no_encoding(load, encoding):
    with pytest.raises(ValueError) as e:
        load(".tsv", TEXTS[".tsv"], encoding=encoding)
    assert str(e.value).startswith("encoding must be")
    assert repr(encoding) in str(e.value)


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


@pytest.mark.parametrize("other", ["\x80", "\x81", "\ufdd0", "\U0001f600"])
def test_labels_of_arff_that_no_page_has(load, other):
    # References to these mean other characters in HTML, or none.
    text = TEXTS[".arff"].replace("Über", f"a{other}").replace("Unter", "a€")
    assert set(load(".arff", text)[0].classes) == {f"a{other}", "a€"}


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
