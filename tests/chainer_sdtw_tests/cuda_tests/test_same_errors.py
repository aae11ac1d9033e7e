"""Wrong calls raise the same on the CPU and on a GPU."""

import numpy as np
import pytest
from ptx_on_cpu.sweeps import PTXDevice, unsupported

import sdtw_cpu
from chainer_sdtw import cuda

if unsupported():
    pytest.skip(str(unsupported()), allow_module_level=True)

B, M, N, D = 2, 9, 8, 2
X, Y = np.ones((B, M, D)), np.zeros((B, N, D))
COST = np.ones((B, M, N))
SERIES = {"x": X, "y": Y, "gamma": 1.0}
TANGENT = {**SERIES, "direction": (X, Y)}
MATRICES = {"cost": COST, "gamma": 1.0}
MATRIX_TANGENT = {**MATRICES, "direction": COST}
BAND = np.array([[[0, N]] * M])

# Of every sweep, the arguments that are wrong.
CALLS = [
    ("value", SERIES, wrong)
    for wrong in (
        {"x": X.astype(int)},
        {"x": X[0]},
        {"x": X[:, :0]},
        {"x": X.astype(np.float32)},
        {"y": Y[:1]},
        {"y": Y[..., :1]},
        {"gamma": -1},
        {"gamma": np.nan},
        {"gamma": 1e300},
        {"gamma": "1"},
        {"cost": "cosine"},
        {"cost": None},
        {"x_length": [9.0, 9.0]},
        {"x_length": [9]},
        {"x_length": [9, 10]},
        {"y_length": [0, 8]},
        {"band": BAND[:, 1:]},
        {"band": BAND.astype(float)},
        {"band": BAND + 1},
        {"band": BAND * 0},
        {"band": np.concatenate([BAND[:, :5], BAND[:, 5:] - [0, 1]], 1)},
    )
]
CALLS += [
    ("value_from_cost", MATRICES, wrong)
    for wrong in (
        {"cost": COST.astype(complex)},
        {"cost": COST[0]},
        {"gamma": np.inf},
        {"x_length": [9, 10]},
        {"band": BAND + 1},
    )
]
CALLS += [
    ("tangent", TANGENT, wrong)
    for wrong in (
        {"direction": (X, X)},
        {"direction": (Y, None)},
        {"direction": [X, Y]},
        {"direction": (X.astype(np.float32), Y)},
        {"direction": "costs"},
        {"direction": None},
        {"direction": np.ones((3, M, N))},
        {"direction": np.ones((M, N))},
        {"direction": COST.astype(np.float32)},
        {"gamma": -1},
        {"cost": "cosine"},
        {"x_length": [9, 10]},
    )
]
CALLS += [
    ("tangent_from_cost", MATRIX_TANGENT, wrong)
    for wrong in (
        {"direction": (X, Y)},
        {"direction": "costs"},
        {"direction": np.ones((B, M, N + 1))},
        {"direction": COST.astype(np.float32)},
        {"gamma": -1},
    )
]


def error(function, *args, **kwargs):
    """The type and the message of what a call raises."""
    with pytest.raises((TypeError, ValueError)) as caught:
        function(*args, **kwargs)
    return caught.type, str(caught.value)


@pytest.fixture(scope="module")
def device():
    return PTXDevice()


@pytest.mark.parametrize(("name", "right", "wrong"), CALLS)
def test_sweeps(device, name, right, wrong):
    arguments = {**right, **wrong}
    expected = error(getattr(sdtw_cpu, name), **arguments)
    actual = error(getattr(cuda, name), **arguments, device=device)
    assert actual == expected
    assert device.modules == {}


@pytest.fixture(scope="module")
def tapes(device):
    """Tapes of the CPU and of the executor, by the sweep's name."""
    return {
        name: (
            getattr(sdtw_cpu, name)(**arguments, tape=True)[-1],
            getattr(cuda, name)(**arguments, tape=True, device=device)[-1],
        )
        for name, arguments in (
            ("value_from_cost", MATRICES),
            ("tangent", TANGENT),
            ("tangent_from_cost", MATRIX_TANGENT),
        )
    }


@pytest.mark.parametrize("name", ["tangent", "tangent_from_cost"])
@pytest.mark.parametrize("grad", [np.ones(3), np.ones((2, 1)), ["1", "2"]])
def test_gradients_of_tangents(tapes, name, grad):
    on_cpu, on_gpu = tapes[name]
    for wrong in ({"grad": grad}, {"grad_tangent": grad}):
        expected = error(sdtw_cpu.adjoint_tangent, on_cpu, **wrong)
        assert error(cuda.adjoint_tangent, on_gpu, **wrong) == expected
        assert next(iter(wrong)) + " must" in expected[1]


@pytest.mark.parametrize("grad", [np.ones(3), np.ones(2, complex), "1"])
def test_gradients_of_values(tapes, grad):
    on_cpu, on_gpu = tapes["value_from_cost"]
    expected = error(sdtw_cpu.adjoint, on_cpu, grad)
    assert error(cuda.adjoint, on_gpu, grad) == expected


def test_tapes(tapes):
    for name, (on_cpu, on_gpu) in tapes.items():
        wrong = "adjoint" if "tangent" in name else "adjoint_tangent"
        expected = error(getattr(sdtw_cpu, wrong), on_cpu)
        assert error(getattr(cuda, wrong), on_gpu) == expected
        assert expected[0] is ValueError
    for name in ("adjoint", "adjoint_tangent"):
        expected = error(getattr(sdtw_cpu, name), 1)
        assert error(getattr(cuda, name), 1) == expected
