"""What the tests of the benchmarks share."""

import importlib
import pathlib
import sys

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def numba_threads(monkeypatch):
    """The same for all tests: Numba cannot change it once it has run."""
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")


@pytest.fixture
def load_benchmark(monkeypatch):
    """A function that imports a script of the benchmarks, unloaded later."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(FOLDER)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and pathlib.Path(file).parent == FOLDER:
            del sys.modules[name]


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A local archive: a set of equal lengths and one of different ones."""
    rng = np.random.default_rng(0)
    for name, lengths in ("Toy", [12]), ("Ragged", [12, 9]):
        folder = tmp_path / "archive" / name
        folder.mkdir(parents=True)
        for split in "TRAIN", "TEST":
            lines = []
            for i in range(6):
                values = np.sin(np.arange(12) * (1 + i % 2))
                values += 0.1 * rng.standard_normal(12)
                values[lengths[i // 2 % len(lengths)] :] = np.nan
                lines.append("\t".join(map(str, [i % 2, *values])) + "\n")
            (folder / f"{name}_{split}.tsv").write_text("".join(lines))
    monkeypatch.setenv("CHAINER_SDTW_UCR_ROOT", str(tmp_path / "archive"))
    return tmp_path / "archive"
