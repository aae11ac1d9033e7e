import chainer_sdtw  # isort: skip  (before chainer)

import threading

import chainer
import numpy as np
import pytest
from chainer.testing import attr

from chainer_sdtw import barycenter
from chainer_sdtw._engine import losses, series_set
from chainer_sdtw.functions import cost_matrix
from chainer_sdtw.learning import _objective

# Each named loss as the function that it stands for.
FUNCTIONS = {
    "soft_dtw": chainer_sdtw.soft_dtw,
    "divergence": chainer_sdtw.soft_dtw_divergence,
    "sharp": chainer_sdtw.sharp_soft_dtw,
    "sharp_divergence": chainer_sdtw.sharp_soft_dtw_divergence,
    "mean_cost": chainer_sdtw.mean_cost,
    "mean_cost_divergence": chainer_sdtw.mean_cost_divergence,
}


def lopsided(x, y):
    """A cost that changes when its arguments change places."""
    return cost_matrix(2 * x, y)


def total(z, series, weights, loss, gamma, **options):
    """The objective by the public functions, with its gradient."""
    z = chainer.Variable(np.asarray(z, np.float64))
    if not loss.startswith("mean"):
        options["gamma"] = gamma
    if loss.endswith("divergence"):
        options["y_term"] = "skip"
    pairs = [z] * len(series), list(series)
    values = FUNCTIONS[loss](*pairs, reduce="no", **options)
    value = chainer.functions.sum(values * np.asarray(weights, np.float64))
    value.backward()
    return float(value.array), z.grad


@pytest.fixture
def series(rng):
    return [rng.standard_normal((n, 2)).cumsum(axis=0) for n in (7, 4, 6, 5)]


# The objective


@pytest.mark.parametrize("loss", FUNCTIONS)
@pytest.mark.parametrize(
    "options",
    [{}, {"cost": "cosine"}, {"cost": lopsided}, {"bandwidth": 2}],
    ids=["plain", "cosine", "lopsided", "band"],
)
@pytest.mark.parametrize("length", [3, 9])
def test_objective(rng, series, loss, options, length):
    weights = np.array([1.0, 0.5, 0, 2])
    z = rng.standard_normal((length, 2))
    expected = total(z, series, weights, loss, 0.4, **options)
    objective = _objective.Objective(
        series_set.as_batch("series", series),
        losses.Loss(loss, 0.4, **options),
        weights,
    )
    for _ in range(2):  # what the first call keeps must not change the next
        values, gradient = objective(z[None])
        np.testing.assert_allclose(values, [expected[0]], rtol=1e-10)
        np.testing.assert_allclose(
            gradient[0], expected[1], rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize("loss", ["soft_dtw", "divergence"])
def test_several_at_once(rng, series, loss):
    labels = np.array([2, 0, 2, 0])  # none for barycenter 1
    weights = np.array([1.0, 3, 0.5, 2])
    z = rng.standard_normal((3, 5, 2))
    batch = series_set.as_batch("series", series)
    objective = _objective.Objective(
        batch, losses.Loss(loss, 0.3), weights, labels, 3
    )
    values, gradient = objective(z)
    for k in range(3):
        own = np.flatnonzero(labels == k)
        if len(own) == 0:
            assert values[k] == 0 and not gradient[k].any()
            continue
        value, g = total(
            *(z[k], [series[i] for i in own], weights[own], loss, 0.3)
        )
        np.testing.assert_allclose(values[k], value, rtol=1e-12)
        np.testing.assert_allclose(gradient[k], g, rtol=1e-9, atol=1e-10)


@pytest.fixture
def three(rng):
    """Ten series of three barycenters, one of which has none of them."""
    series = rng.standard_normal((10, 6, 2)).cumsum(axis=1)
    labels = np.array([0, 2] * 5)
    batch = series_set.as_batch("series", series)
    loss = losses.Loss("soft_dtw", 0.5)
    objective = _objective.Objective(batch, loss, None, labels, 3)
    return objective, rng.standard_normal((3, 5, 2))


@pytest.mark.parametrize("method", ["l-bfgs", "cg"])
def test_searches_in_lockstep_are_those_alone(three, method):
    objective, init = three
    options = {"optimizer": method, "tol": 1e-4}
    z, values = _objective.minimize(objective, init, **options)
    assert z.shape == (3, 5, 2) and values.shape == (3,)
    np.testing.assert_array_equal(z[1], init[1])
    assert values[1] == 0
    for k in (0, 2):
        alone, value = _objective.minimize(
            objective.part([k]), init[k][None], **options
        )
        np.testing.assert_allclose(z[k], alone[0], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(values[k], value[0], rtol=1e-9)
        assert value[0] < objective(init)[0][k]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_lockstep_leaves_no_thread(three, monkeypatch, error):
    objective, init = three
    before, calls = threading.active_count(), []
    original = _objective.Objective.__call__

    def failing(self, z):
        calls.append(threading.current_thread())
        if len(calls) == 3:
            raise error
        return original(self, z)

    monkeypatch.setattr(_objective.Objective, "__call__", failing)
    with pytest.raises(error):
        _objective.minimize(objective, init)
    assert threading.active_count() == before
    # Where the device, the stream and the configuration are.
    assert set(calls) == {threading.current_thread()}


def test_lockstep_hands_on_errors_of_a_search(three):
    objective, init = three
    before = threading.active_count()
    with pytest.raises(ValueError, match=r"[Uu]nknown"):
        _objective.minimize(objective, init, "lbfgs")
    assert threading.active_count() == before


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


def test_agrees_with_the_seed(series):
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

    class Spy(_objective.Objective):
        def __call__(self, z):
            seen.append(z.copy())
            raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_objective, "Objective", Spy)
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
        ({"optimizer": "lbfgs"}, "[Uu]nknown"),
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
