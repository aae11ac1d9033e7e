"""The example of predictions in several processes equals it in one."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import json
import shutil
from pathlib import Path

import chainer
import numpy as np
import pytest
from same_runs import read_snapshot, without_times

pytestmark = pytest.mark.slow  # starts several processes

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT = EXAMPLES / "sequence_prediction" / "train_ucr.py"
PROGRAM = Path(__file__).with_name("without_pictures.py")
# 11 series in batches of 5: the processes have unequal parts. 7 series to
# test: the last batch has 2.
SMALL = ["--unit", "4", "-b", "5", "-e", "4", "-f", "2"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """An archive with series of one length and of three."""
    root = tmp_path_factory.mktemp("archive")
    random = np.random.default_rng(0)
    for name, lengths, n_train in (
        ("Toy", [12], 11),
        ("Uneven", [8, 12, 10], 11),
        ("Few", [12], 1),
    ):
        (root / name).mkdir()
        for split, n in ("TRAIN", n_train), ("TEST", 7):
            rows = np.full((n, 1 + max(lengths)), np.nan)
            rows[:, 0] = np.arange(n) % 2
            for i, row in enumerate(rows):
                length = lengths[i % len(lengths)]
                row[1 : 1 + length] = random.standard_normal(length).cumsum()
            path = root / name / f"{name}_{split}.tsv"
            np.savetxt(path, rows, delimiter="\t")
    return root


@pytest.fixture
def train(start, root):
    """Runs the example in ``n`` processes, or without a communicator."""

    def train(n, *args, **env):
        options = ["--root", root, "--dataset", "Toy", *SMALL, *args]
        if n is not None:
            options += ["--communicator", "naive"]
        return start(n, PROGRAM, SCRIPT, *options, **env)

    return train


def completed(run):
    assert run.status == 0, run.err
    return run


def content(folder):
    """All that the snapshot and the log of a training have, but for times."""
    name, log, saved = read_snapshot(folder)
    log += without_times((folder / "log").read_text())
    return name, log, saved


def assert_same_training(out, expected, tolerance):
    name, log, saved = content(out)
    expected_name, expected_log, expected_saved = content(expected)
    assert name == expected_name
    assert len(log) == len(expected_log)
    for entry, other in zip(log, expected_log):
        assert entry == pytest.approx(other, rel=tolerance, abs=0)
    assert saved.keys() == expected_saved.keys()
    for key, value in saved.items():
        other = expected_saved[key]
        if value.dtype.kind == "f":
            np.testing.assert_allclose(
                value, other, rtol=tolerance, atol=tolerance, err_msg=key
            )
        else:
            np.testing.assert_array_equal(value, other, err_msg=key)


@pytest.mark.parametrize(
    "n, dataset, model", [(2, "Toy", "mlp"), (3, "Uneven", "lstm")]
)
def test_equals_one_process(train, tmp_path, n, dataset, model):
    """With parts of unequal sizes and, of three processes, empty ones."""
    options = ["--model", model, "--dataset", dataset, "-f", "1", "-e", "3"]
    one = completed(train(None, *options, "-o", "one"))
    many = completed(train(n, *options, "-o", "many"))
    assert f"Processes: {n}," in many.out
    # The same is printed once, and written once.
    assert many.out.count("Test set of") == 1 == one.out.count("Test set of")
    folders = tmp_path / "many", tmp_path / "one"
    found, expected = (
        sorted(path.relative_to(folder) for path in folder.rglob("*"))
        for folder in folders
    )
    assert found == expected
    for loss in "soft_dtw", "mse":
        assert_same_training(*(f / loss for f in folders), tolerance=1e-6)
    metrics, others = (
        json.loads((folder / "metrics.json").read_text()) for folder in folders
    )
    for loss in metrics:
        assert metrics[loss] == pytest.approx(others[loss], rel=1e-5)


FAULT = ["--loss", "soft_dtw", "-e", "8", "--gamma-schedule", "3", "2", "6"]


@pytest.mark.parametrize(
    "how, message",
    [
        ("raises", "IndexError: list index out of range"),
        ("exits", "Process 1 of 2 ends them all: gives up"),
    ],
)
def test_failure_of_one_process(train, tmp_path, how, message):
    """Ends all, and leaves the last snapshot."""
    run = train(2, *FAULT, FAULT=f"1 12 {how}")
    assert run.status != 0
    assert "Process 1 of 2 ends them all: " in run.err
    assert message in run.err
    (snapshot,) = (tmp_path / "result" / "soft_dtw").glob("snapshot_*")
    assert snapshot.name == "snapshot_iter_9"


def test_resumption_by_any_number_of_processes(train, tmp_path):
    """After one process was killed, which ends all."""
    completed(train(2, *FAULT, "-o", "whole"))
    run = train(2, *FAULT, "-o", "2", FAULT="1 12 killed")
    assert run.status != 0
    assert "signal 9" in run.out + run.err
    assert not (tmp_path / "2" / "metrics.json").exists()
    tolerances = {2: 0, None: 1e-6, 3: 1e-6}
    for n in None, 3:
        shutil.copytree(tmp_path / "2", tmp_path / str(n))
    for n, tolerance in tolerances.items():
        run = completed(train(n, *FAULT, "-o", str(n), "--autoload"))
        assert "Going on from" in run.out
        # With the same number to the last bit.
        assert_same_training(
            tmp_path / str(n) / "soft_dtw",
            tmp_path / "whole" / "soft_dtw",
            tolerance,
        )


def test_going_on_from_one_process(train, tmp_path):
    options = ["--loss", "mse", "-e", "6"]
    completed(train(None, *options, "-o", "one"))
    completed(train(None, *options, "-o", "two", "-e", "4"))
    snapshot = Path("two", "mse", "snapshot_iter_9")
    run = completed(train(2, *options, "-o", "two", "--resume", snapshot))
    assert f"Going on from {snapshot}" in run.out
    folders = (tmp_path / out / "mse" for out in ("two", "one"))
    assert_same_training(*folders, tolerance=1e-6)


@pytest.mark.parametrize(
    "args, message",
    [
        (["--dataset", "Toys"], "--dataset Toys: no data set"),
        (["--dataset", "Few"], "--dataset: 1 series, fewer than the 2 proc"),
        (["-b", "1"], "--batchsize: 1 series, fewer than the 2 processes"),
        (["--loss", "mse", "-r", "nothing"], "Cannot go on from nothing: "),
    ],
)
def test_mistakes(train, args, message):
    """Told once, and no process waits for the one that tells it."""
    run = train(2, *args)
    assert run.status != 0
    assert run.err.count(message) == 1
    assert "Traceback" not in run.err


def test_without_mpiexec(start, root):
    args = ["--root", root, "--dataset", "Toy", "-e", "1", "--loss", "mse"]
    run = start(None, PROGRAM, SCRIPT, *args, "--communicator", "naive")
    assert "Processes: 1, " in completed(run).out
    assert "To start more: mpiexec -n 2 " in run.out


def test_without_gpu(start, tmp_path):
    if chainer.backends.cuda.available:
        pytest.skip("there is one")
    run = start(2, PROGRAM, SCRIPT, "--communicator", "pure_nccl")
    assert run.status != 0
    message = "--communicator pure_nccl: the communicator 'pure_nccl' needs "
    assert f"{message}CuPy and a GPU; on the CPU use 'naive'" in run.err
    assert "Traceback" not in run.err
