"""Arguments that share memory with results."""

import chainer_sdtw  # isort: skip

import chainer
import numpy as np
import pytest

SET = np.array([[0.0, 1, 3], [2, 2, 1]])


class TestOut:
    def test_the_series_themselves(self, rng):
        series = rng.standard_normal((5, 5))
        expected = chainer_sdtw.pairwise_soft_dtw(series)
        out = chainer_sdtw.pairwise_soft_dtw(series, out=series)
        assert out is series
        np.testing.assert_array_equal(out, expected)

    @pytest.mark.parametrize("transposed", [False, True])
    def test_part_of_the_other_set(self, rng, transposed):
        memory = rng.standard_normal((4, 6))
        x, y = rng.standard_normal((4, 6)), memory.copy()
        expected = chainer_sdtw.pairwise_soft_dtw(x, y, loss="divergence")
        out = memory[:, :4]
        out = out.T if transposed else out
        chainer_sdtw.pairwise_soft_dtw(x, memory, loss="divergence", out=out)
        np.testing.assert_array_equal(out, expected)

    def test_what_cannot_be_written(self):
        out = np.zeros((2, 2))
        out.flags.writeable = False
        with pytest.raises(ValueError, match="out must not be read-only"):
            chainer_sdtw.pairwise_soft_dtw(SET, out=out)
        with pytest.raises(TypeError, match=r"out must be a numpy\.ndarray"):
            chainer_sdtw.pairwise_soft_dtw(SET, out=np.ma.zeros((2, 2)))

    def test_an_initial_guess_is_not_returned(self):
        guess = SET[0].copy()
        optimizer = chainer.optimizers.SGD(1e9)
        z = chainer_sdtw.barycenter(
            SET[:1], init=guess, gamma=0, max_iter=1, optimizer=optimizer
        )
        assert not np.shares_memory(z, guess)
        np.testing.assert_array_equal(z, guess)
