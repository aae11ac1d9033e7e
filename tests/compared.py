"""Run the sweeps of a device, and compare two results of sweeps."""

import numpy as np
import reference

KINDS = ("univariate", "multivariate", "explicit")


def swept(sweeps, arrays, gamma, lengths=(None, None), grad=None, **options):
    """Value and gradients, of arrays that are where the sweeps run."""
    name = "value" if len(arrays) == 2 else "value_from_cost"
    value, tape = getattr(sweeps, name)(
        *arrays,
        gamma,
        x_length=lengths[0],
        y_length=lengths[1],
        tape=True,
        **options,
    )
    gradients = sweeps.adjoint(tape, grad)
    return (value, *(gradients if len(arrays) == 2 else (gradients,)))


def assert_near(actual, expected, gamma, dtype, tolerance):
    """Values and gradients are of a type and near enough."""
    # A value may be what is left of costs and gamma times an entropy.
    scale = max(np.abs(expected[0]).max(), gamma)
    assert np.abs(actual[0] - expected[0]).max() <= tolerance * scale
    for a, e in zip(actual, expected):
        assert a.dtype == dtype and a.shape == e.shape
    for a, e in zip(actual[1:], expected[1:]):
        assert reference.error(a, e) <= tolerance
