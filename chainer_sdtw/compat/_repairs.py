"""The list of repairs of Chainer's modules."""

import ctypes
import functools
import importlib
import importlib.metadata
import os
import warnings
from typing import Any, Callable, NamedTuple

from chainer_sdtw.compat._stand_ins import release

# A kernel in chainer.functions.loss.negative_sampling.
_GW = """
            T gi = g;
            if (mask == 1) {
                for (int j = 0; j < c; ++j) {
                  atomicAdd(&gW[k * c + j], gi * x[(i / m) * c + j]);
                }
            }
            """


# When a repair is needed


def _always() -> bool:
    return True


def _import_fails(name: str) -> Callable[[], bool]:
    def needed() -> bool:
        # Any error is possible: pkg_resources of an old setuptools, for
        # example, raises AttributeError on a new Python.
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # That of setuptools 80 warns that it will be removed.
                warnings.filterwarnings(
                    "error", "pkg_resources is deprecated", UserWarning
                )
                importlib.import_module(name)
        except Exception:
            return True
        return False

    return needed


def _numpy_since(*version: int) -> Callable[[], bool]:
    def needed() -> bool:
        import numpy

        return release(numpy.__version__) >= version

    return needed


def _protobuf_since(*version: int) -> Callable[[], bool]:
    def needed() -> bool:
        protobuf = importlib.import_module("google.protobuf")
        return release(protobuf.__version__) >= version

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
def _cupy() -> Any:
    """Return CuPy, which Chainer imports in any case, or None.

    Any error is possible here, too.
    """
    try:
        return importlib.import_module("cupy")
    except Exception:
        return None


def _cupy_since(*version: int) -> Callable[[], bool]:
    def needed() -> bool:
        return release(getattr(_cupy(), "__version__", "")) >= version

    return needed


def _cupy_without_driver() -> bool:
    """Return whether CUDA cannot be used.

    CuPy >= 13 can be imported without a driver. This loads the library that
    CuPy would load. It does not initialize CUDA, because a process could no
    longer fork after that.
    """
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
    """Return whether there is a CuPy without NCCL.

    In CuPy >= 8 the module can be imported and warns. Chainer has a message
    of its own for those who use NCCL.
    """
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
    """Return whether a CuPy >= 8 has a name that Chainer looks for."""
    for name in _CUPY_NAMES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if release(version) >= (8,):
            return True
    return False


class Repair(NamedTuple):
    """A piece of code in a module of Chainer and its replacement.

    Attributes:
        module: Name of the module of Chainer.
        needed: Returns whether the repair is needed here.
        old: An expression or a statement of one line that does not work, as
            it is written in that module. It is replaced everywhere.
        new: The expression or statement that replaces it.
        last: Whether the module ends with ``old``, a statement: everything
            after it is left out.
    """

    module: str
    needed: Callable[[], bool]
    old: str
    new: str
    last: bool = False


REPAIRS: tuple[Repair, ...] = (
    # An error of 7.8.1: the gradient for the filters alone raises on the CPU,
    # and with it second derivatives of a convolution. It is fixed in Chainer's
    # master (chainer/chainer#8624), but in no release.
    Repair(
        "chainer.functions.connection.deconvolution_2d",
        _always,
        "self._set_cover_all(x, W)",
        "self._set_cover_all(x.shape, W.shape)",
    ),
    # An error of 7.8.1: an observed variable needs ChainerX, even on the CPU.
    Repair(
        "chainermn.extensions.observation_aggregator",
        _always,
        "value.to_device('native')",
        "value.to_device('native' if chx.is_available() else '@numpy')",
    ),
    # Errors of 7.8.1 on Windows, where C's long has 32 bits: the type of int64
    # in messages, and bounds of a seed that NumPy < 2 draws as a long.
    Repair(
        "chainermn.communicators.mpi_communicator_base",
        _always,
        "mpi4py.MPI._typedict['l']",
        "mpi4py.MPI._typedict['q']",
    ),
    Repair(
        "chainermn.iterators.synchronized_iterator",
        _always,
        "numpy.random.randint(0, 2 ** 32 - 1)",
        "numpy.random.randint(0, 2 ** 32 - 1, dtype=numpy.int64)",
    ),
    # numpy.distutils: not available for Python >= 3.12.
    Repair(
        "chainer._environment_check",
        _import_fails("numpy.distutils.system_info"),
        "import numpy.distutils.system_info",
        "from chainer_sdtw.compat._stand_ins import numpy",
    ),
    # pkg_resources: not in setuptools >= 82, not without setuptools, and with
    # a warning in earlier releases.
    *(
        Repair(
            module,
            _import_fails("pkg_resources"),
            "import pkg_resources",
            "from chainer_sdtw.compat._stand_ins import pkg_resources",
        )
        for module in (
            "chainer._environment_check",
            "chainer.testing.doctest_helper",
            "chainer.testing.helper",
        )
    ),
    # numpy.sctypes: not in NumPy >= 2.0.
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
    # numpy.float: not in NumPy >= 1.24. It was Python's float.
    Repair(
        "chainer.functions.array.resize_images",
        _numpy_since(1, 24),
        "numpy.float",
        "float",
    ),
    # numpy.ndarray.device: new in NumPy 2.0, and always 'cpu'.
    Repair(
        "chainer.variable",
        _numpy_since(2),
        "getattr(array, 'device', 'CPU')",
        "'CPU' if isinstance(array, numpy.ndarray)"
        " else getattr(array, 'device', 'CPU')",
    ),
    # A Python integer that is out of bounds for the array: an error in
    # NumPy >= 2.0. It used to wrap around, as NumPy's integers still do.
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
    # numpy.maximum: warns about a third positional argument in NumPy >= 2.4.
    Repair(
        "chainer.dataset.convert",
        _numpy_since(2, 4),
        "numpy.maximum(shape, array.shape, shape)",
        "numpy.maximum(shape, array.shape, out=shape)",
    ),
    # numpy.meshgrid: returns a tuple in NumPy >= 2.0, no longer a list.
    Repair(
        "chainer.distributions.categorical", _numpy_since(2), "mg", "list(mg)"
    ),
    # int() of an array of one element: warns in NumPy >= 1.25, an error in
    # NumPy >= 2.5.
    Repair(
        "chainermn.iterators.multi_node_iterator",
        _numpy_since(1, 25),
        "int(_size)",
        "int(_size[0])",
    ),
    # Modules written by protoc 3, which make each descriptor by themselves:
    # an error in protobuf >= 4, which requires that all are made from the
    # serialized file. The replacement is what protoc writes today.
    Repair(
        "chainer.links.caffe.protobuf3.caffe_pb2",
        _protobuf_since(4),
        "from google.protobuf import descriptor as _descriptor",
        "from chainer_sdtw.compat._stand_ins import descriptor as _descriptor",
    ),
    Repair(
        "chainer.links.caffe.protobuf3.caffe_pb2",
        _protobuf_since(4),
        "from google.protobuf import reflection as _reflection",
        "from google.protobuf.internal import builder as _builder",
    ),
    Repair(
        "chainer.links.caffe.protobuf3.caffe_pb2",
        _protobuf_since(4),
        "_sym_db.RegisterFileDescriptor(DESCRIPTOR)",
        "_builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals()),"
        " _builder.BuildTopDescriptorsAndMessages("
        "DESCRIPTOR, 'caffe_pb2', globals())",
        last=True,
    ),
    # Sparse matrices of float16: not in newer SciPy. It computed in float32.
    Repair(
        "chainer.functions.math.sparse_matmul",
        _no_sparse_float16,
        "_coo_matmul_cpu(A_data, A_row, A_col, A_shape, B, dtype)",
        "_coo_matmul_cpu("
        "A_data.astype(numpy.float32) if A_data.dtype == numpy.float16"
        " else A_data, A_row, A_col, A_shape, B, dtype)",
    ),
    # CuPy >= 13 can be imported where CUDA cannot be used at all.
    Repair(
        "chainer.backends.cuda",
        _cupy_without_driver,
        "available = True",
        "raise RuntimeError('No CUDA driver is installed')",
    ),
    # cuDNN: not in CuPy >= 14, so nobody can install it.
    Repair(
        "chainer.backends.cuda",
        _cupy_since(14),
        "not _cudnn_disabled_by_user",
        "False",
    ),
    # NCCL: since CuPy 8, importing its module without it is no error.
    Repair(
        "chainer.training.updaters.multiprocess_parallel_updater",
        _cupy_without_nccl,
        "_available = True",
        "_available = False",
    ),
    # The versions of CuPy about which Chainer does not warn.
    Repair(
        "chainer._version",
        _new_cupy_distribution,
        "'>=7.7.0,<8.0.0'",
        "'>=7.7.0,<15.0.0'",
    ),
    # cupyx.scatter_add: warns in CuPy >= 12. cupy.add.at is the same.
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
    # CuPy >= 14, as in NumPy 2, where Chainer casts the result.
    Repair(
        "chainer.functions.math.clip",
        _cupy_since(14),
        "cuda.cupy.clip(x[0], self.x_min, self.x_max)",
        "cuda.cupy.clip(x[0], self.x_min, self.x_max)"
        ".astype(x[0].dtype, copy=False)",
    ),
    # float16 in kernels of CuPy >= 14: a product is a float ...
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
    # ... and the type is not declared unless an argument has it.
    Repair(
        "chainer.training.updaters.multiprocess_parallel_updater",
        _cupy_since(14),
        "cuda.elementwise",
        "__import__('functools').partial(cuda.elementwise,"
        " preamble='#include \"cupy/float16.cuh\"')",
    ),
    # ... neither that of CUDA in kernels that include carray.cuh.
    Repair(
        "chainermn.communicators._memory_utility",
        _cupy_since(14),
        "chainer.cuda.raw",
        "(lambda code, name: chainer.cuda.raw("
        "'#include <cupy/float16.cuh>' + code, name))",
    ),
    # copy=False: an error in CuPy >= 14 where a copy is needed, as in NumPy 2.
    Repair(
        "chainermn.communicators._memory_utility",
        _cupy_since(14),
        "xp.array(v, copy=False, dtype=transfer_dtype)",
        "v.astype(transfer_dtype)",
    ),
    # cupy.cuda.nvtx_enabled: warns in CuPy >= 8.
    Repair(
        "chainer.function_hooks.cuda_profile",
        _cupy_since(8),
        "cuda.cupy.cuda.nvtx_enabled",
        "getattr(cuda.cupy.cuda.nvtx, 'available', True)",
    ),
)
"""All repairs."""
