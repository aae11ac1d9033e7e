import chainer_sdtw  # isort: skip  (before chainer)

import sys

import chainer
import numpy as np
import pytest


@pytest.fixture
def figure():
    """A figure that no window and no state of pyplot goes with."""
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    return Figure(layout="constrained")


@pytest.fixture
def series(rng):
    return rng.standard_normal((5, 2)), rng.standard_normal((8, 2))


def test_what_is_drawn(figure, series):
    x, y = series
    e = chainer_sdtw.soft_alignment(x[None], y[None])[0]
    (path,) = chainer_sdtw.alignment_path(x[None], y[None])
    fig, axes = chainer_sdtw.plot_alignment(
        chainer.Variable(x),
        y,
        e,
        path=path,
        x_label="left",
        y_label="top",
        title="both",
        figure=figure,
    )
    assert fig is figure
    (image,) = axes["alignment"].get_images()
    np.testing.assert_array_equal(image.get_array(), e.array)
    (line,) = axes["alignment"].get_lines()
    np.testing.assert_array_equal(line.get_xydata(), path[:, ::-1])
    for k in range(2):
        left, top = (axes[name].get_lines()[k] for name in "xy")
        np.testing.assert_array_equal(left.get_xdata(), x[:, k])
        np.testing.assert_array_equal(left.get_ydata(), np.arange(5))
        np.testing.assert_array_equal(top.get_xdata(), np.arange(8))
        np.testing.assert_array_equal(top.get_ydata(), y[:, k])
    # Time runs down and to the right, of the series as of the matrix.
    assert axes["x"].get_ylim() == axes["alignment"].get_ylim() == (4.5, -0.5)
    assert axes["y"].get_xlim() == axes["alignment"].get_xlim() == (-0.5, 7.5)
    # And values on one scale.
    assert axes["x"].get_xlim()[::-1] == axes["y"].get_ylim()
    assert axes["x"].get_ylabel() == "left"
    assert axes["y"].get_title() == "top"
    assert [text.get_text() for text in figure.texts] == ["both"]


def test_new_figure(tmp_path, series, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    x, y = (a[:, 0] for a in series)
    fig, _ = chainer_sdtw.plot_alignment(x, y, np.zeros((5, 8)))
    try:
        fig.savefig(tmp_path / "alignment.png")
        assert plt.fignum_exists(fig.number)
    finally:
        plt.close(fig)
    assert (tmp_path / "alignment.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"alignment": np.zeros((8, 5))}, r"shape \(5, 8\), got \(8, 5\)"),
        ({"path": np.zeros(3)}, r"shape \(K, 2\), got \(3,\)"),
        ({"x": np.zeros((1, 5, 2))}, r"x must be .* shape \(1, 5, 2\)"),
        ({"y": np.zeros((0, 2))}, r"y must be .* shape \(0, 2\)"),
    ],
)
def test_shapes(series, change, message):
    arguments = {"x": series[0], "y": series[1], "alignment": np.ones((5, 8))}
    with pytest.raises(ValueError, match=message):
        chainer_sdtw.plot_alignment(**{**arguments, **change})


def test_without_matplotlib(series, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        chainer_sdtw.plot_alignment(*series, np.ones((5, 8)))


@pytest.mark.gpu
def test_arrays_on_a_gpu(figure, series):
    x, y = map(chainer.backends.cuda.to_gpu, series)
    e = chainer_sdtw.soft_alignment(x[None], y[None])[0]
    _, axes = chainer_sdtw.plot_alignment(x, y, e, figure=figure)
    (image,) = axes["alignment"].get_images()
    np.testing.assert_array_equal(image.get_array(), e.array.get())
