"""The losses that have a name, for tests of sets of series."""

import chainer_sdtw  # isort: skip  (before chainer)

import chainer
import numpy as np

FUNCTIONS = {
    "soft_dtw": chainer_sdtw.soft_dtw,
    "soft_dtw_divergence": chainer_sdtw.soft_dtw_divergence,
    "sharp_soft_dtw": chainer_sdtw.sharp_soft_dtw,
    "sharp_soft_dtw_divergence": chainer_sdtw.sharp_soft_dtw_divergence,
    "mean_cost": chainer_sdtw.mean_cost,
    "mean_cost_divergence": chainer_sdtw.mean_cost_divergence,
}
ALIASES = {
    "divergence": "soft_dtw_divergence",
    "sharp": "sharp_soft_dtw",
    "sharp_divergence": "sharp_soft_dtw_divergence",
}


def total(z, series, weights, loss, gamma, **options):
    """The objective by the public functions, with its gradient."""
    z = chainer.Variable(np.asarray(z, np.float64))
    if not loss.startswith("mean"):
        options["gamma"] = gamma
    if loss.endswith("divergence"):
        options["y_term"] = "skip"
    pairs = [z] * len(series), list(series)
    function = FUNCTIONS[ALIASES.get(loss, loss)]
    values = function(*pairs, reduce="no", **options)
    value = chainer.functions.sum(values * np.asarray(weights, np.float64))
    value.backward()
    return float(value.array), z.grad
