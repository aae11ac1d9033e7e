"""A tiny run of benchmarks/cpu.py: its table, its JSON, its judgement."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sdtw_cpu

pytest.importorskip("rich")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "cpu.py"

# A peer that is fast and wrong, one that fails, and one that cannot be
# imported.
FAST_AND_WRONG = {
    "sdtw/__init__.py": """
import numpy as np
class SoftDTW:
    def __init__(self, D, gamma=1.0):
        self.D = D.compute()
    def compute(self):
        return self.D.sum()
    def grad(self):
        return np.ones_like(self.D)
""",
    "sdtw/distance.py": """
import numpy as np
class SquaredEuclidean:
    def __init__(self, X, Y):
        self.X, self.Y = X, Y
    def compute(self):
        return ((self.X[:, None] - self.Y[None]) ** 2).sum(axis=2)
    def jacobian_product(self, E):
        return np.zeros_like(self.X)
""",
}
FAILS = {
    "sdtw_div/__init__.py": "",
    "sdtw_div/numba_ops.py": """
def sdtw_value_and_grad(X, Y, gamma=1.0):
    raise RuntimeError("out of order")
""",
}
NOT_IMPORTABLE = {
    "pysdtw.py": "raise ImportError('broken on purpose')",
    "torch.py": "raise ImportError('broken on purpose')",
}


def run(folder, *arguments):
    """Run the benchmark with the fake peers ahead of any real ones."""
    for name, text in {**FAST_AND_WRONG, **FAILS, **NOT_IMPORTABLE}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    library = str(Path(sdtw_cpu.__file__).parents[1])
    environment = dict(os.environ, PYTHONIOENCODING="utf-8")
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), library])
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
    )


PEERS = (
    "--only",
    "mblondel/soft-dtw",
    "--only",
    "sdtw_div",
    "--only",
    "pysdtw",
)


def test_grid_prints_a_table_and_writes_json(tmp_path):
    target = tmp_path / "result.json"
    done = run(
        tmp_path,
        *PEERS,
        "--only",
        "chainer-sdtw, 1 thread",
        "--suite",
        "grid",
        "--threads",
        "2",
        "--repeats",
        "2",
        "--case",
        "3,8,9,2",
        "--case",
        "2,7,5,1,float32,0.1",
        "--json",
        str(target),
    )
    assert done.returncode == 0, done.stdout
    for text in (
        "(3, 8, 9, d=2) float64 gamma=1",
        "(2, 7, 5, d=1) float32 gamma=0.1",
        "ns/cell",
        "WRONG value",
        "FAILED",
        "broken on purpose",
    ):
        assert text in done.stdout

    document = json.loads(target.read_text())
    assert document["isa"] == sdtw_cpu.isa()
    assert document["environment"]["cpus_available"] >= 1
    contestants = {row["name"]: row for row in document["contestants"]}
    assert contestants["chainer-sdtw"]["importable"]
    assert contestants["pysdtw"]["importable"] is False
    assert "broken on purpose" in contestants["pysdtw"]["reason"]

    first, second = document["suites"]["grid"]
    assert first["problem"]["m"] == 8
    assert second["problem"]["dtype"] == "float32"
    for result, tolerance in ((first, 1e-12), (second, 1e-4)):
        for name in ("chainer-sdtw", "chainer-sdtw, 1 thread"):
            ours = result["rows"][name]
            assert ours["flags"] == []
            assert ours["value_error"] < tolerance
            assert ours["gradient_error"] < tolerance
            assert ours["median_s"] > 0
            assert len(ours["samples_s"]) == 2
        wrong = result["rows"]["mblondel/soft-dtw"]
        assert wrong["flags"] == ["WRONG value", "WRONG gradient"]
        assert wrong["ratio"] > 0
        failed = result["rows"]["sdtw_div"]
        assert failed["flags"] == ["FAILED: RuntimeError: out of order"]
        assert "median_s" not in failed


def test_calls(tmp_path):
    target = tmp_path / "result.json"
    options = ("--suite", "calls", "--repeats", "1", "--json", str(target))
    done = run(tmp_path, "--only", "chainer-sdtw, 1 thread", *options)
    assert done.returncode == 0, done.stdout
    results = json.loads(target.read_text())["suites"]["calls"]
    dtypes = [result["problem"]["dtype"] for result in results]
    assert dtypes == ["float64", "float32"]
    for result in results:
        assert list(result["rows"]) == ["sdtw_cpu", "chainer_sdtw"]
        assert all(row["min_s"] > 0 for row in result["rows"].values())


def test_threads_scaling_and_memory(tmp_path):
    target = tmp_path / "result.json"
    done = run(
        tmp_path,
        *PEERS,
        "--suite",
        "threads",
        "--suite",
        "scaling",
        "--suite",
        "memory",
        "--threads",
        "2",
        "--repeats",
        "1",
        "--lengths",
        "16,32",
        "--case",
        "1,16,16,1",
        "--memory-length",
        "32",
        "--json",
        str(target),
    )
    assert done.returncode == 0, done.stdout
    document = json.loads(target.read_text())
    assert set(document["suites"]) == {"threads", "scaling", "memory"}
    rows = document["suites"]["threads"][0]["rows"]
    assert list(rows) == ["threads: 1", "threads: 2"]
    for scaling in document["suites"]["scaling"]:
        assert scaling["rows"]["32"]["growth"] > 0
    long_pair, ours, *others = document["suites"]["memory"]
    assert long_pair["gradients"] == "x and y"
    assert long_pair["peak_bytes"] is not None
    assert ours["name"] == "chainer-sdtw"
    assert ours["peak_bytes"] is not None
    (failed,) = (row for row in others if row["name"] == "sdtw_div")
    assert failed["peak_bytes"] is None
    assert "out of order" in failed["failure"]


@pytest.mark.parametrize(("check", "status"), [([], 0), (["--check"], 1)])
def test_an_answer_unlike_all_peers_is_an_error_if_asked(
    tmp_path, check, status
):
    # All peers are wrong.
    options = ("--suite", "grid", "--case", "2,5,5,1", "--repeats", "1")
    done = run(tmp_path, "--only", "mblondel/soft-dtw", *options, *check)
    assert done.returncode == status, done.stdout
    assert "difference from the closest peer" in done.stdout
    assert "FAILED" in done.stdout


@pytest.mark.parametrize(
    "case", ["1,2,3", "1,2,3,0", "1,2,3,1,int8", "1,2,3,1,float32,0"]
)
def test_a_case_that_is_none_is_refused(tmp_path, case):
    done = run(tmp_path, "--case", case)
    assert done.returncode == 2
    assert repr(case) in done.stdout
