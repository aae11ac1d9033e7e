import chainer_sdtw  # isort: skip  (before chainer)

import io

import chainer
import numpy as np
import pytest
from chainer.testing import attr
from named_losses import FUNCTIONS

from chainer_sdtw.links import Barycenter
from chainer_sdtw.training import AttributeShift

WITH_GAMMA = [name for name in FUNCTIONS if not name.startswith("mean")]


@pytest.fixture
def series(rng):
    return [rng.standard_normal((n, 2)) for n in (5, 3, 4)]


@pytest.mark.parametrize("loss", WITH_GAMMA)
@pytest.mark.parametrize("weights", [None, [1.0, 0.5, 2]])
@pytest.mark.parametrize("cost", ["sqeuclidean", "cosine"])
def test_loss_and_gradient(rng, series, loss, weights, cost):
    z = rng.standard_normal((4, 2))
    link = Barycenter(z, 0.3, loss=loss, cost=cost)
    value = link(series, weights)
    value.backward()

    x = chainer.Variable(z)
    expected = FUNCTIONS[loss](
        [x] * 3, series, 0.3, cost=cost, reduce="no"
    ) * (np.ones(3) if weights is None else np.array(weights))
    expected = chainer.functions.mean(expected)
    expected.backward()
    assert value.shape == ()
    np.testing.assert_allclose(value.array, expected.array, rtol=1e-12)
    np.testing.assert_allclose(link.barycenter.grad, x.grad, atol=1e-11)


@pytest.mark.parametrize("loss", ["divergence", "sharp_divergence"])
def test_skip(series, loss):
    link = Barycenter(series[0], loss=loss)
    whole, less = link(series), link(series, y_term="skip")
    assert abs(float(whole.array - less.array)) > 0.1
    gradients = []
    for value in whole, less:
        link.cleargrads()
        value.backward()
        gradients.append(link.barycenter.grad)
    np.testing.assert_allclose(*gradients, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_univariate(rng, dtype):
    link = Barycenter(np.zeros(5, dtype))
    value = link(rng.standard_normal((3, 4)).astype(dtype))
    value.backward()
    assert value.dtype == link.barycenter.grad.dtype == dtype
    assert link.barycenter.grad.shape == (5,)


def test_default_type():
    with chainer.using_config("dtype", np.float64):
        assert Barycenter([0, 1]).barycenter.dtype == np.float64
    init = np.zeros(3, np.float32)
    link = Barycenter(init)
    link.barycenter.array[:] = 1
    assert not init.any()


def test_minibatches_reach_the_barycenter(rng):
    series = np.sin(np.arange(12) / 2) + 0.1 * rng.standard_normal((40, 12))
    best = chainer_sdtw.barycenter(series, 0.1)
    link = Barycenter(np.zeros(12), 0.1)
    optimizer = chainer.optimizers.Adam(0.05).setup(link)
    order = chainer.iterators.ShuffleOrderSampler(np.random.RandomState(0))
    batches = chainer.iterators.SerialIterator(series, 10, order_sampler=order)
    before = float(link(series).array)
    for _ in range(100):
        optimizer.update(link, np.stack(next(batches)))
    reached = float(link(series).array)
    least = float(Barycenter(best, 0.1)(series).array)
    assert reached - least < 0.05 * (before - least)


def test_repr():
    link = Barycenter([0.0], 2, loss="sharp", bandwidth=3)
    assert (
        str(link)
        == repr(link)
        == (
            "Barycenter(shape=(1,), dtype=float32, gamma=2.0, loss=sharp, "
            "cost=sqeuclidean, bandwidth=3)"
        )
    )
    link = Barycenter(np.zeros((5, 2)), cost=chainer_sdtw.cost_matrix)
    assert "shape=(5, 2), dtype=float64" in repr(link)
    assert "cost=cost_matrix" in repr(link)


def test_gamma_is_in_snapshots(series):
    link = Barycenter(series[0], gamma=2)
    link.gamma = 0.5
    file = io.BytesIO()
    chainer.serializers.save_npz(file, link)
    file.seek(0)
    other = Barycenter(np.zeros((5, 2)))
    chainer.serializers.load_npz(file, other)
    assert other.gamma == 0.5
    np.testing.assert_array_equal(other.barycenter.array, series[0])


def test_trainer(rng, tmp_path):
    """Minibatches, a schedule of gamma, and a log, as trainers have them."""
    series = list(rng.standard_normal((6, 8)).astype("f"))
    link = Barycenter(series[0], gamma=4)
    optimizer = chainer.optimizers.Adam(0.1).setup(link)
    iterator = chainer.iterators.SerialIterator(series, 2)
    updater = chainer.training.StandardUpdater(iterator, optimizer)
    trainer = chainer.training.Trainer(updater, (4, "epoch"), out=tmp_path)
    trainer.extend(AttributeShift("gamma", (4, 1), (1, 3), link))
    log = chainer.training.extensions.LogReport()
    trainer.extend(log)
    trainer.run()
    assert link.gamma == 1
    assert len(log.log) == 4
    assert all(np.isfinite(entry["main/loss"]) for entry in log.log)


def test_gamma_stays_in_range():
    link = Barycenter([0.0])
    with pytest.raises(ValueError, match="gamma must be >= 0"):
        link.gamma = -1
    assert link.gamma == 1


@pytest.mark.parametrize(
    "args, options, message",
    [
        (([],), {}, "init must be a series"),
        ((np.zeros((1, 2, 3)),), {}, "init must be a series"),
        (([0.0], -1), {}, "gamma must be >= 0"),
        (([0.0],), {"loss": "dtw"}, "loss must be one of"),
        (([0.0],), {"cost": "l3"}, "cost must be"),
        (([0.0],), {"bandwidth": -1}, "bandwidth must be >= 0"),
    ],
)
def test_bad_options(args, options, message):
    with pytest.raises(ValueError, match=message):
        Barycenter(*args, **options)


@pytest.mark.parametrize(
    "series, options, message",
    [
        (np.zeros((2, 3, 1)), {}, "series must have 2 features, got 1"),
        (np.zeros((2, 3)), {}, "series must be float64"),
        (np.zeros((2, 3, 2), "f"), {}, "series must be float64.*float32"),
        ([], {}, "series must not be an empty list"),
        (np.zeros((2, 3, 2)), {"weights": [1]}, r"weights must have shape"),
        (np.zeros((2, 3, 2)), {"weights": [1, -1]}, "weights must be >= 0"),
        (np.zeros((2, 3, 2)), {"weights": [1, np.nan]}, "and finite, got nan"),
        (np.zeros((2, 3, 2)), {"y_term": "no"}, "y_term must be"),
    ],
)
def test_bad_series(series, options, message):
    link = Barycenter(np.zeros((4, 2)))
    with pytest.raises(ValueError, match=message):
        link(series, **options)


def test_nan_is_in_the_loss(series):
    series[1][0] = np.nan
    assert np.isnan(Barycenter(np.zeros((4, 2)))(series).array)


@attr.gpu
@pytest.mark.parametrize("loss", FUNCTIONS)
def test_on_a_gpu(series, loss):
    import cupy

    link = Barycenter(np.zeros((4, 2)), 0.3, loss=loss)
    value = link(series, [1, 2, 0.5])
    value.backward()
    expected = link.barycenter.grad
    link.cleargrads()
    link.to_device("@cupy:0")
    series = [cupy.asarray(s) for s in series]
    there = link(series, [1, 2, 0.5])
    there.backward()
    np.testing.assert_allclose(there.array.get(), value.array, rtol=1e-9)
    np.testing.assert_allclose(link.barycenter.grad.get(), expected, atol=1e-9)
    negative = cupy.asarray([1, -1, 0])
    assert np.isfinite(link(series, negative).array.get())
    refused = pytest.raises(ValueError, match="weights must be >= 0")
    with chainer.using_config("debug", True), refused:
        link(series, negative)
