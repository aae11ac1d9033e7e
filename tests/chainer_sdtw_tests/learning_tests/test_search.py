"""The search for several barycenters at once."""

import chainer_sdtw  # isort: skip  # noqa: F401  (makes Chainer work)

import threading

import numpy as np
import pytest

from chainer_sdtw._engine import losses, series_set
from chainer_sdtw.learning import _lockstep
from chainer_sdtw.learning._objective import Objective
from chainer_sdtw.learning._search import minimize
from chainer_sdtw.learning._stopping import as_stopping


@pytest.fixture
def three(rng):
    """Ten series of three barycenters, one of which has none of them."""
    series = rng.standard_normal((10, 6, 2)).cumsum(axis=1)
    labels = np.array([0, 2] * 5)
    batch = series_set.as_series_set("series", series)
    loss = losses.as_loss("soft_dtw", 0.5)
    objective = Objective(batch, loss, None, labels, 3)
    return objective, rng.standard_normal((3, 5, 2))


@pytest.mark.parametrize("method", ["l-bfgs", "cg"])
def test_searches_in_lockstep_are_those_alone(three, method):
    objective, init = three
    stopping = as_stopping(1e-4, 100)
    z, values = minimize(objective, init, stopping, method)
    assert z.shape == (3, 5, 2) and values.shape == (3,)
    np.testing.assert_array_equal(z[1], init[1])
    assert values[1] == 0
    for k in (0, 2):
        alone, value = minimize(
            objective.part([k]), init[k][None], stopping, method
        )
        np.testing.assert_allclose(z[k], alone[0], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(values[k], value[0], rtol=1e-9)
        assert value[0] < objective(init)[0][k]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_lockstep_leaves_no_thread(three, monkeypatch, error):
    objective, init = three
    before, calls = threading.active_count(), []
    original = Objective.__call__

    def failing(self, z):
        calls.append(threading.current_thread())
        if len(calls) == 3:
            raise error
        return original(self, z)

    monkeypatch.setattr(Objective, "__call__", failing)
    with pytest.raises(error):
        minimize(objective, init, as_stopping(1e-5, 100))
    assert threading.active_count() == before
    # Where the device, the stream and the configuration are.
    assert set(calls) == {threading.current_thread()}


def test_lockstep_hands_on_errors_of_a_search(monkeypatch, three):
    objective, init = three
    before = threading.active_count()

    def failing(evaluate, start, *_):
        evaluate(start[0])
        raise ArithmeticError("of a search")

    monkeypatch.setattr(_lockstep, "descend", failing)
    with pytest.raises(ArithmeticError, match="of a search"):
        minimize(objective, init, as_stopping(1e-5, 100))
    assert threading.active_count() == before
