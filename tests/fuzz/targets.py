"""The public functions: valid arguments, and how they are called."""

import chainer_sdtw  # isort: skip  (before chainer)

import inspect
from dataclasses import dataclass, field
from typing import Callable

import chainer
import numpy as np
from argument_cases import CASES
from argument_kinds import Case
from chainer import Variable

import sdtw_cpu
from chainer_sdtw import estimators
from fuzz import answers, problems


@dataclass(frozen=True)
class Target:
    """A public function, or a class and what is done with it.

    Attributes:
        name: As in ``argument_cases``.
        draw: Returns valid arguments.
        run: Calls it with them.
        answer: Compares results with right ones, of arguments whose shapes
            and types are as they were drawn.
        weight: How often it is drawn.
        kinds: What arguments are whose values do not tell.
        words: What messages call them, besides their names.
        takes: The changes that are no mistakes.
    """

    name: str
    draw: Callable
    run: Callable
    answer: Callable = None
    weight: int = 4
    kinds: dict = field(default_factory=dict)
    words: tuple = ()
    takes: tuple = ()

    @property
    def function(self):
        return _case(self.name).function

    def names(self):
        """What a message about an argument may name."""
        case = _case(self.name)
        parameters = inspect.signature(case.function).parameters
        aliases = case.aliases.values()
        return [*self.words, *parameters, *case.arguments, *aliases]


def _case(name):
    """The case of the tests of types, of a class or a function."""
    if name == "sdtw_cpu.set_isa":
        return Case(sdtw_cpu.set_isa, {})
    return CASES[name.replace(".partial_fit", "")]


# What None, or a name, stands for; and the range of numbers.
KINDS = {
    "bandwidth": "integer",
    "band": "integers",
    "barycenter_init": "array",
    "init": "array",
    "init_size": "integer",
    "labels": "labels",
    "mask": "booleans",
    "n_jobs": "small",
    "random_state": "small",
    "sample_weight": "array",
    "weights": "array",
    "x_length": "integers",
    "y_length": "integers",
    "y_term": "name",
    "length": "small",
    "m": "small",
    "n": "small",
    "batch_size": "small",
    "n_init": "small",
}
DOMAINS = {
    "gamma": (0, 1e290),
    "alpha": (0, 1),
    "nu": (5e-324, 1.7976931348623157e308),
    "tol": (0, 1.7976931348623157e308),
    "tol_barycenter": (0, 1.7976931348623157e308),
    "prior": (0, 1.7976931348623157e308),
    "max_slope": (1, np.inf),
}
# As scikit-learn and joblib understand them.
BY_SKLEARN = (
    "random_state: a truth",
    "random_state: array(2)",
    "random_state: negative",
    "random_state: very negative",
    "n_jobs: negative",
    "n_jobs: very negative",
)


def with_gradients(function, names=("x", "y")):
    """A loss, and its gradients where the arguments have some."""

    def run(**arguments):
        inputs = {}
        for name in names:
            a = arguments[name]
            # Chainer's variables hold plain arrays alone.
            of_floats = type(a) is np.ndarray and a.dtype.kind == "f"
            if of_floats and a.dtype.isnative:
                arguments[name] = inputs[name] = Variable(a)
        value = function(**arguments)
        ones = Variable(np.ones_like(value.array))
        grads = dict.fromkeys(names, np.zeros(0))
        if inputs:
            found = chainer.grad([value], [*inputs.values()], [ones])
            grads.update(zip(inputs, found))
        return value, *grads.values()

    return run


def plain(name):
    case = CASES[name]
    return case.run or case.function


def _losses():
    masked = {"masked": True}
    options = {
        "soft_dtw": masked,
        "soft_dtw_divergence": {"y_term": True},
        "sharp_soft_dtw": masked,
        "sharp_soft_dtw_divergence": {"y_term": True},
        "mean_cost": {"gamma": False},
        "mean_cost_divergence": {"gamma": False, "y_term": True},
        "dilate_loss": {"more": ("reduce", "alpha"), **masked},
        "soft_alignment": {"more": (), **masked},
        "alignment_path": {"more": (), "gamma": False, **masked},
        "temporal_distortion_index": {"gamma": False, **masked},
    }
    for name, given in options.items():
        given = {"more": ("reduce",), **given}
        function = CASES[name].function
        run = function
        if name not in ("alignment_path", "temporal_distortion_index"):
            run = with_gradients(function)
        yield Target(
            name,
            lambda draw, given=given: problems.loss(draw, **given),
            run,
            answers.of_loss(name),
            weight=12,
            takes=("y_term: numbers",),
        )


def _cost_matrix(draw):
    made = problems.series_pair(draw)
    return {**made, "cost": draw.one((*problems.COSTS, "cosine"))}


def _sizes(draw):
    m, n = draw.one(problems.LENGTHS), draw.one(problems.LENGTHS)
    return {"m": m, "n": n}


def _prior(draw):
    made = _sizes(draw)
    made["nu"] = draw.one((0.5, 10.0, 1e3))
    shape = draw.integer(1, 3), made["m"], made["n"]
    return {**made, **problems.limits(draw, shape)}


def _band(draw):
    made = _sizes(draw)
    shape = draw.integer(1, 3), made["m"], made["n"]
    radius = problems.bandwidth(draw, shape[0])
    made["bandwidth"] = 3 if radius is None else radius
    return {**made, **problems.limits(draw, shape)}


def _band_of_mask(draw):
    shape = draw.integer(1, 3), *_sizes(draw).values()
    mask = problems.mask(draw, shape)
    if mask is None or mask.ndim == 2:
        mask = np.ones(shape, bool)
    return {"mask": mask, **problems.limits(draw, shape)}


def _set(draw):
    series = problems.series_set(draw)
    made = {"series": series, **problems.of_set(draw)}
    made["weights"] = problems.weights(draw, len(series))
    made["max_iter"] = draw.integer(1, 3)
    made["tol"] = draw.one((0.0, 1e-5))
    made["optimizer"] = draw.one(("l-bfgs", "cg"))
    made["init"] = draw.one(("mean", "medoid", "random", None))
    made["random_state"] = draw.integer(0, 9)
    made["length"] = draw.one((None, 1, 4))
    if draw.chance(0.3):
        made["init"] = series[0].astype(np.float64)
        made["length"] = None
    return made


def _two_sets(draw):
    x = problems.series_set(draw)
    y = problems.walks_like(draw, x) if draw.chance(0.7) else None
    made = {"X": x, "Y": y, **problems.of_set(draw)}
    made["max_bytes"] = draw.one((1, 100, 2**25))
    return made


def _neighbors(draw):
    made = _two_sets(draw)
    most = len(made["X"]) - 1 if made["Y"] is None else len(made["Y"])
    if most < 1:
        made["Y"], most = made["X"].copy(), 1
    return {**made, "n_neighbors": draw.integer(1, most)}


def _plot(draw):
    x, y = draw.rng.standard_normal((2, draw.one((2, 5))))
    return {
        "x": x,
        "y": y,
        "alignment": draw.rng.random((len(x), len(y))),
        "path": draw.rng.integers(0, len(x), (3, 2)),
    }


def _loss_link(draw):
    made = problems.loss(draw)
    made["prior"] = draw.one((0.0, 0.0, 2.0))
    made["nu"] = draw.one((0.5, 100.0))
    made["loss"] = draw.one(("soft_dtw", "divergence", "sharp", "mean_cost"))
    return made


def _barycenter_link(draw):
    series = problems.series_set(draw)
    made = {"init": series[0].copy(), "series": series}
    made["weights"] = problems.weights(draw, len(series))
    return {**made, **problems.of_set(draw)}


def _clusters(draw, **more):
    series = problems.series_set(draw, ("f8", "f4"), size=6)
    made = {"X": series, **problems.of_set(draw), "n_clusters": 2}
    made["gamma"] = draw.one((0.1, 1.0, 10.0))
    made["max_iter"] = draw.integer(1, 2)
    made["max_iter_barycenter"] = 2
    made["tol_barycenter"] = 1e-3
    made["init"] = draw.one(("k-means++", "random"))
    made["length"] = draw.one((None, 4))
    made["random_state"] = draw.integer(0, 9)
    made["n_jobs"] = draw.one((None, 1))
    made["init_size"] = draw.one((None, 4))
    made["sample_weight"] = problems.weights(draw, len(series))
    return {**made, **more}


def _k_means(draw):
    return _clusters(draw, n_init=1, tol=1e-4)


def _batches(draw):
    made = _clusters(draw)
    del made["max_iter"]
    return made


def _mini_batches(draw):
    return _clusters(draw, batch_size=3, max_no_improvement=2)


def _classes(draw):
    series = problems.series_set(draw, ("f8", "f4"), size=6)
    made = {"X": series, **problems.of_set(draw)}
    made["y"] = draw.rng.permutation([0, 0, 0, 1, 1, 1])
    made["n_jobs"] = draw.one((None, 1))
    return made


def _centroids(draw):
    made = {**_classes(draw), "max_iter": 2, "tol": 1e-4}
    return {**made, "length": draw.one((None, 4))}


def _vote(draw):
    made = {**_classes(draw), "n_neighbors": draw.integer(1, 5)}
    return {**made, "weights": "uniform"}


def _square(draw):
    x, y = draw.rng.standard_normal((2, 4, 2))
    return {"X": x, "Y": y, "E": draw.rng.random((4, 4))}


def _old_barycenter(draw):
    x = problems.series_set(draw)
    x = x[..., None] if x.ndim == 2 else x
    return {
        "X": x.astype(np.float64),
        "barycenter_init": x[0].astype(np.float64),
        "gamma": draw.one((0.1, 1.0)),
        "weights": problems.weights(draw, len(x)),
        "tol": 1e-3,
        "max_iter": 2,
        "method": "L-BFGS-B",
    }


def _fit_and_all(kind):
    """Fit an estimator, and call every method that it has."""

    def run(X, **options):
        fitting = {
            name: options.pop(name)
            for name in ("y", "sample_weight")
            if name in options
        }
        model = kind(**options).fit(X, **fitting)
        results = [
            getattr(model, name, None)
            for name in ("cluster_centers_", "centroids_", "inertia_")
        ]
        results.append(model.predict(X))
        if hasattr(model, "transform"):
            results.append(model.transform(X))
        if hasattr(model, "kneighbors"):
            results += [*model.kneighbors(X), model.predict_proba(X)]
        return results

    return run


def _partial_fit(X, sample_weight=None, **options):
    model = estimators.SoftDTWMiniBatchKMeans(**options)
    model.partial_fit(X, sample_weight=sample_weight)
    model.partial_fit(X, sample_weight=sample_weight)
    return model.cluster_centers_, model.predict(X)


def _isa(name):
    sdtw_cpu.set_isa(name)
    return np.float64(len(sdtw_cpu.isa()))


TARGETS = [
    *_losses(),
    Target(
        "soft_dtw_from_cost",
        problems.from_cost,
        with_gradients(chainer_sdtw.soft_dtw_from_cost, ("cost",)),
        answers.of_cost_matrices,
        weight=12,
    ),
    Target(
        "cost_matrix",
        _cost_matrix,
        with_gradients(chainer_sdtw.cost_matrix),
        answers.of_cost_matrix,
        weight=8,
    ),
    Target("diagonal_prior", _prior, plain("diagonal_prior"), answers.prior),
    Target(
        "itakura_mask",
        lambda draw: {**_sizes(draw), "max_slope": 2.0},
        plain("itakura_mask"),
        answers.itakura,
    ),
    Target("barycenter", _set, plain("barycenter"), answers.barycenter),
    Target(
        "nearest_neighbors",
        _neighbors,
        plain("nearest_neighbors"),
        answers.neighbors,
    ),
    Target(
        "pairwise_soft_dtw",
        _two_sets,
        plain("pairwise_soft_dtw"),
        answers.pairwise,
        weight=8,
    ),
    Target("plot_alignment", _plot, plain("plot_alignment"), weight=1),
    Target(
        "links.SoftDTWLoss",
        _loss_link,
        CASES["links.SoftDTWLoss"].run,
        words=("cost", "reduce"),
        weight=6,
    ),
    Target(
        "links.Barycenter", _barycenter_link, CASES["links.Barycenter"].run
    ),
    Target(
        "training.SeededIterator",
        lambda draw: {"batch_size": 3, "seed": 7},
        plain("training.SeededIterator"),
        weight=2,
    ),
    Target(
        "training.AttributeShift",
        lambda draw: {
            "value_range": draw.rng.random(2),
            "time_range": np.array([1.0, 5.0]),
        },
        plain("training.AttributeShift"),
        weight=2,
        words=("gamma",),
        takes=[
            f"{name}_range: a {what}"
            for name in ("value", "time")
            for what in ("generator", "set")
        ],
    ),
    Target(
        "estimators.SoftDTWKMeans",
        _k_means,
        _fit_and_all(estimators.SoftDTWKMeans),
        takes=BY_SKLEARN,
        weight=2,
        words=("X", "sample_weight"),
        kinds={"init": "name"},
    ),
    Target(
        "estimators.SoftDTWMiniBatchKMeans",
        _mini_batches,
        _fit_and_all(estimators.SoftDTWMiniBatchKMeans),
        takes=BY_SKLEARN,
        weight=2,
        words=("X", "sample_weight"),
        kinds={"init": "name"},
    ),
    Target(
        "estimators.SoftDTWMiniBatchKMeans.partial_fit",
        _batches,
        _partial_fit,
        weight=1,
        words=("X", "sample_weight"),
        takes=BY_SKLEARN,
        kinds={"init": "name"},
    ),
    Target(
        "estimators.SoftDTWNearestCentroid",
        _centroids,
        _fit_and_all(estimators.SoftDTWNearestCentroid),
        takes=BY_SKLEARN,
        weight=2,
        kinds={"y": "labels"},
    ),
    Target(
        "estimators.SoftDTWKNeighborsClassifier",
        _vote,
        _fit_and_all(estimators.SoftDTWKNeighborsClassifier),
        takes=BY_SKLEARN,
        weight=3,
        kinds={"y": "labels", "weights": "name"},
    ),
    *(
        Target(
            f"sdtw_cpu.{name}",
            lambda draw, options=options: problems.sweep(draw, **options),
            plain(f"sdtw_cpu.{name}"),
            answers.of_sweep,
            weight=10,
            words=("grad", "grad_tangent"),
        )
        for name, options in {
            "value": {},
            "value_from_cost": {"explicit": True},
            "tangent": {"tangent": True},
            "tangent_from_cost": {"explicit": True, "tangent": True},
        }.items()
    ),
    Target(
        "sdtw_cpu.sakoe_chiba_band",
        _band,
        plain("sdtw_cpu.sakoe_chiba_band"),
        answers.sakoe_chiba,
    ),
    Target(
        "sdtw_cpu.band_from_mask",
        _band_of_mask,
        plain("sdtw_cpu.band_from_mask"),
        answers.band_of_mask,
    ),
    Target(
        "sdtw_cpu.check_gamma",
        lambda draw: {"gamma": problems.smoothing(draw)},
        plain("sdtw_cpu.check_gamma"),
    ),
    Target(
        "sdtw_cpu.set_num_threads",
        lambda draw: {"n": draw.integer(1, 3)},
        plain("sdtw_cpu.set_num_threads"),
        weight=1,
        kinds={"n": "small"},
    ),
    Target(
        "sdtw_cpu.set_isa",
        lambda draw: {"name": draw.one(sdtw_cpu.isa_levels())},
        _isa,
        weight=1,
        words=("is not usable here",),
    ),
    Target(
        "sdtw_cpu.SoftDTW",
        lambda draw: {"D": draw.rng.random((3, 4)), "gamma": 0.5},
        plain("sdtw_cpu.SoftDTW"),
        answers.old_interface,
    ),
    Target(
        "sdtw_cpu.distance.SquaredEuclidean",
        _square,
        plain("sdtw_cpu.distance.SquaredEuclidean"),
    ),
    Target(
        "sdtw_cpu.barycenter.sdtw_barycenter",
        _old_barycenter,
        plain("sdtw_cpu.barycenter.sdtw_barycenter"),
    ),
]
BY_NAME = {target.name: target for target in TARGETS}
