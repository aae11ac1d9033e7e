"""Optional dependencies that are absent, or there and broken."""

import importlib
import re
import sys

import chainer_sdtw  # isort: skip  (makes Chainer work)

import chainer
import numpy as np
import pytest

from chainer_sdtw.datasets import get_ucr
from chainer_sdtw.learning import _progress

# What needs which package, by the name of its module.
USES = {
    "aeon": lambda: get_ucr("FordA"),
    "matplotlib": lambda: chainer_sdtw.plot_alignment(
        np.ones(2), np.ones(3), np.ones((2, 3))
    ),
    "mpi4py": lambda: chainer_sdtw.training.create_communicator("naive"),
    "sklearn": lambda: importlib.import_module("chainer_sdtw.estimators"),
    "tqdm": lambda: _progress.progress(True, 3),
}
PACKAGES = {"sklearn": "scikit-learn"}
BROKEN = {
    "ImportError": "raise ImportError('Numba needs NumPy 2.3 or less')",
    "ModuleNotFoundError": "import a_module_that_is_not_there",
    "AttributeError": "import numpy; numpy.no_such_name",
}


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    monkeypatch.delenv("CHAINER_SDTW_UCR_ROOT", raising=False)
    monkeypatch.setattr(
        chainer.dataset.download, "_dataset_root", str(tmp_path / "none")
    )


def forget(monkeypatch, module):
    for name in list(sys.modules):
        if name.startswith((f"{module}.", "chainer_sdtw.estimators")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, module, raising=False)


@pytest.mark.parametrize("module", USES)
def test_absent(module, monkeypatch):
    forget(monkeypatch, module)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError) as e:
        USES[module]()
    package = PACKAGES.get(module, module)
    # No index has chainer-sdtw yet, so the extra works in a clone alone.
    assert re.search(
        f"needs {package}, an optional dependency that is not installed: "
        f"pip install {package}, or in a clone of chainer-sdtw "
        r'pip install "\.\[\w+\]"$',
        str(e.value),
    )
    assert isinstance(e.value.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize("error", BROKEN)
@pytest.mark.parametrize("module", USES)
def test_installed_but_broken(module, error, monkeypatch, tmp_path):
    (tmp_path / module).mkdir()
    (tmp_path / module / "__init__.py").write_text(BROKEN[error])
    forget(monkeypatch, module)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError) as e:
        USES[module]()
    assert "installed but cannot be imported" in str(e.value)
    assert f"{error}: {e.value.__cause__}" in str(e.value)
    assert "pip install" not in str(e.value)
    assert type(e.value.__cause__).__name__ == error
