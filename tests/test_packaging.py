"""What is installed and what a source distribution carries."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

import chainer_sdtw
import sdtw_cpu

ROOT = Path(__file__).resolve().parents[1]


def test_version_is_stated_once():
    version = importlib.metadata.version("chainer-sdtw")
    assert chainer_sdtw.__version__ == version
    assert sdtw_cpu.__version__ == version


def test_types_are_announced():
    for package in (chainer_sdtw, sdtw_cpu):
        assert Path(package.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize("name", ["chainer_sdtw", "sdtw_cpu.distance"])
def test_unbuilt_source_says_so(name, tmp_path):
    for package in (chainer_sdtw, sdtw_cpu):
        folder = Path(package.__file__).parent
        shutil.copytree(
            folder,
            tmp_path / folder.name,
            ignore=shutil.ignore_patterns("_kernels.*", "__pycache__"),
        )
    # -S: the finder of an editable install would find the extension.
    packages = [path for path in sys.path if path.endswith("-packages")]
    result = subprocess.run(
        [sys.executable, "-S", "-W", "ignore", "-c", f"import {name}"],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(packages)},
        text=True,
    )
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    folder = (tmp_path / "sdtw_cpu").resolve()
    assert last.startswith(f"ImportError: {folder} is source code that has")
    assert last.endswith("pip install -e .")


@pytest.fixture(scope="module")
def tracked():
    """The names of the files of this checkout that git knows."""
    if not (ROOT / ".git").exists() or not importlib.util.find_spec("build"):
        pytest.skip("needs a checkout and the package build")
    listing = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [name for name in listing.split("\0") if (ROOT / name).is_file()]


def sdist(tracked, folder, umask, date):
    """The source distribution of a copy of the files, made in the folder."""
    for name in tracked:
        copy = folder / "checkout" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
        # What git keeps of permissions, and what the umask leaves of it.
        copy.chmod((ROOT / name).stat().st_mode & ~umask)
        os.utime(copy, (date, date))
    # The sources need no NumPy 2, which only an extension is built with.
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation"]
    build += ["--skip-dependency-check", "--outdir", str(folder)]
    subprocess.run(
        build,
        check=True,
        capture_output=True,
        cwd=folder / "checkout",
        env={**os.environ, "SOURCE_DATE_EPOCH": "1500000000"},
        umask=umask,
    )
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def archive(tracked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    return sdist(tracked, folder, umask=0o022, date=1.6e9)


def test_sdist_carries_every_tracked_file(tracked, archive):
    with tarfile.open(archive) as members:
        packed = {name.partition("/")[2] for name in members.getnames()}
    left_out = {
        name
        for name in tracked
        if name not in packed and not name.startswith((".ci/", ".git"))
    }
    assert not left_out


def test_wheels_are_tested_with_all_that_the_sdist_has(archive):
    tomllib = pytest.importorskip("tomllib", reason="Python 3.11 has it")
    with tarfile.open(archive) as members:
        packed = {name.split("/")[1] for name in members.getnames()[1:]}
    packed -= {"chainer_sdtw", "chainer_sdtw.egg-info", "sdtw_cpu"}
    packed -= {"MANIFEST.in", "PKG-INFO", "setup.cfg", "setup.py"}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert packed == set(settings["tool"]["cibuildwheel"]["test-sources"])


def test_sdist_of_the_same_files_is_the_same(tracked, archive, tmp_path):
    folder = tmp_path / "another folder"
    other = sdist(tracked, folder, umask=0o077, date=1.7e9)
    assert other.name == archive.name
    assert other.read_bytes() == archive.read_bytes()


def test_extension_does_not_tell_where_it_was_built():
    """No folder of the sources or of pip's builds."""
    content = Path(sdtw_cpu._kernels.__file__).read_bytes()
    folders = {ROOT, Path(sdtw_cpu.__file__).parents[1]}
    folders.add(Path(tempfile.gettempdir()))
    paths = {os.fsencode(os.path.join(folder, "")) for folder in folders}
    assert not {path for path in paths if path in content}
