"""What type checkers and editors know of the public functions."""

import importlib
import importlib.util
import inspect
import json
import re
import subprocess
import sys
import sysconfig
import typing
import venv
from pathlib import Path

import public_api
import pytest

import chainer_sdtw._engine.types
import sdtw_cpu
import sdtw_cpu.costs
import sdtw_cpu.types
from chainer_sdtw._engine import costs, losses
from sdtw_cpu import checks

USER = Path(__file__).with_name("typed_user.py")
# What the functions of typed_user.py need besides the packages.
NEEDED = {
    "data": "aeon",
    "estimators": "sklearn",
    "figures": "matplotlib",
    "matrices_larger_than_memory": "dask",
    "series_larger_than_memory": "dask",
    "several_processes": "mpi4py",
}
# NumPy's ways to say: any shape, any width, any slice; and any arguments.
WILDCARDS = re.compile(
    r"(?:builtins\.)?tuple\[Any, \.\.\.\]"
    r"|ndarray\[Any, "
    r"|\b(?:generic|floating|(?:signed)?integer|dtype)\[Any\]"
    r"|slice\[Any, Any, Any\]"
    r"|\*Any, \*\*Any"
)
REVEALED = re.compile("note: Revealed type is|information: Type of")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An interpreter for which the packages are installed.

    Checkers look for packages in folders; those of an editable installation
    they do not find.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (packages,) = {
        path.parent / "site-packages"
        for path in folder.rglob("site-packages")
        if path.is_dir() and "lib64" not in path.parts
    }
    for package in public_api.PACKAGES:
        source = Path(package.__file__).parent
        (packages / package.__name__).symlink_to(source)
    others = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "others.pth").write_text("\n".join(sorted(others)))
    (found,) = {
        path
        for path in (folder / "bin/python", folder / "Scripts/python.exe")
        if path.exists()
    }
    return found


def mypy(python, path):
    """What mypy says, errors and revealed types, each with its line."""
    pytest.importorskip("mypy", reason="needs mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
    command += ["--python-executable", str(python), "--config-file", ""]
    command += ["--cache-dir", str(python.parent / "cache"), path.name]
    run = subprocess.run(
        command,
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not run.stderr, run.stderr
    lines = (line.split(":", 2) for line in run.stdout.splitlines())
    return [(int(number), message.strip()) for _, number, message in lines]


def pyright(python, path):
    """The same of pyright."""
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("needs pyright")
    settings = {
        "include": [path.name],
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    config = path.with_name("pyrightconfig.json")
    config.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson"]
    command += ["--project", str(config), "--pythonpath", str(python)]
    run = subprocess.run(
        command,
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(run.stdout)
    assert found["summary"]["filesAnalyzed"] == 1
    return [
        (
            one["range"]["start"]["line"] + 1,
            f"{one['severity']}: {one['message']}",
        )
        for one in found["generalDiagnostics"]
    ]


@pytest.mark.parametrize("check", [mypy, pyright])
def test_strict_checkers_have_nothing_to_say_to_a_user(
    check, python, tmp_path
):
    script = tmp_path / "user.py"
    script.write_text(USER.read_text(encoding="utf-8"), encoding="utf-8")
    assert not check(python, script)


@pytest.mark.parametrize("check", [mypy, pyright])
def test_strict_checkers_find_wrong_expectations(check, python, tmp_path):
    text = USER.read_text(encoding="utf-8")
    wrong = text.replace(
        "assert_type(loss, Variable)", "assert_type(loss, int)"
    )
    assert text.count("assert_type(loss, Variable)") == 1
    script = tmp_path / "user.py"
    script.write_text(wrong, encoding="utf-8")
    assert check(python, script)


def test_what_the_user_wrote_runs(monkeypatch):
    monkeypatch.delenv("CHAINER_SDTW_UCR_ROOT", raising=False)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    user = importlib.import_module(USER.stem)
    ran = 0
    for name, function in inspect.getmembers(user, inspect.isfunction):
        own = function.__module__ == user.__name__
        if not own or inspect.signature(function).parameters:
            continue
        if name == "mistakes" or (
            name in NEEDED and importlib.util.find_spec(NEEDED[name]) is None
        ):
            continue
        function()
        ran += 1
    assert ran >= 5


def public_names():
    """All that the modules without an underscore offer, as full names."""
    for module in public_api.modules():
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            alias = typing.get_origin(value) is not None
            if not alias and not inspect.ismodule(value):
                yield f"{module.__name__}.{name}", value


def revelations():
    """Lines of a script that reveal the type of everything public."""
    names = dict(public_names())
    modules = {name.rpartition(".")[0] for name in names}
    lines = [f"import {module}" for module in sorted(modules)]
    for i, (name, thing) in enumerate(names.items()):
        if not inspect.isclass(thing):
            lines.append(f"reveal_type({name})")
            continue
        lines.append(f"reveal_type({name}.__init__)")
        lines.append(f"def with_{i}(a: {name}) -> None:")
        for member in public_api.members(thing):
            lines.append(f"    reveal_type(a.{member})  # {name}")
        lines.append("    pass")
    return lines


def unknown(text):
    """Whether a revealed type has an Any that is not one of NumPy's."""
    return re.search(r"\b(Any|Unknown)\b", WILDCARDS.sub("", text)) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def (x: Any) -> builtins.int", True),
        ("def (x: builtins.int) -> Any", True),
        ("numpy.ndarray[Any, Any]", True),
        ("(x: Unknown | None = None) -> int", True),
        ("builtins.dict[builtins.str, Any]", True),
        ("def (*Any, **Any) -> builtins.int", False),
        ("numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.bool]]", False),
        ("numpy.ndarray[Any, numpy.dtype[numpy.floating[Any]]]", False),
    ],
)
def test_unknown(text, expected):
    assert unknown(text) is expected


@pytest.mark.parametrize("check", [mypy, pyright])
def test_no_public_name_has_an_unknown_type(check, python, tmp_path):
    lines = revelations()
    script = tmp_path / "reveal.py"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = check(python, script)
    revealed = {number for number, text in said if REVEALED.match(text)}
    assert revealed == {
        number
        for number, line in enumerate(lines, start=1)
        if "reveal_type(" in line
    }
    found = [
        f"{lines[number - 1].strip()}: {text}"
        for number, text in said
        if unknown(text) or "error: " in text
    ]
    assert not found, "\n".join(found)


def test_literal_types_are_the_options_that_there_are():
    cpu, gpu = sdtw_cpu.types, chainer_sdtw._engine.types
    assert typing.get_args(sdtw_cpu.costs.CostName) == checks.COSTS
    assert typing.get_args(gpu.CostName) == costs.NAMES
    aliases = (kind.alias for kind in losses.LOSSES.values() if kind.alias)
    assert typing.get_args(gpu.LossName) == (*losses.LOSSES, *aliases)
    assert {*sdtw_cpu.isa_levels()} <= {*typing.get_args(cpu.IsaName)}
