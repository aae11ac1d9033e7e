"""Errors of optional dependencies that cannot be imported."""

from __future__ import annotations

import importlib.util


def import_error(
    purpose: str, package: str, module: str, extra: str, cause: Exception
) -> ImportError:
    """Make the error that says why a package cannot be used, and the remedy.

    Args:
        purpose: What needs the package: the subject of the message.
        package: The name under which the package is installed.
        module: The name under which it is imported.
        extra: The extra of this project that installs it.
        cause: What its import raised.

    """
    if importlib.util.find_spec(module) is None:
        return ImportError(
            f"{purpose} needs {package}, an optional dependency that is not "
            f"installed: pip install {package}, or in a clone of chainer-sdtw "
            f'pip install ".[{extra}]"',
            name=module,
        )
    return ImportError(
        f"{purpose} needs {package}, an optional dependency that is installed "
        f"but cannot be imported: {type(cause).__name__}: {cause}",
        name=module,
    )
