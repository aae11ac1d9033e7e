"""chainer_sdtw.soft_alignment and chainer_sdtw.alignment_path."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import checks
import numpy as np
import pytest
import reference
from chainer import Variable
from chainer.utils import type_check

from chainer_sdtw import alignment_path, cost_matrix, soft_alignment

LENGTHS = {"x_length": [6, 1, 4], "y_length": [5, 5, 2]}


@pytest.mark.parametrize("name", {**checks.OPTIONS, **checks.MASKS})
def test_derivatives(name):
    options = {**checks.OPTIONS, **checks.MASKS}[name]
    checks.check_derivatives(
        lambda x, y: soft_alignment(x, y, 0.5, **options), *checks.pair()
    )


@pytest.mark.parametrize("gamma", [0, 0.01, 1.0])
@pytest.mark.parametrize("cost", ["sqeuclidean", "cosine"])
def test_values(pair, gamma, cost):
    matrices = cost_matrix(*pair, cost).array
    _, expected = reference.soft_dtw(matrices, gamma, **LENGTHS)
    actual = soft_alignment(*pair, gamma, cost=cost, **LENGTHS)
    assert actual.shape == (3, 6, 5)
    np.testing.assert_allclose(actual.array, expected, atol=1e-12)


def test_forms(pair):
    x, y = pair
    expected = soft_alignment(x, y).array
    one = soft_alignment(x[1], y[1])
    assert one.shape == (6, 5)
    np.testing.assert_array_equal(one.array, expected[1])
    half = soft_alignment(x.astype(np.float16), y.astype(np.float16))
    assert half.dtype == np.float16
    np.testing.assert_allclose(half.array, expected, atol=2e-3)


def test_mask(pair):
    mask = np.ones((3, 6, 5), dtype=bool)
    mask[0, 2, 1:4] = False
    mask[1, 2] = False
    e = soft_alignment(*pair, mask=mask).array
    assert not e[~mask].any() and not e[1].any()
    np.testing.assert_allclose(e[[0, 2], -1, -1], 1)


def test_padding_is_ignored(pair):
    x, y = pair
    x[0, 4:] = np.nan
    for gamma in (0, 1.0):
        a, b = Variable(x), Variable(y)
        e = soft_alignment(a, b, gamma, x_length=[4, 6, 6])
        expected = soft_alignment(x[:1, :4], y[:1], gamma)
        np.testing.assert_array_equal(e.array[0, :4], expected.array[0])
        assert not e.array[0, 4:].any()
        e.grad = np.arange(90.0).reshape(3, 6, 5)
        e.backward()
        assert np.isfinite(a.grad).all() and np.isfinite(b.grad).all()


def test_wrong_types(pair):
    with pytest.raises(type_check.InvalidType, match="soft_alignment"):
        soft_alignment(pair[0], pair[1].astype(np.float32))


class TestPath:
    @pytest.mark.parametrize("lengths", [{}, LENGTHS])
    def test_monotonic_and_optimal(self, pair, lengths):
        paths = alignment_path(*pair, **lengths)
        values, _, _ = reference.batch(*pair, 0, **lengths)
        cost = reference.squared_euclidean(*pair)
        assert len(paths) == 3
        rows = lengths.get("x_length", [6] * 3)
        columns = lengths.get("y_length", [5] * 3)
        for b, path in enumerate(paths):
            assert path.dtype.kind == "i" and path.shape[1] == 2
            assert path[0].tolist() == [0, 0]
            assert path[-1].tolist() == [rows[b] - 1, columns[b] - 1]
            steps = np.diff(path, axis=0).tolist()
            assert all(s in ([1, 1], [1, 0], [0, 1]) for s in steps)
            i, j = path.T
            np.testing.assert_allclose(cost[b, i, j].sum(), values[b])

    def test_one_pair(self, pair):
        x, y = pair
        path = alignment_path(x[1], Variable(y[1]))
        np.testing.assert_array_equal(path, alignment_path(x, y)[1])

    def test_lists(self, pair):
        x, y = pair
        x = [x[0, :3], x[1], x[2, :1]]
        for path, a, b in zip(alignment_path(x, list(y)), x, y):
            np.testing.assert_array_equal(path, alignment_path(a, b))

    def test_band(self, rng):
        x, y = rng.standard_normal((2, 4, 9, 1))
        diagonal = [[i, i] for i in range(9)]
        for path in alignment_path(x, y, bandwidth=0):
            assert path.tolist() == diagonal
        for path in alignment_path(x, y, bandwidth=2):
            assert abs(path[:, 0] - path[:, 1]).max() <= 2

    def test_nothing_to_find(self, pair):
        x, y = pair
        x[0, 0] = np.nan
        mask = np.ones((3, 6, 5), dtype=bool)
        mask[1, 2] = False
        paths = alignment_path(x, y, mask=mask)
        assert [len(path) for path in paths[:2]] == [0, 0]
        assert paths[0].shape == (0, 2)
        assert len(paths[2]) >= 6
