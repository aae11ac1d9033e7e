"""Averages of series."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import chainer
import numpy as np
import pytest
from chainer.testing import attr
from named_losses import FUNCTIONS, total

from chainer_sdtw import barycenter
from chainer_sdtw.learning import barycenter as averages
from chainer_sdtw.learning._objective import Objective

# What comes out


@pytest.mark.parametrize("loss", FUNCTIONS)
def test_finds_a_stationary_point(series, loss):
    if loss == "mean_cost_divergence":
        # It has no minimum among lengths that differ.
        series = [x[:4] for x in series]
    z = barycenter(series, 0.5, loss=loss, tol=1e-9, max_iter=500)
    mean = np.mean([len(x) for x in series])
    assert z.shape == (round(mean), 2) and z.dtype == np.float64
    _, gradient = total(z, series, np.ones(4), loss, 0.5)
    _, before = total(np.zeros_like(z), series, np.ones(4), loss, 0.5)
    assert abs(gradient).max() < 1e-3 * abs(before).max()


def test_agrees_with_soft_dtw_by_mblondel(series):
    from sdtw_cpu.barycenter import sdtw_barycenter

    init = np.zeros((5, 2))
    limits = {"tol": 1e-3, "max_iter": 50}
    expected = sdtw_barycenter(series, init, gamma=0.2)
    z = barycenter(series, 0.2, init=init, **limits)
    np.testing.assert_allclose(z, expected, rtol=1e-6, atol=1e-6)


def test_divergence_of_one_series_is_that_series(series):
    z = barycenter(
        series[:1], 1.0, length=7, init="random", random_state=3,
        loss="divergence", tol=1e-12, max_iter=1000,
    )  # fmt: skip
    np.testing.assert_allclose(z, series[0], atol=1e-3)


def test_weights_interpolate(series):
    ends = [barycenter(series[:2], 0.01, w) for w in ([1, 0], [0, 1])]
    for z, target in zip(ends, series[:2]):
        value, _ = total(z, [target], [1], "sharp", 0.01)
        other, _ = total(z, [series[2]], [1], "sharp", 0.01)
        assert value < 0.1 * other


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("univariate", [True, False])
def test_form_of_the_result(rng, dtype, univariate):
    series = rng.standard_normal((5, 8)).astype(dtype)
    if not univariate:
        series = series[:, :, None]
    z = barycenter(series, max_iter=3)
    assert isinstance(z, np.ndarray)
    assert z.dtype == dtype and z.shape == series.shape[1:]
    z = barycenter(list(series), length=6, max_iter=3)
    assert z.shape == (6, *series.shape[2:])


def test_float32_is_near_float64(rng):
    series = rng.standard_normal((6, 40)).cumsum(axis=1)
    z = barycenter(series, 0.1)
    near = barycenter(series.astype(np.float32), 0.1)
    values = [
        total(a[:, None], series[:, :, None], np.ones(6), "soft_dtw", 0.1)[0]
        for a in (z, near)
    ]
    assert abs(values[1] - values[0]) < 1e-3 * abs(values[0])


# Initial guesses


def first_guess(*args, **kwargs):
    """The initial guess: what a search that must stop at once returns."""

    class Stop(Exception):
        pass

    seen = []

    class Spy(Objective):
        def __call__(self, z):
            seen.append(z.copy())
            raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(averages, "Objective", Spy)
        with pytest.raises(Stop):
            barycenter(*args, **kwargs)
    return seen[0][0]


def test_mean():
    series = np.array([[0.0, 2, 4], [4, 4, 4]])
    np.testing.assert_array_equal(first_guess(series)[:, 0], [2, 3, 4])
    guess = first_guess(series, weights=[3, 1], init="mean")
    np.testing.assert_array_equal(guess[:, 0], [1, 2.5, 4])


def test_mean_of_different_lengths():
    series = [np.array([0.0, 4]), np.array([0.0, 1, 2, 3, 4]), [1.0]]
    guess = first_guess(series, weights=[1, 1, 2], length=3)
    np.testing.assert_allclose(guess[:, 0], [0.5, 1.5, 2.5])
    assert len(first_guess(series)) == 3  # 8 / 3
    assert len(first_guess(series, length=1)) == 1


def test_medoid(rng):
    middle = rng.standard_normal((9, 2)).cumsum(axis=0)
    series = [middle + shift for shift in (-1, 0, 1)]
    guess = first_guess(series, 0.1, init="medoid")
    np.testing.assert_array_equal(guess, middle)
    guess = first_guess(series, 0.1, init="medoid", weights=[9, 1, 1])
    np.testing.assert_array_equal(guess, series[0])
    assert first_guess(series, init="medoid", length=4).shape == (4, 2)


def test_random(rng):
    series = [
        np.stack([np.full(n, 5.0), rng.standard_normal(n)], axis=1)
        for n in (40, 60)
    ]
    guess = first_guess(series, init="random", random_state=1)
    assert guess.shape == (50, 2)
    np.testing.assert_allclose(guess[:, 0], 5)  # not of the padding
    assert 0.6 < guess[:, 1].std() < 1.5
    again = first_guess(
        series, init="random", random_state=np.random.RandomState(1)
    )
    np.testing.assert_array_equal(again, guess)
    other = first_guess(series, init="random", random_state=2)
    assert not np.array_equal(other, guess)


@pytest.mark.parametrize("init", [[0, 1, 2], np.arange(3, dtype=np.float32)])
def test_given(init):
    guess = first_guess(np.ones((2, 5)), init=init)
    np.testing.assert_array_equal(guess[:, 0], [0, 1, 2])
    assert guess.dtype == np.float64


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 0, 2), (2, 1, 0)])
def test_any_layout(rng, order):
    """Arrays that are equal have the same barycenter, to the last bit."""
    series = rng.standard_normal((7, 9, 3)).astype(np.float32)
    back = np.argsort(order)
    other = np.ascontiguousarray(series.transpose(order)).transpose(back)
    np.testing.assert_array_equal(
        barycenter(other, max_iter=3), barycenter(series, max_iter=3)
    )


# Optimizers


@pytest.mark.parametrize(
    "optimizer",
    ["cg", "L-BFGS-B", chainer.optimizers.Adam(0.2)],
    ids=["cg", "l-bfgs-b", "adam"],
)
def test_optimizers(series, optimizer):
    init = np.zeros((5, 2))
    z = barycenter(
        series, init=init, optimizer=optimizer, max_iter=60, tol=1e-6
    )
    best = barycenter(series, init=init, tol=1e-8)
    start, reached, least = (
        total(a, series, np.ones(4), "soft_dtw", 1.0)[0]
        for a in (init, z, best)
    )
    assert reached - least < 0.1 * (start - least)
    assert not init.any()


def test_best_update_counts(series):
    init = np.zeros((5, 2))
    far = chainer.optimizers.SGD(lr=1e3)  # leaves at once
    z = barycenter(series, init=init, optimizer=far, max_iter=3)
    np.testing.assert_array_equal(z, init)


def test_callback_and_progress(series, capsys):
    calls = []
    z = barycenter(
        series, callback=lambda *args: calls.append(args), max_iter=20
    )
    assert 1 < len(calls) <= 20
    values = [value for _, value in calls]
    assert values == sorted(values, reverse=True)
    np.testing.assert_array_equal(calls[-1][0], z)
    value, _ = total(z, series, np.ones(4), "soft_dtw", 1.0)
    np.testing.assert_allclose(values[-1], value, rtol=1e-12)
    assert capsys.readouterr().err == ""
    pytest.importorskip("tqdm")
    barycenter(series, max_iter=2, verbose=True)
    bar = capsys.readouterr().err
    assert "barycenter: 100%" in bar
    assert "2/2" in bar
    assert "converged" not in bar


def test_progress_of_a_search_that_converges(series, capsys):
    pytest.importorskip("tqdm")
    calls = []
    z = barycenter(
        series, verbose=True, callback=lambda *args: calls.append(args)
    )
    assert len(calls) < 100
    bar = capsys.readouterr().err.split("\r")[-1]
    assert "barycenter: 100%" in bar
    assert f"{len(calls)}/{len(calls)}" in bar
    assert f"{calls[-1][1]:.6g}, converged]" in bar
    # No iteration at all.
    barycenter(series, init=z, tol=1e6, verbose=True)
    assert "converged]" in capsys.readouterr().err.split("\r")[-1]


def test_interrupt(series):
    seen = []

    def callback(z, value):
        seen.append(z)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        barycenter(series, callback=callback)
    assert seen[1].shape == (6, 2) and np.isfinite(seen[1]).all()


# Errors


@pytest.mark.parametrize(
    "options, message",
    [
        ({"gamma": -1}, "gamma must be >= 0"),
        ({"gamma": np.nan}, "gamma must be >= 0"),
        ({"loss": "dtw"}, "loss must be one of 'soft_dtw', .* got 'dtw'"),
        ({"cost": "l3"}, "cost must be"),
        ({"bandwidth": -1}, "bandwidth must be >= 0"),
        ({"weights": [1, 2]}, r"weights must have shape \(4,\)"),
        ({"weights": [1, 2, -1, 1]}, "weights must be >= 0"),
        ({"weights": [1, 2, np.nan, 1]}, "weights must be >= 0"),
        ({"weights": [0, 0, 0, 0]}, "weights must not all be zero"),
        ({"init": "average"}, "init must be 'mean'.* got 'average'"),
        ({"init": np.zeros((3, 1))}, "init must have 2 features"),
        ({"init": np.zeros(3)}, "init must have shape"),
        ({"init": np.full((3, 2), np.nan)}, "contains NaN"),
        ({"init": np.zeros((3, 2)), "length": 4}, "init has length 3, not 4"),
        ({"length": 0}, "length must be >= 1"),
        ({"tol": -1}, "tol must be >= 0"),
        ({"max_iter": 0}, "max_iter must be >= 1"),
        ({"optimizer": "lbfgs"}, "optimizer must be one of .*got 'lbfgs'"),
    ],
)
def test_bad_values(series, options, message):
    with pytest.raises(ValueError, match=message):
        barycenter(series, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"gamma": "1"}, "gamma must be a number, got '1'"),
        ({"length": 2.5}, "length must be an integer >= 1"),
        ({"max_iter": 2.5}, "max_iter must be an integer >= 1"),
        ({"tol": "1"}, "tol must be a number"),
        ({"cost": 1}, "cost must be"),
        ({"bandwidth": 1.5}, "bandwidth must be an integer >= 0"),
        ({"optimizer": 3}, "optimizer must be 'l-bfgs'"),
        ({"optimizer": b"cg"}, "optimizer must be 'l-bfgs'"),
    ],
)
def test_bad_types(series, options, message):
    with pytest.raises(TypeError, match=message):
        barycenter(series, **options)


def test_bad_series(series):
    series[2][1, 0] = np.nan
    with pytest.raises(ValueError, match=r"series\[2\] contains NaN"):
        barycenter(series)
    with pytest.raises(ValueError, match="series must not be an empty list"):
        barycenter([])


def test_overflow():
    series = np.array([[1e200, -1e200], [0, 0]])
    with pytest.raises(FloatingPointError, match="beyond the range"):
        barycenter(series)


# On a GPU


@attr.gpu
@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize("init", ["mean", "medoid"])
def test_on_a_gpu(series, loss, init):
    import cupy

    series = [x[:4] for x in series]
    there = [cupy.asarray(x) for x in series]
    options = {"gamma": 0.5, "loss": loss, "init": init, "tol": 1e-9}
    z = barycenter(there, **options)
    assert isinstance(z, cupy.ndarray)
    expected = barycenter(series, **options)
    np.testing.assert_allclose(z.get(), expected, rtol=1e-4, atol=1e-4)


@attr.gpu
def test_optimizer_on_a_gpu(series):
    import cupy

    adam = chainer.optimizers.Adam(0.2)
    there = [cupy.asarray(x) for x in series]
    z = barycenter(there, optimizer=adam, max_iter=5)
    adam = chainer.optimizers.Adam(0.2)
    expected = barycenter(series, optimizer=adam, max_iter=5)
    np.testing.assert_allclose(z.get(), expected, rtol=1e-8, atol=1e-8)


@attr.gpu
def test_on_another_gpu(series, second_gpu):
    import cupy

    with cupy.cuda.Device(second_gpu):
        there = [cupy.asarray(x) for x in series]
    z = barycenter(there, 0.5, loss="divergence")
    assert z.device.id == second_gpu
    expected = barycenter(series, 0.5, loss="divergence")
    np.testing.assert_allclose(z.get(), expected, rtol=1e-4, atol=1e-4)
