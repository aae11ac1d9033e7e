"""Random calls of the whole public API, and whether they find faults."""

import dataclasses
import linecache
import sys

import chainer_sdtw  # isort: skip  # noqa: F401  (before chainer)

import numpy as np
import pytest
from chainer import Variable

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from argument_cases import CASES
from fuzz import __main__ as command_line
from fuzz import cases, runner
from fuzz.targets import BY_NAME

SEED = 14
TARGET = BY_NAME["soft_dtw"]


def test_every_function_is_called():
    assert set(CASES) <= set(BY_NAME)


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1000])
def test_cases(first):
    found = runner.run(SEED, first, 1000, limit=120)
    assert not list(map(str, found))


def test_a_case_is_the_same_again():
    for number in range(20):
        one, other = (cases.draw_case(SEED, number) for _ in range(2))
        assert one.describe() == other.describe()
        np.testing.assert_equal(
            str(one.arguments.items()), str(other.arguments.items())
        )


def wrong_value(x, run, **more):
    value, *gradients = run(x=x, **more)
    return value * 1.001, *gradients


def wrong_gradient(run, **arguments):
    value, gx, gy = run(**arguments)
    return value, gx * 1.01, gy


def wrong_where_strided(x, run, **more):
    value, *gradients = run(x=x, **more)
    strided = isinstance(x, np.ndarray) and not x.flags.c_contiguous
    return value + 1e-3 if strided else value, *gradients


def change_of_input(x, run, **more):
    results = run(x=x, **more)
    if isinstance(x, np.ndarray) and x.flags.writeable:
        x[...] = 7
    return results


def input_returned(x, run, **more):
    return run(x=x, **more), x


def other_type(run, **arguments):
    value, *gradients = run(**arguments)
    return np.asarray(value.array, np.longdouble), *gradients


def too_patient(run, **arguments):
    try:
        return run(**arguments)
    except (TypeError, ValueError):
        return [Variable(np.zeros(()))]


def refusal(run, **arguments):
    purposely("ValueError('x must be something else')")


def nothing_named(run, **arguments):
    purposely("ValueError('that is not right')")


def from_within(run, **arguments):
    np.zeros(2) + np.zeros(3)


def undocumented(run, **arguments):
    purposely("AssertionError('x')")


def no_memory(run, **arguments):
    raise MemoryError


def warned(run, **arguments):
    np.log(np.zeros(1))
    return run(**arguments)


def purposely(error):
    """Raise an error in a file of the package."""
    file, line = "chainer_sdtw/planted.py", f"raise {error}"
    linecache.cache[file] = len(line), None, [line], file
    exec(compile(line, file, "exec"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (wrong_value, "the value is "),
        (wrong_gradient, "the gradient"),
        (wrong_where_strided, "but of plain arrays"),
        (change_of_input, "x was changed"),
        (input_returned, "shares memory with an argument"),
        (other_type, "a result is "),
        (too_patient, "was accepted: "),
        (refusal, "valid arguments were refused"),
        (nothing_named, "a message that names no argument"),
        (from_within, "an error from within, ValueError"),
        (undocumented, "an undocumented AssertionError"),
        (no_memory, "an undocumented MemoryError"),
        (warned, "a warning, RuntimeWarning: divide by zero"),
    ],
)
def test_planted_faults(monkeypatch, fault, message):
    def run(**arguments):
        return fault(run=TARGET.run, **arguments)

    faulty = dataclasses.replace(TARGET, run=run)
    monkeypatch.setitem(BY_NAME, "soft_dtw", faulty)
    found = [cases.check(SEED, number, "soft_dtw") for number in range(120)]
    found = [what for what in found if what is not None]
    assert found
    assert any(message in what for what in found), found


PLANTED = """
import ctypes, dataclasses, sys, time
import numpy as np
from fuzz import cases, targets, worker

target = targets.BY_NAME["soft_dtw"]
calls = []

def run(**arguments):
    if number == 1:
        ctypes.string_at(0)
    if number == 2:
        time.sleep(3600)
    if number == 3:
        np.ones(2**40)
    return target.run(**arguments)

def check(seed, case, *more):
    global number
    number = case
    return unpatched(seed, case, *more)

unpatched, cases.check = cases.check, check
targets.BY_NAME["soft_dtw"] = dataclasses.replace(target, run=run)
worker.main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="signals and limits")
def test_faults_that_end_a_process(tmp_path, monkeypatch):
    script = tmp_path / "planted.py"
    script.write_text(PLANTED)
    monkeypatch.setenv("PYTHONPATH", str(runner.FOLDER))
    found = runner.run(
        SEED, 0, 5, "soft_dtw", 15, (sys.executable, str(script))
    )
    found = {finding.number: str(finding) for finding in found}
    assert list(found) == [1, 2, 3]
    assert "by SIGSEGV" in found[1]
    assert "hang" in found[2]
    assert "an undocumented" in found[3] and "Memory" in found[3]
    for number, what in found.items():
        options = f"--seed 14 --first {number} --cases 1 --only soft_dtw"
        assert what.endswith(f"make fuzz ARGS='{options}'")


@pytest.mark.slow
def test_command_line(capsys, monkeypatch):
    arguments = ["--seed", "5", "--cases", "3", "--only", "itakura_mask"]
    assert command_line.main(arguments) == 0
    assert "3 cases, " in capsys.readouterr().out
    found = runner.Finding(5, 2, "", "something")
    monkeypatch.setattr(runner, "run", lambda *_: iter([found]))
    assert command_line.main(arguments) == 1
    out = capsys.readouterr().out
    assert "make fuzz ARGS='--seed 5 --first 2 --cases 1'" in out
