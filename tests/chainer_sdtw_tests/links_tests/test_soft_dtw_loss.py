import chainer_sdtw  # isort: skip  (before chainer)

import io

import chainer
import numpy as np
import pytest

from chainer_sdtw.links import SoftDTWLoss

LOSSES = [
    chainer_sdtw.soft_dtw,
    chainer_sdtw.soft_dtw_divergence,
    chainer_sdtw.sharp_soft_dtw,
    chainer_sdtw.sharp_soft_dtw_divergence,
    chainer_sdtw.dilate_loss,
]
# The penalties of three rows and four columns.
PRIOR = chainer_sdtw.diagonal_prior(3, 4, nu=2)


@pytest.fixture
def series(rng):
    return rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 4, 2))


def value(loss, x, y, *args, **kwargs):
    return loss(x, y, *args, **kwargs).array


@pytest.mark.parametrize("loss", LOSSES)
def test_calls_the_loss(series, loss):
    link = SoftDTWLoss(0.3, loss, cost="manhattan", reduce="no")
    assert list(link.params()) == []
    np.testing.assert_array_equal(
        value(link, *series),
        value(loss, *series, gamma=0.3, cost="manhattan", reduce="no"),
    )
    # What is given with the series comes first.
    np.testing.assert_array_equal(
        value(link, *series, cost="sqeuclidean", y_length=[2, 4]),
        value(loss, *series, gamma=0.3, y_length=[2, 4], reduce="no"),
    )


def test_gamma_is_a_float():
    link = SoftDTWLoss(2)
    assert type(link.gamma) is float
    link.gamma = np.float32(0.5)
    link.prior = np.array(3)
    assert (link.gamma, link.prior) == (0.5, 3.0)
    assert type(link.gamma) is type(link.prior) is float


@pytest.mark.parametrize("bad", [-1, np.nan, np.inf])
def test_out_of_range(bad):
    link = SoftDTWLoss()
    for name in "gamma", "prior":
        with pytest.raises(ValueError, match=f"{name} must be >= 0"):
            SoftDTWLoss(**{name: bad})
        with pytest.raises(ValueError, match=f"{name} must be >= 0"):
            setattr(link, name, bad)
    assert (link.gamma, link.prior) == (1.0, 0.0)


def test_repr():
    link = SoftDTWLoss(2, bandwidth=3)
    expected = "SoftDTWLoss(gamma=2.0, loss=soft_dtw, bandwidth=3)"
    assert str(link) == repr(link) == expected
    assert "prior=1.5, nu=10" in str(SoftDTWLoss(prior=1.5, nu=10))


# The prior


def test_prior_is_added_to_the_cost(series):
    cost = chainer_sdtw.cost_matrix(*series, "manhattan").array
    link = SoftDTWLoss(0.5, prior=3, nu=2, cost="manhattan", reduce="no")
    expected = chainer_sdtw.soft_dtw_from_cost(
        cost + 3 * PRIOR, 0.5, reduce="no"
    )
    np.testing.assert_allclose(value(link, *series), expected.array)
    link.prior = 0
    np.testing.assert_allclose(
        value(link, *series),
        value(chainer_sdtw.soft_dtw_from_cost, cost, 0.5, reduce="no"),
    )


def test_prior_of_lengths(series):
    # As if each pair had come without its padding.
    link = SoftDTWLoss(0.5, prior=3, nu=2, reduce="no")
    x, y = series
    padded = value(link, x, y, x_length=[3, 2], y_length=[1, 4])
    pairs = (x[0], y[0, :1]), (x[1, :2], y[1])
    alone = [value(link, a[None], b[None])[0] for a, b in pairs]
    np.testing.assert_allclose(padded, alone)
    lists = [list(a) for a in zip(*pairs)]
    np.testing.assert_allclose(value(link, *lists), alone)


def test_prior_of_lengths_in_a_divergence(series):
    # The terms of a series with itself have a diagonal of their own.
    divergence = chainer_sdtw.soft_dtw_divergence
    link = SoftDTWLoss(0.5, divergence, prior=3, nu=2, reduce="no")
    x, y = series
    padded = value(link, x, y, x_length=[3, 2], y_length=[1, 4])
    alone = [
        value(link, x[:1], y[:1, :1])[0],
        value(link, x[1:, :2], y[1:])[0],
    ]
    np.testing.assert_allclose(padded, alone)
    np.testing.assert_allclose(value(link, x, x), 0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gradients_with_a_prior(series, dtype):
    x, y = (chainer.Variable(a.astype(dtype)) for a in series)
    link = SoftDTWLoss(0.5, prior=3, nu=2)
    loss = link(x, y)
    assert loss.dtype == dtype
    loss.backward()
    cost = chainer_sdtw.cost_matrix(x.array, y.array).array + 3 * PRIOR
    cost = chainer.Variable(cost.astype("d"))
    chainer_sdtw.soft_dtw_from_cost(cost, 0.5).backward()
    difference = x.array[:, :, None] - y.array[:, None]
    gx = 2 * (cost.grad[..., None] * difference).sum(axis=2)
    tolerance = 5e-3 if dtype == "float16" else 1e-5
    np.testing.assert_allclose(
        x.grad, gx, rtol=tolerance, atol=tolerance * abs(gx).max()
    )


def test_fused_without_a_prior(series, monkeypatch):
    def fail(*args):
        raise AssertionError("a matrix of costs was made")

    monkeypatch.setattr(chainer_sdtw._engine.costs, "matrix", fail)
    link = SoftDTWLoss()
    assert np.isfinite(value(link, *series))
    link.prior = 1
    with pytest.raises(AssertionError, match="matrix"):
        link(*series)


def test_alignment(series):
    link = SoftDTWLoss(0.5, prior=3, nu=2, bandwidth=0, reduce="sum")
    e = link.alignment(*series).array
    expected = chainer_sdtw.soft_alignment(
        *series,
        gamma=0.5,
        cost=lambda x, y: chainer_sdtw.cost_matrix(x, y) + 3 * PRIOR[None],
        bandwidth=0,
    ).array
    np.testing.assert_allclose(e, expected)
    link.prior = 1e6
    link.gamma = 0
    np.testing.assert_array_equal(
        link.alignment(*series)[0].array,
        [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]],
    )


# Copies and snapshots


def test_npz():
    link = SoftDTWLoss(1, prior=2)
    link.gamma, link.prior = 0.1, 0
    file = io.BytesIO()
    chainer.serializers.save_npz(file, link)
    file.seek(0)
    other = SoftDTWLoss(10, prior=3)
    chainer.serializers.load_npz(file, other)
    assert (other.gamma, other.prior) == (0.1, 0.0)
    assert type(other.gamma) is type(other.prior) is float


@pytest.mark.parametrize("mode", ["share", "copy", "init"])
def test_copies_are_independent(mode):
    chain = chainer.Chain(loss=SoftDTWLoss(1, chainer_sdtw.dilate_loss))
    copy = chain.copy(mode)
    copy.loss.gamma = 5
    assert (chain.loss.gamma, copy.loss.gamma) == (1.0, 5.0)
    assert copy.loss.loss is chainer_sdtw.dilate_loss
    # What a parallel updater does after each iteration.
    copy.copyparams(chain)
    assert copy.loss.gamma == 1.0


@pytest.mark.gpu
def test_to_gpu(series):
    link = SoftDTWLoss(0.5, prior=3, nu=2)
    expected = value(link, *series)
    link.to_gpu()
    assert type(link.gamma) is float
    x, y = map(chainer.backends.cuda.to_gpu, series)
    np.testing.assert_allclose(value(link, x, y).get(), expected)
    lengths = [[3, 2], [1, 4]]
    on_gpu = [chainer.backends.cuda.to_gpu(np.array(n)) for n in lengths]
    np.testing.assert_allclose(
        link(x, y, x_length=on_gpu[0], y_length=on_gpu[1]).array.get(),
        link(*series, x_length=lengths[0], y_length=lengths[1]).array,
    )


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cost": "l3"}, ValueError, "cost must be 'sqeuclidean'"),
        ({"cost": 2}, TypeError, "cost must be 'sqeuclidean'"),
        ({"reduce": "none"}, ValueError, "reduce must be 'mean'"),
        ({"nu": 0}, ValueError, "nu must be > 0 and finite, got 0.0"),
        ({"nu": "1"}, TypeError, "nu must be a number"),
    ],
)
@pytest.mark.parametrize("loss", ["soft_dtw", chainer_sdtw.dilate_loss])
def test_options_are_checked_when_it_is_made(loss, options, error, message):
    with pytest.raises(error, match=message):
        SoftDTWLoss(loss=loss, **options)


def test_options_of_another_function_are_its_own(series):
    link = SoftDTWLoss(loss=lambda x, y, gamma, **more: more, reduce="none")
    assert link(*series) == {"reduce": "none"}


def test_nu_stays_in_range():
    link = SoftDTWLoss(nu=np.int64(3))
    assert type(link.nu) is float
    with pytest.raises(ValueError, match="nu must be > 0"):
        link.nu = np.inf
    assert link.nu == 3


def test_a_loss_by_its_name(series):
    link = SoftDTWLoss(0.3, "sharp")
    assert link.loss is chainer_sdtw.sharp_soft_dtw
    assert "loss=sharp_soft_dtw" in repr(link)
    link.loss = "mean_cost"
    assert link.loss is chainer_sdtw.mean_cost
    expected = chainer_sdtw.mean_cost(*series)
    np.testing.assert_array_equal(value(link, *series), expected.array)
    # All alignments of two series of length 2 weigh the same.
    pair = [a[:1, :2] for a in series]
    alignment = link.alignment(*pair).array[0]
    np.testing.assert_allclose(alignment, [[1, 1 / 3], [1 / 3, 1]])
    link.loss = chainer_sdtw.dilate_loss
    expected = chainer_sdtw.dilate_loss(*series, gamma=0.3)
    np.testing.assert_array_equal(value(link, *series), expected.array)
    with pytest.raises(ValueError, match="loss must be one of"):
        link.loss = "dtw"
    assert link.loss is chainer_sdtw.dilate_loss
