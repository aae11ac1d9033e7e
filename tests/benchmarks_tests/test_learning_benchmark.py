import json

import numpy as np
import pytest

pytest.importorskip("rich")
pytest.importorskip("scipy")


@pytest.fixture
def learning(load_benchmark):
    return load_benchmark("learning")


@pytest.fixture
def benchmark(archive, tmp_path, monkeypatch, learning):
    """The benchmark in this process, on a small data set."""
    # Other processes take seconds to start.
    monkeypatch.setattr(learning, "JOBS", 1)
    out = tmp_path / "learning.json"

    def run(*arguments):
        status = learning.main(
            [
                "--repeats",
                "1",
                "--dataset",
                "Toy",
                *arguments,
                "--json",
                str(out),
            ]
        )
        return status, json.loads(out.read_text())

    return run


def test_barycenter_and_memory_without_peers(benchmark, learning, monkeypatch):
    monkeypatch.setattr(
        learning, "imported", lambda module, name: "not importable"
    )
    status, document = benchmark(
        "--suite",
        "barycenter",
        "--suite",
        "memory",
        "--size",
        "20,8",
        "--gamma",
        "0.5",
    )
    assert status == 0
    (barycenter,) = document["suites"]["barycenter"]
    assert "gamma 0.5" in barycenter["problem"]
    (row,) = barycenter["rows"].values()
    assert row["median_s"] > 0
    assert np.isfinite(row["objective"])
    (memory,) = document["suites"]["memory"]
    assert memory["peak_bytes"] < 1e9
    assert len(document["checks"]) == 2
    for check, peer in zip(
        document["checks"], ("mblondel/soft-dtw", "tslearn")
    ):
        assert check["name"] == (
            f"barycenter: Toy, gamma 0.5, objective above that of {peer}"
        )
        assert check["passed"] is None
        assert check["reason"] == "not importable"


@pytest.mark.slow  # imports and compiles peers
def test_peers_have_the_same_answers(benchmark):
    pytest.importorskip("tslearn")
    pytest.importorskip("aeon")
    pytest.importorskip("sklearn")
    suites = ("barycenter", "kmeans", "pairwise")
    _, document = benchmark(
        *(part for suite in suites for part in ("--suite", suite)),
        "--gamma",
        "0.5",
    )
    assert list(document["suites"]) == list(suites)
    compared = [
        check
        for check in document["checks"]
        if "objective" in check["name"] or "difference" in check["name"]
    ]
    assert len(compared) == 6
    assert all(check["passed"] is not False for check in compared), compared
    rows = document["suites"]["pairwise"][0]["rows"]
    assert set(rows) == {"chainer-sdtw", "tslearn", "aeon"}
    assert rows["chainer-sdtw"]["error"] == 0


def test_a_worse_objective_is_an_error_only_if_asked(
    benchmark, learning, monkeypatch
):

    def better(series, init, **options):
        return init

    monkeypatch.setattr(learning, "imported", lambda module, name: better)
    monkeypatch.setattr(
        learning,
        "losses",
        lambda series, centers, gamma: np.full(
            (1, 1), 1.0 + (np.ndim(centers[0]) == 3)
        ),
    )
    monkeypatch.setattr(
        learning.chainer_sdtw,
        "barycenter",
        lambda *a, **k: np.zeros((1, 1, 1)),
    )
    arguments = ("--suite", "barycenter", "--gamma", "0.5")
    status, document = benchmark(*arguments)
    assert [check["error"] for check in document["checks"]] == [1, 1]
    assert status == 0
    assert benchmark(*arguments, "--check")[0] == 1


def test_wrong_name(benchmark):
    with pytest.raises(SystemExit, match="near: Toy"):
        benchmark("--suite", "barycenter", "--dataset", "Toys")
