"""python -m chainer_sdtw.compat --enable, in new virtual environments."""

import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import venv
from pathlib import Path

import numpy
import pytest
from interpreters import root

import chainer_sdtw
import sdtw_cpu
from chainer_sdtw.compat import _environment, main

# What fails on NumPy 2 without repairs
AS_STRIDED = """
import numpy
x = chainer.Variable(numpy.arange(4, dtype="f"))
y = chainer.functions.as_strided(x, (3, 2), (1, 1), 0)
y.grad = numpy.ones((3, 2), "f")
y.backward()
assert x.grad.tolist() == [1, 2, 2, 1]
"""

# Where all of chainer_sdtw is
WHOLE = os.pathsep.join(
    str(Path(package.__file__).parents[1])
    for package in (chainer_sdtw, sdtw_cpu)
)


class Environment:
    """A virtual environment that finds the packages of this one."""

    def __init__(self, path, system_site_packages=False):
        self.path = path
        venv.EnvBuilder(
            symlinks=os.name != "nt",
            system_site_packages=system_site_packages,
        ).create(path)
        scripts = path / ("Scripts" if os.name == "nt" else "bin")
        self.python = scripts / ("python.exe" if os.name == "nt" else "python")
        base = {"base": str(path), "platbase": str(path)}
        self.site_packages = Path(sysconfig.get_path("purelib", vars=base))
        # chainer_sdtw without all but compat comes first.  A .pth file in one
        # of these folders is not read.
        others = [p for p in sys.path if p.endswith("-packages")]
        self.packages = self.site_packages / "packages.pth"
        self.packages.write_text("\n".join([root(), *others]))

    def run(self, *args, **environ):
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.run(
            [self.python, *args],
            capture_output=True,
            cwd=self.path,
            env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **environ},
            text=True,
            timeout=120,
        )

    def check(self, *args, **environ):
        result = self.run(*args, **environ)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def compat(self, option, **environ):
        return self.check("-m", "chainer_sdtw.compat", option, **environ)

    def files(self):
        return sorted(self.path.rglob("*"))


@pytest.fixture
def environment(tmp_path):
    return Environment(tmp_path / "an environment")


@pytest.fixture(scope="module")
def enabled(tmp_path_factory):
    # Neither ASCII nor without spaces
    path = tmp_path_factory.mktemp("enabled") / "Umgebung für 時系列"
    environment = Environment(path)
    environment.compat("--enable")
    return environment


def test_file_is_read_in_any_encoding():
    assert _environment.CONTENT.isascii()
    *comments, code = _environment.CONTENT.splitlines()
    assert all(line.startswith("#") for line in comments)
    assert code.startswith("import ")


@pytest.mark.skipif(
    numpy.__version__.startswith("1."), reason="Chainer knows NumPy 1"
)
def test_chainer_fails_where_it_is_not_enabled(environment):
    result = environment.run("-W", "ignore", "-c", "import chainer")
    assert result.returncode == 1
    assert "np.sctypes" in result.stderr


@pytest.mark.parametrize("options", [[], ["-I"]], ids=str)
def test_chainer_alone(options, enabled):
    out = enabled.check(
        *options,
        "-W",
        "error::UserWarning",
        "-c",
        "import sys, chainer\n" + AS_STRIDED + "print(*sys.modules)",
    )
    assert "chainer_sdtw.compat" in out.split()
    assert "chainer_sdtw" not in out.split()


def test_chainer_before_chainer_sdtw(enabled):
    source = """
        import chainer
        import numpy as np

        import chainer_sdtw

        x, y = np.zeros((1, 2, 1)), np.ones((1, 3, 1))
        print(chainer_sdtw.soft_dtw(x, y, gamma=0).array)
        print(chainer_sdtw.compat.TESTED_VERSION)
        from chainer_sdtw import compat
        import chainer_sdtw.compat as again
        import sys
        assert compat is again is sys.modules["chainer_sdtw.compat"]
        names = [type(finder).__name__ for finder in sys.meta_path]
        assert names.count("_Finder") == 1
    """
    source = textwrap.dedent(source)
    out = enabled.check("-W", "ignore", "-c", source, PYTHONPATH=WHOLE)
    assert out.split() == ["3.0", "7.8.1"]


def test_nothing_is_imported_until_chainer_is(enabled):
    source = "import sys; print(*sys.modules)"
    names = set(enabled.check("-c", source).split())
    (enabled.site_packages / _environment.NAME).rename(enabled.path / "away")
    try:
        assert names == set(enabled.check("-c", source).split())
    finally:
        (enabled.path / "away").rename(
            enabled.site_packages / _environment.NAME
        )


def test_threads(enabled):
    source = """
        import threading

        errors = []

        def run(name):
            try:
                exec(f"import {name}; {name}.__version__")
            except BaseException as e:
                errors.append(e)

        threads = [
            threading.Thread(target=run, args=[name])
            for name in ("chainer", "chainer_sdtw") * 4
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        import chainer
    """
    source = textwrap.dedent(source) + AS_STRIDED
    enabled.check("-W", "ignore", "-c", source, PYTHONPATH=WHOLE)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_multiprocessing(method, enabled):
    if os.name == "nt" and method == "forkserver":
        pytest.skip("not on this platform")
    # A process that imports no script, only what it unpickles
    source = f"""
        import multiprocessing
        import operator

        import chainer
        import numpy as np

        context = multiprocessing.get_context({method!r})
        with context.Pool(1) as pool:
            x = chainer.Variable(np.ones(2, "f"))
            print(pool.apply(operator.neg, [x]).array)
    """
    out = enabled.check("-W", "ignore", "-c", textwrap.dedent(source))
    assert out.split() == ["[-1.", "-1.]"]


JOBLIB = """
import chainer
import numpy as np
from joblib import Parallel, delayed

link = chainer.links.Linear(2, 1, initialW=1)
data = chainer.datasets.TupleDataset(np.arange(2), np.ones(2))
x = chainer.Variable(np.ones((1, 2), "f"))

def call(link, data, x):
    return float(link(x).array.sum()) + data[1][0]

print(*Parallel(2)(delayed(call)(link, data, x) for _ in range(2)))
"""


def test_joblib(enabled):
    pytest.importorskip("joblib")
    out = enabled.check("-W", "ignore", "-c", JOBLIB)
    assert out.split() == ["3.0", "3.0"]


@pytest.mark.parametrize("first", ["chainer_sdtw", "joblib, chainer_sdtw"])
def test_joblib_where_it_is_not_enabled(first, environment):
    pytest.importorskip("joblib")
    out = environment.check("-W", "ignore", "-c", f"import {first}\n{JOBLIB}")
    assert out.split() == ["3.0", "3.0"]


def test_nothing_is_left(environment):
    before = environment.files()
    path = environment.site_packages / _environment.NAME
    assert "Not enabled" in environment.compat("--disable")
    for _ in range(2):
        assert str(path) in environment.compat("--enable")
        assert environment.files() == sorted([*before, path])
        assert str(path) in environment.compat("--status")
    content = path.read_text()
    path.write_text("# of another release\n")
    assert "out of date" in environment.compat("--status")
    environment.compat("--enable")
    assert path.read_text() == content == _environment.CONTENT
    assert str(path) in environment.compat("--disable")
    assert environment.files() == before
    result = environment.run("-m", "chainer_sdtw.compat", "--status")
    assert (result.returncode, result.stdout) == (1, "Not enabled\n")


def test_chainer_sdtw_is_uninstalled_afterwards(environment):
    environment.compat("--enable")
    environment.packages.unlink()
    for options in [], ["-S"], ["-I"]:
        result = environment.run(*options, "-c", "import json; print(1)")
        assert result.returncode == 0
        assert (result.stdout, result.stderr) == ("1\n", "")
    # Neither is Chainer there ...
    source = "import importlib.util as u; print(u.find_spec('chainer'))"
    assert environment.check("-c", source) == "None\n"
    result = environment.run("-c", "import chainer")
    assert "No module named 'chainer'" in result.stderr
    # ... and here it is.
    (environment.site_packages / "chainer.py").write_text("print('imported')")
    (environment.site_packages / "chainer_sdtw" / "compat").mkdir(parents=True)
    assert environment.check("-c", "import chainer") == "imported\n"


def test_chainer_is_uninstalled_afterwards(environment):
    environment.compat("--enable")
    environment.packages.write_text(root())
    source = "import importlib.util as u; print(u.find_spec('chainer'))"
    assert environment.check("-c", source) == "None\n"
    result = environment.run("-c", "import chainer")
    assert "No module named 'chainer'" in result.stderr


def test_error_where_the_file_cannot_be_written(environment):
    path = environment.site_packages / _environment.NAME
    path.mkdir()
    before = environment.files()
    for option, message in (
        ("--enable", f"cannot write to {path.parent}: "),
        ("--disable", f"cannot remove {path}: "),
    ):
        result = environment.run("-m", "chainer_sdtw.compat", option)
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.startswith(f"chainer_sdtw.compat {message}")
        assert environment.files() == before


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="needs a user who cannot write everywhere",
)
def test_error_where_site_packages_cannot_be_written(environment):
    environment.site_packages.chmod(0o555)
    try:
        result = environment.run("-m", "chainer_sdtw.compat", "--enable")
    finally:
        environment.site_packages.chmod(0o755)
    assert result.returncode == 1
    assert "Permission denied" in result.stderr
    assert "virtual environment" in result.stderr


def test_packages_of_the_user(tmp_path):
    environment = Environment(tmp_path / "e", system_site_packages=True)
    user = {"PYTHONUSERBASE": str(tmp_path / "user")}
    source = "import site; print(site.getusersitepackages())"
    folder = Path(environment.check("-c", source, **user).strip())
    environment.compat("--enable", **user)
    assert (environment.site_packages / _environment.NAME).exists()
    environment.compat("--disable", **user)
    # The package is in the folder of the user, as after pip install --user.
    shutil.copytree(root(), folder)
    before = sorted(folder.iterdir())
    environment.compat("--enable", **user, PYTHONPATH=str(folder))
    assert (folder / _environment.NAME).exists()
    source = "import chainer\n" + AS_STRIDED
    environment.check("-W", "ignore", "-c", source, **user)
    environment.compat("--disable", **user)
    assert sorted(folder.iterdir()) == before
    assert not (environment.site_packages / _environment.NAME).exists()


def test_file_of_another_environment(tmp_path, monkeypatch, capsys):
    # As that of the Python from which a virtual environment was made
    paths = [tmp_path / name / _environment.NAME for name in ("own", "other")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(_environment.CONTENT)
    folders = [str(path.parent) for path in paths]
    monkeypatch.setattr(_environment, "_site_folders", lambda: folders)
    monkeypatch.setattr(sys, "prefix", folders[0])
    with pytest.raises(SystemExit, match="1"):
        main(["--disable"])
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"Disabled: removed {paths[0]}",
        f"Still enabled by {paths[1]}, of another environment",
    ]
    assert err == ""
    assert [path.exists() for path in paths] == [False, True]
