"""tools/gpu_check.py without a GPU: its steps, and its smoke test."""

import os
import sys
from unittest import mock

import cuda_on_cpu
import gpu_check
import numpy as np
import pytest


@pytest.fixture
def device():
    if cuda_on_cpu.unsupported():
        pytest.skip(cuda_on_cpu.unsupported())
    from cuda_on_cpu.sweeps import CPUDevice

    return CPUDevice()


@pytest.mark.slow
def test_smoke(device):
    """On the emulated kernels; the first time, they are compiled."""
    small = {
        "sizes": [(5, 33)],
        "features": [3],
        "gammas": [0.1],
        "dtypes": ["float32"],
    }
    assert gpu_check.smoke(device, **small) == []
    with mock.patch.dict(gpu_check.TOLERANCES, float32=1e-12):
        wrong = gpu_check.smoke(device, **small)
    assert any("manhattan, padded, gradients" in name for name in wrong)


def test_errors_are_relative_to_the_norm():
    expected = (np.array([30.0, 40.0]), np.zeros(2))
    assert gpu_check.compare(expected, expected) == 0
    shifted = np.array([30.0, 40.5])
    assert gpu_check.compare((shifted,), expected) == pytest.approx(0.01)
    assert gpu_check.compare((np.array([30.0, np.nan]),), expected) == np.inf


@pytest.mark.skipif(os.name == "nt", reason="stops groups of processes")
def test_steps_go_on_after_one_that_fails(tmp_path, capsys):
    code = "import time; print('begun'); time.sleep({}); exit({})"
    steps = {
        name: [sys.executable, "-c", code.format(delay, status)]
        for name, delay, status in (
            ("bad", 0, 3),
            ("long", 60, 0),
            ("good", 0, 0),
        )
    }
    steps["absent"] = [tmp_path / "nothing"]
    arguments = ["--out", str(tmp_path), "--limit", "2"]
    with mock.patch.object(gpu_check, "make_steps", lambda out: steps):
        assert gpu_check.main(arguments) == 1
        assert gpu_check.main([*arguments, "good"]) == 0
    rows = (tmp_path / "steps.tsv").read_text().splitlines()
    outcomes = [row.split("\t")[:2] for row in rows]
    assert outcomes[:3] == [
        ["bad", "failed (3)"],
        ["long", "stopped after 2 s"],
        ["good", "ok"],
    ]
    assert outcomes[3][0] == "absent"
    assert outcomes[3][1].startswith("not run: ")
    assert outcomes[4:] == [["good", "ok"]]
    assert (tmp_path / "long.log").read_text() == "begun\n"
    assert "bad: failed (3)" in capsys.readouterr().out


def test_unknown_step(tmp_path, capsys):
    with pytest.raises(SystemExit):
        gpu_check.main(["--out", str(tmp_path / "out"), "nonsense"])
    assert "no such step: nonsense" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_steps_run_files_that_exist(tmp_path):
    for command in gpu_check.make_steps(tmp_path).values():
        scripts = [path for path in command if str(path).endswith(".py")]
        assert all(path.is_file() for path in scripts), command
