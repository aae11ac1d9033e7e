"""tools/gpu_smoke.py without a GPU."""

from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import gpu_smoke
import numpy as np
import pytest
from ptx_on_cpu.sweeps import PTXDevice, unsupported


@pytest.fixture
def device():
    if unsupported():
        pytest.skip(unsupported())
    return PTXDevice(races=False)


@pytest.mark.slow
def test_smoke(device):
    """On executed kernels; the first time, they are compiled."""
    small = {
        "sizes": [(5, 33)],
        "features": [3],
        "gammas": [0.1],
        "dtypes": ["float32"],
    }
    assert gpu_smoke.smoke(**small, device=device) == []
    with mock.patch.dict(gpu_smoke.TOLERANCES, float32=1e-12):
        wrong = gpu_smoke.smoke(**small, device=device)
    assert any("manhattan, padded, gradients" in name for name in wrong)


def test_errors_are_relative_to_the_norm():
    expected = (np.array([30.0, 40.0]), np.zeros(2))
    assert gpu_smoke.compare(expected, expected) == 0
    shifted = np.array([30.0, 40.5])
    assert gpu_smoke.compare((shifted,), expected) == pytest.approx(0.01)
    assert gpu_smoke.compare((np.array([30.0, np.nan]),), expected) == np.inf


class Modules:
    """A device whose modules use what ``used`` tells for each kernel."""

    def __init__(self, used):
        self.used = used
        self.compiled = []

    def _module(self, options):
        module = mock.Mock()
        module.compile = lambda: self.compiled.append(options)
        module.get_function.side_effect = lambda name: mock.Mock(
            num_regs=64,
            shared_size_bytes=1024,
            local_size_bytes=self.used(name, options),
        )
        return module


def compile_all(used):
    device = Modules(used)
    with (
        ThreadPoolExecutor(2) as pool,
        mock.patch.object(gpu_smoke, "cupy_device", lambda: device),
    ):
        return gpu_smoke.compile_all(pool), device.compiled


def test_every_module_is_compiled_once(capsys):
    wrong, compiled = compile_all(lambda name, options: 0)
    assert wrong == []
    assert sorted(compiled) == gpu_smoke.all_variants()
    assert len(set(compiled)) == len(compiled) >= 27
    assert capsys.readouterr().out.count("[(64, 1024, 0), ") == len(compiled)


def test_what_does_not_compile_or_spills_is_reported():
    first, second, *_ = gpu_smoke.all_variants()

    def used(name, options):
        if options == first:
            raise RuntimeError("no image for this device")
        return 8 * (options == second and name == "soft_dtw_adjoint")

    wrong, _ = compile_all(used)
    assert len(wrong) == 2
    assert wrong[0].endswith("DUAL=0: no image for this device")
    assert wrong[1].endswith("local memory is used")
