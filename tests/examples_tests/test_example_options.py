"""Promises that the options of all examples keep."""

import argparse
import pathlib
import re
import runpy
import sys
import tempfile

import chainer
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(
    path
    for path in EXAMPLES.glob("*/*.py")
    if "def main(" in path.read_text("utf-8")
)


@pytest.fixture(scope="module", params=SCRIPTS, ids=lambda path: path.stem)
def script(request):
    return request.param


@pytest.fixture
def parser(example, monkeypatch):
    """The example's parser."""
    made = []
    init = argparse.ArgumentParser.__init__

    def spy(self, *args, **kwargs):
        made.append(self)
        init(self, *args, **kwargs)

    monkeypatch.setattr(argparse.ArgumentParser, "__init__", spy)
    example.parse_args([])
    return made[0]


def test_scripts():
    assert len(SCRIPTS) == 5


def test_help(parser):
    """Says each default once, and none of what has none."""
    formatter = parser._get_formatter()
    for action in parser._actions:
        told = formatter._expand_help(action)
        has = action.default not in (None, False, argparse.SUPPRESS)
        assert told.count("default:") in ((1,) if has else (0, 1)), told
        assert "None" not in told
        assert "False" not in told


# Options that are numbers of something.
COUNTS = {
    *("--batchsize", "--clusters", "--count", "--epoch", "--frequency"),
    *("--length", "--starts", "--unit"),
}


def test_numbers(example, parser, capsys):
    """What is out of range is refused when options are read."""

    def refused(option, count, value):
        with pytest.raises(SystemExit) as e:
            example.parse_args([option, *[value] * count])
        assert e.value.code == 2
        message = capsys.readouterr().err
        assert f"argument {option}" in message
        return message

    actions = [action for action in parser._actions if action.type is not None]
    assert len(actions) >= 3
    for action in actions:
        option = action.option_strings[0]
        count = action.nargs if isinstance(action.nargs, int) else 1
        for bad in "-1", "nan", "inf", "x", "-1e400":
            refused(option, count, bad)
        if option in COUNTS:
            assert "at least 1: 0" in refused(option, count, "0")
        if option == "--seed":
            assert example.parse_args(["--seed", "4294967295"]).seed > 0
            assert "at most" in refused(option, count, "4294967296")


@pytest.mark.parametrize("bad", ["a file", "below a file", "not writable"])
def test_out_is_checked_first(example, tmp_path, monkeypatch, bad):
    def fail(*args):
        raise AssertionError("data were loaded")

    monkeypatch.setattr(example, "load", fail)
    out = tmp_path / "out"
    if bad == "not writable":

        def refuse(dir):
            raise PermissionError(f"no writing to {dir}")

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    else:
        out.write_text("")
    if bad == "below a file":
        out = out / "folder"
    with pytest.raises(SystemExit, match=re.escape(f"--out {out}: ")):
        example.main(["--out", str(out)])


def test_ctrl_c(script, monkeypatch, tmp_path, capsys):
    """Ends the command without a traceback."""

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(chainer, "get_device", interrupt)
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.setattr(sys, "argv", [str(script), "-o", str(tmp_path)])
    with pytest.raises(SystemExit) as e:
        runpy.run_path(str(script), run_name="__main__")
    assert e.value.code == 130
    assert capsys.readouterr().err.startswith("\nInterrupted")
