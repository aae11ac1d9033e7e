import csv
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rich")
pytest.importorskip("scipy")

SCRIPT = pathlib.Path(__file__).parents[2] / "benchmarks" / "paper.py"
QUICK = (
    "--repeats",
    "1",
    "--gamma",
    "1",
    "0.01",
    "--max-iter",
    "3",
    "--max-outer",
    "2",
    "--max-inner",
    "2",
    "--epoch",
    "1",
)
# One that needs no library.
PREDICTION = ("--experiment", "prediction", "--dataset", "Toy")


@pytest.fixture
def command(archive):
    return [
        sys.executable,
        str(SCRIPT),
        "--root",
        str(archive),
        "--jobs",
        "1",
    ]


@pytest.fixture
def run(command, tmp_path):
    def run(*arguments):
        return subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            # Compilation would take longer than all else.
            env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def main(archive, tmp_path, monkeypatch, load_benchmark):
    """The benchmark in this process, for what starts no others."""
    monkeypatch.chdir(tmp_path)
    paper = load_benchmark("paper")
    return lambda *more: paper.main(["--root", str(archive), *more])


def rows_of(folder, experiment):
    with (folder / "results/paper" / f"{experiment}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.slow  # imports and compiles peers
def test_all_experiments(run, tmp_path):
    pytest.importorskip("tslearn")
    pytest.importorskip("sklearn")
    done = run(*QUICK)
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
    starts = {(r["dataset"], r["init"], r["initial_dtw"]) for r in rows}
    assert len(starts) == 4
    losses = {
        (r["dataset"], r["init"], r["method"], r["gamma"]): float(r["dtw"])
        for r in rows
    }
    for row in rows:
        if row["init"] == "random" and row["gamma"] == "0.01":
            assert float(row["dtw"]) < float(row["initial_dtw"])

    # The shares are those of the figures.
    lower = sum(
        losses[name, "random", "soft_dtw", "0.01"]
        < losses[name, "random", "dba", ""]
        for name in ("Toy", "Ragged")
    )
    text = (tmp_path / "results/paper/paper.md").read_text()
    assert text.strip() == done.stdout.strip()
    first = next(line for line in text.splitlines() if "| cases" in line)
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    assert cells[:3] == ["random", "DBA", "cases"]
    assert cells[-1] == f"{50 * lower} % ({lower}/2)"
    assert not (tmp_path / "results/paper/unfinished").exists()


@pytest.mark.slow
def test_goes_on_where_it_was(run, main, tmp_path, capsys):
    arguments = [*QUICK, *PREDICTION]
    first = run(*arguments)
    assert first.returncode == 0, first.stderr
    path = tmp_path / "results/paper/prediction.csv"
    lines = path.read_text().splitlines(keepends=True)
    assert len(lines) == 4

    # The process died in the middle of the last line.
    path.write_text("".join(lines)[:-9])
    second = run(*arguments)
    assert second.returncode == 0, second.stderr
    assert "2 of 3 cases are finished" in second.stderr
    again = path.read_text().splitlines(keepends=True)
    assert again[:3] == lines[:3]
    # All but the seconds.
    assert again[3].split(",")[:7] == lines[3].split(",")[:7]

    # What has other settings does not count.
    with pytest.raises(SystemExit, match="there are no figures"):
        main(*arguments, "--seed", "1", "--tables-only")
    assert "3 cases have other settings" in capsys.readouterr().err
    assert main(*arguments, "--tables-only") == 0
    assert capsys.readouterr().out.strip() == second.stdout.strip()
    assert path.read_text() == "".join(again)

    path.write_text("".join(again) + "Toy,0\n")
    with pytest.raises(SystemExit, match="line 5: expected"):
        main(*arguments)
    path.write_text("something else\n")
    with pytest.raises(SystemExit, match="not a file of this benchmark"):
        main(*arguments)


def test_wrong_names(main, tmp_path):
    with pytest.raises(SystemExit, match=r"Toys: no data set.*near: Toy"):
        main("--experiment", "prediction", "--dataset", "Toys")
    assert not (tmp_path / "results").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_interrupt_ends_all_processes(command, tmp_path):
    with subprocess.Popen(
        [*command, *PREDICTION, "--epoch", "100000", "--repeats", "1"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        unfinished = tmp_path / "results/paper/unfinished"
        deadline = time.monotonic() + 120
        while not unfinished.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "the same command goes on" in errors
        # What tracks resources ends last.
        deadline = time.monotonic() + 30
        with pytest.raises(ProcessLookupError):
            while time.monotonic() < deadline:
                os.killpg(process.pid, 0)
                time.sleep(0.05)
