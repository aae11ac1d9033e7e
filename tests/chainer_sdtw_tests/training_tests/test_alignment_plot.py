from chainer_sdtw.links import SoftDTWLoss  # isort: skip  (before chainer)

from types import SimpleNamespace

import chainer
import numpy as np
import pytest
from chainer.training import extensions

from chainer_sdtw.training import AlignmentPlot, alignment_plot

EXAMPLES = [
    (np.arange(4, dtype="f"), np.ones((3, 2), dtype="f")),
    (np.arange(5, dtype="f"), np.ones((6, 2), dtype="f")),
]


@pytest.fixture
def trainer(tmp_path):
    return SimpleNamespace(
        out=str(tmp_path), updater=SimpleNamespace(epoch=7, iteration=70)
    )


@pytest.fixture
def matplotlib(monkeypatch):
    monkeypatch.setattr(extensions.plot_report, "_available", None)
    return pytest.importorskip("matplotlib")


def predict(x):
    """Series of two features."""
    assert not chainer.config.train
    assert not chainer.config.enable_backprop
    assert isinstance(x, np.ndarray)
    return chainer.Variable(np.stack([x, x], axis=2))


def test_picture(trainer, tmp_path, matplotlib):
    plot = AlignmentPlot(EXAMPLES, predict, SoftDTWLoss(0.1, bandwidth=2))
    plot(trainer)
    (path,) = tmp_path.iterdir()
    assert path.name == "alignment_epoch_7.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_what_is_drawn(trainer, matplotlib, monkeypatch):
    drawn = []
    draw = alignment_plot.plot_alignment

    def spy(*args, **kwargs):
        drawn.append(args)
        return draw(*args, **kwargs)

    monkeypatch.setattr(alignment_plot, "plot_alignment", spy)
    loss = SoftDTWLoss(0.1, cost="manhattan", prior=2, nu=3)
    plot = AlignmentPlot(EXAMPLES, predict, loss, filename="picture.svg")
    plot(trainer)
    assert len(drawn) == 2
    for (x, y, alignment), (series, target) in zip(drawn, EXAMPLES):
        np.testing.assert_array_equal(x, np.stack([series, series], axis=1))
        np.testing.assert_array_equal(y, target)
        expected = loss.alignment(x[None], y[None]).array[0]
        np.testing.assert_array_equal(alignment, expected)


@pytest.mark.parametrize("as_list", [True, False])
def test_univariate(trainer, tmp_path, matplotlib, as_list):
    # Equal lengths without an axis for features, and lists.
    examples = [(np.arange(4, dtype="f"), np.arange(4, dtype="f"))]
    AlignmentPlot(
        examples,
        lambda x: list(x) if as_list else x,
        SoftDTWLoss(),
        filename="a_{.updater.iteration}.png",
    )(trainer)
    assert (tmp_path / "a_70.png").exists()


def test_without_matplotlib(trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(extensions.plot_report, "_available", False)
    with pytest.warns(UserWarning, match="matplotlib is not installed"):
        plot = AlignmentPlot(EXAMPLES, None, SoftDTWLoss())
    with pytest.warns(UserWarning, match="matplotlib is not installed"):
        plot(trainer)
    assert not list(tmp_path.iterdir())


def test_repr(matplotlib):
    plot = AlignmentPlot(EXAMPLES, predict, SoftDTWLoss(2), filename="a.png")
    assert repr(plot) == (
        "AlignmentPlot(2 examples, loss=SoftDTWLoss(gamma=2.0, "
        "loss=soft_dtw), filename='a.png')"
    )


def test_no_examples(matplotlib):
    with pytest.raises(ValueError, match="examples must not be empty"):
        AlignmentPlot([], predict, SoftDTWLoss())
