"""The file that repairs Chainer in all processes of an environment.

The interpreter reads the ``.pth`` files of its site-packages when it starts.
This one puts a finder on :data:`sys.meta_path` that waits for Chainer.
"""

import os
import site
import sys
import sysconfig
import tempfile

from chainer_sdtw.compat._processes import FINDER

NAME = "chainer_sdtw_compat.pth"

# In ASCII, so that the interpreter may read it in any encoding.
CONTENT = (
    "# Repairs Chainer where it is imported, with chainer_sdtw.compat.\n"
    "# Remove it with: python -m chainer_sdtw.compat --disable\n"
    f"import sys; exec({FINDER!a}, {{'root': None}})\n"
)


def _site_folders() -> list[str]:
    """Return the folders whose .pth files are read, the user's first."""
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.insert(0, site.getusersitepackages())
    return folders


def _is_in(path: str, parent: str) -> bool:
    path, parent = os.path.realpath(path), os.path.realpath(parent)
    return path.startswith(os.path.join(parent, ""))


def folder() -> str:
    """Return the site-packages of this environment, where the file goes.

    It is that of the user if chainer_sdtw was installed with ``--user``.
    """
    folders = _site_folders()
    if site.ENABLE_USER_SITE and _is_in(__file__, folders[0]):
        return folders[0]
    default = sysconfig.get_path("purelib")
    return default if default in folders else folders[-1]


def files() -> list[str]:
    """Return the files that Python reads, also those of other environments."""
    paths = [os.path.join(path, NAME) for path in _site_folders()]
    return [path for path in dict.fromkeys(paths) if os.path.exists(path)]


def _in_this_environment(path: str) -> bool:
    # Not that of the Python from which a virtual environment was made.
    return _is_in(path, sys.prefix) or _is_in(path, site.getuserbase())


def enable() -> str:
    """Write the file and return its path.

    Raises:
        OSError: If it cannot be written.
    """
    target = folder()
    os.makedirs(target, exist_ok=True)
    path = os.path.join(target, NAME)
    # A Python that starts in the meantime reads the old file or the new one.
    number, draft = tempfile.mkstemp(prefix=NAME, suffix=".tmp", dir=target)
    try:
        with open(number, "w", encoding="ascii", newline="\n") as file:
            file.write(CONTENT)
        os.chmod(draft, 0o644)  # for all users of the environment
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    return path


def disable() -> list[str]:
    """Remove the files of this environment and return their paths.

    Raises:
        OSError: If one cannot be removed.
    """
    paths = [path for path in files() if _in_this_environment(path)]
    for path in paths:
        os.unlink(path)
    return paths


def is_current(path: str) -> bool:
    """Return whether a file has what :func:`enable` would write."""
    with open(path, "rb") as file:
        return file.read() == CONTENT.encode("ascii")
