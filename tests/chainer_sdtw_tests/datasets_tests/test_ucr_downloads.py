"""The data sets that aeon carries or downloads."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import os
import sys

import numpy as np
import pytest
from ucr_folders import ts, write, write_layout

from chainer_sdtw.datasets import get_ucr, ucr


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
