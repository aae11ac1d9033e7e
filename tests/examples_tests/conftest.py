"""What the tests of examples share."""

import importlib.util
import pathlib

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def example(request):
    """The script that a file of tests names ``SCRIPT``, as a module."""
    path = EXAMPLES / request.module.SCRIPT
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run_on(example, tmp_path, monkeypatch):
    """Makes a runner of the example on a toy set, in a folder of its own.

    The set is made of a function that returns the rows of one half, each a
    label and a series that may end with NaN.
    """

    def make(rows, *fixed):
        folder = tmp_path / "archive" / "Toy"
        folder.mkdir(parents=True)
        for split in "TRAIN", "TEST":
            np.savetxt(folder / f"Toy_{split}.tsv", rows(), delimiter="\t")
        monkeypatch.chdir(tmp_path)
        toy = ["--root", "archive", "--dataset", "Toy", *fixed]
        return lambda *args: example.main([*toy, *args])

    return make


@pytest.fixture
def figures(monkeypatch):
    """Collects the figures that are saved."""
    figure = pytest.importorskip("matplotlib.figure")
    saved, save = [], figure.Figure.savefig

    def spy(self, *args, **kwargs):
        saved.append(self)
        return save(self, *args, **kwargs)

    monkeypatch.setattr(figure.Figure, "savefig", spy)
    return saved
