"""What all benchmarks do with their options."""

import argparse
import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("rich")

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def options(load_benchmark):
    return load_benchmark("options")


@pytest.mark.parametrize(
    ("script", "option"),
    [
        ("accuracy", "--json"),
        ("cpu", "--json"),
        ("gpu", "--json"),
        ("learning", "--json"),
        ("losses", "--json"),
        ("paper", "--out"),
        ("prediction", "--json"),
        ("prediction", "--out"),
    ],
)
def test_where_to_write_is_checked_first(archive, tmp_path, script, option):
    if script == "paper":
        pytest.importorskip("tslearn")
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [
            sys.executable,
            str(FOLDER / f"{script}.py"),
            option,
            os.path.join("file", "figures"),
            *(["--dataset", "Toy"] if option == "--out" else []),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (2 if option == "--json" else 1)
    assert "Traceback" not in done.stderr
    message = done.stderr.splitlines()[-1]
    assert option in message
    # As the system says it of a folder that is a file.
    assert "file" in message.partition(option)[2]
    assert done.stdout == ""


def test_output_file(options, tmp_path):
    path = tmp_path / "a" / "b" / "figures.json"
    assert options.output_file(str(path)) == str(path)
    assert os.listdir(path.parent) == []
    path.write_text("content")
    options.output_file(str(path))
    assert path.read_text() == "content"
    for bad in tmp_path, path / "below":
        with pytest.raises(argparse.ArgumentTypeError, match="cannot be"):
            options.output_file(str(bad))


def test_seed(options):
    assert options.seed("0") == 0
    assert options.seed(str(2**32 - 1)) == 2**32 - 1
    for bad in "-1", str(2**32):
        with pytest.raises(argparse.ArgumentTypeError, match="from 0 to"):
            options.seed(bad)


@pytest.mark.parametrize("script", ["paper", "prediction"])
def test_help_says_each_default_once(script):
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{script}.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    text = " ".join(done.stdout.split())
    assert text.count("(default:") == text.count("default") > 8
    assert ") (default" not in text
    assert "None" not in text
    assert "False" not in text
