import importlib
import json
import pathlib

import numpy as np
import pytest

pytest.importorskip("rich")
pytest.importorskip("scipy")

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    """The benchmark in this process, on a small data set."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "archive" / "Toy"
    folder.mkdir(parents=True)
    for split in "TRAIN", "TEST":
        lines = []
        for i in range(6):
            values = np.sin(np.arange(8) * (1 + i % 2))
            values += 0.1 * rng.standard_normal(8)
            lines.append("\t".join(map(str, [i % 2, *values])) + "\n")
        (folder / f"Toy_{split}.tsv").write_text("".join(lines))
    monkeypatch.setenv("CHAINER_SDTW_UCR_ROOT", str(folder.parent))
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    monkeypatch.syspath_prepend(str(FOLDER))
    learning = importlib.import_module("learning")
    # Other processes take seconds to start.
    monkeypatch.setattr(learning, "JOBS", 1)
    out = tmp_path / "learning.json"

    def run(*arguments):
        status = learning.main(
            [
                *("--repeats", "1", "--dataset", "Toy", *arguments),
                *("--json", str(out)),
            ]
        )
        return status, json.loads(out.read_text())

    return run


def test_barycenter_and_memory_without_peers(benchmark, monkeypatch):
    learning = importlib.import_module("learning")
    monkeypatch.setattr(
        learning, "imported", lambda module, name: (None, "not importable")
    )
    status, document = benchmark(
        *("--suite", "barycenter", "--suite", "memory", "--size", "20,8"),
        *("--gamma", "0.5"),
    )
    assert status == 0
    (barycenter,) = document["results"]["barycenter"]
    assert "gamma 0.5" in barycenter["problem"]
    (row,) = barycenter["rows"].values()
    assert row["median_s"] > 0
    assert np.isfinite(row["objective"])
    (memory,) = document["results"]["memory"]
    assert memory["peak_bytes"] < 1e9
    checks = {check["name"]: check for check in document["checks"]}
    for peer in "sdtw", "tslearn":
        check = checks[f"Toy, gamma 0.5, times faster than {peer}"]
        assert check["met"] is None
        assert check["measured"] == "not importable"
    assert checks["20 series of length 8, float64, peak memory"]["met"]


@pytest.mark.slow  # imports and compiles peers
def test_peers_have_the_same_answers(benchmark):
    pytest.importorskip("tslearn")
    pytest.importorskip("aeon")
    pytest.importorskip("sklearn")
    suites = ("barycenter", "kmeans", "pairwise")
    _, document = benchmark(
        *(part for suite in suites for part in ("--suite", suite)),
        *("--gamma", "0.5"),
    )
    assert list(document["results"]) == list(suites)
    compared = [
        check
        for check in document["checks"]
        if "objective" in check["name"] or "difference" in check["name"]
    ]
    assert len(compared) == 6
    assert all(check["met"] is not False for check in compared), compared
    rows = document["results"]["pairwise"][0]["rows"]
    assert set(rows) == {"chainer-sdtw", "tslearn", "aeon"}
    assert rows["chainer-sdtw"]["error"] == 0


def test_a_missed_target_is_an_error_only_if_asked(benchmark, monkeypatch):
    learning = importlib.import_module("learning")
    monkeypatch.setattr(learning, "peak_memory", lambda call: 2e9)
    arguments = ("--suite", "memory", "--size", "4,3")
    assert benchmark(*arguments)[0] == 0
    assert benchmark(*arguments, "--check")[0] == 1


def test_wrong_name(benchmark):
    with pytest.raises(SystemExit, match="near: Toy"):
        benchmark("--suite", "barycenter", "--dataset", "Toys")
