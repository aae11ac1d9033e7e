import numpy as np
import pytest

import chainer_sdtw

pytest.importorskip("matplotlib")

SCRIPT = "interpolation/plot_interpolation.py"


@pytest.fixture
def run(run_on, rng):
    """Runs the example on a toy set."""

    def rows():
        rows = np.column_stack([[1, 2, 1], rng.standard_normal((3, 9))])
        rows[2, -4:] = np.nan
        return rows

    return run_on(rows)


def test_picture(run, figures, tmp_path, capsys):
    run("-s", "0", "2", "--count", "3", "--gamma", "0.5", "-o", "out")
    picture = tmp_path / "out" / "interpolation.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    (figure,) = figures
    assert [text.get_text() for text in figure.texts] == [
        "Training series 0 (X) and 2 (Y) of Toy"
    ]
    soft, euclidean = (
        [line.get_ydata() for line in ax.lines] for ax in figure.axes
    )
    labels = [text.get_text() for text in figure.axes[1].legend_.get_texts()]
    assert labels == ["0", "0.25", "0.5", "0.75", "1"]
    # The ends are the two series, what is between has lengths between.
    for lines in soft, euclidean:
        assert [len(line) for line in lines] == [9, 8, 7, 6, 5]
    x, y = soft[0], soft[-1]
    np.testing.assert_array_equal(euclidean[0], x)
    np.testing.assert_array_equal(euclidean[-1], y)

    def at(series, length):
        times = np.linspace(0, len(series) - 1, length)
        return np.interp(times, np.arange(len(series)), series)

    out = capsys.readouterr().out
    rows = np.loadtxt(out.splitlines()[3:6])
    np.testing.assert_array_equal(rows[:, 0], [0.25, 0.5, 0.75])
    for t, *far, z, mean in zip(*rows.T, soft[1:], euclidean[1:]):
        expected = (1 - t) * at(x, len(mean)) + t * at(y, len(mean))
        np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-5)
        expected = chainer_sdtw.barycenter(
            [x, y], 0.5, weights=[1 - t, t], init=mean
        )
        np.testing.assert_allclose(z, expected, rtol=0, atol=1e-3)
        expected = chainer_sdtw.pairwise_soft_dtw([z, mean], [x, y], 0)
        np.testing.assert_allclose(far, expected.ravel(), rtol=1e-3)


def test_between_equal_series(run, example, figures, monkeypatch):
    z = np.array([[0.0], [1], [3], [2]])
    monkeypatch.setattr(example, "load", lambda args: [z, z])
    run("-s", "0", "0", "--gamma", "0", "--count", "2")
    for ax in figures[0].axes:
        for line in ax.lines:
            np.testing.assert_allclose(line.get_ydata(), z[:, 0])


def test_several_features(run, example, figures, monkeypatch, rng):
    series = [rng.standard_normal((n, 5)) for n in (6, 4)]
    monkeypatch.setattr(example, "load", lambda args: series)
    run("-s", "0", "1", "--count", "1", "--loss", "soft_dtw_divergence")
    axes = np.reshape(figures[0].axes, (3, 2))
    for k, row in enumerate(axes):
        assert row[0].get_ylabel() == f"feature {k}"
        for ax in row:
            lines = [line.get_ydata() for line in ax.lines]
            assert [len(line) for line in lines] == [6, 5, 4]
            np.testing.assert_array_equal(lines[0], series[0][:, k])
            np.testing.assert_array_equal(lines[-1], series[1][:, k])


def test_the_seed_chooses(example, run):
    chosen = set()
    for seed in range(10):
        args = example.parse_args(
            ["--root", "archive", "--dataset", "Toy", "--seed", str(seed)]
        )
        example.load(args)
        assert args.series[0] != args.series[1]
        chosen.update(args.series)
    assert chosen == {0, 1, 2}


@pytest.mark.parametrize(
    "args, message",
    [
        (["--series", "0", "3"], "no training series 3 among 3"),
        (["--dataset", "Toys"], "--dataset Toys"),
        (["--loss", "dtw"], "loss must be one of .soft_dtw., .*got .dtw."),
        (["-d", "nothing"], "--device nothing"),
    ],
)
def test_errors(run, args, message):
    with pytest.raises(SystemExit, match=message):
        run(*args)


def test_a_picture_that_cannot_be_written(run, tmp_path):
    (tmp_path / "out" / "interpolation.png").mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"^--out out: .*interpolation.png"):
        run("--gamma", "1", "-o", "out")
