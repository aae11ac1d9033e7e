"""tools/gpu_check.py without a GPU: its steps, and what these run."""

import json
import os
import sys
from unittest import mock

import gpu_check
import pytest

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="stops groups of processes"
)


def make_steps(**given):
    """Steps that print, wait and return a status."""
    code = "import time; print('begun'); time.sleep({}); exit({})"
    return {
        name: (seconds, [sys.executable, "-c", code.format(delay, status)])
        for name, (seconds, delay, status) in given.items()
    }


def outcomes(folder):
    steps = json.loads((folder / "steps.json").read_text())
    return {name: row["outcome"] for name, row in steps.items()}


def test_steps_go_on_after_one_that_fails(tmp_path, capsys):
    steps = make_steps(bad=(10, 0, 3), long=(1, 60, 0), good=(10, 0, 0))
    steps["absent"] = (10, [tmp_path / "nothing"])
    total = str(sum(seconds for seconds, _ in steps.values()) / 1.2)
    arguments = ["--out", str(tmp_path), "--total", total]
    with mock.patch.object(gpu_check, "make_steps", lambda *_: steps):
        assert gpu_check.main(arguments) == 1
        found = outcomes(tmp_path)
        log = (tmp_path / "check.log").read_text()
        assert gpu_check.main([*arguments, "good"]) == 0
    assert found.pop("absent").startswith("not run: ")
    assert found == {
        "bad": "failed (3)",
        "long": "stopped after 1 s",
        "good": "ok",
    }
    assert log.count("begun\n") == 3
    assert "=== long ===\nbegun\n" in log
    assert outcomes(tmp_path) == {"good": "ok"}
    said = capsys.readouterr().out
    assert "bad: failed (3)" in said
    assert said.count("begun") == 2  # of what did not end well


def test_all_steps_keep_to_the_total(tmp_path):
    steps = make_steps(long=(90, 60, 0), late=(10, 60, 0), last=(1, 0, 0))
    assert not gpu_check.run_steps(steps, tmp_path, 1.5)
    found = outcomes(tmp_path)
    assert found.pop("long").startswith("stopped after ")
    assert set(found.values()) == {"not run: no time left"}


def test_unknown_step(tmp_path, capsys):
    with pytest.raises(SystemExit):
        gpu_check.main(["--out", str(tmp_path / "out"), "nonsense"])
    assert "no such step: nonsense" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_steps_run_files_that_exist(tmp_path):
    steps = gpu_check.make_steps(tmp_path, tmp_path / "clones")
    for _, command in steps.values():
        scripts = [path for path in command if str(path).endswith(".py")]
        assert all(path.is_file() for path in scripts), command
    assert 1.2 * 580 > sum(seconds for seconds, _ in steps.values()) > 580
    names = list(steps)
    assert (names[0], names[-1]) == ("compile", "peers")
    assert tmp_path / "clones" in steps["peers"][1]
