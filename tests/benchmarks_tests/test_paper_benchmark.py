import csv
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("rich")

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "paper.py"
QUICK = (
    *("--repeats", "1", "--gamma", "1", "0.01", "--max-iter", "3"),
    *("--max-outer", "2", "--max-inner", "2", "--epoch", "1"),
)


@pytest.fixture
def archive(tmp_path):
    """A local archive of two small sets, one with different lengths."""
    rng = np.random.default_rng(0)
    for name, lengths in ("Toy", [12]), ("Ragged", [12, 9]):
        folder = tmp_path / "archive" / name
        folder.mkdir(parents=True)
        for split in "TRAIN", "TEST":
            lines = []
            for i in range(6):
                values = np.sin(np.arange(12) * (1 + i % 2))
                values += 0.1 * rng.standard_normal(12)
                values[lengths[i % len(lengths)] :] = np.nan
                lines.append("\t".join(map(str, [i % 2, *values])) + "\n")
            (folder / f"{name}_{split}.tsv").write_text("".join(lines))
    return tmp_path / "archive"


def command(archive, *arguments):
    return [
        *(sys.executable, str(SCRIPT), "--root", str(archive)),
        *("--jobs", "1", *arguments),
    ]


@pytest.fixture
def benchmark(archive, tmp_path):
    def run(*arguments):
        return subprocess.run(
            command(archive, *arguments),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def rows_of(folder, experiment):
    with (folder / "results/paper" / f"{experiment}.csv").open() as file:
        return list(csv.DictReader(file))


def test_all_experiments(benchmark, tmp_path):
    pytest.importorskip("tslearn")
    pytest.importorskip("sklearn")
    done = benchmark(*QUICK)
    assert done.returncode == 0, done.stderr
    assert "Ragged is left out of prediction" in done.stderr
    # Sets, initial guesses and methods.
    sizes = {
        "barycenters": 2 * 2 * 4,
        "kmeans": 2 * 2 * 4,
        "centroid": 2 * 4,
        "prediction": 3,
    }
    for experiment, size in sizes.items():
        rows = rows_of(tmp_path, experiment)
        assert len(rows) == size
        assert all(float(row["seconds"]) > 0 for row in rows)
    rows = rows_of(tmp_path, "barycenters")
    starts = {}
    for row in rows:
        case = row["dataset"], row["init"]
        assert (
            starts.setdefault(case, row["initial_dtw"]) == (row["initial_dtw"])
        )
        if row["init"] == "random" and row["gamma"] == "0.01":
            assert float(row["dtw"]) < float(row["initial_dtw"])
    assert len(set(starts.values())) == 4

    # The shares are those of the figures.
    def loss(name, init, method, gamma=""):
        (row,) = (
            row
            for row in rows
            if (row["dataset"], row["init"], row["method"], row["gamma"])
            == (name, init, method, gamma)
        )
        return float(row["dtw"])

    lower = sum(
        loss(name, "random", "soft_dtw", "0.01") < loss(name, "random", "dba")
        for name in ("Toy", "Ragged")
    )
    text = (tmp_path / "results/paper/paper.md").read_text()
    assert text.strip() == done.stdout.strip()
    first = next(line for line in text.splitlines() if "| cases" in line)
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    assert cells[:3] == ["random", "DBA", "cases"]
    assert cells[-1] == f"{50 * lower} % ({lower}/2)"
    assert not (tmp_path / "results/paper/unfinished").exists()


def test_goes_on_where_it_was(benchmark, tmp_path):
    arguments = [*QUICK, "--experiment", "prediction", "--dataset", "Toy"]
    first = benchmark(*arguments)
    assert first.returncode == 0, first.stderr
    path = tmp_path / "results/paper/prediction.csv"
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    assert len(lines) == 4

    # The process died in the middle of the last line.
    path.write_text("".join(lines)[:-9])
    second = benchmark(*arguments)
    assert second.returncode == 0, second.stderr
    assert "2 of 3 cases are finished" in second.stderr
    again = path.read_text().splitlines(keepends=True)
    assert again[:3] == lines[:3]
    # All but the seconds.
    assert again[3].split(",")[:-4] == lines[3].split(",")[:-4]

    # Nothing is left to do, and what has other settings does not count.
    third = benchmark(*arguments, "--tables-only")
    assert third.returncode == 0
    assert path.read_text() == "".join(again)
    other = benchmark(*arguments, "--seed", "1", "--tables-only")
    assert other.returncode == 1
    assert "there are no figures" in other.stderr
    assert "3 cases have other settings" in other.stderr

    path.write_text("".join(again) + "Toy,0\n")
    damaged = benchmark(*arguments)
    assert damaged.returncode == 1
    assert "line 5: expected" in damaged.stderr


def test_wrong_names(benchmark, tmp_path):
    done = benchmark("--experiment", "prediction", "--dataset", "Toys")
    assert done.returncode == 1
    assert done.stderr.startswith("--dataset Toys: no data set")
    assert "names near: Toy" in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupt_keeps_what_is_finished(archive, tmp_path):
    arguments = ("--experiment", "prediction", "--dataset", "Toy")
    more = ("--epoch", "100000", "--repeats", "1")
    with subprocess.Popen(
        command(archive, *arguments, *more),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        unfinished = tmp_path / "results/paper/unfinished"
        deadline = time.monotonic() + 60
        while not unfinished.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "the same command goes on" in errors
        # None of its workers is left.
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
