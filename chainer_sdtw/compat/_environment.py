"""An environment in which Chainer is repaired wherever it is imported.

The interpreter reads the ``.pth`` files of its site-packages when it starts.
Ours puts a finder on :data:`sys.meta_path` that waits for Chainer.
"""

import os
import site
import sys
import sysconfig
import tempfile

from chainer_sdtw.compat._processes import FINDER

NAME = "chainer_sdtw_compat.pth"

# ASCII, whatever the encoding in which the interpreter reads it
CONTENT = (
    "# Repairs Chainer where it is imported, with chainer_sdtw.compat.\n"
    "# Remove it with: python -m chainer_sdtw.compat --disable\n"
    f"import sys; exec({FINDER!a}, {{'root': None}})\n"
)


def _site_folders() -> list[str]:
    # All folders of which the interpreter reads .pth files, the user's first
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.insert(0, site.getusersitepackages())
    return folders


def _is_in(path: str, parent: str) -> bool:
    path, parent = os.path.realpath(path), os.path.realpath(parent)
    return path.startswith(os.path.join(parent, ""))


def folder() -> str:
    """The site-packages of this environment, where the file goes.

    It is that of the user if chainer_sdtw was installed with ``--user``.
    """
    folders = _site_folders()
    if site.ENABLE_USER_SITE and _is_in(__file__, folders[0]):
        return folders[0]
    default = sysconfig.get_path("purelib")
    return default if default in folders else folders[-1]


def files() -> list[str]:
    """The files that Python reads here, also those of other environments."""
    paths = [os.path.join(path, NAME) for path in _site_folders()]
    return [path for path in dict.fromkeys(paths) if os.path.exists(path)]


def _is_own(path: str) -> bool:
    # False for that of the Python from which a virtual environment was made
    return _is_in(path, sys.prefix) or _is_in(path, site.getuserbase())


def enable() -> str:
    """Writes the file and returns its path.

    Raises:
        OSError: It cannot be written.
    """
    target = folder()
    os.makedirs(target, exist_ok=True)
    path = os.path.join(target, NAME)
    # All at once: a Python that starts meanwhile reads the old or the new.
    number, draft = tempfile.mkstemp(prefix=NAME, suffix=".tmp", dir=target)
    try:
        with open(number, "w", encoding="ascii", newline="\n") as file:
            file.write(CONTENT)
        os.chmod(draft, 0o644)  # for whom the environment is
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    return path


def disable() -> list[str]:
    """Removes what :func:`enable` has written and returns its paths.

    Raises:
        OSError: It cannot be removed.
    """
    paths = [path for path in files() if _is_own(path)]
    for path in paths:
        os.unlink(path)
    return paths


def is_current(path: str) -> bool:
    """Whether a file has what :func:`enable` would write."""
    with open(path, "rb") as file:
        return file.read() == CONTENT.encode("ascii")
