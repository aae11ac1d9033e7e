"""Damaged files, huge fields, names that are paths, and no code in any."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import os

import mutations
import numpy as np
import pytest
from file_texts import ARFF, STAMPS, TEXTS, layouts
from ucr_folders import ts, write, write_layout

from chainer_sdtw.datasets import get_ucr


@pytest.fixture(scope="module")
def watch():
    return mutations.Watch()


def test_mutations(tmp_path, watch):
    """Right, or an error that names the file; nothing else happens."""
    read, refused = mutations.check_many(tmp_path, range(400), watch)
    assert read > 20
    assert refused > 200


def test_watch_sees(tmp_path, watch):
    with watch as seen:
        (tmp_path / "a").write_text("a")
        np.save(tmp_path / "b.npy", np.array([{}]), allow_pickle=True)
        np.load(tmp_path / "b.npy", allow_pickle=True)
    events = [event for event, _ in seen]
    assert events.count("open") >= 2
    assert "pickle.find_class" in events


@pytest.mark.parametrize(
    "change",
    [
        lambda halves: halves[0].series.__setitem__((0, 0, 0), 9.75),
        lambda halves: halves[0].labels.__setitem__(0, 2),
    ],
)
def test_wrong_numbers_are_seen(tmp_path, watch, monkeypatch, change):
    def read_wrongly(*args, **kwargs):
        halves = get_ucr(*args, **kwargs)
        change(halves)
        return halves

    (tmp_path / "Toy").mkdir()
    content = TEXTS[".tsv"].encode()
    assert mutations.check_file(tmp_path, "a.tsv", content, watch)
    monkeypatch.setattr(mutations, "get_ucr", read_wrongly)
    with pytest.raises(AssertionError):
        mutations.check_file(tmp_path, "a.tsv", content, watch)


# Fields of a million characters


MILLION = 10**6


@layouts
@pytest.mark.parametrize("digits", [641, 5000, MILLION])
def test_labels_of_many_digits(load, layout, digits):
    labels = "9" * digits, "9" * (digits - 1) + "8"
    text = TEXTS[layout].replace("Über", labels[0]).replace("Unter", labels[1])
    train, _ = load(layout, text)
    assert set(train.classes) == set(labels)


@layouts
def test_values_of_many_digits(load, refuses, layout):
    text = TEXTS[layout]
    train, _ = load(layout, text.replace("2.5", "0." + "3" * MILLION))
    assert train.series[0, 1, 0] == 1 / 3
    refuses(layout, text.replace("2.5", "3" * MILLION), "infinite values")


@layouts
@pytest.mark.parametrize("cell", ["x", ":", "(", ")", "'", "é"])
def test_long_fields(load, layout, cell):
    """Messages stay short."""
    with pytest.raises(ValueError, match=f"Toy_TRAIN{layout}") as e:
        load(layout, TEXTS[layout].replace("2.5", cell * 10**5))
    assert len(str(e.value)) < 1000


@pytest.mark.parametrize(
    "line",
    [
        "(0,-1),(1,2)" + ":" * MILLION,
        "(" * MILLION,
        "(0,1)" + ":(" * MILLION,
        ")" + " " * MILLION + ":a",
        "(" + "x" * MILLION + ",1):a",
    ],
)
def test_long_lines_with_stamps(refuses, line):
    """Time in proportion to the length: these took hours."""
    refuses(".ts", STAMPS + line, "expected", line=4)


@pytest.mark.parametrize("suffix", ["x", ".", "e", ".5.5"])
def test_labels_that_begin_with_many_digits(load, suffix):
    label = "9" * MILLION + suffix
    train, _ = load(".tsv", TEXTS[".tsv"].replace("Über", label))
    assert label in train.classes


@pytest.mark.parametrize("tag", ["dimensions", "seriesLength"])
@pytest.mark.parametrize("digits", [19, 5000, MILLION])
def test_huge_counts(refuses, tag, digits):
    header = f"@{tag} {'9' * digits}\n@classLabel true a\n@data\n1,2:a\n"
    refuses(".ts", header, f"number > 0 after @{tag.lower()}", line=1)


def test_stamps_that_are_not_finite(refuses):
    refuses(".ts", STAMPS + "(inf,1),(inf,2):a", "must be finite", line=4)


def test_blank_that_is_not_ascii(refuses):
    refuses(".arff", ARFF + "\u00a0\n1,2,3,Unter\n", "not a complete")


# Values beyond a type


@pytest.mark.parametrize(
    ("dtype", "value"), [("float16", "7e4"), ("float32", "-1e300")]
)
def test_values_beyond_the_type(load, dtype, value):
    text = TEXTS[".tsv"].replace("5\t6", f"{value}\t6")
    with pytest.raises(ValueError, match=r"Toy_TRAIN: series 2 has.*beyond"):
        load(".tsv", text, dtype=dtype)
    train, _ = load(".tsv", text)
    assert train.series[1, 1, 0] == float(value)


@pytest.mark.parametrize("scale", ["e307", "e-310"])
def test_normalize_huge_and_tiny_values(load, scale):
    text = TEXTS[".tsv"].replace("\t1\t2.5\t-3", "\t3e0\t1e0\t2e0")
    train, _ = load(".tsv", text, normalize=True)
    scaled, _ = load(".tsv", text.replace("e0", scale), normalize=True)
    np.testing.assert_allclose(scaled.series, train.series, atol=1e-9)


# Names and downloads


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "/etc",
        "a/b",
        "a\\b",
        "C:x",
        "a\0b",
        ".",
        "~",
        "a" * 201,
        "\udc80",
    ],
)
def test_names_that_are_paths(tmp_path, name):
    with pytest.raises(ValueError, match="name must be") as e:
        get_ucr(name, tmp_path)
    assert len(str(e.value)) < 200


@pytest.fixture
def download(monkeypatch, cache):
    """Reads a data set whose training half is downloaded as these bytes."""
    datasets = pytest.importorskip("aeon.datasets")

    def download(train):
        def load(name, split, extract_path, **options):
            folder = os.path.join(extract_path, name)
            os.makedirs(folder, exist_ok=True)
            for half, content in ("TRAIN", train), ("TEST", WHOLE):
                path = os.path.join(folder, f"{name}_{half}.ts")
                with open(path, "wb") as file:
                    file.write(content)
            raise OSError("whatever aeon makes of it")

        monkeypatch.setattr(datasets, "load_classification", load)
        return get_ucr("FordA")

    return download


WHOLE = ts([[1.5, 2, 3], [4, 5, 6.25]], "12").encode()


def test_downloads_that_are_damaged(cache, download):
    """What cannot be read is not kept, and the next call downloads again."""
    expected, _ = download(WHOLE)
    kept = 0
    for end in range(len(WHOLE)):
        for path in cache.rglob("*.ts"):
            path.unlink()
        (cache / "FordA").rmdir()
        try:
            train, _ = download(WHOLE[:end])
        except ConnectionError as e:
            assert "FordA_TRAIN.ts" in str(e)
            assert os.listdir(cache) == []
            download(WHOLE)
        else:
            kept += 1
            np.testing.assert_array_equal(
                train.series, expected.series[: len(train)]
            )
    assert kept == 3  # after either line, and without the end of the last


# Other things than files in the place of files


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_pipes_and_folders_are_no_files(tmp_path):
    write_layout(tmp_path, ".ts")
    os.mkfifo(tmp_path / "Toy" / "Toy_TRAIN.tsv")
    (tmp_path / "Toy" / "Toy_TEST.tsv").mkdir()
    assert len(get_ucr("Toy", tmp_path)[0]) == 3


def test_links_that_lead_nowhere(tmp_path):
    folder = write(tmp_path, None, TEXTS[".tsv"])
    (folder / "Toy_TRAIN.tsv").symlink_to(folder / "Toy_TRAIN.tsv")
    with pytest.raises(FileNotFoundError, match=r"Toy_TRAIN.tsv"):
        get_ucr("Toy", tmp_path)
