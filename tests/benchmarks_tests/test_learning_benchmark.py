import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rich")

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "learning.py"


@pytest.fixture
def benchmark(tmp_path):
    """Runs the benchmark on a small data set."""
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

    def run(*arguments):
        return subprocess.run(
            [
                *(sys.executable, str(SCRIPT), "--repeats", "1"),
                *("--dataset", "Toy", *arguments),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "CHAINER_SDTW_UCR_ROOT": str(tmp_path / "archive"),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_barycenter_and_memory(benchmark, tmp_path):
    # Without the peers, too.
    out = tmp_path / "learning.json"
    done = benchmark(
        *("--suite", "barycenter", "--suite", "memory", "--size", "20,8"),
        *("--gamma", "0.5", "--json", str(out)),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    (barycenter,) = document["results"]["barycenter"]
    assert "gamma 0.5" in barycenter["problem"]
    for row in barycenter["rows"].values():
        assert row["ratio"] > 0
        assert np.isfinite(row["objective"])
    (memory,) = document["results"]["memory"]
    assert memory["peak_bytes"] < 1e9
    checks = {check["name"]: check for check in document["checks"]}
    if "sdtw" not in barycenter["rows"]:
        name = f"{barycenter['problem']}, times faster than sdtw"
        assert checks[name]["met"] is None
        assert "not importable" in checks[name]["measured"]
    assert checks["20 series of length 8, float64, peak memory"]["met"]


def test_peers_have_the_same_answers(benchmark, tmp_path):
    pytest.importorskip("tslearn")
    pytest.importorskip("aeon")
    pytest.importorskip("sklearn")
    out = tmp_path / "learning.json"
    suites = ("barycenter", "kmeans", "pairwise")
    done = benchmark(
        *(part for suite in suites for part in ("--suite", suite)),
        *("--gamma", "0.5", "--json", str(out)),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert list(document["results"]) == list(suites)
    for check in document["checks"]:
        if "objective" in check["name"] or "difference" in check["name"]:
            assert check["met"] is not False, check
    rows = document["results"]["pairwise"][0]["rows"]
    assert set(rows) == {"chainer-sdtw", "tslearn", "aeon"}
    assert rows["chainer-sdtw"]["error"] == 0


def test_a_missed_target_is_an_error_only_if_asked(benchmark):
    # A matrix of 1.3 GB.
    arguments = ("--suite", "memory", "--size", "4,1")
    done = benchmark(*arguments, "--check")
    assert done.returncode == 0, done.stderr
    wrong = benchmark("--suite", "barycenter", "--dataset", "Toys")
    assert wrong.returncode == 1
    assert "names near: Toy" in wrong.stderr
