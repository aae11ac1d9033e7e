"""The estimators where scikit-learn is not installed."""

import sys

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import pytest


def test_the_error_says_what_to_install(monkeypatch):
    for name in list(sys.modules):
        if name.startswith("chainer_sdtw.estimators"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        import chainer_sdtw.estimators  # noqa: F401
