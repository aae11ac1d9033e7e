"""What CI installs is pinned with hashes, as pyproject.toml asks for it."""

import re
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib", reason="Python 3.11 has it")
markers = pytest.importorskip("packaging.markers")
requirements = pytest.importorskip("packaging.requirements")

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("audit", "build", "dev", "release")
# One pin, its condition, and its hashes.
PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))?"
    r"(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n",
    re.M,
)
# Where CI installs them.
MACHINE = {
    "platform_machine": "x86_64",
    "python_full_version": "3.11.9",
    "python_version": "3.11",
    "sys_platform": "linux",
}

pytestmark = pytest.mark.skipif(
    not (ROOT / "requirements").exists(),
    reason="the sources are not beside the tests",
)


def text(name):
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def declared(name):
    """The requirements that a file is made from."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    if name == "build":
        yield from project["build-system"]["requires"]
    if name == "dev":
        yield from project["project"]["dependencies"]
    for line in groups[name] if name in groups else extras[name]:
        if isinstance(line, dict):
            yield from declared(line["include-group"])
        elif line.startswith("chainer-sdtw["):
            for extra in requirements.Requirement(line).extras:
                yield from declared(extra)
        else:
            yield line


@pytest.mark.parametrize("name", NAMES)
def test_every_package_is_pinned_with_hashes(name):
    rest = PIN.sub("", text(name))
    assert not re.sub(r"^ *#.*\n", "", rest, flags=re.M)


@pytest.mark.parametrize("name", NAMES)
def test_pins_are_what_the_project_asks_for(name):
    pins = {}
    for pin in PIN.finditer(text(name)):
        marker = pin["marker"]
        if not marker or markers.Marker(marker).evaluate(MACHINE):
            pins[pin["name"]] = pin["version"]
    lines = [requirements.Requirement(line) for line in declared(name)]
    assert lines
    for line in lines:
        if not line.marker or line.marker.evaluate(MACHINE):
            assert line.specifier.contains(pins[line.name.lower()]), line
