"""The public names of both packages, as they are now.

``data/public_api.txt`` lists them: the modules that can be imported, what
each has for users, and the parameters of functions and methods. To accept an
addition, or a change that has been agreed upon, write the list anew ::

    python tests/public_api.py

and read its diff, which shows what users will notice.
"""

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import re
import typing
from pathlib import Path

import chainer_sdtw  # isort: skip  (makes Chainer work)

import chainer

import sdtw_cpu

LIST = Path(__file__).parent / "data" / "public_api.txt"
PACKAGES = (chainer_sdtw, sdtw_cpu)
# Subpackages that need another package.
OPTIONAL = {"chainer_sdtw.estimators": "sklearn"}
# Of methods with two underscores, those that users call by other means.
CALLED = ("__call__", "__getitem__")


def missing_package(name):
    """The package without which a module, or a name in it, is not there."""
    for prefix, package in OPTIONAL.items():
        if f"{name}.".startswith(f"{prefix}."):
            there = importlib.util.find_spec(package) is not None
            return None if there else package
    return None


def modules():
    """The modules of which no part of the name begins with an underscore."""
    names = []
    for package in PACKAGES:
        walk = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        names += [package.__name__, *(name for _, name, _ in walk)]
    return [
        importlib.import_module(name)
        for name in names
        if "._" not in name and not missing_package(name)
    ]


def names_by_module():
    """Pairs of a module and the names that it has for users.

    These are the names in its ``__all__``; without one, those defined there
    that another module has in its own, and those that it imports for others
    (``from a import b as b``).
    """
    found = modules()
    exported = {
        id(getattr(module, name))
        for module in found
        for name in getattr(module, "__all__", ())
    }
    for module in found:
        names = getattr(module, "__all__", None)
        if names is None:
            names = [
                name
                for name, value in vars(module).items()
                if getattr(value, "__module__", None) == module.__name__
                and id(value) in exported
            ]
            for statement in ast.parse(inspect.getsource(module)).body:
                if isinstance(statement, ast.ImportFrom):
                    names += [
                        alias.name
                        for alias in statement.names
                        if alias.name == alias.asname
                    ]
        yield module, sorted(names)


def members(cls):
    """What our own classes define, set, annotate and document for users."""
    found = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] in ("chainer_sdtw", "sdtw_cpu"):
            names = [*vars(base).get("__annotations__", ())]
            documentation = inspect.cleandoc(base.__doc__ or "")
            _, _, attributes = documentation.partition("Attributes:")
            block = attributes.partition("\n\n")[0]
            names += re.findall(r"^    (\w+)(?: \(|:)", block, re.M)
            source = inspect.getsource(base)
            names += re.findall(r"^ +self\.(\w+)(?:: [^=]+)? = ", source, re.M)
            found.update(dict.fromkeys(names))
            found.update(vars(base))
    if issubclass(cls, chainer.Link):
        found["__call__"] = cls.forward  # Chainer's calls forward()
    return {
        name: member
        for name, member in sorted(found.items())
        if (name in CALLED or not name.startswith("_"))
        # scikit-learn adds methods of its own.
        and not type(member).__module__.startswith("sklearn.")
    }


def is_class(value):
    """Whether this is a class, and no alias such as ``tuple[int]``."""
    # Python 3.9 and 3.10 call aliases classes, too.
    return inspect.isclass(value) and not typing.get_origin(value)


def parameters(function):
    """The parameters without annotations, and defaults as a user sees them."""
    empty = inspect.Signature.empty
    signature = inspect.signature(function)
    names = [
        parameter.replace(annotation=empty)
        for parameter in signature.parameters.values()
    ]
    text = str(signature.replace(parameters=names, return_annotation=empty))
    # Objects that show where they are: modules, functions, instances.
    text = re.sub(r"<module '([\w.]+)' from '[^']*'>", r"\1", text)
    return re.sub(r"<(function )?([\w.]+)( object)? at 0x\w+>", r"\2", text)


def described(name, value):
    """The line of a function, a class or another object."""
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    # Protocols cannot be made, and tapes only sweeps make.
    opaque = getattr(value, "_is_protocol", False) or name.endswith("Tape")
    if inspect.isroutine(value) or (is_class(value) and not opaque):
        return name + parameters(value)
    return name


def describe():
    """The lines of the list."""
    places = {}
    for module, names in names_by_module():
        yield module.__name__
        for name in names:
            value = getattr(module, name)
            full = f"{module.__name__}.{name}"
            if inspect.ismodule(value):
                continue  # has a line of its own
            if inspect.isroutine(value) or is_class(value):
                place = places.setdefault(value, full)
                if place != full:
                    yield f"{full} is {place}"
                    continue
            yield described(full, value)
            if is_class(value):
                for part, member in members(value).items():
                    yield described(f"{full}.{part}", member)


if __name__ == "__main__":
    LIST.write_text("\n".join(describe()) + "\n", encoding="utf-8")
