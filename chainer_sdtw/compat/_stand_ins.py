"""Replacements for modules that are missing, as far as Chainer uses them."""

import importlib
import importlib.metadata
import re
import types
from typing import Any, Callable


class ResolutionError(Exception):
    """A requirement is not met (``pkg_resources.ResolutionError``)."""


class DistributionNotFound(ResolutionError):
    """The distribution is not installed."""


class VersionConflict(ResolutionError):
    """The distribution is installed in another version."""


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a release: ``(1, 26, 4)`` for 1.26.4.post1.

    Trailing zeros do not count.
    """
    match = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version)
    numbers = [int(n) for n in match.group(1).split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}


def get_distribution(name: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise DistributionNotFound(name) from None


def require(*requirements: str) -> None:
    """Check requirements such as ``'numpy>=1.10,<2'``.

    Only release numbers are compared, and pre-releases count as the release.
    Dependencies are not checked. Chainer needs no more.
    """
    for requirement in requirements:
        match = re.match(
            r"\s*([A-Za-z0-9][\w.-]*)\s*(\[[^]]*\])?\s*(.*)$", requirement
        )
        if match is None:
            raise ValueError(f"invalid requirement: {requirement!r}")
        name, _, specifiers = match.groups()
        version = release(get_distribution(name).version)
        for specifier in filter(None, specifiers.split(",")):
            match = re.match(r"\s*([=!<>]=|[<>])\s*(\d\S*)\s*$", specifier)
            if match is None:
                raise ValueError(f"invalid requirement: {requirement!r}")
            operator, bound = match.groups()
            if not _OPERATORS[operator](version, release(bound)):
                raise VersionConflict(requirement)


class WorkingSet:
    """The installed distributions (``pkg_resources.WorkingSet``)."""

    def require(self, *requirements: str) -> None:
        require(*requirements)


# The part of pkg_resources that Chainer uses.
pkg_resources = types.SimpleNamespace(
    DistributionNotFound=DistributionNotFound,
    ResolutionError=ResolutionError,
    VersionConflict=VersionConflict,
    WorkingSet=WorkingSet,
    get_distribution=get_distribution,
    require=require,
)

# The part of numpy.distutils that Chainer uses, to warn about vecLib on macOS.
# The original may also answer that it knows nothing.
numpy = types.SimpleNamespace(
    distutils=types.SimpleNamespace(
        system_info=types.SimpleNamespace(get_info=lambda name: {})
    )
)


def _file_descriptor(*, serialized_pb: bytes, **options: str) -> Any:
    pool = importlib.import_module("google.protobuf.descriptor_pool")
    return pool.Default().AddSerializedFile(serialized_pb)


# The part of google.protobuf.descriptor that modules written by protoc need.
descriptor = types.SimpleNamespace(FileDescriptor=_file_descriptor)
