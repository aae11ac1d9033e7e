"""What stands in for things that are missing."""

import importlib
import importlib.metadata
import re
import types
import typing as tp


class ResolutionError(Exception):
    """A requirement is not met (``pkg_resources.ResolutionError``)."""


class DistributionNotFound(ResolutionError):
    """The distribution is not installed."""


class VersionConflict(ResolutionError):
    """The distribution is installed in another version."""


def release(version: str) -> tuple[int, ...]:
    # '1.26.4.post1' -> (1, 26, 4); trailing zeros do not count
    match = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version)
    numbers = [int(n) for n in match.group(1).split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


_OPERATORS: dict[str, tp.Callable[[tp.Any, tp.Any], bool]] = {
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

    Compares release numbers (pre-releases count as the release), which is
    all that Chainer asks for; dependencies are not followed.
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


# Of pkg_resources: what Chainer uses
pkg_resources = types.SimpleNamespace(
    DistributionNotFound=DistributionNotFound,
    ResolutionError=ResolutionError,
    VersionConflict=VersionConflict,
    WorkingSet=WorkingSet,
    get_distribution=get_distribution,
    require=require,
)

# Of numpy.distutils: what Chainer uses, to warn of vecLib on macOS.  "Don't
# know" is an answer of the original, too.
numpy = types.SimpleNamespace(
    distutils=types.SimpleNamespace(
        system_info=types.SimpleNamespace(get_info=lambda name: {})
    )
)


def _file_descriptor(*, serialized_pb: bytes, **options: str) -> tp.Any:
    pool = importlib.import_module("google.protobuf.descriptor_pool")
    return pool.Default().AddSerializedFile(serialized_pb)


# Of google.protobuf.descriptor: what remains of a module written by protoc
descriptor = types.SimpleNamespace(FileDescriptor=_file_descriptor)
