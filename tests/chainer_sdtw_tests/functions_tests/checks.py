"""What the tests of the losses share."""

import chainer_sdtw  # isort: skip

import chainer
import chainer.functions as F
import numpy as np
from chainer import Variable, gradient_check

HOLES = np.ones((4, 3), dtype=bool)
HOLES[1, 1] = False


def inner_product(x, y):
    """A cost that is not one of those that have a name."""
    return F.matmul(x, y, transb=True)


# For series (2, 4, 2) and (2, 3, 2).
OPTIONS = {
    "plain": {},
    "ragged": {"x_length": [4, 2], "y_length": [1, 3]},
    "ragged-euclidean": {"x_length": [4, 2], "cost": "euclidean"},
    "euclidean": {"cost": "euclidean"},
    "manhattan": {"cost": "manhattan"},
    "cosine": {"cost": "cosine"},
    "function": {"cost": inner_product},
    "band": {"bandwidth": 1, "cost": "euclidean"},
    "ragged-band": {"bandwidth": [0, 1], "y_length": [3, 2]},
}
MASKS = {
    "mask": {"mask": chainer_sdtw.itakura_mask(4, 3)},
    "holes": {"mask": HOLES, "cost": "cosine", "x_length": [4, 3]},
}


def pair():
    """Two batches of series."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 4, 2)), rng.standard_normal((2, 3, 2))


def check_derivatives(function, *arrays):
    """Compare first and second derivatives with differences of values."""
    rng = np.random.default_rng(1)
    value = function(*map(Variable, arrays))
    grad = rng.standard_normal(value.shape)
    directions = tuple(rng.standard_normal(a.shape) for a in arrays)
    options = {"dtype": np.float64, "eps": 1e-4, "atol": 1e-6, "rtol": 1e-6}
    np.random.seed(0)  # noqa: NPY002  (Chainer's own)
    gradient_check.check_backward(function, arrays, grad, **options)
    gradient_check.check_double_backward(
        function, arrays, grad, directions, **options
    )


# Every loss with a cost, a band and lengths.
LOSSES = {
    f"{loss.__name__}-{name}": (loss, options)
    for loss in (
        chainer_sdtw.soft_dtw,
        chainer_sdtw.soft_dtw_divergence,
        chainer_sdtw.sharp_soft_dtw,
        chainer_sdtw.sharp_soft_dtw_divergence,
        chainer_sdtw.mean_cost,
        chainer_sdtw.mean_cost_divergence,
        chainer_sdtw.dilate_loss,
        chainer_sdtw.soft_alignment,
    )
    for name, options in {
        "cosine": {"cost": "cosine"},
        "ragged": {"cost": "euclidean", "x_length": [4, 2]},
        "band": {"cost": "manhattan", "bandwidth": 1},
        "function": {"cost": inner_product},
    }.items()
}


def derivatives(name, *arrays):
    """Value, gradients and second derivatives of one of LOSSES."""
    loss, options = LOSSES[name]
    x, y = map(Variable, arrays)
    value = loss(x, y, **options)
    value = F.sum(value * value)
    gx, gy = chainer.grad([value], [x, y], enable_double_backprop=True)
    more = F.sum(gx * gx) + F.sum(gy * gy)
    second = chainer.grad([more], [x, y])
    return [v.array for v in (value, gx, gy, *second)]
