"""The public functions: valid arguments, and how they are called."""

import chainer_sdtw  # isort: skip  (before chainer)

import inspect
from dataclasses import dataclass, field
from typing import Callable

import numpy as np
from argument_cases import CASES
from argument_kinds import Case

import sdtw_cpu
from chainer_sdtw import estimators
from fuzz import answers, calls, other_answers, other_arguments, problems


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
            run = calls.with_gradients(function)
        yield Target(
            name,
            lambda draw, given=given: problems.loss(draw, **given),
            run,
            answers.of_loss(name),
            weight=12,
            takes=("y_term: numbers",),
        )


TARGETS = [
    *_losses(),
    Target(
        "soft_dtw_from_cost",
        problems.from_cost,
        calls.with_gradients(chainer_sdtw.soft_dtw_from_cost, ("cost",)),
        answers.of_cost_matrices,
        weight=12,
    ),
    Target(
        "cost_matrix",
        other_arguments.cost_matrix,
        calls.with_gradients(chainer_sdtw.cost_matrix),
        answers.of_cost_matrix,
        weight=8,
    ),
    Target(
        "diagonal_prior",
        other_arguments.prior,
        plain("diagonal_prior"),
        other_answers.prior,
    ),
    Target(
        "itakura_mask",
        lambda draw: {**other_arguments.sizes(draw), "max_slope": 2.0},
        plain("itakura_mask"),
        other_answers.itakura,
    ),
    Target(
        "barycenter",
        other_arguments.a_set,
        plain("barycenter"),
        other_answers.barycenter,
    ),
    Target(
        "nearest_neighbors",
        other_arguments.neighbors,
        plain("nearest_neighbors"),
        other_answers.neighbors,
    ),
    Target(
        "pairwise_soft_dtw",
        other_arguments.two_sets,
        plain("pairwise_soft_dtw"),
        other_answers.pairwise,
        weight=8,
    ),
    Target(
        "plot_alignment",
        other_arguments.plot,
        plain("plot_alignment"),
        weight=1,
    ),
    Target(
        "links.SoftDTWLoss",
        other_arguments.loss_link,
        CASES["links.SoftDTWLoss"].run,
        words=("cost", "reduce"),
        weight=6,
    ),
    Target(
        "links.Barycenter",
        other_arguments.barycenter_link,
        CASES["links.Barycenter"].run,
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
            f"{name}_range: {what}"
            for name in ("value", "time")
            for what in ("a generator", "a set", "huge integers")
        ],
    ),
    Target(
        "estimators.SoftDTWKMeans",
        other_arguments.k_means,
        calls.fit_and_all(estimators.SoftDTWKMeans),
        takes=BY_SKLEARN,
        weight=2,
        words=("X", "sample_weight"),
        kinds={"init": "name"},
    ),
    Target(
        "estimators.SoftDTWMiniBatchKMeans",
        other_arguments.mini_batches,
        calls.fit_and_all(estimators.SoftDTWMiniBatchKMeans),
        takes=BY_SKLEARN,
        weight=2,
        words=("X", "sample_weight"),
        kinds={"init": "name"},
    ),
    Target(
        "estimators.SoftDTWMiniBatchKMeans.partial_fit",
        other_arguments.batches,
        calls.partial_fit,
        weight=1,
        words=("X", "sample_weight"),
        takes=BY_SKLEARN,
        kinds={"init": "name"},
    ),
    Target(
        "estimators.SoftDTWNearestCentroid",
        other_arguments.centroids,
        calls.fit_and_all(estimators.SoftDTWNearestCentroid),
        takes=BY_SKLEARN,
        weight=2,
        kinds={"y": "labels"},
    ),
    Target(
        "estimators.SoftDTWKNeighborsClassifier",
        other_arguments.vote,
        calls.fit_and_all(estimators.SoftDTWKNeighborsClassifier),
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
        other_arguments.band,
        plain("sdtw_cpu.sakoe_chiba_band"),
        other_answers.sakoe_chiba,
    ),
    Target(
        "sdtw_cpu.band_from_mask",
        other_arguments.band_of_mask,
        plain("sdtw_cpu.band_from_mask"),
        other_answers.band_of_mask,
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
        calls.isa,
        weight=1,
        words=("is not usable here",),
    ),
    Target(
        "sdtw_cpu.SoftDTW",
        lambda draw: {"D": draw.rng.random((3, 4)), "gamma": 0.5},
        plain("sdtw_cpu.SoftDTW"),
        other_answers.old_interface,
    ),
    Target(
        "sdtw_cpu.distance.SquaredEuclidean",
        other_arguments.square,
        plain("sdtw_cpu.distance.SquaredEuclidean"),
    ),
    Target(
        "sdtw_cpu.barycenter.sdtw_barycenter",
        other_arguments.old_barycenter,
        plain("sdtw_cpu.barycenter.sdtw_barycenter"),
    ),
]
BY_NAME = {target.name: target for target in TARGETS}
