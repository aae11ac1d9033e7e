import json
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("rich")

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "prediction.py"


@pytest.fixture
def benchmark(archive, tmp_path):
    """Runs the benchmark on a small data set."""

    def run(*args):
        return subprocess.run(
            [
                sys.executable,
                str(SCRIPT),
                "--jobs",
                "1",
                *args,
                "--epoch",
                "2",
                "--unit",
                "3",
                "--json",
                "figures.json",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


def test_table(benchmark, tmp_path):
    args = ["--dataset", "Toy", "--seed", "7"]
    result = benchmark(*args)
    assert result.returncode == 0, result.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert list(figures["runs"]) == ["Toy"]
    (run,) = figures["runs"]["Toy"]
    won = run["soft_dtw"]["dtw"] < run["mse"]["dtw"]
    assert figures["rows"] == [
        {
            "data set": "Toy",
            "model": "mlp",
            "test DTW, trained with soft-DTW": f"{run['soft_dtw']['dtw']:.4g}",
            "test DTW, trained with MSE": f"{run['mse']['dtw']:.4g}",
            "soft-DTW lower in test DTW": f"{int(won)} of 1",
            "test MSE, trained with soft-DTW": f"{run['soft_dtw']['mse']:.4g}",
            "test MSE, trained with MSE": f"{run['mse']['mse']:.4g}",
            "soft-DTW lower in test MSE": (
                f"{int(run['soft_dtw']['mse'] < run['mse']['mse'])} of 1"
            ),
        }
    ]
    lines = result.stdout.splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if line.startswith("|")
    ]
    assert cells[0] == list(figures["rows"][0])
    assert cells[2:] == [list(figures["rows"][0].values())]
    assert ("(Toy)" in lines[-1]) == won

    # Nothing is done twice.
    folder = tmp_path / "results" / "prediction" / "Toy-7"
    (folder / "mse" / "log").unlink()
    assert benchmark(*args).stdout == result.stdout
    assert not (folder / "mse" / "log").exists()


@pytest.mark.slow
def test_other_settings(benchmark, tmp_path):
    """A run with other settings begins anew in the same folder."""
    args = ["--dataset", "Toy", "--seed", "7"]
    first, other, again = (
        benchmark(*args, "--gamma", gamma) for gamma in ("1", "0.1", "1")
    )
    assert other.returncode == 0, other.stderr
    assert first.stdout == again.stdout != other.stdout


def test_failure(benchmark):
    result = benchmark("--dataset", "Toys", "--seed", "0")
    assert result.returncode == 1
    assert "names near: Toy" in result.stderr
