"""What is installed and what a source distribution carries."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
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


@pytest.mark.skipif(
    not (ROOT / ".git").exists() or not importlib.util.find_spec("build"),
    reason="needs a checkout and the package build",
)
def test_sdist_carries_every_tracked_file(tmp_path):
    # The sources need no NumPy 2, which only an extension is built with.
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation"]
    build += ["--skip-dependency-check", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    left_out = {
        name
        for name in tracked
        if name not in packed and not name.startswith((".ci/", ".git"))
    }
    assert not left_out
