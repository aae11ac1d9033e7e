"""Chainer with CuPy of another version, or none."""

import functools
import textwrap

import pytest
from interpreters import check, has

from chainer_sdtw import compat
from chainer_sdtw.compat import _repairs


def write_cupy(directory, version, nccl=True, is_hip=True):
    """Writes something that Chainer takes for CuPy; it computes with NumPy.

    Chainer and compat find no CUDA driver missing where ``is_hip``.
    """
    files = {
        "cupy/__init__.py": f"""
            __version__ = {version!r}
            import numpy
            from cupy import cuda
            from numpy import add

            class ndarray(numpy.ndarray):
                def scatter_add(self, *args):
                    assert False, 'deprecated'

            def zeros(*args):
                return numpy.zeros(*args).view(ndarray)

            def get_array_module(*args):
                import cupy
                return (cupy if any(isinstance(a, ndarray) for a in args)
                        else numpy)

            def memoize(for_each_device=False):
                return lambda f: f

            def fuse(*args, **kwargs):
                return args[0] if args else lambda f: f

            def nothing(*args, **kwargs):
                pass

            def RawKernel(code, name):
                return code

            ElementwiseKernel = ReductionKernel = nothing
            get_default_memory_pool = nothing
            get_default_pinned_memory_pool = nothing
            """,
        "cupy/_util.py": "class PerformanceWarning(Warning): pass",
        "cupy/lib/__init__.py": "",
        "cupy/lib/stride_tricks.py": "",
        "cupy/cuda/__init__.py": """
            import types
            import warnings
            from cupy.cuda import cublas, nvtx, runtime
            memory_hook = types.SimpleNamespace(MemoryHook=object)

            class Device:
                def __init__(self, id=None):
                    self.id = id

            class Event: pass
            class Stream: pass

            def __getattr__(name):
                if name == 'nvtx_enabled':
                    warnings.warn('deprecated', DeprecationWarning)
                    return True
                raise AttributeError(name)
            """,
        "cupy/cuda/cublas.py": "",
        "cupy/cuda/nvtx.py": "",
        "cupy/cuda/nccl.py": (
            "" if nccl else "import warnings; warnings.warn('no NCCL'); "
        )
        + f"available = {nccl}",
        "cupy/cuda/runtime.py": f"is_hip = {is_hip}",
        "cupyx/__init__.py": """
            def scatter_add(*args):
                assert False, 'deprecated'
            """,
        "cupyx/scipy/__init__.py": "",
        "cupyx/scipy/linalg.py": "",
        "cupyx/scipy/special.py": "",
    }
    for name, source in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(source))


def check_with(directory, source):
    """Runs code where modules and distributions of a directory are found."""
    return check(
        f"import sys\nsys.path.insert(0, {str(directory)!r})\n"
        + textwrap.dedent(source)
    )


CUPY_REPAIRS = [
    r
    for r in compat.REPAIRS
    if "cupy" in r.needed.__qualname__ or "cupy" in r.old
]


def test_without_cupy():
    assert len(CUPY_REPAIRS) >= 10
    check("""
        import sys, warnings
        sys.modules['cupy'] = None
        from chainer_sdtw import compat
        warnings.simplefilter('error')
        import chainer
        import numpy
        from chainer.backends import cuda
        assert not cuda.available and not cuda.cudnn_enabled
        try:
            cuda.to_gpu(numpy.zeros(1))
        except RuntimeError as e:
            assert 'CUDA environment is not correctly set up' in str(e)
        else:
            assert False
        assert not chainer.training.updaters.MultiprocessParallelUpdater \\
            .available()
        for repair in compat.REPAIRS:
            assert not ('cupy' in repair.needed.__qualname__
                        and 'distribution' not in repair.needed.__qualname__
                        and repair.needed()), repair
        assert sys.modules['cupy'] is None
    """)


def test_broken_cupy(tmp_path):
    (tmp_path / "cupy.py").write_text("print('tried'); import sys; sys.none")
    out = check_with(
        tmp_path,
        """
        import chainer_sdtw
        import chainer
        assert not chainer.backends.cuda.available
        try:
            chainer.backends.cuda.check_cuda_available()
        except RuntimeError as e:
            assert 'sys' in str(e) and 'none' in str(e)
        else:
            assert False
        """,
    )
    assert out


@pytest.mark.parametrize(
    "version,cudnn_warnings", [("13.6.0", 1), ("14.0.0rc1", 0)]
)
def test_cupy_without_cudnn(version, cudnn_warnings, tmp_path):
    write_cupy(tmp_path, version)
    check_with(
        tmp_path,
        f"""
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            import chainer_sdtw
            import chainer
            from chainer.backends import cuda
            import cupy
            before = dict(vars(cupy.cuda))
            for _ in range(3):
                cuda.check_cuda_available()
                cuda.get_device_from_id(0)
                chainer.get_device('@cupy:0')
            chainer.function_hooks.CUDAProfileHook()
        assert cuda.available and not cuda.cudnn_enabled
        texts = [str(w.message) for w in caught]
        assert len([t for t in texts if 'cuDNN' in t]) == {cudnn_warnings}
        assert not [w for w in caught if w.filename == cupy.cuda.__file__]
        assert not hasattr(cupy, 'cudnn') and not hasattr(cupy, 'core')
        assert not chainer.should_use_cudnn('>=auto')
        assert vars(cupy.cuda) == before
        """,
    )


def test_cupy_scatter_add(tmp_path):
    write_cupy(tmp_path, "14.2.0")
    check_with(
        tmp_path,
        """
        import chainer_sdtw
        import chainer
        import cupy
        import numpy
        from chainer.functions.array import as_strided, get_item, scatter_add

        i = numpy.array([1, 1, 0])
        one = numpy.ones(3, 'f').view(cupy.ndarray)
        y, = scatter_add.ScatterAdd((i,)).forward((cupy.zeros(3, 'f'), one))
        assert y.tolist() == [1, 2, 0]
        y, = get_item.GetItemGrad((i,), (3,)).forward((one,))
        assert y.tolist() == [1, 2, 0]
        y = cupy.zeros(3, 'f')
        as_strided._index_add(y, i, one)
        assert y.tolist() == [1, 2, 0]
        """,
    )


def test_cupy_without_driver(tmp_path):
    write_cupy(tmp_path, "14.2.0", is_hip=False)
    check_with(
        tmp_path,
        """
        import ctypes
        original = ctypes.CDLL

        def CDLL(name, *args, **kwargs):
            if name in ('libcuda.so.1', 'nvcuda.dll'):
                raise OSError('cannot open shared object file')
            return original(name, *args, **kwargs)

        ctypes.CDLL = CDLL
        import chainer_sdtw
        import chainer
        import numpy
        assert not chainer.backends.cuda.available
        for f in (
            lambda: chainer.backends.cuda.to_gpu(numpy.zeros(1)),
            lambda: chainer.get_device('@cupy:0'),
            lambda: chainer.links.Linear(1, 1).to_device('@cupy:0'),
        ):
            try:
                f()
            except RuntimeError as e:
                assert 'CUDA environment is not correctly set up' in str(e)
                assert 'No CUDA driver is installed' in str(e)
            else:
                assert False
        """,
    )


@pytest.mark.parametrize("nccl", [False, True])
def test_cupy_nccl(nccl, tmp_path):
    write_cupy(tmp_path, "14.2.0", nccl=nccl)
    check_with(
        tmp_path,
        f"""
        import warnings
        warnings.filterwarnings('error', '.*NCCL')
        import chainer_sdtw
        import chainer
        updater = chainer.training.updaters.MultiprocessParallelUpdater
        assert updater.available() == {nccl}
        """,
    )


@pytest.mark.parametrize(
    "version,header", [("13.6.0", "carray"), ("14.2.0", "float16")]
)
def test_cupy_kernels_of_chainermn(version, header, tmp_path):
    pytest.importorskip("mpi4py")
    write_cupy(tmp_path, version)
    check_with(
        tmp_path,
        f"""
        import chainer_sdtw
        from chainermn.communicators import _memory_utility

        for kernel in (
            _memory_utility._cupy_batched_pack_params,
            _memory_utility._cupy_batched_unpack_params,
        ):
            code = kernel()
            assert code.split()[:2] == ['#include', '<cupy/{header}.cuh>']
            assert kernel.__name__[1:] in code and 'half' in code
        """,
    )


def test_chainermn_unpacks_gradients_of_another_type(tmp_path):
    pytest.importorskip("mpi4py")
    write_cupy(tmp_path, "14.2.0")
    check_with(
        tmp_path,
        """
        import types
        import chainer_sdtw
        from chainermn.communicators import _memory_utility
        import cupy
        import numpy

        class Buffer:
            def to_device(self, array, size, offset, stream):
                assert array.dtype == numpy.float32
                assert array.nbytes == size
                array[:] = offset

        params = [
            types.SimpleNamespace(grad=cupy.zeros(2, numpy.float16))
            for _ in range(2)
        ]
        _memory_utility.unpack_params(
            params, 'grad', Buffer(), numpy.float32, False)
        assert [p.grad.tolist() for p in params] == [[0, 0], [8, 8]]
        assert all(p.grad.dtype == numpy.float16 for p in params)
        """,
    )


def write_distribution(directory, name, version):
    path = directory / f"{name.replace('-', '_')}-{version}.dist-info"
    path.mkdir()
    (path / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )


@pytest.mark.skipif(
    _repairs._new_cupy_distribution(), reason="there is a CuPy already"
)
@pytest.mark.parametrize(
    "name,version,is_new",
    [
        ("cupy", "7.8.0", False),
        ("cupy", "14.2.0", True),
        ("cupy-cuda112", "10.6.0", True),
        ("cupy-cuda12x", "14.2.0", False),  # no name that Chainer looks for
    ],
)
def test_cupy_version(name, version, is_new, tmp_path, monkeypatch):
    write_distribution(tmp_path, name, version)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert _repairs._new_cupy_distribution() == is_new


@pytest.mark.parametrize("version,is_warned", [("14.2", 0), ("15.0", 1)])
def test_cupy_version_warning(version, is_warned, tmp_path):
    write_distribution(tmp_path, "cupy", version)
    check_with(
        tmp_path,
        f"""
        import sys, warnings
        sys.modules['cupy'] = None
        sys.modules['pkg_resources'] = None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            import chainer_sdtw
            import chainer
        assert {is_warned} == sum(
            'CuPy (cupy) version {version} may not' in str(w.message)
            for w in caught)
        """,
    )


@functools.cache
def gpu():
    """The reason why there is no GPU to test with."""
    if not has("cupy"):
        return "needs CuPy"
    if not has("cupy; cupy.zeros(1)"):
        return "needs a GPU"
    return None


def test_real_cupy():
    if not has("cupy"):
        pytest.skip("needs CuPy")
    check("""
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            import chainer_sdtw
            import chainer
        from chainer.backends import cuda
        import cupy
        major = int(cupy.__version__.split('.')[0])
        texts = [str(w.message) for w in caught]
        assert not [t for t in texts if 'nccl' in t.lower()], texts
        if major >= 14:
            assert not [t for t in texts if 'cudnn' in t.lower()], texts
            assert not cuda.cudnn_enabled
        if major >= 12:
            assert callable(cupy.add.at)
        if cuda.available:
            assert cuda.cupy is cupy
            cupy.cuda.nvtx  # what CUDAProfileHook looks at
        else:
            try:
                cuda.check_cuda_available()
            except RuntimeError as e:
                assert 'CUDA environment is not correctly set up' in str(e)
            else:
                assert False
    """)


@pytest.mark.skipif("gpu()", reason="needs CuPy and a GPU")
def test_training_on_gpu():
    check("""
        import warnings
        import chainer_sdtw
        import chainer
        import chainer.functions as F
        import chainer.links as L
        import cupy
        import numpy

        class Net(chainer.ChainList):
            def __init__(self):
                super().__init__(
                    L.Convolution2D(1, 4, 3, pad=1),
                    L.BatchNormalization(4),
                    L.NStepLSTM(1, 32, 5, 0.1),
                    L.Linear(5, 2),
                )

            def forward(self, x):
                conv, norm, lstm, linear = self
                h = F.max_pooling_2d(F.relu(norm(conv(x))), 2)
                _, _, ys = lstm(
                    None, None,
                    [y for y in F.reshape(h, (len(x), -1, 32))])
                return linear(F.stack([y[-1] for y in ys]))

        warnings.simplefilter('error', DeprecationWarning)
        numpy.random.seed(0)
        model = L.Classifier(Net())
        model.to_device('@cupy:0')
        optimizer = chainer.optimizers.Adam(0.01).setup(model)
        x = numpy.random.rand(8, 1, 8, 16).astype('f')
        t = numpy.arange(8, dtype='i') % 2
        x[t == 1] += 1
        x, t = chainer.dataset.concat_examples(
            list(zip(x, t)), device=model.device)
        losses = []
        for _ in range(30):
            optimizer.update(model, x, t)
            losses.append(float(model.loss.array))
        assert losses[-1] < losses[0] / 2, losses
        for param in model.params():
            assert param.dtype == param.grad.dtype == numpy.float32
    """)


@pytest.mark.skipif("gpu()", reason="needs CuPy and a GPU")
def test_chainermn_on_gpu():
    pytest.importorskip("mpi4py")
    check("""
        import chainer_sdtw
        import chainer
        import chainermn
        import cupy
        import numpy

        comm = chainermn.create_communicator('dummy')
        for batched in (True, False):
            comm.set_config('batched_copy', batched)
            model = chainer.ChainList(
                *(chainer.links.Linear(
                    2, 3, initialW=chainer.initializers.Zero(dtype),
                    initial_bias=chainer.initializers.Zero(dtype))
                  for dtype in ('e', 'f', 'd')))
            model.to_device('@cupy:0')
            for i, param in enumerate(model.params()):
                param.grad = cupy.full(param.shape, i, param.dtype)
            comm.multi_node_mean_grad(model)
            for i, param in enumerate(model.params()):
                assert param.grad.dtype == param.dtype
                assert (param.grad == i).all()
    """)
