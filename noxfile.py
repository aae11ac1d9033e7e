"""The tests on old and new Pythons with old and new NumPy: ``nox``.

By default every Python that is present runs once, but for the one that runs
nox (``make test`` has that): the oldest with the lowest releases of packages
that pyproject.toml allows, the newest with NumPy 2, and those between them
with nothing that is optional and with the newest NumPy and setuptools.  Only
the oldest runs the tests that are marked as slow.  ``nox -l`` lists all
sessions.  Interpreters are looked for on the path and among those of pyenv.

Each of these sessions installs the source distribution as a user would and
runs the tests that it carries, away from the sources.  The others are those of
a release.
"""

import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True

# The oldest release of NumPy 1 for each Python, where there is one.
NUMPY_1 = {
    "3.9": "numpy==1.22.*",
    "3.10": "numpy==1.22.*",
    "3.11": "numpy==1.23.*",
    "3.12": "numpy==1.26.*",
    "3.13": None,
    "3.14": None,
}
NUMPY_2 = "numpy>=2"
OLDEST = next(iter(NUMPY_1))
# aeon, of the extra ucr, needs newer packages than the others do.
EXTRAS = ("dask", "learn", "mpi", "plot")
TOOLS = ("hypothesis", "pytest", "pytest-xdist")


def present():
    """The Pythons here, from the oldest, that can make an environment."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [str(path) for path in sorted(pyenv.glob("versions/*/bin"))]
    own = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([*folders, os.environ["PATH"], own])
    found = []
    for version in NUMPY_1:
        python = shutil.which(f"python{version}")
        command = [python, "-c", "import ensurepip, venv"]
        if python and subprocess.run(command, check=False).returncode == 0:
            found.append(version)
    return found


def chosen(pythons):
    """The sessions to run when none is named."""
    this = f"{sys.version_info[0]}.{sys.version_info[1]}"
    oldest, newest = pythons[0], pythons[-1]
    middle = [version for version in pythons[1:-1] if version != this]
    major = 1 if NUMPY_1[oldest] else 2
    sessions = [f"tests-{oldest}(numpy{major})"]
    if oldest == OLDEST:
        sessions = ["oldest"]
    if (newest, 2) != (oldest, major):
        sessions.append(f"tests-{newest}(numpy2)")
    return sessions + [f"bare-{version}" for version in middle or [newest]]


PYTHONS = present()
nox.options.sessions = chosen(PYTHONS)


def lowest():
    """Each package in the lowest release that pyproject.toml allows."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    extras = project["optional-dependencies"]
    lists = [project["dependencies"], extras["test"]]
    lists += [extras[name] for name in EXTRAS]
    return [
        f"{requirement.name}=={bound.version}"
        for requirement in map(Requirement, itertools.chain(*lists))
        for bound in requirement.specifier
        if bound.operator == ">="
    ]


def install(session, extras, *packages, setuptools="setuptools<81"):
    """Install the source distribution as a user would; return its path."""
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    session.run(
        sys.executable,
        "-m",
        "build",
        "--sdist",
        "--no-isolation",
        "--skip-dependency-check",
        "--outdir",
        folder,
        external=True,
        silent=True,
    )
    (sdist,) = folder.glob("*.tar.gz")
    # The digest makes another link of every change: pip keeps the wheel that
    # it makes of a link, and the link alone does not tell versions apart.
    digest = sha256(sdist)
    # Most of what is installed is never imported, hence --no-compile.
    session.install(setuptools, "wheel")
    session.install("--no-build-isolation", "chainer", *packages)
    session.install(
        "--no-compile",
        f"chainer-sdtw{extras} @ {sdist.as_uri()}#sha256={digest}",
        *packages,
    )
    return sdist


def run_tests(session, sdist, *options):
    """Run the tests in the source distribution, away from all sources."""
    session.run("python", "-m", "pip", "list", "--format=freeze")
    shutil.unpack_archive(sdist, sdist.parent)
    session.chdir(sdist.parent / sdist.name[: -len(".tar.gz")])
    for package in ("chainer_sdtw", "sdtw_cpu"):
        shutil.rmtree(package)
    parallel = ("-n", "logical", "--dist", "worksteal")
    session.run("pytest", *parallel, *options, *session.posargs)


@nox.session(python=OLDEST)
def oldest(session):
    """All tests with the lowest releases that pyproject.toml allows."""
    pins = Path(session.create_tmp()).resolve().with_name("lowest.txt")
    pins.write_text("\n".join(lowest()), encoding="utf-8")
    sdist = install(
        session,
        f"[{','.join(EXTRAS)}]",
        *TOOLS,
        "rich",
        f"--constraint={pins}",
        setuptools="setuptools<74",
    )
    run_tests(session, sdist)


@nox.session(python=PYTHONS)
@nox.parametrize("major", [1, 2], ids=["numpy1", "numpy2"])
def tests(session, major):
    """All tests with a release of NumPy 1 or 2."""
    numpy = NUMPY_1[session.python] if major == 1 else NUMPY_2
    if numpy is None:
        session.skip(f"no NumPy 1 for Python {session.python}")
    # With NumPy 1, one that leaves numpy.distutils working: on such a stack
    # Chainer needs no repair, which is tested too.
    setuptools = "setuptools<74" if major == 1 else "setuptools<81"
    sdist = install(session, "[test]", numpy, setuptools=setuptools)
    options = [] if session.python == PYTHONS[0] else ["-m", "not slow"]
    run_tests(session, sdist, *options)


@nox.session(python=PYTHONS)
def bare(session):
    """No optional package, and the newest NumPy and setuptools."""
    sdist = install(session, "", "numpy", *TOOLS)
    session.install("--upgrade", "setuptools")
    run_tests(session, sdist, "-m", "not slow")


@nox.session(python=PYTHONS)
def release(session):
    """Build the distributions of the last commit twice alike; check them.

    They are left in dist/, beside those of other Pythons.
    """
    session.install("--require-hashes", "-r", "requirements/release.txt")
    commit, date = session.run(
        "git", "log", "-1", "--format=%H %ct", external=True, silent=True
    ).split()
    first, second = (build(session, commit, date, seed) for seed in "12")
    digests = {path.name: sha256(path) for path in first}
    if digests != {path.name: sha256(path) for path in second}:
        session.error(f"{first[0].parent} and {second[0].parent} differ")
    session.run("twine", "check", "--strict", *first)
    session.run("check-wheel-contents", *first[:1])
    names = zipfile.ZipFile(first[0]).namelist()
    sources = [
        name for name in names if name.endswith((".pyx", ".cpp", ".hpp"))
    ]
    if sources:
        session.error(f"the wheel has sources of the extension: {sources}")
    for old in Path("dist").glob("*.tar.gz"):
        if sha256(old) != digests.get(old.name):
            shutil.rmtree("dist")
    Path("dist").mkdir(exist_ok=True)
    for path in first:
        shutil.copy(path, "dist")
        size = path.stat().st_size
        session.log(f"dist/{path.name}: {size} bytes, {digests[path.name]}")
        if path.suffix == ".whl" and size > 2_000_000:
            session.error(f"{path.name} is larger than 2 MB")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(session, commit, date, seed):
    """Build the distributions in a folder of their own; wheel, then sdist."""
    folder = Path(session.create_tmp()).resolve() / f"build with seed {seed}"
    shutil.rmtree(folder, ignore_errors=True)
    checkout, dist = folder / "checkout", folder / "dist"
    folder.mkdir()
    tar = f"{folder}/checkout.tar"
    session.run("git", "archive", "-o", tar, commit, external=True)
    shutil.unpack_archive(tar, checkout)
    os.umask(0o022)
    # The seed of hashes tells the order of sets in what builds.
    env = {"SOURCE_DATE_EPOCH": date, "PYTHONHASHSEED": seed}
    env["CCACHE_DISABLE"] = "1"
    command = ("python", "-m", "build", "--no-isolation", "--outdir")
    session.run(*command, dist, checkout, env=env)
    if sys.platform == "linux":
        (wheel,) = dist.glob("*.whl")
        session.run("auditwheel", "repair", "-w", dist, wheel, env=env)
        wheel.unlink()
    return sorted(dist.iterdir(), key=lambda path: path.suffix, reverse=True)


@nox.session(python=PYTHONS)
def wheel(session):
    """Tests of the kernels, with the wheel alone that is in dist/."""
    version = session.python.replace(".", "")
    (built,) = Path("dist").glob(f"*-cp{version}-cp{version}-*.whl")
    (sdist,) = Path("dist").glob("*.tar.gz")
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    folder.mkdir()
    session.install("setuptools<81", "wheel")
    session.install("--no-build-isolation", "chainer", "numpy")
    session.install(built, "hypothesis", "pytest", "pytest-xdist")
    sdist = Path(shutil.copy(sdist, folder))
    run_tests(session, sdist, "-m", "not slow", "tests/sdtw_cpu_tests")


@nox.session
def lock(session):
    """Pin what CI installs, with hashes, in the files of requirements/."""
    session.install("uv")
    everywhere = ("--universal", "--python-version", "3.9")
    ci = ("--python-platform", "linux", "--python-version", "3.11")
    for name, where, what in (
        ("build", everywhere, ("--group", "build")),
        ("release", everywhere, ("--group", "release")),
        ("audit", ci, ("--group", "audit")),
        ("dev", ci, ("--extra", "dev", "pyproject.toml")),
    ):
        options = (*where, *what, "--output-file", f"requirements/{name}.txt")
        session.run(
            *("uv", "pip", "compile", "--quiet", "--upgrade"),
            *("--generate-hashes", "--prerelease", "disallow"),
            *options,
            env={"UV_CUSTOM_COMPILE_COMMAND": "nox -s lock"},
        )
