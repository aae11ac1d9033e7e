"""The import hook that rewrites modules of Chainer."""

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
import threading
import types
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from chainer_sdtw.compat._processes import STARTERS, cover
from chainer_sdtw.compat._repairs import REPAIRS, Repair

TESTED_VERSION = "7.8.1"
"""The version of Chainer for which the repairs were written."""


# Rewriting a module


def _parse(source: str) -> ast.AST:
    node = ast.parse(source).body[0]
    return node.value if isinstance(node, ast.Expr) else node


def _same(a: Any, b: Any) -> bool:
    """Return whether two syntax trees are the same, at any position."""
    if type(a) is not type(b):
        return False
    if isinstance(a, ast.AST):
        return all(
            _same(getattr(a, field, None), getattr(b, field, None))
            for field in a._fields
        )
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _cut(tree: ast.Module, repairs: Iterable[Repair]) -> None:
    """Remove everything after a repair that ends the module."""
    ends = [_parse(r.old) for r in repairs if r.last]
    for i, node in enumerate(tree.body):
        statement = node.value if isinstance(node, ast.Expr) else node
        if any(_same(statement, end) for end in ends):
            del tree.body[i + 1 :]
            return


class _Rewriter(ast.NodeTransformer):
    def __init__(self, repairs: Iterable[Repair]) -> None:
        self._repairs = [(_parse(r.old), r.new) for r in repairs]

    def visit(self, node: ast.AST) -> ast.AST:
        for old, new in self._repairs:
            if _same(node, old):
                return self._at(node, _parse(new))
        return self.generic_visit(node)

    @staticmethod
    def _at(old: ast.AST, new: ast.AST) -> ast.AST:
        """Give a new node the position of the old, for tracebacks."""
        for node in ast.walk(new):
            ast.copy_location(node, old)
        return new


def _rewrite(
    name: str, loader: Any, repairs: Iterable[Repair]
) -> types.CodeType:
    source = loader.get_source(name)
    if source is None:
        raise ImportError(
            f"chainer_sdtw.compat cannot repair {name}: it has no source",
            name=name,
        )
    tree: Any = ast.parse(source)
    _cut(tree, repairs)
    tree = _Rewriter(repairs).visit(tree)
    return compile(tree, loader.get_filename(name), "exec", dont_inherit=True)


def _repairs_of(name: str) -> list[Repair]:
    return [r for r in REPAIRS if r.module == name and r.needed()]


class _Loader(importlib.abc.Loader):
    """Loader that executes a module with the repairs that it needs."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(
        self, spec: importlib.machinery.ModuleSpec
    ) -> Optional[types.ModuleType]:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        # Afterwards the module looks like any other.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        name = module.__name__
        repairs = _repairs_of(name)
        if repairs:
            exec(_rewrite(name, self._loader, repairs), module.__dict__)
        else:
            self._loader.exec_module(module)
        if name == "chainer._version":
            _check_version(module.__version__)
        if name in STARTERS:
            cover(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finder of modules that may need a repair and of starters."""

    names = frozenset(r.module for r in REPAIRS).union(
        ["chainer._version"], STARTERS
    )

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if fullname not in self.names:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


def _check_version(version: str) -> None:
    if not re.match(re.escape(TESTED_VERSION) + r"(?!\d)", version):
        warnings.warn(
            f"chainer_sdtw.compat was written for Chainer {TESTED_VERSION}; "
            f"Chainer {version} may need other repairs",
            stacklevel=2,
        )


# Repairing modules that have been imported before


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _repair_imported(module: types.ModuleType) -> None:
    """Repair the functions of a module.

    Nothing else can need a repair, because the module could be imported. The
    functions are changed in place, because others may refer to them.
    """
    name = module.__name__
    repairs = _repairs_of(name)
    if not repairs:
        return
    code = _rewrite(name, module.__loader__, repairs)
    codes = {(c.co_name, c.co_firstlineno): c for c in _codes(code)}
    values = list(vars(module).values())
    for cls in values[:]:
        if isinstance(cls, type) and cls.__module__ == name:
            values += vars(cls).values()
    for function in values:
        if (
            isinstance(function, types.FunctionType)
            and function.__module__ == name
        ):
            old = function.__code__
            function.__code__ = codes.get(
                (old.co_name, old.co_firstlineno), old
            )


_lock = threading.Lock()


def install() -> None:
    """Make Chainer work here, which importing this module does.

    Calling it again does nothing.

    Raises:
        ModuleNotFoundError: If Chainer is not installed.
    """
    with _lock:
        if any(type(f).__module__ == __name__ for f in sys.meta_path):
            return
        chainer = sys.modules.get("chainer")
        if chainer is None:
            if importlib.util.find_spec("chainer") is None:
                raise ModuleNotFoundError(
                    f"chainer_sdtw needs Chainer {TESTED_VERSION}, which is "
                    "not installed. Install it with: pip install "
                    "'setuptools<81' wheel numpy && pip install "
                    f"--no-build-isolation chainer=={TESTED_VERSION}",
                    name="chainer",
                )
            # An import that failed leaves modules whose package is gone.
            for name in list(sys.modules):
                if name.startswith("chainer."):
                    del sys.modules[name]
        sys.meta_path.insert(0, _Finder())
        for name in STARTERS:
            if name in sys.modules:
                cover(sys.modules[name])
        if chainer is not None:
            version = getattr(chainer, "__version__", None)
            if version is not None:
                _check_version(version)
            for name in sorted(_Finder.names):
                module = sys.modules.get(name)
                if module is not None:
                    _repair_imported(module)
