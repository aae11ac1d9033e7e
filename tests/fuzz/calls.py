"""How functions are called that are not called by their arguments alone."""

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import chainer
import numpy as np
from chainer import Variable

import sdtw_cpu
from chainer_sdtw import estimators


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


def fit_and_all(kind):
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


def partial_fit(X, sample_weight=None, **options):
    model = estimators.SoftDTWMiniBatchKMeans(**options)
    model.partial_fit(X, sample_weight=sample_weight)
    model.partial_fit(X, sample_weight=sample_weight)
    return model.cluster_centers_, model.predict(X)


def isa(name):
    sdtw_cpu.set_isa(name)
    return np.float64(len(sdtw_cpu.isa()))
