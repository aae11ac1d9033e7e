"""Every public function with every type of integers and floats.

A number or an array of another type gives what Python's integers and float64
give, or an error that names the argument.
"""

import inspect

import chainer_sdtw  # isort: skip

import chainer
import numpy as np
import pytest
from argument_cases import CASES, ELSEWHERE, estimators
from argument_kinds import FLOATS, INTEGERS
from chainer import Variable
from chainer.utils.type_check import InvalidType
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import sdtw_cpu

TOLERANCE = {2: (1e-2, 5e-2), 4: (2e-4, 2e-4), 8: (1e-12, 1e-12)}


def public_names():
    """What the packages and the modules that they export define."""
    waiting = [
        ("", chainer_sdtw),
        ("estimators.", estimators),
        ("sdtw_cpu.", sdtw_cpu),
    ]
    while waiting:
        prefix, module = waiting.pop()
        own = [
            name
            for name, a in vars(module).items()
            if getattr(a, "__module__", None) == module.__name__
            and not name.startswith("_")
        ]
        for name in getattr(module, "__all__", own):
            if inspect.ismodule(getattr(module, name)):
                waiting.append((f"{prefix}{name}.", getattr(module, name)))
            else:
                yield f"{prefix}{name}"


def test_nothing_public_is_left_out():
    names = set(public_names())
    assert "soft_dtw" in names and "estimators.SoftDTWKMeans" in names
    assert "sdtw_cpu.distance.SquaredEuclidean" in names
    # The sweeps on a GPU, whose checks are those of sdtw_cpu, have tests of
    # their own; data sets and repairs of Chainer are given no numbers.
    apart = ("cuda", "datasets", "compat")
    names = {name for name in names if name.split(".")[0] not in apart}
    assert names == set(CASES) | ELSEWHERE


@pytest.mark.parametrize("name", CASES)
def test_no_argument_is_left_out(name):
    case = CASES[name]
    parameters = set(inspect.signature(case.function).parameters)
    left = parameters - set(case.arguments) - set(case.others)
    assert not left


@pytest.mark.parametrize("name", CASES)
def test_types(name):
    case = CASES[name]

    @settings(max_examples=case.examples, phases=[Phase.generate])
    @given(st.data())
    def check(data):
        _check(case, data.draw)

    check()


def _check(case, draw):
    run = case.run or case.function
    bad = draw(st.sampled_from([None, None, *case.arguments]))
    wrong = [t for t in INTEGERS + FLOATS if t not in _types(case, bad)]
    if bad and case.arguments[bad].of_series:
        # Chainer's own functions do not take variables of these.
        wrong = [t for t in wrong if t != ">f4" and t != ">f8"]
    if not wrong:
        bad = None
    together = None
    actual, plain = {}, {}
    for name, argument in case.arguments.items():
        types = wrong if name == bad else argument.types
        if argument.of_series and name != bad:
            if together is None:
                together = (draw(st.sampled_from(types)),)
            types = together
        actual[name], plain[name] = argument.draw(draw, types)
    if bad is not None:
        with pytest.raises((TypeError, ValueError, InvalidType)) as caught:
            run(**actual)
        message = str(caught.value)
        assert bad in message or case.aliases.get(bad, bad) in message
        return
    with np.errstate(all="ignore"), chainer.using_config("dtype", np.float64):
        got, wanted = (list(_flat(run(**a))) for a in (actual, plain))
    size = np.dtype((together or ("f8",))[0]).itemsize
    float_series = together is not None and np.dtype(together[0]).kind == "f"
    rtol, atol = TOLERANCE[min(size, 8) if float_series else 8]
    assert len(got) == len(wanted) > 0
    for a, b in zip(got, wanted):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def _types(case, name):
    return case.arguments[name].types if name else INTEGERS + FLOATS


def _flat(result):
    """The arrays of a result in float64."""
    if isinstance(result, (tuple, list)):
        for part in result:
            yield from _flat(part)
    elif result is not None:
        if isinstance(result, Variable):
            result = result.array
        yield np.asarray(result, dtype=np.float64)
