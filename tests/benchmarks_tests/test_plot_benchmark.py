"""benchmarks/plot.py on files of results."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("rich")

FOLDER = Path(__file__).parents[2] / "benchmarks"


def draw(results, picture):
    return subprocess.run(
        [sys.executable, FOLDER / "plot.py", results, "-o", picture],
        capture_output=True,
        text=True,
    )


def grid_file(folder):
    """A file of results as gpu.py writes them, with made-up figures."""
    cells = []
    for batch in (16, 32):
        for length in (128, 512, 1024):
            for d in (1, 64):
                rows = {
                    "chainer-sdtw": {
                        "median_s": 1e-6 * length,
                        "peak_bytes": 3e1 * length**2,
                    },
                    "pysdtw": {"median_s": 1e-4 * length, "peak_bytes": None},
                    "unheard of": {"skipped": "out of memory"},
                }
                cell = {"batch": batch, "m": length, "n": length, "d": d}
                cells.append({"cell": cell, "rows": rows})
    path = folder / "results.json"
    document = {
        "benchmark": "gpu",
        "gpu": {"name": "none"},
        "suites": {"grid": cells},
    }
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("kind", ["gpu", "cpu", "scaling"])
def test_plot(tmp_path, kind):
    if kind == "gpu":
        results = grid_file(tmp_path)
    else:
        (results, *_) = sorted((FOLDER / "results").glob(f"{kind}-*.json"))
    picture = tmp_path / "picture.png"
    done = draw(results, picture)
    assert done.returncode == 0, done.stderr
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(data) > 10_000


def test_plot_of_nothing_says_so(tmp_path):
    results = tmp_path / "results.json"
    results.write_text('{"benchmark": "gpu", "suites": {"grid": []}}')
    done = draw(results, tmp_path / "a.png")
    assert done.returncode == 1
    assert "no cell of the grid" in done.stderr
