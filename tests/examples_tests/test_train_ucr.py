import chainer_sdtw  # isort: skip  (before chainer)

import importlib.util
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import warnings
import zipfile

import chainer
import numpy as np
import pytest
from chainer.training import extensions

SCRIPT = (
    pathlib.Path(__file__).parents[2]
    / "examples"
    / "sequence_prediction"
    / "train_ucr.py"
)
SMALL = ["--dataset", "Toy", "--unit", "4", "-b", "5", "-e", "4", "-f", "2"]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("train_ucr", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_toy(root, name, lengths, n_test=7):
    """Waves of two frequencies; shorter ones are padded with NaN."""
    random = np.random.RandomState(0)
    folder = root / name
    folder.mkdir()
    for split, n in ("TRAIN", 11), ("TEST", n_test):
        lines = []
        for i in range(n):
            label = i % 2 + 1
            phase = random.uniform(-0.5, 0.5)
            x = np.sin(np.linspace(0, 3 * label, max(lengths)) + phase)
            x[lengths[i % len(lengths)] :] = np.nan
            lines.append("\t".join([str(label), *map(str, x)]) + "\n")
        (folder / f"{name}_{split}.tsv").write_text("".join(lines))


@pytest.fixture(scope="module", autouse=True)
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("archive")
    write_toy(root, "Toy", [12])
    write_toy(root, "Uneven", [8, 12, 10])
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CHAINER_SDTW_UCR_ROOT", str(root))
        yield root


@pytest.fixture
def run(example, tmp_path, capsys, monkeypatch):
    """Runs the example in this process; returns what it printed."""
    monkeypatch.chdir(tmp_path)
    # Pictures take longer than all the rest.
    monkeypatch.setattr(example, "matplotlib", None)
    cause = ImportError("No module named 'matplotlib'")
    monkeypatch.setattr(example, "no_matplotlib", cause, raising=False)
    monkeypatch.setattr(extensions.plot_report, "_available", False)
    warnings.filterwarnings("ignore", "matplotlib is not installed")

    def run(*args, small=True):
        example.main([*(SMALL if small else ()), *args])
        return capsys.readouterr().out

    return run


def with_pictures(example, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.setattr(example, "matplotlib", matplotlib)
    monkeypatch.setattr(extensions.plot_report, "_available", True)


# Without pictures, and with Ctrl-C also where the tests run in a background
# job, which ignores it.
PROGRAM = """
import runpy, signal, sys
sys.modules['matplotlib'] = None
signal.signal(signal.SIGINT, signal.default_int_handler)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def start(*args, cwd):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(SCRIPT), *args],
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_for(path, process):
    limit = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.005)


def read_snapshot(path):
    """What is in a snapshot, but for the times."""
    with np.load(path) as file:
        content = {key: file[key] for key in file.files}
    content.pop("_snapshot_elapsed_time")
    log = json.loads(str(content.pop("extensions/LogReport/_log")))
    for entry in log:
        del entry["elapsed_time"]
    return content, log


def assert_same_run(out, expected):
    for loss in json.loads((expected / "metrics.json").read_text()):
        names = sorted(os.listdir(expected / loss))
        assert sorted(os.listdir(out / loss)) == names
        last = max(
            (n for n in names if n.startswith("snapshot")),
            key=lambda n: int(n.split("_")[-1]),
        )
        a, log_a = read_snapshot(out / loss / last)
        b, log_b = read_snapshot(expected / loss / last)
        assert log_a == log_b
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)
    metrics = [
        (folder / "metrics.json").read_text() for folder in (out, expected)
    ]
    assert metrics[0] == metrics[1]


# A whole run


def test_both_losses(run, example, tmp_path, monkeypatch):
    with_pictures(example, monkeypatch)
    out = run()
    result = tmp_path / "result"
    metrics = json.loads((result / "metrics.json").read_text())
    assert list(metrics) == ["soft_dtw", "mse"]
    for loss in metrics:
        log = json.loads((result / loss / "log").read_text())
        assert [entry["epoch"] for entry in log] == [2, 4]
        # 11 series in batches of 5.
        assert sorted(os.listdir(result / loss)) == [
            "log",
            "loss.png",
            "snapshot_iter_5",
            "snapshot_iter_9",
        ]
        assert str(pathlib.Path("result", loss, "loss.png")) in out
        for key in "mse", "dtw", "soft_dtw":
            assert f"{metrics[loss][key]:.5g}" in out
    for line in (
        "soft-DTW (1)",
        "MSE",
        str(pathlib.Path("result", "predictions.png")),
    ):
        assert line in out
    picture = (result / "predictions.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_panels_are_in_order(example):
    """With series of all classes, those that come first in each."""
    labels = np.array([0, 1, 1, 0, 2, 0, 0, 2])
    assert example.choose(labels, 6) == [0, 1, 2, 3, 4, 7]
    assert example.choose(labels, 4) == [0, 1, 3, 4]
    assert example.choose(labels[:3], 6) == [0, 1, 2]


def test_metrics(run, example, tmp_path):
    # Against their definitions, series by series.
    run("--loss", "mse", "--gamma", "0.5", "-b", "3")
    metrics = json.loads((tmp_path / "result/metrics.json").read_text())
    args = example.parse_args([*SMALL, "-b", "3", "--gamma", "0.5"])
    train, test, *_ = example.load(args)
    model = example.make_model(args, train, "mse")
    chainer.serializers.load_npz(
        tmp_path / "result/mse/snapshot_iter_15", model, "updater/model:main/"
    )
    mse, dtw, soft_dtw = np.mean(
        [
            (
                np.mean((y - future) ** 2),
                chainer_sdtw.soft_dtw(y[None], future[None], 0).array,
                chainer_sdtw.soft_dtw(y[None], future[None], 0.5).array,
            )
            for past, future in test
            for y in [model.predict(past[None], future[None]).array[0]]
        ],
        axis=0,
    )
    np.testing.assert_allclose(metrics["mse"]["mse"], mse, rtol=1e-5)
    np.testing.assert_allclose(metrics["mse"]["dtw"], dtw, rtol=1e-5)
    np.testing.assert_allclose(metrics["mse"]["soft_dtw"], soft_dtw, rtol=1e-5)


def test_seed(run, tmp_path):
    for out, seed in ("a", "0"), ("b", "0"), ("c", "1"):
        run("-o", out, "--seed", seed)
    assert_same_run(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "metrics.json").read_text() != (
        tmp_path / "c" / "metrics.json"
    ).read_text()


def test_losses_start_alike(example):
    # The same initial weights and the same order of the series.
    args = example.parse_args(SMALL)
    train, *_ = example.load(args)
    models = [example.make_model(args, train, loss) for loss in example.LOSSES]
    for a, *others in zip(*(model.params() for model in models)):
        for b in others:
            np.testing.assert_array_equal(a.array, b.array)


@pytest.mark.parametrize("model, epoch", [("mlp", 60), ("lstm", 8)])
def test_learns(run, tmp_path, model, epoch):
    run(
        "--model",
        model,
        "-e",
        str(epoch),
        "-f",
        str(epoch // 2),
        "-u",
        "32",
        "-b",
        "4",
    )
    for loss in "soft_dtw", "mse":
        log = json.loads((tmp_path / "result" / loss / "log").read_text())
        for key in "main/loss", "validation/main/loss", "validation/main/dtw":
            assert log[-1][key] < log[0][key]


def test_split(example):
    for length in range(2, 50):
        past, future = example.split(np.zeros((length, 1)))
        assert len(past) == int(length * 0.6 + 1e-9)
        assert len(past) + len(future) == length


def test_data_are_scaled_with_the_training_set(example):
    args = example.parse_args(SMALL)
    train, _, archive, _ = example.load(args)
    x = np.stack([np.concatenate(pair) for pair in train])
    np.testing.assert_allclose(x.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(), 1, rtol=1e-6)
    assert x.shape == archive.series.shape


# Other losses


@pytest.mark.parametrize("model", ["mlp", "lstm"])
def test_all_losses(run, example, tmp_path, model):
    # The LSTM's series have different lengths.
    dataset = "Toy" if model == "mlp" else "Uneven"
    out = run(
        *("--loss", *example.LOSSES, "--gamma", "0.5", "--bandwidth", "2"),
        *("-e", "1", "--model", model, "--dataset", dataset),
    )
    metrics = json.loads((tmp_path / "result/metrics.json").read_text())
    assert list(metrics) == list(example.LOSSES)
    assert np.isfinite([list(m.values()) for m in metrics.values()]).all()
    # They do not learn the same.
    assert len({m["dtw"] for m in metrics.values()}) == len(metrics)
    for title in example.LOSSES.values():
        assert f"\n{title} " in out


@pytest.mark.parametrize(
    "loss, function",
    [
        ("divergence", "soft_dtw_divergence"),
        ("sharp", "sharp_soft_dtw"),
        ("sharp_divergence", "sharp_soft_dtw_divergence"),
        ("dilate", "dilate_loss"),
    ],
)
def test_options_of_losses(example, rng, loss, function):
    args = example.parse_args(["--gamma", "0.5", "--bandwidth", "1"])
    x, y = rng.standard_normal((2, 3, 5, 2))
    expected = getattr(chainer_sdtw, function)(x, y, gamma=0.5, bandwidth=1)
    link = example.make_loss(args, loss)
    assert float(link(x, y).array) == float(expected.array)


def test_gamma_schedule(run, tmp_path, example, monkeypatch):
    seen = []
    forward = example.SoftDTWLoss.forward

    def spy(self, x, y):
        if chainer.config.train:
            seen.append(self.gamma)
        return forward(self, x, y)

    monkeypatch.setattr(example.SoftDTWLoss, "forward", spy)
    args = ["--loss", "sharp", "-b", "100", "-e", "5", "-f", "1"]
    args += ["--gamma", "0.5", "--gamma-schedule", "2.5", "2", "4"]
    run(*args)
    assert seen == [2.5, 2.5, 2.5, 1.5, 0.5]
    del seen[:]
    run(*args, "-o", "again", "-r", "result/sharp/snapshot_iter_4")
    assert seen == [0.5]
    first, again = (
        (tmp_path / out / "metrics.json").read_text()
        for out in ("result", "again")
    )
    assert again == first


def test_alignments(run, example, tmp_path, monkeypatch):
    with_pictures(example, monkeypatch)
    run("--loss", "soft_dtw", "-e", "1", "--alignments")
    picture = tmp_path / "result/soft_dtw/alignment_epoch_1.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


# Data sets of other kinds


def test_unequal_lengths(run, example, tmp_path, monkeypatch):
    with_pictures(example, monkeypatch)
    out = run("--dataset", "Uneven", "--model", "lstm", "-e", "1")
    assert "length 8-12" in out
    metrics = json.loads((tmp_path / "result/metrics.json").read_text())
    assert np.isfinite([list(m.values()) for m in metrics.values()]).all()
    assert (tmp_path / "result/predictions.png").exists()


def test_targets_instead_of_classes(run, example, root, monkeypatch):
    with_pictures(example, monkeypatch)
    save = pytest.importorskip("matplotlib.figure").Figure.savefig
    titles = []

    def spy(self, *args, **kwargs):
        titles.extend(ax.get_title() for ax in self.axes)
        return save(self, *args, **kwargs)

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", spy)
    (root / "Targets").mkdir()
    for split in "TRAIN", "TEST":
        (root / "Targets" / f"Targets_{split}.ts").write_text(
            "@targetLabel true\n@data\n" + "1,2,3,4,5,6:0.25\n" * 5
        )
    run("--dataset", "Targets", "--loss", "mse", "-e", "1")
    assert "test series 0, target 0.25" in titles


def test_unequal_lengths_mlp(run):
    with pytest.raises(SystemExit) as e:
        run("--dataset", "Uneven")
    assert "from 8 to 12; use --model lstm" in str(e.value)


@pytest.mark.parametrize(
    "args",
    [
        ["--dataset", "BasicMotions"],
        ["--dataset", "JapaneseVowels", "--model", "lstm"],
    ],
)
def test_multivariate(run, tmp_path, monkeypatch, args):
    pytest.importorskip("aeon")
    monkeypatch.delenv("CHAINER_SDTW_UCR_ROOT")
    run(*args, "-e", "1", "-b", "100")
    metrics = json.loads((tmp_path / "result/metrics.json").read_text())
    assert np.isfinite([list(m.values()) for m in metrics.values()]).all()


def test_batch_larger_than_the_training_set(run, tmp_path):
    run("-b", "1000", "--loss", "mse")
    assert (tmp_path / "result/mse/snapshot_iter_4").exists()


# Going on after an interruption


@pytest.mark.parametrize(
    "model, killed_in",
    [
        ("mlp", "soft_dtw"),
        ("mlp", "mse"),
        ("lstm", "soft_dtw"),
    ],
)
def test_sigkill_and_autoload(run, tmp_path, model, killed_in):
    args = [*SMALL, "--model", model, "-e", "16", "-f", "4"]
    if model == "lstm":
        args += ["--loss", "soft_dtw", "-b", "6"]
    run(*args, "-o", "whole", small=False)
    process = start(*args, "-o", "killed", cwd=tmp_path)
    first, last = ("8", "32") if model == "lstm" else ("9", "36")
    wait_for(
        tmp_path / "killed" / killed_in / f"snapshot_iter_{first}", process
    )
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()
    # It was far from its end.
    assert not (
        tmp_path / "killed" / killed_in / f"snapshot_iter_{last}"
    ).exists()
    assert not (tmp_path / "killed" / "metrics.json").exists()

    out = run(*args, "-o", "killed", "--autoload", small=False)
    assert "Going on from" in out
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


def test_ctrl_c(tmp_path):
    process = start(*SMALL, "-e", "100000", "--loss", "mse", cwd=tmp_path)
    wait_for(tmp_path / "result/mse/snapshot_iter_5", process)
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "To go on from the last snapshot:" in err
    assert err.rstrip().endswith("-e 100000 --loss mse --autoload")


def test_resume(run, tmp_path):
    run("-o", "whole", "--loss", "mse", "-e", "6")
    run("-o", "first", "--loss", "mse", "-e", "4")
    snapshot = os.path.join("first", "mse", "snapshot_iter_5")
    out = run("-o", "second", "--loss", "mse", "-e", "6", "-r", snapshot)
    assert f"Going on from {snapshot}, after epoch 2" in out
    for name in ["snapshot_iter_14"]:
        a, log_a = read_snapshot(tmp_path / "whole" / "mse" / name)
        b, log_b = read_snapshot(tmp_path / "second" / "mse" / name)
        assert log_a == log_b
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_autoload_with_more_epochs(run, tmp_path):
    run("-o", "whole", "-e", "8")
    run("-o", "parts", "-e", "4")
    out = run("-o", "parts", "-e", "8", "--autoload")
    assert out.count("after epoch 4") == 2
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_autoload_of_a_finished_run(run, tmp_path):
    run()
    before = (tmp_path / "result/metrics.json").read_text()
    times = [p.stat().st_mtime_ns for p in tmp_path.glob("result/*/snapshot*")]
    run("--autoload")
    assert (tmp_path / "result/metrics.json").read_text() == before
    assert times == [
        p.stat().st_mtime_ns for p in tmp_path.glob("result/*/snapshot*")
    ]


def test_autoload_without_snapshots(run):
    assert "Going on" not in run("--autoload", "--loss", "mse")


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "not a zip"])
def test_damaged_snapshots_are_skipped(run, tmp_path, damage):
    run("-o", "whole")
    run("-o", "damaged")
    newest = tmp_path / "damaged/mse/snapshot_iter_9"
    data = bytearray(newest.read_bytes())
    with zipfile.ZipFile(newest) as file:
        second = sorted(i.header_offset for i in file.infolist())[1]
    if damage == "cut":
        del data[-len(data) // 3 :]
    elif damage == "flip":
        data[second - 1] ^= 0xFF  # the last byte of the first array
    elif damage == "empty":
        del data[:]
    else:
        data = b"hello"
    newest.write_bytes(data)
    path = re.escape(os.path.join("damaged", "mse", "snapshot_iter_9"))
    message = f"Skipping {path}: not a complete snapshot"
    with pytest.warns(UserWarning, match=message):
        out = run("-o", "damaged", "--autoload")
    assert "snapshot_iter_5, after epoch 2" in out
    assert_same_run(tmp_path / "damaged", tmp_path / "whole")


def test_snapshots_of_another_run_are_skipped(run, tmp_path):
    run("--loss", "soft_dtw")
    message = "snapshot of another run, with gamma 1.0, seed 0"
    with pytest.warns(UserWarning, match=message):
        out = run(
            "--loss", "soft_dtw", "--autoload", "--gamma", "0.2", "--seed", "3"
        )
    assert "Going on" not in out
    with pytest.raises(SystemExit) as e:
        run("--loss", "mse", "-r", "result/soft_dtw/snapshot_iter_9")
    assert "snapshot of another run, with " in str(e.value)
    assert "loss soft_dtw" in str(e.value)


def test_resume_from_nothing(run):
    with pytest.raises(SystemExit) as e:
        run("--loss", "mse", "-r", "nothing")
    assert "--resume nothing: " in str(e.value)
    assert "No such file" in str(e.value)


# What a user may get wrong


@pytest.mark.parametrize(
    "args, message",
    [
        (["-r", "x"], "--resume needs one --loss"),
        (["-e", "0"], "must be at least 1: 0"),
        (["-b", "-3"], "must be at least 1: -3"),
        (["--gamma", "-1"], "must be at least 0: -1"),
        (["--gamma", "nan"], "must be at least 0: nan"),
        (["--gamma", "x"], "invalid float value: 'x'"),
        (["--seed", str(2**32)], "must be at most 4294967295: 4294967296"),
        (["--loss", "mae"], "invalid choice: 'mae'"),
        (["--alpha", "2"], "argument --alpha: must be at most 1: 2"),
        (["--gamma-schedule", "9", "3", "2"], "must not end before it"),
    ],
)
def test_wrong_arguments(run, capsys, args, message):
    with pytest.raises(SystemExit) as e:
        run(*args)
    assert e.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("device", ["0", "@cupy:0"])
def test_no_gpu(run, device):
    if chainer.backends.cuda.available:
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit, match=f"--device {device}: .*(CUDA|cupy)"):
        run("-d", device)


def test_no_chainerx(run):
    if chainer.chainerx.is_available():
        pytest.skip("there is ChainerX")
    with pytest.raises(SystemExit, match=r"native.*ChainerX is not avail"):
        run("-d", "native")


@pytest.mark.parametrize("device", ["-1", "@numpy"])
def test_cpu(run, device):
    assert "Device: @numpy" in run("-d", device, "-e", "1", "--loss", "mse")


def test_unknown_dataset(run):
    with pytest.raises(SystemExit, match=r"names near: Toy"):
        run("--dataset", "Toys")


def test_without_matplotlib(run, tmp_path):
    out = run("-e", "1")
    assert "fails: No module named 'matplotlib'" in out
    assert "pip install matplotlib" in out
    assert "trained with" in out
    assert not list(tmp_path.glob("result/**/*.png"))
