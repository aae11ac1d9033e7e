"""What the tests of the losses share."""

import contextlib
from unittest import mock

import chainer_sdtw  # isort: skip

import chainer
import chainer.functions as F
import numpy as np
import reference
from chainer import Variable, gradient_check, testing

import sdtw_cpu
from chainer_sdtw._engine import costs

DTYPES = [np.float16, np.float32, np.float64]
REDUCE = {"mean": np.mean, "sum": np.sum, "no": np.copy}
# Of Chainer's numerical gradients.
TOLERANCES = {
    np.float16: {"atol": 3e-2, "rtol": 3e-2},
    np.float32: {"atol": 1e-4, "rtol": 1e-4},
    np.float64: {"atol": 1e-5, "rtol": 1e-5},
}
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
    **{name: {"cost": name} for name in costs.NAMES[1:]},
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


class SoftDTWCase(testing.FunctionTestCase):
    """soft_dtw or, where it has no features, soft_dtw_from_cost.

    Parameters: dtype, gamma, reduce, shape ``(B, m, n[, d])`` and ragged.
    """

    def setUp(self):
        self.rng = np.random.default_rng(0)
        self.check_forward_options = TOLERANCES[self.dtype]
        self.check_backward_options = TOLERANCES[self.dtype]
        self.check_double_backward_options = TOLERANCES[self.dtype]
        size, m, n, *d = self.shape
        self.input_shapes = [(size, m, n)]
        if d:
            self.input_shapes = [(size, m, *d), (size, n, *d)]
        self.lengths = {}
        if self.ragged:
            self.lengths["x_length"] = np.arange(size) % m + 1
            self.lengths["y_length"] = np.arange(size) * 3 % n + 1

    def generate_inputs(self):
        return tuple(
            self.rng.uniform(-1, 1, shape).astype(self.dtype)
            for shape in self.input_shapes
        )

    def forward(self, inputs, device):
        loss = chainer_sdtw.soft_dtw
        if len(inputs) == 1:
            loss = chainer_sdtw.soft_dtw_from_cost
        value = loss(*inputs, self.gamma, reduce=self.reduce, **self.lengths)
        return (value,)

    def forward_expected(self, inputs):
        sweep = reference.batch if len(inputs) == 2 else reference.soft_dtw
        values, *_ = sweep(*inputs, self.gamma, **self.lengths)
        return (np.asarray(REDUCE[self.reduce](values), self.dtype),)


@contextlib.contextmanager
def watched(*names):
    """Mocks that keep the calls of sweeps of sdtw_cpu, which go on."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                mock.patch.object(
                    sdtw_cpu, name, wraps=getattr(sdtw_cpu, name)
                )
            )
            for name in names
        ]


def check_nan_stays_in_its_pair(loss, pair):
    """NaN in the second of three pairs is in its value and gradients."""
    pair[0][1, 2, 0] = np.nan
    x, y = map(Variable, pair)
    values = loss(x, y, reduce="no")
    np.testing.assert_array_equal(np.isnan(values.array), [0, 1, 0])
    F.sum(values).backward()
    for variable in (x, y):
        assert np.isnan(variable.grad[1]).all()
        assert np.isfinite(variable.grad[[0, 2]]).all()


LOSSES = {
    loss.__name__: loss
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
}
# Every loss with a cost, a band and lengths.
LOSSES_WITH_OPTIONS = {
    f"{label}-{name}": (loss, options)
    for label, loss in LOSSES.items()
    for name, options in {
        "cosine": {"cost": "cosine"},
        "ragged": {"cost": "euclidean", "x_length": [4, 2]},
        "band": {"cost": "manhattan", "bandwidth": 1},
        "function": {"cost": inner_product},
    }.items()
}


def derivatives(loss, x, y, **options):
    """Value, gradients and second derivatives of sums of squares."""
    x, y = Variable(x), Variable(y)
    value = loss(x, y, **options)
    value = F.sum(value * value)
    gradients = chainer.grad([value], [x, y], enable_double_backprop=True)
    more = sum(F.sum(g * g) for g in gradients)
    second = chainer.grad([more], [x, y])
    return [v.array for v in (value, *gradients, *second)]
