"""Fresh interpreters for the tests of chainer_sdtw.compat."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap

from chainer_sdtw import compat


def has(name):
    """Tells whether a fresh interpreter can import a module."""
    return (
        subprocess.call(
            [sys.executable, "-W", "ignore", "-c", "import " + name],
            stderr=subprocess.DEVNULL,
        )
        == 0
    )


@functools.cache
def root():
    """A copy of the package without all that does not matter here."""
    directory = tempfile.TemporaryDirectory()
    atexit.register(directory.cleanup)
    package = os.path.join(directory.name, "chainer_sdtw")
    os.mkdir(package)
    shutil.copytree(
        os.path.dirname(compat.__file__), os.path.join(package, "compat")
    )
    with open(os.path.join(package, "__init__.py"), "w") as f:
        f.write("from chainer_sdtw import compat\n")
    return directory.name


def python(*args, cwd=None, **environ):
    """Runs a fresh interpreter."""
    environ = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join(
            filter(None, [root(), os.environ.get("PYTHONPATH")])
        ),
        **environ,
    )
    return subprocess.run(
        [sys.executable, *args],
        env=environ,
        cwd=cwd,
        timeout=120,
        capture_output=True,
        text=True,
    )


def check(source, **environ):
    """Runs code in a fresh interpreter and returns what it prints."""
    result = python(
        "-W",
        "ignore::DeprecationWarning",
        "-c",
        textwrap.dedent(source),
        **environ,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
