"""What stands in for pkg_resources."""

import importlib.metadata

import pytest

from chainer_sdtw.compat import _stand_ins


def test_require():
    version = importlib.metadata.version("numpy")
    for requirement in (
        "numpy",
        "NumPy",
        "numpy>=1.10",
        "numpy >= 1.10, <1000",
        "numpy==" + version,
        "numpy<=" + version,
        "numpy!=1.0",
        "numpy>0.9",
    ):
        _stand_ins.require(requirement)
    for requirement in (
        "numpy<1",
        "numpy>" + version,
        "numpy!=" + version,
        "numpy>=1.10,<1.11",
    ):
        with pytest.raises(_stand_ins.VersionConflict):
            _stand_ins.require("numpy", requirement)
    with pytest.raises(_stand_ins.DistributionNotFound):
        _stand_ins.require("no-such-distribution>=1")
    for requirement in ("", ">=1", "numpy=1", "numpy>="):
        with pytest.raises(ValueError, match="invalid requirement"):
            _stand_ins.require(requirement)


@pytest.mark.parametrize(
    "version,release",
    [
        ("1.26.4", (1, 26, 4)),
        ("2.0.0rc1", (2,)),
        ("2.1.0.dev0+git", (2, 1)),
        ("1!3.0", (3,)),
        ("v7.8.1.post1", (7, 8, 1)),
        ("nonsense", ()),
    ],
)
def test_release(version, release):
    assert _stand_ins.release(version) == release
