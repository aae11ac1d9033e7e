"""Barycenters that several processes learn together."""

import re
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow  # starts several processes

SCRIPT = Path(__file__).parents[2] / "examples/barycenter/plot_barycenters.py"


def test_equals_one_process(start, tmp_path):
    """Other than ChainerMN alone, the first step included."""
    found = []
    for n in None, 2:
        run = start(n, Path(__file__).with_name("descend.py"), f"{n}.npy")
        assert run.status == 0, run.err
        found.append(np.load(tmp_path / f"{n}.npy"))
    np.testing.assert_allclose(*found, rtol=1e-10, atol=1e-10)


def test_example(start, tmp_path):
    pytest.importorskip("matplotlib")
    folder = tmp_path / "Toy"
    folder.mkdir()
    rows = np.random.default_rng(0).standard_normal((7, 9)).cumsum(axis=1)
    rows[:, 0] = 1
    for split in "TRAIN", "TEST":
        np.savetxt(folder / f"Toy_{split}.tsv", rows, delimiter="\t")
    args = ["--root", tmp_path, "--dataset", "Toy", "--gamma", "1", "--sgd"]
    args += ["--count", "7", "-b", "3", "-e", "20"]
    tables = []
    for n, more in (None, []), (2, ["--communicator", "naive"]):
        run = start(n, SCRIPT, *args, *more)
        assert run.status == 0, run.err
        assert (tmp_path / "result" / "barycenters.png").exists()
        # But for the seconds.
        tables.append(re.findall(r"^(.{20} +\S+) ", run.out, re.MULTILINE))
    assert tables[0] == tables[1]
    assert [line[:20].strip() for line in tables[0]] == [
        "",
        "Euclidean mean",
        "gamma 1",
        "gamma 1, Adam",
    ]
