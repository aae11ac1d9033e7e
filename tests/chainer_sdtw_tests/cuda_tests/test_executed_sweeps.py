"""The kernels as each NVRTC compiles them, executed beside sdtw_cpu."""

import numpy as np
import nvrtc
import pytest
from executed import KINDS, check, random_problem, swept
from ptx_on_cpu.sweeps import PTXDevice, unsupported
from reference import make

if unsupported():
    pytest.skip(str(unsupported()), allow_module_level=True)

COMPILERS = [
    (library, arch)
    for library in nvrtc.libraries()
    for arch in (70, 90)
    if arch in library.architectures()
]


@pytest.mark.slow
@pytest.mark.parametrize(("library", "arch"), COMPILERS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_every_compiler(kind, dtype, library, arch):
    rng = np.random.default_rng([KINDS.index(kind), arch])
    device = PTXDevice(library=library, arch=arch)
    for i in range(6):
        arrays, gamma, lengths, _ = random_problem(rng, kind, dtype, i % 2)
        check(arrays, gamma, lengths, device=device)


@pytest.mark.parametrize("kind", KINDS)
def test_approximate_functions_may_err(rng, kind):
    """By as much as the hardware's may."""
    d = 1 if kind == "univariate" else 5
    device = PTXDevice(perturb=True)
    check(make(rng, kind, 2, 70, 45, d, np.float32), 0.1, device=device)


def test_the_order_of_threads_changes_no_bit(rng):
    arrays = make(rng, "multivariate", 3, 100, 80, 5, np.float32)
    first = swept(arrays, 0.1, device=PTXDevice(seed=0))
    for seed, races in ((1, True), (2, False), (3, True), (4, True)):
        device = PTXDevice(seed=seed, races=races)
        for a, b in zip(first, swept(arrays, 0.1, device=device)):
            np.testing.assert_array_equal(a, b)
