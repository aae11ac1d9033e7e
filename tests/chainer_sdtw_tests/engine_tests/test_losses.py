"""The losses by their names, wherever one is an argument."""

import importlib

import chainer_sdtw  # isort: skip  (before chainer)

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from named_losses import ALIASES, FUNCTIONS

from chainer_sdtw._engine import losses
from chainer_sdtw._engine.bound_problem import BoundProblem

PAGE = Path(__file__).resolve().parents[3] / "docs" / "guide" / "losses.md"
SERIES = [
    np.array([0, 1, 2, 1.0]),
    np.array([0, 1, 2.0]),
    np.array([3, 3, 2, 1, 0.0]),
    np.array([3, 2, 0.0]),
]
CLASSES = [0, 0, 1, 1]


def from_estimator(name):
    def compute(loss):
        pytest.importorskip("sklearn")
        estimators = importlib.import_module("chainer_sdtw.estimators")
        base = pytest.importorskip("sklearn.base")
        kind = getattr(estimators, name)
        options = {
            "SoftDTWKMeans": {"n_clusters": 2, "random_state": 0},
            "SoftDTWKNeighborsClassifier": {"n_neighbors": 2},
            "SoftDTWNearestCentroid": {},
        }[name]
        model = base.clone(kind(loss=loss, **options))
        assert model.get_params()["loss"] is loss
        model = pickle.loads(pickle.dumps(model.fit(SERIES, CLASSES)))
        assert model.loss is loss or model.loss == loss
        if name == "SoftDTWKMeans":
            return model.transform(SERIES)
        if name == "SoftDTWNearestCentroid":
            return model.centroids_
        return model.kneighbors(SERIES)[0]

    return compute


DOORS = {
    "pairwise_soft_dtw": lambda loss: chainer_sdtw.pairwise_soft_dtw(
        SERIES, loss=loss
    ),
    "barycenter": lambda loss: chainer_sdtw.barycenter(
        SERIES, loss=loss, max_iter=3
    ),
    "links.Barycenter": lambda loss: (
        chainer_sdtw.links.Barycenter(SERIES[0], loss=loss)(SERIES).array
    ),
    "links.SoftDTWLoss": lambda loss: (
        chainer_sdtw.links.SoftDTWLoss(loss=loss)(*SERIES[:2]).array
    ),
    **{
        f"estimators.{name}": from_estimator(name)
        for name in (
            "SoftDTWKMeans",
            "SoftDTWKNeighborsClassifier",
            "SoftDTWNearestCentroid",
        )
    },
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_by_name_alias_and_function(door, name):
    compute = DOORS[door]
    expected = compute(name)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(compute(FUNCTIONS[name]), expected)
    for alias, other in ALIASES.items():
        if other == name:
            np.testing.assert_array_equal(compute(alias), expected)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("loss", ["dtw", 5, None], ids=str)
def test_what_is_no_loss(door, loss):
    names = ", ".join(map(repr, FUNCTIONS))
    message = f"loss must be one of {names} or the function of that name, got "
    error = ValueError if isinstance(loss, str) else TypeError
    with pytest.raises(error, match=re.escape(message + repr(loss))):
        DOORS[door](loss)


@pytest.mark.parametrize(
    "door", [d for d in DOORS if d != "links.SoftDTWLoss"]
)
@pytest.mark.parametrize("loss", [chainer_sdtw.dilate_loss, np.mean])
def test_functions_that_are_none_of_them(door, loss):
    with pytest.raises(ValueError, match="loss must be one of 'soft_dtw', "):
        DOORS[door](loss)


def test_a_wrapped_function_is_another_one():
    def twice(x, y, gamma):
        return 2 * chainer_sdtw.soft_dtw(x, y, gamma)

    twice.__name__ = "soft_dtw"
    twice.__module__ = chainer_sdtw.soft_dtw.__module__
    with pytest.raises(ValueError, match="loss must be one of"):
        chainer_sdtw.pairwise_soft_dtw(SERIES, loss=twice)
    got, once = map(DOORS["links.SoftDTWLoss"], (twice, "soft_dtw"))
    assert got == 2 * once


def test_each_line_is_of_a_public_function():
    for name, kind in losses.LOSSES.items():
        assert kind.name == name == kind.function.__name__
        assert getattr(chainer_sdtw, name) is kind.function
        assert losses.LOSSES[kind.divergence].is_divergence
    assert {n: k.function for n, k in losses.LOSSES.items()} == FUNCTIONS


def test_which_losses_are_signed():
    for name, kind in losses.LOSSES.items():
        equal = chainer_sdtw.pairwise_soft_dtw([SERIES[0]], loss=name)
        assert bool(equal < -0.1) is kind.signed


def test_the_table_of_the_guide():
    if not PAGE.exists():
        pytest.skip("only the tests are here")
    text = PAGE.read_text(encoding="utf-8").partition("(loss-names)=")[2]
    rows = {}
    for line in text.partition("\n\n## ")[0].splitlines():
        cells = [cell.strip(" `") for cell in line.split("|")[1:-1]]
        if cells and cells[0] in losses.LOSSES:
            rows[cells[0]] = cells[1:]
    assert rows == {
        name: [
            kind.alias or "",
            "yes" if kind.gamma is None else "",
            "yes" if kind.is_divergence else "",
        ]
        for name, kind in losses.LOSSES.items()
    }


def doubled(x, y, gamma=1.0, *, reduce="mean"):
    return losses.compute(
        "doubled",
        x,
        y,
        gamma,
        cost="sqeuclidean",
        bandwidth=None,
        x_length=None,
        y_length=None,
        reduce=reduce,
    )


def test_a_new_loss_is_a_line_and_a_function(monkeypatch):
    line = losses.LossKind(
        name="doubled",
        value=lambda problem, reduce: 2 * BoundProblem.values(problem, reduce),
    )
    monkeypatch.setattr(losses, "_FUNCTIONS", dict(losses._FUNCTIONS))
    monkeypatch.setitem(losses.LOSSES, "doubled", line)
    assert losses.public_loss(doubled) is doubled

    def objective(loss):
        seen = []
        chainer_sdtw.barycenter(
            SERIES, loss=loss, callback=lambda _, value: seen.append(value)
        )
        return seen[0]

    assert objective("doubled") == 2 * objective("soft_dtw")
    for door, compute in DOORS.items():
        np.testing.assert_array_equal(compute("doubled"), compute(doubled))
        if door in ("links.SoftDTWLoss", "pairwise_soft_dtw"):
            np.testing.assert_array_equal(
                compute("doubled"), 2 * compute("soft_dtw")
            )
