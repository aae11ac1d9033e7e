"""Chainer 7.8.1 on today's Python, NumPy and CuPy.

Chainer's last release leans on names that Python 3.12, NumPy 1.24, NumPy 2
and setuptools 82 have removed, so that ``import chainer`` fails there, and
on the ways of CuPy 7.  Importing this module first (``import chainer_sdtw``
does so) repairs that::

    import chainer_sdtw
    import chainer

and, for a script or a module that is to stay as it is::

    python -m chainer_sdtw.compat SCRIPT [ARGS]
    python -m chainer_sdtw.compat -m MODULE [ARGS]

How it works: :data:`REPAIRS` lists what does not work in which module of
Chainer, and what to read instead.  When one of these modules is imported, an
import hook rewrites its syntax tree accordingly; line numbers stay as they
are, no bytecode is cached, and no other module is touched.  Nothing is added
to ``numpy`` or ``cupy`` and nothing to :data:`sys.modules`.  A repair applies
only where it is needed: where Chainer works, this module does nothing.

With CuPy, which Chainer looks for when it is imported, things are as they
were with CuPy 7:

- Without CuPy, or where CuPy cannot be imported or finds no CUDA driver,
  ``chainer.backends.cuda.available`` is false and ``to_gpu()`` raises
  Chainer's ``RuntimeError: CUDA environment is not correctly set up``, with
  the reason.  Where there is a driver but no GPU, it is true, and ``to_gpu()``
  raises CuPy's ``CUDARuntimeError``, which is a :class:`RuntimeError`.
- CuPy 14 knows no cuDNN.  Chainer computes without it all but what asks for
  it (``cudnn_fast=True``), ``chainer.backends.cuda.cudnn_enabled`` is false,
  and Chainer does not warn that it should be installed.  With CuPy up to 13,
  where it can be, Chainer warns once.
- Without NCCL, ``MultiprocessParallelUpdater.available()`` is false.
"""

import ast
import builtins
import ctypes
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import io
import os
import re
import runpy
import sys
import threading
import types
import typing as tp
import warnings
import zipfile

__all__ = ["REPAIRS", "TESTED_VERSION", "Repair", "install", "main"]

TESTED_VERSION = "7.8.1"
"""The version of Chainer that the repairs were written for."""

# Importing the package imports this module, so that by the time that
# ``python -m`` comes to it, it is there already.  runpy warns of that, but
# not for a package; what runs as __main__ only calls main() of the module.
__path__: list[str] = []


# What stands in for missing things


class ResolutionError(Exception):
    """A requirement is not met (``pkg_resources.ResolutionError``)."""


class DistributionNotFound(ResolutionError):
    """The distribution is not installed."""


class VersionConflict(ResolutionError):
    """The distribution is installed in another version."""


def _release(version: str) -> tuple[int, ...]:
    # '1.26.4.post1' -> (1, 26, 4); trailing zeros do not count
    match = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version)
    release = [int(n) for n in match.group(1).split(".")] if match else []
    while release and release[-1] == 0:
        release.pop()
    return tuple(release)


_OPERATORS: dict[str, tp.Callable[[tp.Any, tp.Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}


def _get_distribution(name: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise DistributionNotFound(name) from None


def _require(*requirements: str) -> None:
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
        version = _release(_get_distribution(name).version)
        for specifier in filter(None, specifiers.split(",")):
            match = re.match(r"\s*([=!<>]=|[<>])\s*(\d\S*)\s*$", specifier)
            if match is None:
                raise ValueError(f"invalid requirement: {requirement!r}")
            operator, bound = match.groups()
            if not _OPERATORS[operator](version, _release(bound)):
                raise VersionConflict(requirement)


class WorkingSet:
    """The installed distributions (``pkg_resources.WorkingSet``)."""

    def require(self, *requirements: str) -> None:
        _require(*requirements)


# Of pkg_resources: what Chainer uses
_pkg_resources = types.SimpleNamespace(
    DistributionNotFound=DistributionNotFound,
    ResolutionError=ResolutionError,
    VersionConflict=VersionConflict,
    WorkingSet=WorkingSet,
    get_distribution=_get_distribution,
    require=_require,
)

# Of numpy.distutils: what Chainer uses, to warn of vecLib on macOS.  "Don't
# know" is an answer of the original, too.
_numpy = types.SimpleNamespace(
    distutils=types.SimpleNamespace(
        system_info=types.SimpleNamespace(get_info=lambda name: {})
    )
)


# Of chainer.functions.loss.negative_sampling: a kernel
_GW = """
            T gi = g;
            if (mask == 1) {
                for (int j = 0; j < c; ++j) {
                  atomicAdd(&gW[k * c + j], gi * x[(i / m) * c + j]);
                }
            }
            """


# When a repair is needed


def _import_fails(name: str) -> tp.Callable[[], bool]:
    def needed() -> bool:
        # Anything may go wrong here: pkg_resources of an old setuptools, for
        # one, raises AttributeError on a new Python.
        try:
            importlib.import_module(name)
        except Exception:
            return True
        return False

    return needed


def _numpy_since(*version: int) -> tp.Callable[[], bool]:
    def needed() -> bool:
        import numpy

        return _release(numpy.__version__) >= version

    return needed


def _no_sparse_float16() -> bool:
    import numpy

    try:
        sparse = importlib.import_module("scipy.sparse")
        sparse.coo_matrix(numpy.ones((1, 1), numpy.float16))
    except ImportError:
        return False
    except ValueError:
        return True
    return False


@functools.cache
def _cupy() -> tp.Any:
    # CuPy, which Chainer imports in any case, or None where that fails.
    # Anything may go wrong here, too.
    try:
        return importlib.import_module("cupy")
    except Exception:
        return None


def _cupy_since(*version: int) -> tp.Callable[[], bool]:
    def needed() -> bool:
        return _release(getattr(_cupy(), "__version__", "")) >= version

    return needed


def _cupy_without_driver() -> bool:
    # CuPy >= 13 can be imported without a driver.  What is loaded here is
    # what CuPy would load; that does not initialize CUDA, after which a
    # process could no longer fork.
    try:
        if _cupy().cuda.runtime.is_hip:
            return False
    except AttributeError:
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        return True
    return False


def _cupy_without_nccl() -> bool:
    # CuPy >= 8 does not fail to import it, but warns; Chainer has its own
    # words for those who ask for it.
    if _cupy() is None:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nccl = importlib.import_module("cupy.cuda.nccl")
    except Exception:
        return False
    return not getattr(nccl, "available", True)


_CUPY_NAMES = ("cupy", "cupy-cuda102") + tuple(
    f"cupy-cuda{n}" for n in (110, 111, 112, 113, 114, 115, 116, 120)
)


def _new_cupy_distribution() -> bool:
    # Those of the names that Chainer looks for under which there is a CuPy
    # newer than Chainer
    for name in _CUPY_NAMES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if _release(version) >= (8,):
            return True
    return False


class Repair(tp.NamedTuple):
    """One thing that no longer works in one module of Chainer.

    Attributes:
        module: Name of the module of Chainer.
        needed: Tells whether the repair is needed here.
        old: What does not work, as it is written in that module: an
            expression or a statement of one line, wherever it occurs.
        new: What to read instead: an expression or a statement, likewise.
    """

    module: str
    needed: tp.Callable[[], bool]
    old: str
    new: str


REPAIRS: tuple[Repair, ...] = (
    # numpy.distutils: not for Python >= 3.12
    Repair(
        "chainer._environment_check",
        _import_fails("numpy.distutils.system_info"),
        "import numpy.distutils.system_info",
        "from chainer_sdtw.compat import _numpy as numpy",
    ),
    # pkg_resources: not in setuptools >= 82, nor without setuptools
    *(
        Repair(
            module,
            _import_fails("pkg_resources"),
            "import pkg_resources",
            "from chainer_sdtw.compat import _pkg_resources as pkg_resources",
        )
        for module in (
            "chainer._environment_check",
            "chainer.testing.doctest_helper",
            "chainer.testing.helper",
        )
    ),
    # numpy.sctypes: not in NumPy >= 2.0
    Repair(
        "chainer.functions.array.as_strided",
        _numpy_since(2),
        "np.sctypes['int']",
        "[np.int8, np.int16, np.int32, np.int64]",
    ),
    Repair(
        "chainer.functions.array.as_strided",
        _numpy_since(2),
        "np.sctypes['float']",
        "[np.float16, np.float32, np.float64, np.longdouble]",
    ),
    # numpy.float: not in NumPy >= 1.24; it was Python's float
    Repair(
        "chainer.functions.array.resize_images",
        _numpy_since(1, 24),
        "numpy.float",
        "float",
    ),
    # numpy.ndarray.device: new in NumPy 2.0, and always 'cpu'
    Repair(
        "chainer.variable",
        _numpy_since(2),
        "getattr(array, 'device', 'CPU')",
        "'CPU' if isinstance(array, numpy.ndarray)"
        " else getattr(array, 'device', 'CPU')",
    ),
    # A Python integer that is out of bounds for the array: an error in
    # NumPy >= 2.0; it used to wrap around, as those of NumPy still do
    Repair(
        "chainer.functions.array.pad_sequence",
        _numpy_since(2),
        "self.padding",
        "(numpy.array(self.padding)[()]"
        " if isinstance(self.padding, int) else self.padding)",
    ),
    Repair(
        "chainer.dataset.convert",
        _numpy_since(2),
        "device.xp.full(shape, padding, dtype=arrays[0].dtype)",
        "device.xp.full(shape, numpy.array(padding)[()]"
        " if isinstance(padding, int) else padding,"
        " dtype=arrays[0].dtype)",
    ),
    Repair(
        "chainer.functions.math.basic_math",
        _numpy_since(2),
        "x.dtype.type(value)",
        "(numpy.array(value).astype(x.dtype)[()]"
        " if isinstance(value, int) else x.dtype.type(value))",
    ),
    # numpy.maximum: warns of a third argument in NumPy >= 2.4
    Repair(
        "chainer.dataset.convert",
        _numpy_since(2, 4),
        "numpy.maximum(shape, array.shape, shape)",
        "numpy.maximum(shape, array.shape, out=shape)",
    ),
    # numpy.meshgrid: a tuple in NumPy >= 2.0, no longer a list
    Repair(
        "chainer.distributions.categorical", _numpy_since(2), "mg", "list(mg)"
    ),
    # Sparse matrices of float16: not in newer SciPy; it computed in float32
    Repair(
        "chainer.functions.math.sparse_matmul",
        _no_sparse_float16,
        "_coo_matmul_cpu(A_data, A_row, A_col, A_shape, B, dtype)",
        "_coo_matmul_cpu("
        "A_data.astype(numpy.float32) if A_data.dtype == numpy.float16"
        " else A_data, A_row, A_col, A_shape, B, dtype)",
    ),
    # CuPy >= 13 can be imported where CUDA cannot be used at all
    Repair(
        "chainer.backends.cuda",
        _cupy_without_driver,
        "available = True",
        "raise RuntimeError('No CUDA driver is installed')",
    ),
    # cuDNN: not in CuPy >= 14, so that nobody can install it
    Repair(
        "chainer.backends.cuda",
        _cupy_since(14),
        "not _cudnn_disabled_by_user",
        "False",
    ),
    # NCCL: since CuPy 8, this is no longer an error without it
    Repair(
        "chainer.training.updaters.multiprocess_parallel_updater",
        _cupy_without_nccl,
        "_available = True",
        "_available = False",
    ),
    # The versions of CuPy that Chainer does not warn of
    Repair(
        "chainer._version",
        _new_cupy_distribution,
        "'>=7.7.0,<8.0.0'",
        "'>=7.7.0,<15.0.0'",
    ),
    # cupyx.scatter_add: warns in CuPy >= 12; it was the same
    *(
        Repair(
            module,
            _cupy_since(12),
            "cuda.cupyx.scatter_add",
            "cuda.cupy.add.at",
        )
        for module in (
            "chainer.functions.array.as_strided",
            "chainer.functions.array.scatter_add",
            "chainer.functions.array.spatial_transformer_sampler",
            "chainer.utils.sparse",
        )
    ),
    Repair(
        "chainer.functions.array.get_item",
        _cupy_since(12),
        "gx.scatter_add(slices, inputs[0])",
        "xp.add.at(gx, slices, inputs[0])",
    ),
    # A bound of another type: no longer cast to that of the array in
    # CuPy >= 14, as in NumPy 2, where Chainer casts the result
    Repair(
        "chainer.functions.math.clip",
        _cupy_since(14),
        "cuda.cupy.clip(x[0], self.x_min, self.x_max)",
        "cuda.cupy.clip(x[0], self.x_min, self.x_max)"
        ".astype(x[0].dtype, copy=False)",
    ),
    # float16 in kernels of CuPy >= 14: a product is a float
    Repair(
        "chainer.functions.loss.negative_sampling",
        _cupy_since(14),
        repr(_GW),
        repr(
            _GW.replace(
                "gi * x[(i / m) * c + j]", "T(gi * x[(i / m) * c + j])"
            )
        ),
    ),
    # ... and not declared unless an argument is of that type
    Repair(
        "chainer.training.updaters.multiprocess_parallel_updater",
        _cupy_since(14),
        "cuda.elementwise",
        "__import__('functools').partial(cuda.elementwise,"
        " preamble='#include \"cupy/float16.cuh\"')",
    ),
    # cupy.cuda.nvtx_enabled: warns in CuPy >= 8
    Repair(
        "chainer.function_hooks.cuda_profile",
        _cupy_since(8),
        "cuda.cupy.cuda.nvtx_enabled",
        "getattr(cuda.cupy.cuda.nvtx, 'available', True)",
    ),
)
"""All repairs."""


# Rewriting a module


def _parse(source: str) -> ast.AST:
    node = ast.parse(source).body[0]
    return node.value if isinstance(node, ast.Expr) else node


def _same(a: tp.Any, b: tp.Any) -> bool:
    # Whether two syntax trees are the same, wherever they stand.
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


class _Rewriter(ast.NodeTransformer):
    def __init__(self, repairs: tp.Iterable[Repair]) -> None:
        self._repairs = [(_parse(r.old), r.new) for r in repairs]

    def visit(self, node: ast.AST) -> ast.AST:
        for old, new in self._repairs:
            if _same(node, old):
                return self._at(node, _parse(new))
        return self.generic_visit(node)

    @staticmethod
    def _at(old: ast.AST, new: ast.AST) -> ast.AST:
        # Tracebacks show the old lines.
        for node in ast.walk(new):
            ast.copy_location(node, old)
        return new


def _rewrite(
    name: str, loader: tp.Any, repairs: tp.Iterable[Repair]
) -> types.CodeType:
    source = loader.get_source(name)
    if source is None:
        raise ImportError(
            f"chainer_sdtw.compat cannot repair {name}: it has no source",
            name=name,
        )
    tree: tp.Any = _Rewriter(repairs).visit(ast.parse(source))
    return compile(tree, loader.get_filename(name), "exec", dont_inherit=True)


def _repairs_of(name: str) -> list[Repair]:
    return [r for r in REPAIRS if r.module == name and r.needed()]


class _Loader(importlib.abc.Loader):
    """Executes one module of Chainer with its repairs."""

    def __init__(self, loader: tp.Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> tp.Any:
        return getattr(self._loader, name)

    def create_module(
        self, spec: importlib.machinery.ModuleSpec
    ) -> tp.Optional[types.ModuleType]:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        # From here on the module is as any other.
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


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of Chainer that may need a repair."""

    names = frozenset(r.module for r in REPAIRS) | {"chainer._version"}

    def find_spec(
        self, fullname: str, path: tp.Any = None, target: tp.Any = None
    ) -> tp.Optional[importlib.machinery.ModuleSpec]:
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


# Repairing what has been imported before


def _codes(code: types.CodeType) -> tp.Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _repair_imported(module: types.ModuleType) -> None:
    # What could be imported lacks nothing that it needs at import, so only
    # its functions need a repair; they are changed in place, as others may
    # have them by now.
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
    """Makes Chainer work here; done when this module is imported.

    Calling it again does nothing.

    Raises:
        ModuleNotFoundError: Chainer is not installed.
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
            # Left over from an import that failed; they refer to a package
            # that is no more.
            for name in list(sys.modules):
                if name.startswith("chainer."):
                    del sys.modules[name]
        sys.meta_path.insert(0, _Finder())
        if chainer is not None:
            version = getattr(chainer, "__version__", None)
            if version is not None:
                _check_version(version)
            for name in sorted(_Finder.names):
                module = sys.modules.get(name)
                if module is not None:
                    _repair_imported(module)


# python -m chainer_sdtw.compat

_USAGE = """\
usage: python -m chainer_sdtw.compat SCRIPT [ARGS]
       python -m chainer_sdtw.compat -m MODULE [ARGS]

Runs an unmodified Chainer script or module as python itself would, on a
Python and a NumPy that Chainer does not know.

  SCRIPT      a Python file, or a directory or zip file with a __main__.py
  -m MODULE   a module, or a package with a __main__ module
  -h, --help  print this help
"""


class _Stowaway:
    """Imports this module in a process that multiprocessing spawns.

    Such a process runs the script again, but not through this module.  An
    instance travels with what the process is given to start with.
    """

    def __init__(self, path: list[str]) -> None:
        self.path = path

    def __reduce__(self) -> tuple[tp.Any, ...]:
        return exec, (
            "import sys\n"
            f"path, sys.path[:] = sys.path[:], {self.path!r}\n"
            "try:\n"
            "    from chainer_sdtw import compat\n"
            "finally:\n"
            "    sys.path[:] = path\n"
            f"compat._stow_away({self.path!r})\n",
            {},
        )


def _stow_away(path: list[str]) -> None:
    from multiprocessing import spawn

    original = spawn.get_preparation_data

    @functools.wraps(original)
    def get_preparation_data(
        *args: tp.Any, **kwargs: tp.Any
    ) -> dict[str, tp.Any]:
        data = original(*args, **kwargs)
        data["chainer_sdtw_compat"] = _Stowaway(path)
        return data

    spawn.get_preparation_data = get_preparation_data


def _clean_tracebacks() -> None:
    # The traceback that ends a script starts in the script.
    original = sys.excepthook
    ours = {__file__, runpy.run_path.__code__.co_filename}

    def excepthook(
        cls: type[BaseException],
        value: BaseException,
        traceback: tp.Optional[types.TracebackType],
    ) -> None:
        while (
            traceback is not None
            and traceback.tb_frame.f_code.co_filename in ours
        ):
            traceback = traceback.tb_next
        original(cls, value.with_traceback(traceback), traceback)

    sys.excepthook = excepthook


def _new_main() -> types.ModuleType:
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    vars(main).update(__annotations__={}, __builtins__=builtins)
    return main


def _run_script(script: str, args: list[str]) -> None:
    path = os.path.abspath(script)
    is_file = not zipfile.is_zipfile(path) and not os.path.isdir(path)
    sys.argv[:] = [script, *args]
    start = os.path.dirname(os.path.realpath(path)) if is_file else path
    if not getattr(sys.flags, "safe_path", sys.flags.isolated):
        sys.path[0] = start  # instead of the current directory
    elif not is_file:
        sys.path.insert(0, start)
    main = _new_main()
    if not is_file:
        runpy._run_module_as_main(  # type: ignore[attr-defined]
            "__main__", alter_argv=False
        )
        return
    try:
        with io.open_code(path) as f:
            source = f.read()
    except OSError as e:
        print(
            f"{sys.executable}: can't open file {path!r}: "
            f"[Errno {e.errno}] {e.strerror}",
            file=sys.stderr,
        )
        sys.exit(2)
    vars(main).update(
        __cached__=None,
        __file__=path,
        __loader__=importlib.machinery.SourceFileLoader("__main__", path),
    )
    exec(compile(source, path, "exec", dont_inherit=True), vars(main))


def _run_module(name: str, args: list[str]) -> None:
    sys.argv[:] = ["-m", *args]
    _new_main()
    # What python -m calls.
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]


def main(args: tp.Optional[tp.Sequence[str]] = None) -> None:
    """Runs a script or a module as ``python`` would.

    Args:
        args: The command line: ``[SCRIPT, ...]`` or ``['-m', MODULE, ...]``.
            Those of the process by default.
    """
    args = list(sys.argv[1:] if args is None else args)
    if args[:1] in (["-h"], ["--help"]):
        print(_USAGE, end="")
        return
    is_module = args[:1] == ["-m"]
    if is_module:
        del args[0]
    if not args or args[0].startswith("-"):
        print(_USAGE, end="", file=sys.stderr)
        sys.exit(2)
    _clean_tracebacks()
    _stow_away([os.path.abspath(p) for p in sys.path])
    run = _run_module if is_module else _run_script
    run(args[0], args[1:])


if __name__ == "__main__":
    from chainer_sdtw import compat

    compat.main()
else:
    install()
