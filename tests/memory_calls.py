"""Calls of the functions whose arguments have tests, with tiny inputs."""

from __future__ import annotations

import contextlib
import inspect

import numpy as np
from argument_cases import CASES
from chainer.utils.type_check import InvalidType
from memory_growth import Call
from public_api import is_class, names_by_module

from chainer_sdtw import pairwise

# What a wrong argument raises.
ERRORS = (TypeError, ValueError, InvalidType)
# Public, but not called here, or called by what is.
APART = {
    "chainer_sdtw.compat.main": "runs a script",
    "chainer_sdtw.cuda.Tape": "needs a GPU",
    "chainer_sdtw.cuda.adjoint": "needs a GPU",
    "chainer_sdtw.cuda.adjoint_tangent": "needs a GPU",
    "chainer_sdtw.cuda.tangent": "needs a GPU",
    "chainer_sdtw.cuda.tangent_from_cost": "needs a GPU",
    "chainer_sdtw.cuda.value": "needs a GPU",
    "chainer_sdtw.cuda.value_from_cost": "needs a GPU",
    "chainer_sdtw.functions.costs.check_cost": "called by all losses",
    "chainer_sdtw.training.create_communicator": "needs MPI",
    "sdtw_cpu.types.DeviceArray": "a type",
    "sdtw_cpu.types.HasArray": "a type",
}


def public_callables():
    """Return the functions and classes that are public, with their names."""
    found = {}
    for module, names in names_by_module():
        for name in names:
            value = getattr(module, name)
            if inspect.isroutine(value) or is_class(value):
                found.setdefault(value, f"{module.__name__}.{name}")
    return found


def _plain(argument):
    """A value of an argument in the first type that is usual for it."""
    dtype = next(t for t in ("?", "f8", "i8") if t in argument.types)
    array = np.asarray(argument.values[0]).astype(dtype)
    return array if array.ndim else array.item()


def quiet(run):
    """The same without warnings of NumPy's and without output."""

    def call():
        with np.errstate(all="ignore"), contextlib.redirect_stdout(None):
            run()

    return call


# More than a millisecond.
SLOW = {
    "barycenter": 1,
    "nearest_neighbors": 1,
    "pairwise_soft_dtw": 1,
    "plot_alignment": 3,
    "estimators.SoftDTWKMeans": 1,
    "estimators.SoftDTWMiniBatchKMeans": 1,
    "estimators.SoftDTWNearestCentroid": 1,
    "estimators.SoftDTWKNeighborsClassifier": 1,
}
CYCLES = {"plot_alignment": "figures of Matplotlib"}
# Public functions that these call.
MORE = {"pairwise_soft_dtw": (pairwise.fill, pairwise.self_terms)}


def of_cases():
    """Calls of the functions whose arguments are tested."""
    for name, case in CASES.items():
        arguments = {k: _plain(a) for k, a in case.arguments.items()}
        run = case.run or case.function
        yield (
            name,
            Call(
                quiet(lambda run=run, a=arguments: run(**a)),
                (case.function, *MORE.get(name, ())),
                SLOW.get(name, 0),
                CYCLES.get(name, ""),
            ),
        )


def of_errors():
    """The same with a first argument of a wrong type."""
    for name, case in CASES.items():
        arguments = {k: _plain(a) for k, a in case.arguments.items()}
        arguments[next(iter(arguments))] = np.array("a")
        run = case.run or case.function
        cycles = CYCLES.get(name, "")
        yield (
            f"{name}, refused",
            Call(_refused(run, arguments), (), SLOW.get(name, 0) // 2, cycles),
        )


def _refused(run, arguments):
    def call():
        try:
            run(**arguments)
        except ERRORS:
            return
        raise AssertionError("a wrong argument was accepted")

    return call
