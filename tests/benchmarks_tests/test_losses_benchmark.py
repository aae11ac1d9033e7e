import json
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("rich")

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "losses.py"
SUITES = {"second", "costs", "bands", "dilate"}


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--repeats", "1", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_suites_write_ratios(tmp_path):
    out = tmp_path / "losses.json"
    done = run("--case", "2,70,70,1", "--json", str(out))
    assert done.returncode == 0, done.stderr
    assert "not compared: give a clone" in done.stdout
    document = json.loads(out.read_text())
    assert set(document["suites"]) == SUITES
    for results in document["suites"].values():
        assert results
        for result in results:
            assert all(row["ratio"] > 0 for row in result["rows"].values())
    narrow = document["suites"]["bands"][0]["rows"]["radius 64"]
    assert narrow["tape_bytes"] > 0
    assert len(document["checks"]) == 9
    assert all(check["passed"] is None for check in document["checks"])


def test_radii(tmp_path):
    out = tmp_path / "bands.json"
    arguments = ("--suite", "bands", "--case", "2,20,20,1", "--check")
    done = run(*arguments, "--radius", "1", "--radius", "4", "--json", out)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    for result in document["suites"]["bands"]:
        share = {
            name: row["share_of_cells"] for name, row in result["rows"].items()
        }
        assert list(share) == ["whole table", "radius 1", "radius 4"]
        assert share["whole table"] == 1
        assert share["radius 1"] == (20 + 2 * 19) / 400
        assert share["radius 4"] == (20 + 2 * (19 + 18 + 17 + 16)) / 400
