import numpy as np
import pytest

import chainer_sdtw

pytest.importorskip("matplotlib")

SCRIPT = "alignment/plot_alignments.py"


@pytest.fixture
def run(run_on, rng):
    """Runs the example on a toy set."""

    def rows():
        rows = np.column_stack([[1, 2, 1], rng.standard_normal((3, 6))])
        rows[2, -2:] = np.nan
        return rows

    return run_on(rows)


def test_picture(run, example, tmp_path, monkeypatch):
    drawn = []
    draw = chainer_sdtw.plot_alignment

    def spy(x, y, alignment, **kwargs):
        drawn.append((len(x), len(y), kwargs["title"]))
        return draw(x, y, alignment, **kwargs)

    monkeypatch.setattr(chainer_sdtw, "plot_alignment", spy)
    args = ["--series", "0", "2", "--gamma", "0", "0.5", "-o", "out"]
    run(*args, "--cost", "manhattan", "euclidean", "--bandwidth", "3")
    picture = tmp_path / "out" / "alignments.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    x, y = example.load(
        example.parse_args([*args, "--root", "archive", "--dataset", "Toy"])
    )
    titles = [
        f"{cost}, gamma {gamma}: "
        + "{:.4g}".format(
            chainer_sdtw.soft_dtw(
                x[None], y[None], gamma, cost=cost, bandwidth=3
            ).array
        )
        for cost in ("manhattan", "euclidean")
        for gamma in (0, 0.5)
    ]
    assert drawn == [(6, 4, title) for title in titles]


@pytest.mark.parametrize(
    "args, message",
    [
        (["--series", "0", "3"], "no test series 3 among 3"),
        (["--dataset", "Toys"], "--dataset Toys"),
        (["-d", "nothing"], "--device nothing"),
    ],
)
def test_errors(run, args, message):
    with pytest.raises(SystemExit, match=message):
        run(*args)


def test_a_picture_that_cannot_be_written(run, tmp_path):
    (tmp_path / "out" / "alignments.png").mkdir(parents=True)
    with pytest.raises(SystemExit, match=r"^--out out: .*alignments.png"):
        run("--series", "0", "2", "-o", "out")
