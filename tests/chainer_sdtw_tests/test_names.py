"""The names of the package after ``import chainer_sdtw`` alone."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import chainer_sdtw  # isort: skip  (before chainer)

import pytest

import sdtw_cpu

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"\b(?:chainer_sdtw|sdtw_cpu)(?:\.[A-Za-z]\w*)+")


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def written_names():
    """Full names in the README and in the guide, as users may write them."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = set()
    for page in pages:
        for name in NAME.findall(page.read_text(encoding="utf-8")):
            found.add(name)
    return sorted(found)


def test_what_is_imported():
    loaded = run(
        "import sys, chainer_sdtw; print(*sys.modules); "
        "assert 'estimators' not in vars(chainer_sdtw)"
    )
    # Each would cost time, or is not there.
    for name in "aeon", "cupy", "joblib", "matplotlib", "sklearn", "tqdm":
        assert name not in loaded
    assert "chainer_sdtw.datasets" not in loaded


def test_every_written_name():
    if not (ROOT / "README.md").exists():
        pytest.skip("only the tests are here")
    names = written_names()
    for name in "barycenter", "estimators", "links.SoftDTWLoss":
        assert f"chainer_sdtw.{name}" in names
    if "estimators" not in dir(chainer_sdtw):
        names = [n for n in names if ".estimators" not in n]
    run(
        "import chainer_sdtw, sdtw_cpu\n"
        # The interface of mblondel/soft-dtw, as the README names it.
        "sdtw_cpu.distance.SquaredEuclidean\n"
        "sdtw_cpu.barycenter.sdtw_barycenter\n" + "\n".join(names)
    )


@pytest.mark.parametrize("package", [chainer_sdtw, sdtw_cpu])
def test_dir(package):
    assert dir(package) == sorted(set(dir(package)))
    assert set(package.__all__) <= set(dir(package))
    # As help() does it.
    assert inspect.getmembers(package)


def test_dir_without_sklearn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "estimators" not in dir(chainer_sdtw)
    assert "datasets" in dir(chainer_sdtw)


def test_star():
    names = run(
        "import sys; sys.modules['sklearn'] = None\n"
        "from chainer_sdtw import *; print(*dir())"
    )
    assert set(chainer_sdtw.__all__) <= set(names)
    assert {"cuda", "datasets", "links", "soft_dtw"} <= set(names)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match=r"'chainer_sdtw'.*'estimator'"):
        _ = chainer_sdtw.estimator
    assert not hasattr(chainer_sdtw, "soft_dwt")
