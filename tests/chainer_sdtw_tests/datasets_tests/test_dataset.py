"""How a data set shows itself."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import copy
import importlib.util
import pickle
from xml.etree import ElementTree

import numpy as np
import pytest

from chainer_sdtw.datasets import UCRDataset, get_ucr

needs_aeon = pytest.mark.skipif(
    importlib.util.find_spec("aeon") is None, reason="needs aeon"
)


def make(classes=("a", "b"), labels=(1, 0, 1), lengths=(4, 4, 4), d=2):
    series = [np.full((n, d), n, np.float32) for n in lengths]
    if len(set(lengths)) == 1:
        series = np.stack(series)
    dtype = np.int32 if classes else np.float64
    return UCRDataset("Toy", "TRAIN", classes, series, np.array(labels, dtype))


@pytest.mark.parametrize(
    "options, shown",
    [
        ({}, "3 series of shape (4, 2), float32, 2 classes"),
        ({"lengths": (9, 4, 5)}, "3 series of shape (4 to 9, 2), float32, 2"),
        (
            {"classes": (), "labels": (0.5, -1e-3, 1e6)},
            "(4, 2), float32, targets from -0.001 to 1e+06",
        ),
    ],
)
def test_repr(options, shown):
    text = repr(make(**options))
    assert text.startswith("<UCRDataset Toy TRAIN: 3 series")
    assert shown in text
    assert text.endswith(">")


@needs_aeon
def test_repr_of_the_archive():
    train, test = get_ucr("JapaneseVowels")
    assert repr(train) == (
        "<UCRDataset JapaneseVowels TRAIN: 270 series of shape (7 to 26, 12), "
        "float32, 9 classes>"
    )
    assert "TEST: 370 series" in str(test)


@pytest.mark.parametrize(
    "options, captions, n_lines",
    [
        ({}, ["class a", "class b"], 2),
        ({"classes": ("<&", 'b"')}, ["class <&", 'class b"'], 2),
        ({"lengths": (4, 999, 1), "d": 1}, ["class a", "class b"], 1),
        (
            {"classes": (), "labels": (0.5, 2, -1)},
            ["target 0.5", "target 2", "target -1"],
            2,
        ),
        (
            {
                "classes": tuple(range(9)),
                "labels": range(9),
                "lengths": [3] * 9,
            },
            [f"class {k}" for k in range(6)],
            2,
        ),
    ],
)
def test_html(options, captions, n_lines):
    data = make(**options)
    tree = ElementTree.fromstring(f"<html>{data._repr_html_()}</html>")
    assert tree.find("div").text == repr(data)
    assert [c.text for c in tree.iter("figcaption")] == captions
    for picture in tree.iter("svg"):
        lines = picture.findall("polyline")
        assert len(lines) == n_lines
        for line in lines:
            points = [p.split(",") for p in line.get("points").split()]
            points = np.array(points, dtype=float)
            assert len(points) <= 300
            assert np.isfinite(points).all()
            assert points.min() >= 0 and points[:, 1].max() <= 60


@needs_aeon
def test_picture_is_of_the_series():
    train, _ = get_ucr("GunPoint")
    tree = ElementTree.fromstring(f"<html>{train._repr_html_()}</html>")
    first = train.series[np.flatnonzero(train.labels == 0)[0], :, 0]
    points = next(tree.iter("polyline")).get("points").split()
    heights = np.array([p.split(",")[1] for p in points], dtype=float)
    expected = 60 * (first.max() - first) / np.ptp(first)
    np.testing.assert_allclose(heights, expected, atol=0.051)


@pytest.mark.parametrize("clone", [copy.deepcopy, copy.copy])
def test_copies(clone):
    assert repr(clone(make())) == repr(make())


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    data = make(lengths=(9, 4, 5))
    again = pickle.loads(pickle.dumps(data, protocol))
    assert type(again) is UCRDataset
    assert repr(again) == repr(data)
    assert again.classes == data.classes
    assert [s.shape for s, _ in again[:]] == [s.shape for s, _ in data[:]]
