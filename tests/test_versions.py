"""Every statement of supported versions agrees with where it is decided.

The ranges are those of pyproject.toml; which of them are tested together is
decided in noxfile.py, and where in the workflow of the tests.
"""

import ast
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "test.yml"
PAGES = ("README.md", "CHANGELOG.md", "docs/install.md")
PAGES += ("docs/guide/compat.md", "docs/guide/gpu.md", "docs/versions.md")
SYSTEMS = {
    "ubuntu-latest": "Linux, x86-64",
    "ubuntu-24.04-arm": "Linux, aarch64",
    "macos-latest": "macOS",
    "windows-latest": "Windows",
}


def read(path):
    if not WORKFLOW.exists():
        pytest.skip("the workflows are not beside the tests")
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def configuration():
    tomllib = pytest.importorskip("tomllib")
    return tomllib.loads(read("pyproject.toml"))


@pytest.fixture(scope="module")
def constants():
    """What noxfile.py assigns to names and that is a literal."""
    found = {}
    for node in ast.parse(read("noxfile.py")).body:
        if isinstance(node, ast.Assign):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except (ValueError, AttributeError):
                continue
    return found


@pytest.fixture(scope="module")
def matrix():
    """The jobs of the workflow that tests."""
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load(read(WORKFLOW))["jobs"]
    return jobs["matrix"]["strategy"]["matrix"]["include"]


@pytest.fixture(scope="module")
def pythons(constants):
    return list(constants["NUMPY_1"])


def requirements(configuration):
    """Requirements on Linux with a lowest release, and their extras."""
    linux = {"sys_platform": "linux", "platform_machine": "x86_64"}
    project = configuration["project"]
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    return [
        (extra, requirement, bound.version)
        for extra, texts in extras.items()
        for requirement in map(Requirement, texts)
        if not requirement.marker or requirement.marker.evaluate(linux)
        for bound in requirement.specifier
        if bound.operator == ">="
    ]


def test_pythons(configuration, matrix, pythons):
    project = configuration["project"]
    prefix = "Programming Language :: Python :: 3."
    classified = [
        name.rpartition(" ")[2]
        for name in project["classifiers"]
        if name.startswith(prefix)
    ]
    built = configuration["tool"]["cibuildwheel"]["build"].split()
    target = configuration["tool"]["ruff"]["target-version"]
    assert classified == pythons
    assert built == [f"cp{name.replace('.', '')}-*" for name in pythons]
    assert project["requires-python"] == f">={pythons[0]}"
    assert target == f"py{pythons[0].replace('.', '')}"
    assert sorted({job["python"] for job in matrix}) == sorted(pythons)
    (oldest,) = (job for job in matrix if job["session"] == "oldest")
    assert oldest["python"] == pythons[0]


def test_ranges_in_the_documentation(configuration, pythons):
    numpy = next(
        version
        for _, requirement, version in requirements(configuration)
        if requirement.name == "numpy"
    )
    texts = [" ".join(read(page).split()) for page in PAGES]

    def stated(pattern):
        return {found for text in texts for found in re.findall(pattern, text)}

    last = pythons[-1]
    assert stated(r"Python (3\.\d+) or newer") == {pythons[0]}
    assert stated(r"Python (3\.\d+) to (3\.\d+)") == {(pythons[0], last)}
    assert stated(r"NumPy (\d\.\d+) to 2\.x") == {numpy}
    assert len(stated(r"CuPy\S* (\d+) to (\d+)")) == 1
    assert len(stated(r"CUDA, (\d+\.\d) to (\d+)")) == 1


def sessions_table(constants, matrix):
    """The table of what the workflow tests."""
    lines = ["| Python | NumPy | session | system |", "| --- " * 4 + "|"]
    for job in matrix:
        numpy1 = constants["NUMPY_1"][job["python"]]
        numpy = {
            "oldest": "lowest",
            f"tests-{job['python']}(numpy1)": numpy1
            and numpy1[len("numpy==") :],
            f"tests-{job['python']}(numpy2)": "2",
            f"bare-{job['python']}": "newest",
        }[job["session"]]
        system = SYSTEMS[job["os"]]
        cells = (job["python"], numpy, f"`{job['session']}`", system)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def packages_table(configuration, constants):
    """The table of the packages that users of the package may need."""
    lines = [
        "| package | needed by | from | below | lowest tried |",
        "| --- " * 5 + "|",
    ]
    for extra, requirement, version in requirements(configuration):
        if extra and extra not in (*constants["EXTRAS"], "ucr"):
            continue
        bounds = (s for s in requirement.specifier if s.operator == "<")
        below = next((bound.version for bound in bounds), "")
        tried = "`oldest`" if extra in ("", *constants["EXTRAS"]) else "no"
        cells = (requirement.name, extra and f"`[{extra}]`", version)
        lines.append("| " + " | ".join((*cells, below, tried)) + " |")
    return "\n".join(lines).replace("|  |", "| |")


def test_tables(configuration, constants, matrix):
    text = read("docs/versions.md")
    assert sessions_table(constants, matrix) in text
    assert packages_table(configuration, constants) in text
