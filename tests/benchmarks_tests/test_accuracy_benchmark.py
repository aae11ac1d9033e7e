import json
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("rich")

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "accuracy.py"


def test_errors_are_small_and_written(tmp_path):
    out = tmp_path / "accuracy.json"
    run = subprocess.run(
        [
            sys.executable,
            str(SCRIPT),
            "--lengths",
            "40",
            "--features",
            "2",
            "--pairs",
            "1",
            "--json",
            str(out),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "worst float32 gradient" in run.stdout
    document = json.loads(out.read_text())
    assert all(check["passed"] for check in document["checks"])
    figures = document["suites"]
    for row in figures["reference"]:
        exact = row["dtype"] == "float64"
        assert row["value"] <= (1e-10 if exact else 1e-5)
        assert row["E"] <= (1e-7 if exact else 1e-4)
        assert row["gx"] <= (1e-7 if exact else 1e-4)
    assert len(figures["float32"]) == 12
    assert all(0 <= row["gx"] <= 1e-5 for row in figures["float32"])
