"""Fixtures that the tests of the examples share."""

import importlib.util
import pathlib

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def script(request):
    """The path of the example that a file of tests names ``SCRIPT``."""
    return EXAMPLES / request.module.SCRIPT


@pytest.fixture(scope="module")
def example(script):
    """The example as a module."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as monkeypatch:
        # For the files beside it.
        monkeypatch.syspath_prepend(script.parent)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """An archive with waves of two frequencies, of one length and of three.

    It is the default archive.
    """
    root = tmp_path_factory.mktemp("archive")
    random = np.random.RandomState(0)
    for name, lengths in ("Toy", [12]), ("Uneven", [8, 12, 10]):
        (root / name).mkdir()
        for split, n in ("TRAIN", 11), ("TEST", 7):
            label = np.arange(n)[:, None] % 2 + 1
            phase = random.uniform(-0.5, 0.5, (n, 1))
            x = np.sin(label * np.linspace(0, 3, max(lengths)) + phase)
            for i, series in enumerate(x):
                series[lengths[i % len(lengths)] :] = np.nan
            path = root / name / f"{name}_{split}.tsv"
            np.savetxt(path, np.hstack([label, x]), delimiter="\t")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CHAINER_SDTW_UCR_ROOT", str(root))
        yield root


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
