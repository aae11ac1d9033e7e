"""Small files of series in every layout, for the tests of reading them."""

import importlib.util

import numpy as np
import pytest

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
STAMPS = "@timeStamps true\n@classLabel true a\n@data\n"
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


def check(halves):
    for half in halves:
        np.testing.assert_array_equal(
            half.series[..., 0], [[1, 2.5, -3], [4, 5, 6]]
        )
        assert half.classes == ("Unter", "Über")
        np.testing.assert_array_equal(half.labels, [1, 0])
