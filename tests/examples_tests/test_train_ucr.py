import chainer_sdtw  # isort: skip  (before chainer)

import json
import os

import chainer
import numpy as np
import pytest
from chainer.training import extensions
from same_runs import assert_same_run, read_metrics

SCRIPT = "sequence_prediction/train_ucr.py"
pytestmark = [
    pytest.mark.filterwarnings("ignore:matplotlib is not installed"),
    pytest.mark.usefixtures("root"),
]
SMALL = ["--dataset", "Toy", "--unit", "4", "-b", "5", "-e", "4", "-f", "2"]


@pytest.fixture
def run(example, tmp_path, capsys, monkeypatch, request):
    """Run the example in this process and return what it prints.

    It draws no pictures, which take longer than all the rest, unless the test
    asks for the fixture ``figures``.
    """
    monkeypatch.chdir(tmp_path)
    if "figures" not in request.fixturenames:
        cause = ImportError("No module named 'matplotlib'")
        monkeypatch.setattr(example, "plots", None)
        monkeypatch.setattr(example, "no_matplotlib", cause, raising=False)
        monkeypatch.setattr(extensions.plot_report, "_available", False)

    def run(*args):
        example.main([*SMALL, *args])
        return capsys.readouterr().out

    return run


# A whole run


def test_both_losses(run, figures, tmp_path):
    out = run()
    result = tmp_path / "result"
    metrics = read_metrics(result)
    assert list(metrics) == ["soft_dtw", "mse"]
    for loss in metrics:
        log = json.loads((result / loss / "log").read_text())
        assert [entry["epoch"] for entry in log] == [2, 4]
        # 11 series in batches of 5.
        files = ["log", "loss.png", "snapshot_iter_9"]
        assert sorted(os.listdir(result / loss)) == files
        assert os.path.join("result", loss, "loss.png") in out
        for key in "mse", "dtw", "soft_dtw":
            assert f"{metrics[loss][key]:.5g}" in out
    for text in "soft-DTW (1)", "MSE", os.path.join("result", "predictions"):
        assert text in out
    picture = (result / "predictions.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_without_matplotlib(run, tmp_path):
    out = run("-e", "1", "-d", "@numpy")
    assert "Device: @numpy" in out
    assert "fails: No module named 'matplotlib'" in out
    assert "pip install matplotlib" in out
    assert "trained with" in out
    assert not list(tmp_path.glob("result/**/*.png"))


def test_panels_are_in_order(script, monkeypatch):
    """The picture shows the first series of each class."""
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(script.parent)
    from plots import choose

    labels = np.array([0, 1, 1, 0, 2, 0, 0, 2])
    assert choose(labels, 6) == [0, 1, 2, 3, 4, 7]
    assert choose(labels, 4) == [0, 1, 3, 4]
    assert choose(labels[:3], 6) == [0, 1, 2]


def test_metrics(run, example, tmp_path):
    # Against their definitions, series by series.
    run("--loss", "mse", "--gamma", "0.5", "-b", "3")
    metrics = read_metrics(tmp_path / "result")["mse"]
    args = example.parse_args([*SMALL, "-b", "3", "--gamma", "0.5"])
    train, test, _ = example.load("Toy", None)
    model = example.make_model(args, train, "mse")
    chainer.serializers.load_npz(
        tmp_path / "result/mse/snapshot_iter_15", model, "updater/model:main/"
    )
    predictions = [
        model.predict(past[None], future[None]).array[0]
        for past, future in test
    ]
    pairs = [(y, future) for y, (_, future) in zip(predictions, test)]
    mse = np.mean([np.mean((y - future) ** 2) for y, future in pairs])
    np.testing.assert_allclose(metrics["mse"], mse, rtol=1e-5)
    for key, gamma in ("dtw", 0), ("soft_dtw", 0.5):
        values = [chainer_sdtw.soft_dtw(*pair, gamma).array for pair in pairs]
        np.testing.assert_allclose(metrics[key], np.mean(values), rtol=1e-5)


def test_seed(run, tmp_path):
    for out, seed in ("a", "0"), ("b", "0"), ("c", "1"):
        run("-o", out, "--seed", seed)
    assert_same_run(tmp_path / "a", tmp_path / "b")
    assert read_metrics(tmp_path / "a") != read_metrics(tmp_path / "c")


def test_losses_start_alike(example):
    # The same initial weights and the same order of the series.
    args = example.parse_args(SMALL)
    train, *_ = example.load("Toy", None)
    models = [example.make_model(args, train, loss) for loss in example.LOSSES]
    for a, *others in zip(*(model.params() for model in models)):
        for b in others:
            np.testing.assert_array_equal(a.array, b.array)


@pytest.mark.parametrize("model, epoch", [("mlp", 60), ("lstm", 8)])
def test_learns(run, tmp_path, model, epoch):
    epochs = ["-e", str(epoch), "-f", str(epoch // 2)]
    run("--model", model, *epochs, "-u", "32", "-b", "4")
    for loss in "soft_dtw", "mse":
        log = json.loads((tmp_path / "result" / loss / "log").read_text())
        for key in "main/loss", "validation/main/loss", "validation/main/dtw":
            assert log[-1][key] < log[0][key]


def test_data(example):
    """The training set is scaled, and each series split after 60 %."""
    train, *_ = example.load("Toy", None)
    x = np.stack([np.concatenate(pair) for pair in train])
    np.testing.assert_allclose(x.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(), 1, rtol=1e-6)
    assert {len(past) for past, _ in train} == {7}
    assert x.shape == (11, 12, 1)


# Other losses and data sets


@pytest.mark.parametrize("model", ["mlp", "lstm"])
def test_all_losses(run, example, tmp_path, model):
    # The LSTM's series have different lengths.
    dataset = "Toy" if model == "mlp" else "Uneven"
    options = ["--gamma", "0.5", "--bandwidth", "2", "-e", "1"]
    options += ["--model", model, "--dataset", dataset]
    out = run("--loss", *example.LOSSES, *options)
    metrics = read_metrics(tmp_path / "result")
    assert list(metrics) == list(example.LOSSES)
    assert np.isfinite([list(m.values()) for m in metrics.values()]).all()
    # They do not learn the same.
    assert len({m["dtw"] for m in metrics.values()}) == len(metrics)
    for title, *_ in example.LOSSES.values():
        assert f"\n{title} " in out


@pytest.mark.parametrize(
    "loss, function",
    [
        ("divergence", chainer_sdtw.soft_dtw_divergence),
        ("sharp", chainer_sdtw.sharp_soft_dtw),
        ("sharp_divergence", chainer_sdtw.sharp_soft_dtw_divergence),
        ("dilate", chainer_sdtw.dilate_loss),
    ],
)
def test_options_of_losses(example, rng, loss, function):
    args = example.parse_args(["--gamma", "0.5", "--bandwidth", "1"])
    x, y = rng.standard_normal((2, 3, 5, 2))
    train, *_ = example.load("Toy", None)
    link = example.make_model(args, train, loss).loss
    expected = function(x, y, gamma=0.5, bandwidth=1)
    assert float(link(x, y).array) == float(expected.array)


def test_alignments(run, figures, tmp_path):
    run("--loss", "soft_dtw", "-e", "1", "--alignments")
    picture = tmp_path / "result/soft_dtw/alignment_epoch_1.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_unequal_lengths(run, figures, tmp_path):
    out = run("--dataset", "Uneven", "--model", "lstm", "-e", "1")
    assert "length 8-12" in out
    assert (tmp_path / "result/predictions.png").exists()


def test_targets_instead_of_classes(run, root, figures):
    (root / "Targets").mkdir()
    for split in "TRAIN", "TEST":
        (root / "Targets" / f"Targets_{split}.ts").write_text(
            "@targetLabel true\n@data\n" + "1,2,3,4,5,6:0.25\n" * 5
        )
    run("--dataset", "Targets", "--loss", "mse", "-e", "1")
    titles = [ax.get_title() for figure in figures for ax in figure.axes]
    assert "test series 0, target 0.25" in titles


@pytest.mark.parametrize(
    "dataset, model", [("BasicMotions", "mlp"), ("JapaneseVowels", "lstm")]
)
def test_multivariate(run, tmp_path, monkeypatch, dataset, model):
    pytest.importorskip("aeon")
    monkeypatch.delenv("CHAINER_SDTW_UCR_ROOT")
    run("--dataset", dataset, "--model", model, "-e", "1", "-b", "100")
    metrics = read_metrics(tmp_path / "result")
    assert np.isfinite([list(m.values()) for m in metrics.values()]).all()


def test_batch_larger_than_the_training_set(run, tmp_path):
    run("-b", "1000", "--loss", "mse")
    assert (tmp_path / "result/mse/snapshot_iter_4").exists()


# Resuming; test_ended_runs.py ends processes


def test_resume(run, tmp_path):
    run("-o", "whole", "--loss", "mse", "-e", "6")
    run("-o", "first", "--loss", "mse", "-e", "4")
    snapshot = os.path.join("first", "mse", "snapshot_iter_9")
    out = run("-o", "second", "--loss", "mse", "-e", "6", "-r", snapshot)
    assert f"Going on from {snapshot}" in out
    assert_same_run(tmp_path / "second", tmp_path / "whole")


def test_autoload_with_more_epochs(run, tmp_path):
    run("-o", "whole", "-e", "8")
    assert "Going on" not in run("-o", "parts", "-e", "4", "--autoload")
    out = run("-o", "parts", "-e", "8", "--autoload")
    assert out.count("snapshot_iter_9") == 2
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.parametrize("epoch", ["4", "3"])
def test_autoload_of_a_finished_run(run, tmp_path, epoch):
    def times():
        return [p.stat().st_mtime_ns for p in tmp_path.glob("*/*/snapshot*")]

    run()
    before = read_metrics(tmp_path / "result"), times()
    run("--autoload", "-e", epoch)
    assert (read_metrics(tmp_path / "result"), times()) == before


def test_gamma_schedule(run, tmp_path, example, monkeypatch):
    gammas = []
    forward = example.SoftDTWLoss.forward

    def spy(self, x, y):
        if chainer.config.train:
            gammas.append(self.gamma)
        return forward(self, x, y)

    monkeypatch.setattr(example.SoftDTWLoss, "forward", spy)
    args = ["--loss", "sharp", "-b", "100", "-f", "1"]
    args += ["--gamma", "0.5", "--gamma-schedule", "2.5", "2", "4"]
    run(*args, "-e", "5", "-o", "whole")
    assert gammas == [2.5, 2.5, 2.5, 1.5, 0.5]
    run(*args, "-e", "3")
    del gammas[:]
    run(*args, "-e", "5", "--autoload")
    assert gammas == [1.5, 0.5]
    assert_same_run(tmp_path / "result", tmp_path / "whole")


def test_snapshots_that_are_refused(run, tmp_path):
    run("--loss", "soft_dtw")
    path = os.path.join("result", "soft_dtw", "snapshot_iter_9")

    def refusal(*args):
        with pytest.raises(SystemExit) as e:
            run(*args)
        return str(e.value)

    other = refusal("--autoload", "--gamma", "0.2", "--seed", "3", "-u", "5")
    assert other == (
        f"Cannot go on from {path}: snapshot of another run, with gamma 1.0, "
        "seed 0, unit 4"
    )
    assert "loss soft_dtw" in refusal("--loss", "mse", "-r", path)
    nothing = refusal("--loss", "mse", "-r", "nothing")
    assert "Cannot go on from nothing: " in nothing
    assert "No such file" in nothing
    for data in b"", b"hello", (tmp_path / path).read_bytes()[:1000]:
        (tmp_path / path).write_bytes(data)
        assert f"{path}: not a complete snap" in refusal("--autoload")


# Mistakes of users


@pytest.mark.parametrize(
    "args, message",
    [
        (["-r", "x"], "--resume needs one --loss"),
        (["--gamma", "x"], "invalid float value: 'x'"),
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


@pytest.mark.parametrize("device", ["0", "@cupy:0", "native"])
def test_no_such_device(run, device):
    if device == "native":
        available = chainer.chainerx.is_available()
    else:
        available = chainer.backends.cuda.available
    if available:
        pytest.skip("there is one")
    with pytest.raises(SystemExit, match=f"{device}.*(CUDA|cupy|ChainerX)"):
        run("-d", device)


def test_a_folder_that_is_none(run, tmp_path):
    (tmp_path / "result").mkdir()
    (tmp_path / "result/mse").write_text("")
    with pytest.raises(SystemExit, match=r"--out result: .*result/mse"):
        run()


def test_wrong_datasets(run):
    with pytest.raises(SystemExit, match=r"names near: Toy"):
        run("--dataset", "Toys")
    with pytest.raises(SystemExit, match="from 8 to 12; use --model lstm"):
        run("--dataset", "Uneven")
