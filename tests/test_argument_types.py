"""Every public function with every type of integers and floats.

A number or an array of another type gives what Python's integers and float64
give, or an error that names the argument.
"""

import inspect
from dataclasses import dataclass, field
from typing import Any, Callable

import chainer_sdtw  # isort: skip

import chainer
import numpy as np
import pytest
from chainer import Variable
from chainer.utils.type_check import InvalidType
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import sdtw_cpu
from chainer_sdtw import links, training
from sdtw_cpu.barycenter import sdtw_barycenter
from sdtw_cpu.distance import SquaredEuclidean

pytest.importorskip("sklearn")
estimators = chainer_sdtw.estimators

INTEGERS = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i2")
FLOATS = ("f2", "f4", "f8", "g", ">f4", ">f8")
TOLERANCE = {2: (1e-2, 5e-2), 4: (2e-4, 2e-4), 8: (1e-12, 1e-12)}
# float64, or refused, where long double is not the same.
LONG = () if np.dtype("g").itemsize > 8 else ("g",)


@dataclass(frozen=True)
class Argument:
    """Values, of which one is drawn, and the types that they may have."""

    values: tuple
    types: tuple = INTEGERS + FLOATS
    of_series: bool = False  # of one type with all others that are
    only_scalars: bool = False  # no arrays without axes

    def draw(self, draw, types):
        """A value in one of the types, and what it means."""
        dtype = np.dtype(draw(st.sampled_from(types)))
        values = [v for v in self.values if _fits(v, dtype)]
        values = values or self.values[:1]
        value = values[draw(st.integers(0, len(values) - 1))]
        array = _cast(value, dtype)
        plain = array.astype(bool if dtype.kind == "b" else None)
        if dtype.kind == "f":
            plain = array.astype(np.float64)
        elif dtype.kind in "iu":
            plain = array.astype(np.int64)
        if array.ndim == 0:
            plain = plain[()].item()
            if self.only_scalars or draw(st.booleans()):
                array = array[()]
        return array, plain


def _cast(value, dtype):
    with np.errstate(all="ignore"):
        return np.asarray(value).astype(dtype)


def _fits(value, dtype):
    return np.array_equal(_cast(_cast(value, dtype), "f8"), value)


def integer(*values):
    return Argument(values, INTEGERS)


def number(*values):
    return Argument(values)


def booleans(value):
    return Argument((value,), ("?",))


def series(value, types=("f2", "f4", "f8")):
    return Argument((value,), types, of_series=True)


def any_series(value, types=INTEGERS + tuple(t for t in FLOATS if t != "g")):
    return Argument((value,), types, of_series=True)


@dataclass(frozen=True)
class Case:
    """A function and its arguments."""

    function: Callable
    arguments: dict
    others: tuple = ()  # parameters that are not numbers
    aliases: dict = field(default_factory=dict)  # other names in messages
    run: Any = None  # instead of the function: returns arrays
    examples: int = 25


# As long as the sum of two lengths is beyond the range of the smallest types.
RNG = np.random.default_rng(0)
X = RNG.integers(0, 3, (2, 80, 1)).tolist()
Y = RNG.integers(0, 3, (2, 75, 1)).tolist()
SHORT = RNG.integers(0, 3, (6, 9)).tolist()
MATRICES = RNG.integers(0, 3, (2, 80, 75)).tolist()
MASK = (abs(np.arange(80)[:, None] - np.arange(75)) <= 20).tolist()
BAND = sdtw_cpu.sakoe_chiba_band(80, 75, 20).tolist()
X_LENGTH, Y_LENGTH = integer([70, 80]), integer([75, 66])
LENGTHS = {"x_length": X_LENGTH, "y_length": Y_LENGTH}
GAMMA = {"gamma": number(2, 0, 0.5)}
PAIR = {"x": series(X), "y": series(Y)}
EXACT = ("f4", "f8", ">f4", ">f8")
BANDWIDTH = {"bandwidth": integer(100, [30, 100])}
ONE_BANDWIDTH = {"bandwidth": integer(5)}
MASKED = {"mask": booleans(MASK)}
Y_TERM = {"y_term": number([1, 2], [0.5, 2])}


def with_gradients(loss):
    def run(x, y, **options):
        x, y = Variable(x), Variable(y)
        value = loss(x, y, **options)
        value.backward()
        return value, x.grad, y.grad

    return run


def from_cost_with_gradient(cost, **options):
    cost = Variable(cost)
    value = chainer_sdtw.soft_dtw_from_cost(cost, **options)
    value.backward()
    return value, cost.grad


def loss_case(loss, *more, run=with_gradients, others=("cost", "reduce")):
    arguments = {**PAIR, **LENGTHS, **BANDWIDTH}
    for some in more:
        arguments.update(some)
    return Case(loss, arguments, others, run=run(loss) if run else None)


def sweep(function, adjoint, **more):
    """A sweep on the CPU and back."""

    def run(grad, grad_tangent=None, **arguments):
        *values, tape = function(tape=True, **arguments)
        grads = (grad,) if grad_tangent is None else (grad, grad_tangent)
        return values, adjoint(tape, *grads)

    arguments = {**GAMMA, **LENGTHS, "band": integer(BAND)}
    arguments["grad"] = number([1, 2], [0.5, -1])
    arguments.update(more)
    return Case(function, arguments, ("cost", "tape"), run=run)


def draw_alignment(**arguments):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    _, axes = chainer_sdtw.plot_alignment(figure=figure, **arguments)
    lines = [line.get_xydata() for a in axes.values() for line in a.lines]
    return axes["alignment"].images[0].get_array(), lines


def loss_link(x, y, bandwidth, x_length, y_length, **options):
    link = links.SoftDTWLoss(**options, bandwidth=bandwidth)
    return link(x, y, x_length=x_length, y_length=y_length)


def barycenter_link(series, weights, **options):
    return links.Barycenter(**options)(series, weights)


def shifted(value_range, time_range):
    link = links.SoftDTWLoss()
    shift = training.AttributeShift("gamma", value_range, time_range, link)
    values = []
    for _ in range(8):
        shift(None)
        values.append(link.gamma)
    return np.array(values)


def batches(**options):
    iterator = training.SeededIterator(range(250), **options)
    return [next(iterator) for _ in range(4)]


def soft_dtw_class(D, gamma):
    made = sdtw_cpu.SoftDTW(D, gamma)
    return made.compute(), made.grad()


def distances(X, Y, E):
    made = SquaredEuclidean(X, Y)
    return made.compute(), made.jacobian_product(E)


def threads(n):
    sdtw_cpu.set_num_threads(n)
    return sdtw_cpu.get_num_threads()


def fitted(kind, *results):
    def run(X, y=None, sample_weight=None, **options):
        model = kind(**options)
        if sample_weight is None:
            model.fit(X, y)
        else:
            model.fit(X, y, sample_weight)
        return [getattr(model, name) for name in results], model.predict(X)

    return run


def estimator(kind, *results, **more):
    arguments = {
        "X": any_series(SHORT, INTEGERS + FLOATS),
        **GAMMA,
        **ONE_BANDWIDTH,
        "n_jobs": integer(1),
        **more,
    }
    return Case(
        kind,
        arguments,
        ("loss", "cost", "device", "verbose", "init", "weights"),
        {"random_state": "seed"},
        fitted(kind, *results),
        examples=10,
    )


FITTING = {"length": integer(7), "max_iter": integer(3), "tol": number(0, 0.5)}

CASES = {
    "soft_dtw": loss_case(chainer_sdtw.soft_dtw, GAMMA, MASKED),
    "soft_dtw_divergence": loss_case(
        chainer_sdtw.soft_dtw_divergence, GAMMA, Y_TERM
    ),
    "sharp_soft_dtw": loss_case(chainer_sdtw.sharp_soft_dtw, GAMMA, MASKED),
    "sharp_soft_dtw_divergence": loss_case(
        chainer_sdtw.sharp_soft_dtw_divergence, GAMMA, Y_TERM
    ),
    "mean_cost": loss_case(chainer_sdtw.mean_cost),
    "mean_cost_divergence": loss_case(
        chainer_sdtw.mean_cost_divergence, Y_TERM
    ),
    "dilate_loss": loss_case(
        chainer_sdtw.dilate_loss, GAMMA, MASKED, {"alpha": number(1, 0, 0.5)}
    ),
    "soft_alignment": loss_case(
        chainer_sdtw.soft_alignment, GAMMA, MASKED, run=None
    ),
    "alignment_path": loss_case(chainer_sdtw.alignment_path, MASKED, run=None),
    "temporal_distortion_index": loss_case(
        chainer_sdtw.temporal_distortion_index, MASKED, run=None
    ),
    "cost_matrix": Case(chainer_sdtw.cost_matrix, PAIR, ("cost",)),
    "soft_dtw_from_cost": Case(
        chainer_sdtw.soft_dtw_from_cost,
        {
            "cost": series(MATRICES),
            **GAMMA,
            **BANDWIDTH,
            **MASKED,
            **LENGTHS,
        },
        ("reduce",),
        run=from_cost_with_gradient,
    ),
    "diagonal_prior": Case(
        chainer_sdtw.diagonal_prior,
        {
            "m": integer(80, 100),
            "n": integer(75, 90),
            "nu": number(100, 0.5),
            **LENGTHS,
        },
    ),
    "itakura_mask": Case(
        chainer_sdtw.itakura_mask,
        {
            "m": integer(90, 1),
            "n": integer(100, 2),
            "max_slope": number(2, 1, 1.5, np.inf),
        },
    ),
    "barycenter": Case(
        chainer_sdtw.barycenter,
        {
            "series": any_series(SHORT),
            **GAMMA,
            "weights": number([0, 1, 2, 3, 4, 5], [0.5, 0, 1, 2, 3, 1]),
            **FITTING,
            **ONE_BANDWIDTH,
            "random_state": integer(3, 100),
            "init": Argument((SHORT[1][:7],), INTEGERS + FLOATS[:3]),
        },
        ("optimizer", "loss", "cost", "callback", "verbose"),
    ),
    "pairwise_soft_dtw": Case(
        chainer_sdtw.pairwise_soft_dtw,
        {
            "X": any_series(SHORT),
            "Y": any_series(SHORT[:4]),
            **GAMMA,
            **ONE_BANDWIDTH,
            "max_bytes": integer(100, 1),
        },
        ("loss", "cost", "out", "progress"),
    ),
    "plot_alignment": Case(
        chainer_sdtw.plot_alignment,
        {
            "x": number(SHORT[0]),
            "y": number(SHORT[1]),
            "alignment": number(np.eye(9).tolist()),
            "path": number([[0, 0], [1, 1], [2, 1]]),
        },
        ("x_label", "y_label", "title", "cmap", "figure"),
        run=draw_alignment,
        examples=5,
    ),
    "links.SoftDTWLoss": Case(
        links.SoftDTWLoss,
        {
            **PAIR,
            **LENGTHS,
            **BANDWIDTH,
            **GAMMA,
            "prior": number(3, 0.5),
            "nu": number(100, 0.5),
        },
        ("loss", "options"),
        run=loss_link,
    ),
    "links.Barycenter": Case(
        links.Barycenter,
        {
            "init": Argument((SHORT[0],), INTEGERS + ("f8", ">f8")),
            "series": any_series(SHORT, INTEGERS + ("f8", ">f8")),
            "weights": number([1, 0, 2, 3, 1, 1], [0, 0, 0, 0.5, 0, 0]),
            **GAMMA,
            **ONE_BANDWIDTH,
        },
        ("loss", "cost"),
        {"init": "barycenter", "series": "barycenter"},
        run=barycenter_link,
    ),
    "training.SeededIterator": Case(
        training.SeededIterator,
        {"batch_size": integer(100, 3), "seed": integer(3, 100)},
        ("dataset", "repeat"),
        run=batches,
    ),
    "training.AttributeShift": Case(
        training.AttributeShift,
        {
            "value_range": number([5, 1], [1, 100], [0.5, 0.25]),
            "time_range": number([2, 6], [0, 100], [1.5, 3.5]),
        },
        ("attr", "link", "scale"),
        run=shifted,
    ),
    "estimators.SoftDTWKMeans": estimator(
        estimators.SoftDTWKMeans,
        "cluster_centers_",
        "inertia_",
        "labels_",
        **FITTING,
        n_clusters=integer(2),
        n_init=integer(1, 2),
        max_iter_barycenter=integer(2),
        tol_barycenter=number(0, 0.5),
        random_state=Argument((3,), INTEGERS, only_scalars=True),
        sample_weight=number([1, 1, 2, 1, 0, 1], [1, 0.5, 1, 1, 1, 0.5]),
    ),
    "estimators.SoftDTWNearestCentroid": estimator(
        estimators.SoftDTWNearestCentroid,
        "centroids_",
        **FITTING,
        y=number([1, 1, 7, 7, 7, 1]),
    ),
    "estimators.SoftDTWKNeighborsClassifier": estimator(
        estimators.SoftDTWKNeighborsClassifier,
        n_neighbors=integer(1, 3),
        y=number([1, 1, 7, 7, 7, 1]),
    ),
    "sdtw_cpu.value": sweep(
        sdtw_cpu.value,
        sdtw_cpu.adjoint,
        x=series(X, EXACT),
        y=series(Y, EXACT),
    ),
    "sdtw_cpu.value_from_cost": sweep(
        sdtw_cpu.value_from_cost,
        sdtw_cpu.adjoint,
        cost=series(MATRICES, EXACT),
    ),
    "sdtw_cpu.tangent": sweep(
        sdtw_cpu.tangent,
        sdtw_cpu.adjoint_tangent,
        x=series(X, EXACT),
        y=series(Y, EXACT),
        direction=series(MATRICES, EXACT),
        grad_tangent=number([1, 2], [0.5, -1]),
    ),
    "sdtw_cpu.tangent_from_cost": sweep(
        sdtw_cpu.tangent_from_cost,
        sdtw_cpu.adjoint_tangent,
        cost=series(MATRICES, EXACT),
        direction=series(MATRICES, EXACT),
        grad_tangent=number([1, 2], [0.5, -1]),
    ),
    "sdtw_cpu.sakoe_chiba_band": Case(
        sdtw_cpu.sakoe_chiba_band,
        {
            "m": integer(80, 90),
            "n": integer(75, 100),
            "bandwidth": integer(3, 100, [0, 127]),
            **LENGTHS,
        },
    ),
    "sdtw_cpu.band_from_mask": Case(
        sdtw_cpu.band_from_mask, {"mask": booleans([MASK]), **LENGTHS}
    ),
    "sdtw_cpu.check_gamma": Case(sdtw_cpu.check_gamma, GAMMA),
    "sdtw_cpu.set_num_threads": Case(
        sdtw_cpu.set_num_threads,
        {"n": integer(1, 3)},
        aliases={"n": "the number of threads"},
        run=threads,
    ),
    "sdtw_cpu.SoftDTW": Case(
        sdtw_cpu.SoftDTW,
        {"D": number(MATRICES[0]), **GAMMA},
        run=soft_dtw_class,
    ),
    "sdtw_cpu.distance.SquaredEuclidean": Case(
        SquaredEuclidean,
        {"X": number(X[0]), "Y": number(Y[0]), "E": number(MATRICES[0])},
        run=distances,
    ),
    "sdtw_cpu.barycenter.sdtw_barycenter": Case(
        sdtw_barycenter,
        {
            "X": number(X),
            "barycenter_init": number(Y[0][:9]),
            **GAMMA,
            "weights": number([2, 1], [0.5, 0]),
            "tol": number(0, 0.5),
            "max_iter": integer(2),
        },
        ("method",),
    ),
}
# Of values in CASES, or without a number among the arguments.
ELSEWHERE = {
    "__version__",
    "sdtw_cpu.__version__",
    "sdtw_cpu.CostTape",
    "sdtw_cpu.SeriesTape",
    "sdtw_cpu.Tape",
    "sdtw_cpu.adjoint",
    "sdtw_cpu.adjoint_tangent",
    "sdtw_cpu.get_num_threads",
    "sdtw_cpu.isa",
    "sdtw_cpu.isa_levels",
    "sdtw_cpu.set_isa",
    "training.AlignmentPlot",
    "training.RunSettings",
}


def public_names():
    """What the packages and the modules that they export define."""
    waiting = [
        ("", chainer_sdtw),
        ("estimators.", estimators),
        ("sdtw_cpu.", sdtw_cpu),
    ]
    while waiting:
        prefix, module = waiting.pop()
        own = [
            name
            for name, a in vars(module).items()
            if getattr(a, "__module__", None) == module.__name__
            and not name.startswith("_")
        ]
        for name in getattr(module, "__all__", own):
            if inspect.ismodule(getattr(module, name)):
                waiting.append((f"{prefix}{name}.", getattr(module, name)))
            else:
                yield f"{prefix}{name}"


def test_nothing_public_is_left_out():
    names = set(public_names())
    assert "soft_dtw" in names and "estimators.SoftDTWKMeans" in names
    assert "sdtw_cpu.distance.SquaredEuclidean" in names
    # The sweeps on a GPU, whose checks are those of sdtw_cpu, have tests of
    # their own; data sets and repairs of Chainer are given no numbers.
    apart = ("cuda", "datasets", "compat")
    names = {name for name in names if name.split(".")[0] not in apart}
    assert names == set(CASES) | ELSEWHERE


@pytest.mark.parametrize("name", CASES)
def test_no_argument_is_left_out(name):
    case = CASES[name]
    parameters = set(inspect.signature(case.function).parameters)
    left = parameters - set(case.arguments) - set(case.others)
    assert not left


@pytest.mark.parametrize("name", CASES)
def test_types(name):
    case = CASES[name]

    @settings(max_examples=case.examples, phases=[Phase.generate])
    @given(st.data())
    def check(data):
        _check(case, data.draw)

    check()


def _check(case, draw):
    run = case.run or case.function
    bad = draw(st.sampled_from([None, None, *case.arguments]))
    wrong = [t for t in INTEGERS + FLOATS if t not in _types(case, bad)]
    if bad and case.arguments[bad].of_series:
        # Chainer's own functions do not take variables of these.
        wrong = [t for t in wrong if t != ">f4" and t != ">f8"]
    if not wrong:
        bad = None
    together = None
    actual, plain = {}, {}
    for name, argument in case.arguments.items():
        types = wrong if name == bad else argument.types
        if argument.of_series and name != bad:
            if together is None:
                together = (draw(st.sampled_from(types)),)
            types = together
        actual[name], plain[name] = argument.draw(draw, types)
    if bad is not None:
        with pytest.raises((TypeError, ValueError, InvalidType)) as caught:
            run(**actual)
        message = str(caught.value)
        assert bad in message or case.aliases.get(bad, bad) in message
        return
    with np.errstate(all="ignore"), chainer.using_config("dtype", np.float64):
        got, wanted = (list(_flat(run(**a))) for a in (actual, plain))
    size = np.dtype((together or ("f8",))[0]).itemsize
    float_series = together is not None and np.dtype(together[0]).kind == "f"
    rtol, atol = TOLERANCE[min(size, 8) if float_series else 8]
    assert len(got) == len(wanted) > 0
    for a, b in zip(got, wanted):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def _types(case, name):
    return case.arguments[name].types if name else INTEGERS + FLOATS


def _flat(result):
    """The arrays of a result in float64."""
    if isinstance(result, (tuple, list)):
        for part in result:
            yield from _flat(part)
    elif result is not None:
        if isinstance(result, Variable):
            result = result.array
        yield np.asarray(result, dtype=np.float64)
