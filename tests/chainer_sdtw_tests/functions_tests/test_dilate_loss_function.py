"""chainer_sdtw.dilate_loss and chainer_sdtw.temporal_distortion_index."""

import re
from unittest import mock

import chainer_sdtw  # isort: skip

import checks
import numpy as np
import pytest
import reference
from chainer import Variable

import sdtw_cpu
from chainer_sdtw import (
    alignment_path,
    dilate_loss,
    temporal_distortion_index,
)


def penalties(m, n):
    i, j = np.arange(m)[:, None] + 0.5, np.arange(n) + 0.5
    return (i / m - j / n) ** 2


def expected_losses(x, y, alpha, gamma):
    """As published, for each pair, from matrices."""
    value, e = reference.soft_dtw(reference.squared_euclidean(x, y), gamma)
    time = (e * penalties(x.shape[1], y.shape[1])).sum(axis=(1, 2))
    return alpha * value + (1 - alpha) * time


@pytest.mark.parametrize("name", {**checks.OPTIONS, **checks.MASKS})
def test_derivatives(name):
    options = {**checks.OPTIONS, **checks.MASKS}[name]
    checks.check_derivatives(
        lambda x, y: dilate_loss(x, y, 0.3, 0.5, reduce="no", **options),
        *checks.pair(),
    )


@pytest.mark.parametrize("alpha", [0, 0.5, 1])
@pytest.mark.parametrize("gamma", [0, 0.01, 1])
def test_values(pair, alpha, gamma):
    expected = expected_losses(*pair, alpha, gamma)
    for reduce, wanted in (
        ("no", expected),
        ("sum", expected.sum()),
        ("mean", expected.mean()),
    ):
        actual = dilate_loss(*pair, alpha, gamma, reduce=reduce)
        np.testing.assert_allclose(actual.array, wanted, rtol=1e-11)


def test_defaults(pair):
    expected = expected_losses(*pair, 0.5, 0.01).mean()
    np.testing.assert_allclose(dilate_loss(*pair).array, expected, rtol=1e-11)


def test_equal_lengths_as_published(rng):
    """Squared distances from the diagonal over the squared length."""
    x, y = rng.standard_normal((2, 3, 6, 1))
    _, e = reference.soft_dtw(reference.squared_euclidean(x, y), 0.1)
    i = np.arange(6)
    omega = (i[:, None] - i) ** 2 / 36
    expected = (e * omega).sum(axis=(1, 2))
    actual = dilate_loss(x, y, 0, 0.1, reduce="no")
    np.testing.assert_allclose(actual.array, expected, rtol=1e-11)


def test_lengths_of_their_own(pair):
    x, y = pair
    lengths = {"x_length": [6, 2, 4], "y_length": [3, 5, 1]}
    actual = dilate_loss(x, y, reduce="no", **lengths)
    for b, (m, n) in enumerate(zip(*lengths.values())):
        alone = dilate_loss(x[b, :m], y[b, :n])
        np.testing.assert_allclose(actual.array[b], alone.array, rtol=1e-11)


def test_cosine_scales_the_shape_alone(rng):
    x, y = rng.standard_normal((2, 3, 6, 2))
    c = chainer_sdtw.cost_matrix(x, y, "cosine").array
    value, e = reference.soft_dtw(c, 0.1)
    time = (e * penalties(6, 6)).sum(axis=(1, 2))
    actual = dilate_loss(x, y, 0.25, 0.1, cost="cosine", reduce="no")
    expected = 0.25 * value + 0.75 * time
    np.testing.assert_allclose(actual.array, expected, rtol=1e-11)


@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_no_alignment(pair, alpha):
    mask = np.ones((3, 6, 5), dtype=bool)
    mask[1, 2] = False
    x, y = map(Variable, pair)
    values = dilate_loss(x, y, alpha, 1.0, mask=mask, reduce="no")
    np.testing.assert_array_equal(np.isinf(values.array), [0, 1, 0])
    values.grad = np.ones(3)
    values.backward()
    assert np.isfinite(x.grad).all() and not x.grad[1].any()


def test_one_sweep_and_back(pair):
    with (
        checks.watched("tangent", "adjoint_tangent") as (tangent, adjoint),
        mock.patch.object(sdtw_cpu, "value") as value,
    ):
        dilate_loss(*map(Variable, pair)).backward()
    assert tangent.call_count == adjoint.call_count == 1
    assert not value.called


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_types(pair, dtype):
    x, y = (Variable(a.astype(dtype)) for a in pair)
    loss = dilate_loss(x, y, gamma=0.1)
    loss.backward()
    wide = (a.array.astype(np.float64) for a in (x, y))
    expected = expected_losses(*wide, 0.5, 0.1).mean()
    assert loss.dtype == x.grad.dtype == y.grad.dtype == dtype
    tolerance = {np.float16: 2e-3, np.float32: 1e-5}[dtype]
    assert reference.error(loss.array, expected) <= tolerance


@pytest.mark.parametrize("alpha", [-0.1, 1.1, np.nan])
def test_alpha(pair, alpha):
    message = re.escape(f"alpha must be from 0 to 1, got {alpha!r}")
    with pytest.raises(ValueError, match=message):
        dilate_loss(*pair, alpha)


class TestTemporalDistortionIndex:
    def test_of_paths(self, pair):
        expected = []
        for path in alignment_path(*pair):
            i, j = path.T
            expected.append(penalties(6, 5)[i, j].sum())
        actual = temporal_distortion_index(*pair, reduce="no")
        np.testing.assert_allclose(actual.array, expected, rtol=1e-12)
        mean = temporal_distortion_index(*pair)
        np.testing.assert_allclose(mean.array, np.mean(expected), rtol=1e-12)

    def test_zero_for_equal_series(self, pair):
        assert temporal_distortion_index(pair[0], pair[0]).array == 0

    def test_delay(self):
        """A pulse that comes two steps late."""
        x, y = np.zeros((2, 1, 10, 1))
        x[0, 3] = y[0, 5] = 1
        value = temporal_distortion_index(x, y)
        path = alignment_path(x, y)[0]
        expected = ((path[:, 0] - path[:, 1]) ** 2).sum() / 100
        assert expected > 0
        np.testing.assert_allclose(value.array, expected, rtol=1e-12)

    def test_has_no_gradient(self, pair):
        value = temporal_distortion_index(*map(Variable, pair))
        assert value.creator is None

    def test_no_alignment(self, pair):
        mask = np.zeros((6, 5), dtype=bool)
        assert np.isinf(temporal_distortion_index(*pair, mask=mask).array)
