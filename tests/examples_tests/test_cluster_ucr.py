import re

import numpy as np
import pytest

from chainer_sdtw.datasets import UCRDataset

pytest.importorskip("matplotlib")
metrics = pytest.importorskip("sklearn.metrics")

SCRIPT = "clustering/cluster_ucr.py"


@pytest.fixture
def run(run_on, rng):
    """Runs the example on steps up and down."""

    def rows():
        rows = []
        for i in range(9):
            at = rng.integers(3, 8)
            up = np.where(np.arange(11) < at, 0.0, 1.0)
            up += 0.05 * rng.standard_normal(11)
            rows.append([5, *up] if i % 3 else [7, *-up])
        rows[-1][-2:] = np.nan, np.nan
        return rows

    return run_on(rows)


def figure_of(out, name):
    return float(re.search(rf"^{name}: (\S+)$", out, re.MULTILINE).group(1))


def test_picture(run, figures, tmp_path, capsys):
    run("--gamma", "0.1", "-o", "out")
    out = capsys.readouterr().out
    picture = tmp_path / "out" / "clusters.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    rows = [line.split() for line in out.splitlines()[2:5]]
    assert rows[0] == ["5", "7"]
    assert sorted(row[1:] for row in rows[1:]) == [["0", "3"], ["6", "0"]]
    for half in "train", "test":
        assert figure_of(out, f"Adjusted Rand index, {half}") == 1
    assert figure_of(out, "Iterations") >= 1
    assert figure_of(out, "Seconds") >= 0
    (figure,) = figures
    sizes = [sum(map(int, row[1:])) for row in rows[1:]]
    assert [ax.get_title() for ax in figure.axes] == [
        f"cluster {k}: {size} series" for k, size in enumerate(sizes)
    ]
    for ax, size in zip(figure.axes, sizes):
        *in_cluster, center = [line.get_ydata() for line in ax.lines]
        assert len(in_cluster) == size
        assert len(center) == 11
        # From one level to the other, as the series of its cluster.
        rise = np.sign(center[-1] - center[0])
        assert all(np.sign(s[-1] - s[0]) == rise for s in in_cluster)
    legend = figure.axes[-1].get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["center", "class 5", "class 7"]


def test_printed_figures(run, example, figures, monkeypatch, capsys):
    made = []
    plot = example.plot

    def spy(path, model, train, series, args):
        made.append((model, train, series))
        plot(path, model, train, series, args)

    monkeypatch.setattr(example, "plot", spy)
    run(
        "-k",
        "4",
        "--length",
        "6",
        "--loss",
        "soft_dtw_divergence",
        "--starts",
        "1",
    )
    out = capsys.readouterr().out
    (model, train, series), (figure,) = made[0], figures
    assert model.loss == "soft_dtw_divergence"
    assert model.cluster_centers_.shape == (4, 6, 1)
    assert len(figure.axes) == 4
    rows = [line.split() for line in out.splitlines()[3:7]]
    table = [
        [str(k)]
        + [
            str(((model.labels_ == k) & (train.labels == c)).sum())
            for c in (0, 1)
        ]
        for k in range(4)
    ]
    assert rows == table
    score = metrics.adjusted_rand_score(train.labels, model.labels_)
    printed = figure_of(out, "Adjusted Rand index, train")
    assert printed == pytest.approx(score, abs=1e-3)
    least = model.transform(series).min(axis=1).sum()
    assert figure_of(out, "Inertia") == pytest.approx(least, rel=1e-3)


def test_a_feature_of_several(run, example, figures, monkeypatch, rng):
    series = [rng.standard_normal((n, 3)).astype("f") for n in (5, 7, 6, 6)]
    labels = np.array([0, 0, 1, 1], np.int32)
    halves = [
        UCRDataset("Toy", split, ("a", "b"), series, labels)
        for split in ("TRAIN", "TEST")
    ]
    monkeypatch.setattr(example, "get_ucr", lambda name, root: halves)
    run("--feature", "2")
    drawn = [
        line.get_ydata() for ax in figures[0].axes for line in ax.lines[:-1]
    ]
    values = np.concatenate(series)
    scaled = [(s - values.mean(axis=0)) / values.std(axis=0) for s in series]
    assert len(drawn) == 4
    for s in scaled:
        assert any(np.array_equal(s[:, 2], line) for line in drawn)
    assert figures[0].axes[0].get_ylabel() == "feature 2"


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
        (["-k", "10"], "--clusters 10: the training set has only 9 series"),
        (["--feature", "1"], "no feature 1 among 1"),
        (["--dataset", "Toys"], "--dataset Toys"),
        (["--loss", "dtw"], "loss must be one of .soft_dtw., .*got .dtw."),
        (["-d", "nothing"], "--device nothing"),
    ],
)
def test_errors(run, args, message):
    with pytest.raises(SystemExit, match=message):
        run(*args)


def test_a_picture_that_cannot_be_written(run, tmp_path):
    (tmp_path / "out" / "clusters.png").mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"^--out out: .*clusters.png"):
        run("--gamma", "1", "-o", "out")
