"""Progress bars."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import sys

import pytest

from chainer_sdtw.learning._progress import progress


def test_progress_is_quiet(capsys):
    with progress(False, 3, "work") as bar:
        bar.update()
        bar.set_postfix_str("x", refresh=False)
    out = capsys.readouterr()
    assert out.out == out.err == ""


def test_progress_shows_on_demand(capsys):
    pytest.importorskip("tqdm")
    with progress(True, 3, "work") as bar:
        bar.update(3)
    assert "work" in capsys.readouterr().err


def test_progress_says_what_is_missing(monkeypatch):
    monkeypatch.delitem(sys.modules, "tqdm.auto", raising=False)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match="pip install tqdm"):
        progress(True, 3)
