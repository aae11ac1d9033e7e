import chainer_sdtw  # isort: skip  (before chainer)

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from chainer_sdtw.datasets import UCRDataset

SCRIPT = "barycenter/plot_barycenters.py"


@pytest.fixture
def run(run_on, rng):
    """Runs the example on a toy set."""

    def rows():
        labels = [1, 2, 1, 1, 1]
        rows = np.column_stack([labels, rng.standard_normal((5, 8))])
        rows[2, -2:] = np.nan
        return rows

    return run_on(rows, "--count", "4", "--class", "1")


def printed(out):
    """The DTW of each line of the table, by its name."""
    lines = out.partition("seconds\n")[2].partition("Picture")[0].splitlines()
    return {line[:20].rstrip(): float(line[20:30]) for line in lines}


@pytest.mark.parametrize("args", [[], ["--loss", "soft_dtw_divergence"]])
def test_picture(run, example, figures, tmp_path, capsys, args):
    run("--gamma", "0.1", "1", "--length", "7", "-o", "out", *args)
    picture = tmp_path / "out" / "barycenters.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    (figure,) = figures
    assert [text.get_text() for text in figure.texts] == [
        "4 series of class 1 of Toy"
    ]
    columns = figure.axes
    assert len(columns) == 3
    values = printed(capsys.readouterr().out)
    assert list(values) == ["Euclidean mean", "gamma 0.1", "gamma 1"]
    loss = args[-1] if args else "soft_dtw"
    names = [
        "Euclidean mean",
        f"{loss}, gamma 0.1",
        f"{loss}, gamma 1",
    ]
    drawn = []
    for ax, name, value in zip(columns, names, values.values()):
        assert ax.get_title() == f"{name}\nDTW {value:.4g}"
        *series, barycenter = [line.get_ydata() for line in ax.lines]
        assert sorted(map(len, series)) == [6, 8, 8, 8]
        assert len(barycenter) == 7
        far = chainer_sdtw.pairwise_soft_dtw([barycenter], series, 0)
        assert far.mean() == pytest.approx(value, rel=1e-3)
        drawn.append(barycenter)
    np.testing.assert_allclose(
        drawn[0], example.euclidean_mean([s[:, None] for s in series], 7)[:, 0]
    )
    for gamma, barycenter in zip((0.1, 1), drawn[1:]):
        expected = chainer_sdtw.barycenter(
            series, gamma, init=drawn[0], loss=loss
        )
        np.testing.assert_allclose(barycenter, expected, rtol=0, atol=1e-3)


def test_minibatches(run, figures, capsys):
    run("--gamma", "1", "--sgd", "-b", "3", "-e", "100")
    values = printed(capsys.readouterr().out)
    assert list(values) == ["Euclidean mean", "gamma 1", "gamma 1, Adam"]
    mean, found = figures[0].axes
    *series, z, adam = [line.get_ydata() for line in found.lines]
    assert "{:.4g}, by Adam {:.4g}".format(*list(values.values())[1:]) in (
        found.get_title()
    )
    labels = [text.get_text() for text in found.get_legend().get_texts()]
    assert labels == ["L-BFGS", "Adam"]
    start = mean.lines[-1].get_ydata()
    losses = [
        chainer_sdtw.pairwise_soft_dtw([line], series, 1.0).mean()
        for line in (start, z, adam)
    ]
    assert losses[2] - losses[1] < 0.05 * (losses[0] - losses[1])


def test_several_features(example, run, figures, monkeypatch, rng):
    series = [rng.standard_normal((n, 4)).astype("f") for n in (5, 7, 6, 6)]
    labels = np.zeros(4, np.int32)
    halves = [
        UCRDataset("Toy", split, (1,), series, labels)
        for split in ("TRAIN", "TEST")
    ]
    monkeypatch.setattr(example, "get_ucr", lambda name, root: halves)
    run("--gamma", "0.5")
    axes = np.reshape(figures[0].axes, (3, 2))
    assert [ax.get_ylabel() for ax in axes[:, 0]] == [
        f"feature {k}" for k in range(3)
    ]
    assert {len(ax.lines) for ax in axes.flat} == {5}
    assert {len(ax.lines[-1].get_ydata()) for ax in axes.flat} == {6}


def test_the_seed_chooses(example, run):
    toy = ["--root", "archive", "--dataset", "Toy", "--count", "1"]

    def load(seed):
        args = example.parse_args(toy)
        return example.load(args, np.random.RandomState(seed))

    assert {load(seed)[0] for seed in range(10)} == {"1", "2"}
    np.testing.assert_array_equal(load(3)[1][0], load(3)[1][0])


def test_targets_instead_of_classes(example, run, monkeypatch):
    series, targets = np.zeros((4, 5, 1), "f"), np.arange(4.0)
    halves = [
        UCRDataset("Toy", split, (), series, targets)
        for split in ("TRAIN", "TEST")
    ]
    monkeypatch.setattr(example, "get_ucr", lambda name, root: halves)
    with pytest.raises(SystemExit, match="have targets, not classes"):
        run()


@pytest.mark.parametrize(
    "args, message",
    [
        (["--count", "5"], "--count 5: class 1 has 4 series"),
        (["--class", "3"], "no class 3 among 1, 2"),
        (["--dataset", "Toys"], "--dataset Toys"),
        (["--loss", "dtw"], "loss must be one of .soft_dtw., .*got .dtw."),
        (["-d", "nothing"], "--device nothing"),
    ],
)
def test_errors(run, args, message):
    with pytest.raises(SystemExit, match=message):
        run(*args)


def test_a_picture_that_cannot_be_written(run, tmp_path):
    (tmp_path / "out" / "barycenters.png").mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"^--out out: .*barycenters.png"):
        run("--gamma", "1", "-o", "out")
