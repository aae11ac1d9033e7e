"""Repairs in processes that multiprocessing and joblib start.

Such a process may import Chainer before chainer_sdtw, when it unpickles its
arguments.
"""

import functools
import os
import types
from typing import Any

FINDER = """\
import sys

class ChainerSDTWFinder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "chainer":
            ChainerSDTWFinder.repair()
        elif root and name in ("chainer_sdtw", "sdtw_cpu"):
            from importlib.machinery import PathFinder
            return PathFinder.find_spec(name, [root])
        return None

    @staticmethod
    def repair():
        from importlib import import_module, machinery, util
        compat = "chainer_sdtw.compat"
        if compat in sys.modules:
            import_module(compat)  # waits for a thread that imports it
            return
        package = util.find_spec("chainer_sdtw")
        if package and package.origin:  # not a folder that pip has left
            spec = machinery.PathFinder.find_spec(
                compat, package.submodule_search_locations
            )
            module = sys.modules[compat] = util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except ImportError:
                del sys.modules[compat]

# In a virtual environment, the interpreter reads .pth files twice.
if root or ChainerSDTWFinder.__name__ not in [
    getattr(finder, "__name__", None) for finder in sys.meta_path
]:
    sys.meta_path.insert(0, ChainerSDTWFinder)
"""
"""Python code that imports :mod:`chainer_sdtw.compat` before Chainer.

It imports nothing until Chainer is imported, and only this subpackage of
chainer_sdtw, because the rest imports Chainer. If chainer_sdtw is not
installed, it does nothing. ``root`` is the folder in which to look for
chainer_sdtw, or None for any.
"""

STARTERS = (
    "joblib.externals.loky.backend.spawn",
    "loky.backend.spawn",
    "multiprocessing.spawn",
)
"""Modules with a function that prepares the data of a new process."""


class _Installer:
    """An object that runs :data:`FINDER` in a process that unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        package = os.path.dirname(os.path.dirname(__file__))
        return exec, (FINDER, {"root": os.path.dirname(package)})


def cover(module: types.ModuleType) -> None:
    """Repair Chainer in processes that one of :data:`STARTERS` starts.

    The data of a new process then contain an :class:`_Installer`.
    """
    original = getattr(module, "get_preparation_data", None)
    if original is None:
        return

    @functools.wraps(original)
    def get_preparation_data(*args: Any, **kwargs: Any) -> dict[str, Any]:
        data = original(*args, **kwargs)
        data["chainer_sdtw_compat"] = _Installer()
        return data

    module.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]
