"""Every public function, and what its arguments may be."""

import chainer_sdtw  # isort: skip

import numpy as np
import pytest
from argument_kinds import (
    FLOATS,
    INTEGERS,
    NOT_LONG,
    Argument,
    Case,
    any_series,
    booleans,
    integer,
    number,
    series,
)
from chainer import Variable

import sdtw_cpu
from chainer_sdtw import links, training
from sdtw_cpu.barycenter import sdtw_barycenter
from sdtw_cpu.distance import SquaredEuclidean

pytest.importorskip("sklearn")
estimators = chainer_sdtw.estimators

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
CLUSTERING = {
    # Of DTW itself, rounding decides between alignments of the same cost.
    "gamma": number(2, 1, 0.5),
    "max_iter_barycenter": integer(2),
    "tol_barycenter": number(0, 0.5),
    "random_state": Argument((3,), INTEGERS, only_scalars=True),
    "sample_weight": number([1, 1, 2, 1, 0, 1], [1, 0.5, 1, 1, 1, 0.5]),
}


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
            "init": Argument((SHORT[1][:7],), NOT_LONG),
        },
        ("optimizer", "loss", "cost", "callback", "verbose"),
    ),
    "nearest_neighbors": Case(
        chainer_sdtw.nearest_neighbors,
        {
            "X": any_series(SHORT),
            "Y": any_series(SHORT[:4]),
            "n_neighbors": integer(1, 3),
            **GAMMA,
            **ONE_BANDWIDTH,
            "max_bytes": integer(100, 1),
        },
        ("loss", "cost", "progress"),
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
        ("loss", "cost", "out", "resume", "client", "progress"),
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
        init_size=integer(6, 100),
        **CLUSTERING,
    ),
    "estimators.SoftDTWMiniBatchKMeans": estimator(
        estimators.SoftDTWMiniBatchKMeans,
        "cluster_centers_",
        "inertia_",
        "labels_",
        length=integer(7),
        max_iter=integer(3),
        n_clusters=integer(2),
        batch_size=integer(3),
        init_size=integer(4),
        max_no_improvement=integer(2),
        **CLUSTERING,
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
    "training.DurableWriter",
    "training.RunSettings",
    "training.ScatteredIterator",
    "training.abort_on_failure",
    "training.create_communicator",
}
