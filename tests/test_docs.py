"""The documentation: it builds, it is complete, and its examples are true."""

import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import chainer_sdtw  # isort: skip  (makes Chainer work)

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest

import sdtw_cpu

DOCS = Path(__file__).resolve().parents[1] / "docs"
DIRECTIVE = re.compile(r"^\.\. auto(\w+):: ([\w.]+)", re.M)
BLOCK = re.compile(r"^```pycon\n(.*?)^```$", re.M | re.S)

# What examples may use without importing it, and what some need besides.
NAMES = {
    "np": np,
    "chainer": chainer,
    "F": F,
    "L": L,
    "chainer_sdtw": chainer_sdtw,
    "sdtw_cpu": sdtw_cpu,
}
OPTIONAL = {
    "get_ucr": "aeon",
    "plot_alignment": "matplotlib",
    "averaging.md": "sklearn",
}
# What cannot be imported without another package.
NEEDED = {
    "chainer_sdtw.distributed._pairwise": "dask",
    "chainer_sdtw.distributed._parts": "dask",
    "chainer_sdtw.estimators": "sklearn",
}
ABSENT = tuple(
    name
    for name, package in NEEDED.items()
    if not importlib.util.find_spec(package)
)


def modules():
    """Every module of the two packages by its name."""
    found = {}
    for package in (chainer_sdtw, sdtw_cpu):
        found[package.__name__] = package
        walk = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
        for _, name, _ in walk:
            if name.startswith(ABSENT):
                continue
            found[name] = importlib.import_module(name)
    return found


def public_names():
    """All that the modules without an underscore offer, as full names."""
    return [
        f"{module}.{name}"
        for module, content in modules().items()
        if "._" not in module
        for name in getattr(content, "__all__", ())
        if name != "__version__"
    ]


def resolve(name):
    """The object of a full name: a package or what is in a module."""
    module, _, attribute = name.rpartition(".")
    if not module:
        return importlib.import_module(name)
    return getattr(importlib.import_module(module), attribute)


def examples():
    """Every docstring and page that has an example, as doctests."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = {}
    for module in modules().values():
        for test in finder.find(module, globs={}):
            if test.examples:
                found[test.name] = test
    parse = doctest.DocTestParser().get_doctest
    for path in sorted(DOCS.rglob("*.md")):
        text = "\n".join(BLOCK.findall(path.read_text(encoding="utf-8")))
        name = path.relative_to(DOCS).as_posix()
        page = parse(text, {}, name, str(path), 0)
        if page.examples:
            found[name] = page
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(name, tmp_path, monkeypatch):
    for last, package in OPTIONAL.items():
        if name.endswith((f".{last}", f"/{last}")):
            pytest.importorskip(package)
    monkeypatch.delenv("CHAINER_SDTW_UCR_ROOT", raising=False)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    test = EXAMPLES[name]
    test.globs = dict(NAMES)
    report = []
    runner = doctest.DocTestRunner(
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert runner.run(test, out=report.append).failed == 0, "".join(report)


def test_tests_that_pages_name_are_there():
    named = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
    found = [
        test
        for path in DOCS.rglob("*.md")
        for test in named.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 10
    for path, name in found:
        text = (DOCS.parent / path).read_text(encoding="utf-8")
        assert not name or f"def {name}(" in text, (path, name)


def test_every_function_has_an_example():
    without = [
        name
        for name in chainer_sdtw.__all__
        if inspect.isfunction(getattr(chainer_sdtw, name))
        and not any(key.endswith(f".{name}") for key in EXAMPLES)
    ]
    assert not without


def test_the_reference_has_every_public_name():
    documented = [
        (name, resolve(name))
        for page in sorted(DOCS.glob("reference/*.rst"))
        for _, name in DIRECTIVE.findall(page.read_text(encoding="utf-8"))
        if not name.startswith(ABSENT)
    ]
    assert len(documented) == len({name for name, _ in documented})
    missing = []
    for name in public_names():
        thing = resolve(name)
        if not any(thing is other for _, other in documented):
            missing.append(name)
    assert not missing


@pytest.mark.skipif(
    not all(
        map(importlib.util.find_spec, ("sphinx", "myst_parser", "sklearn"))
    ),
    reason="needs Sphinx, MyST and scikit-learn",
)
def test_pages_build_without_warnings(tmp_path):
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    build += ["-d", tmp_path / "doctrees", DOCS, tmp_path / "html"]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    page = tmp_path / "html" / "reference" / "functions.html"
    assert 'id="chainer_sdtw.soft_dtw"' in page.read_text(encoding="utf-8")
