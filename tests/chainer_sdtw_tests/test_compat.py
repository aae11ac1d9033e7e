"""Tests of chainer_sdtw.compat: Chainer on today's stack."""

import ast
import atexit
import functools
import importlib.metadata
import importlib.util
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import warnings

import numpy
import pytest

from chainer_sdtw import compat  # before chainer

import chainer  # isort: skip
import chainer.functions as F  # isort: skip

NUMPY = tuple(int(n) for n in numpy.__version__.split(".")[:2])


def has(name):
    """Tells whether a fresh interpreter can import a module."""
    return (
        subprocess.call(
            [sys.executable, "-W", "ignore", "-c", "import " + name],
            stderr=subprocess.DEVNULL,
        )
        == 0
    )


@functools.cache
def root():
    """A copy of the package without all that does not matter here."""
    directory = tempfile.TemporaryDirectory()
    atexit.register(directory.cleanup)
    package = os.path.join(directory.name, "chainer_sdtw")
    os.mkdir(package)
    shutil.copy(compat.__file__, package)
    with open(os.path.join(package, "__init__.py"), "w") as f:
        f.write("from chainer_sdtw import compat\n")
    return directory.name


def python(*args, cwd=None, **environ):
    """Runs a fresh interpreter."""
    environ = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join(
            filter(None, [root(), os.environ.get("PYTHONPATH")])
        ),
        **environ,
    )
    return subprocess.run(
        [sys.executable, *args],
        env=environ,
        cwd=cwd,
        timeout=120,
        capture_output=True,
        text=True,
    )


def check(source, **environ):
    """Runs code in a fresh interpreter and returns what it prints."""
    result = python(
        "-W",
        "ignore::DeprecationWarning",
        "-c",
        textwrap.dedent(source),
        **environ,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


# Import


def test_import_leaves_nothing_behind():
    check("""
        import sys
        import numpy
        before = set(vars(numpy))
        import chainer_sdtw
        import chainer
        # submodules that have been imported since are real ones
        for name in set(vars(numpy)) - before:
            assert sys.modules.get('numpy.' + name) is getattr(numpy, name)
        for name in ('pkg_resources', 'numpy.distutils', 'distutils'):
            module = sys.modules.get(name)
            assert module is None or module.__file__, name
        assert 'chainer_sdtw' not in str(
            sys.modules['chainer.functions.array.as_strided'].__spec__)
    """)


def test_numpy_is_as_it_was():
    if NUMPY >= (2, 0):
        assert not hasattr(numpy, "sctypes")
        assert "float" not in vars(numpy)
        assert "product" not in vars(numpy)


def test_import_without_pkg_resources_and_numpy_distutils():
    check("""
        import sys
        sys.modules['pkg_resources'] = None
        sys.modules['numpy.distutils'] = None
        import chainer_sdtw
        import chainer.testing
        import chainer.testing.doctest_helper as doctest_helper
        assert sys.modules['pkg_resources'] is None
        assert sys.modules['numpy.distutils'] is None

        @chainer.testing.with_requires('numpy>=1.0')
        def runs():
            return True

        @chainer.testing.with_requires('numpy>=1000')
        def is_skipped():
            return True

        assert runs()
        try:
            is_skipped()
        except __import__('unittest').SkipTest:
            pass
        else:
            assert False
        assert doctest_helper.skipif_requires_satisfied('numpy>=1.0')
        assert not doctest_helper.skipif_requires_satisfied('numpy>=1000')
    """)


def test_import_with_broken_pkg_resources(tmp_path):
    # As that of an old setuptools on a new Python
    (tmp_path / "pkg_resources.py").write_text("import sys; sys.nothing")
    check(f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import chainer_sdtw
        import chainer
        assert 'pkg_resources' not in sys.modules
    """)


@pytest.mark.skipif(
    not (sys.version_info < (3, 12) and NUMPY < (1, 24)),
    reason="a stack that Chainer knows",
)
@pytest.mark.skipif(has("cupy"), reason="a CuPy that Chainer does not know")
@pytest.mark.skipif(
    not has("pkg_resources, numpy.distutils.system_info"),
    reason="needs a setuptools that both NumPy and Chainer know",
)
def test_old_stack_needs_no_repair():
    for name in compat._Finder.names - {
        "chainer.functions.math.sparse_matmul"
    }:
        assert compat._repairs_of(name) == []
    # The code of Chainer is what it is without compat.
    codes = textwrap.dedent("""
        import importlib
        for name in {!r}:
            for key, value in vars(importlib.import_module(name)).items():
                if hasattr(value, '__code__'):
                    print(name, key, hash(value.__code__.co_code))
    """).format(sorted(compat._Finder.names))
    assert check(codes, PYTHONHASHSEED="0") == check(
        "import chainer_sdtw" + codes, PYTHONHASHSEED="0"
    )


def test_install_is_idempotent():
    finders = list(sys.meta_path)
    compat.install()
    assert sys.meta_path == finders
    check("""
        import sys, importlib
        from chainer_sdtw import compat
        importlib.reload(compat)
        assert len([f for f in sys.meta_path
                    if type(f).__name__ == '_Finder']) == 1
        import chainer
    """)


def test_import_after_import_that_failed():
    check("""
        import sys
        sys.modules['pkg_resources'] = None  # fails everywhere
        try:
            import chainer
        except Exception:
            pass
        else:
            assert False
        import chainer_sdtw
        import chainer
        assert chainer.variable.chainer is chainer
        assert chainer.functions.relu is chainer.functions.activation.relu.relu
        for name, module in list(sys.modules.items()):
            if name.startswith('chainer.') and hasattr(module, 'chainer'):
                assert module.chainer is chainer, name
    """)


def test_import_in_threads():
    check("""
        import threading
        import chainer_sdtw
        errors = []

        def run():
            try:
                import chainer
                chainer.functions.as_strided, chainer.Variable
            except BaseException as e:
                errors.append(e)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not errors, errors
    """)


def test_chainer_is_not_installed():
    result = python(
        "-c",
        textwrap.dedent("""
        import sys
        sys.modules['chainer'] = None
        import chainer_sdtw
    """),
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: chainer_sdtw needs Chainer")
    assert "pip install" in last


@pytest.mark.parametrize("version", ["7.8.1", "7.8.1.post1"])
def test_version_that_was_tested(version):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compat._check_version(version)


@pytest.mark.parametrize("version", ["6.7.0", "7.8.0", "7.8.10", "8.0.0b1"])
def test_version_that_was_not_tested(version):
    with pytest.warns(UserWarning, match=re.escape(version)):
        compat._check_version(version)


# Repairs


@pytest.mark.parametrize(
    "repair", compat.REPAIRS, ids=lambda r: r.module + ": " + r.old
)
def test_repair_matches_chainer(repair):
    spec = importlib.util.find_spec(repair.module)
    tree = ast.parse(spec.loader.get_source(repair.module))
    old = compat._parse(repair.old)
    assert any(compat._same(node, old) for node in ast.walk(tree))
    compat._parse(repair.new)


def test_repaired_source_keeps_lines():
    source = "import os\n\n\ndef f(x):\n    return (old,\n            x.y)\n"
    repair = compat.Repair("m", lambda: True, "old", "[a(\n\n1\n), 2]")
    tree = compat._Rewriter([repair]).visit(ast.parse(source))
    lines = {n.lineno for n in ast.walk(tree) if hasattr(n, "lineno")}
    assert lines == {1, 4, 5, 6}
    compile(tree, "", "exec")


def test_repair_of_imported_module(tmp_path, monkeypatch):
    (tmp_path / "repairable.py").write_text(
        textwrap.dedent("""
        import functools
        value = 'old'

        def f():
            return 'old'

        def decorate(f):
            @functools.wraps(f)
            def g():
                return f() + '!'
            return g

        @decorate
        def decorated():
            return 'old'

        class A:
            def method(self):
                def inner():
                    return 'old', __class__
                return inner()
    """)
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    repairable = importlib.import_module("repairable")
    try:
        f = repairable.f
        a = repairable.A()
        monkeypatch.setattr(
            compat,
            "REPAIRS",
            (
                compat.Repair("repairable", lambda: True, "'old'", "'new'"),
                compat.Repair("repairable", lambda: False, "f", "g"),
            ),
        )
        compat._repair_imported(repairable)
        assert f() == "new"
        assert a.method() == ("new", repairable.A)
        assert repairable.value == "old"
        assert repairable.decorated() == "old!"  # not reached, not spoilt
    finally:
        del sys.modules["repairable"]


@pytest.mark.skipif(
    not has("chainer"), reason="Chainer cannot be imported without compat"
)
def test_chainer_imported_before():
    check("""
        import warnings
        warnings.simplefilter('ignore')
        import chainer
        resize_images = chainer.functions.resize_images
        import chainer_sdtw
        assert chainer.functions.resize_images is resize_images
        import numpy
        x = numpy.ones((1, 1, 2, 2), numpy.float32)
        assert resize_images(x, (3, 3)).shape == (1, 1, 3, 3)
    """)


def test_as_strided():
    x = chainer.Variable(numpy.arange(4, dtype=numpy.float32))
    y = F.as_strided(x, (3, 2), (1, 1), 0)
    y.grad = numpy.ones((3, 2), numpy.float32)
    y.backward()
    numpy.testing.assert_array_equal(x.grad, [1, 2, 2, 1])
    assert x.grad.dtype == numpy.float32


def test_as_strided_of_integers():
    y = F.as_strided(numpy.arange(4), (3, 2), (1, 1), 0)
    with pytest.raises(TypeError, match="Only float"):
        y.grad = numpy.ones((3, 2), int)
        y.creator_node.backward((0,), (chainer.Variable(y.grad),))


@pytest.mark.filterwarnings("ignore:.np.float. is a deprecated alias")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"align_corners": False},
        {"mode": "nearest", "align_corners": False},
    ],
)
def test_resize_images(options):
    x = chainer.Variable(
        numpy.arange(4, dtype=numpy.float32).reshape(1, 1, 2, 2)
    )
    y = F.resize_images(x, (4, 4), **options)
    assert y.dtype == numpy.float32
    numpy.testing.assert_allclose(y.array.mean(), 1.5)
    numpy.testing.assert_allclose(y.array[0, 0, 0, 0], 0)
    F.sum(y).backward()
    numpy.testing.assert_allclose(x.grad.sum(), 16)


def test_debug_print():
    text = chainer.Variable(numpy.zeros(3, numpy.float32)).debug_print()
    assert "- device: CPU\n" in text
    parameter = chainer.Parameter()
    parameter.cleargrad()
    assert "- device: None\n" in parameter.debug_print()


@pytest.mark.filterwarnings("ignore:NumPy will stop allowing")
@pytest.mark.parametrize("dtype", [numpy.uint8, numpy.int16])
def test_negative_padding(dtype):
    xs = [numpy.ones(1, dtype), numpy.ones(2, dtype)]
    expect = numpy.array([[1, -1], [1, 1]]).astype(dtype)
    y = F.pad_sequence(xs, padding=-1)
    assert y.dtype == dtype
    numpy.testing.assert_array_equal(y.array, expect)
    y = chainer.dataset.concat_examples(xs, padding=-1)
    assert y.dtype == dtype
    numpy.testing.assert_array_equal(y, expect)


@pytest.mark.filterwarnings("ignore:NumPy will stop allowing")
def test_constant_out_of_bounds():
    x = chainer.Variable(numpy.array([1, 2], numpy.uint8))
    y = x + -1
    assert y.dtype == numpy.uint8
    numpy.testing.assert_array_equal(y.array, [0, 1])
    y = chainer.Variable(numpy.ones(2, numpy.float16)) * 2
    assert y.dtype == numpy.float16


def test_sparse_float16():
    pytest.importorskip("scipy")
    a = numpy.array([[1, 0, 2], [0, 0, 3]], numpy.float16)
    b = numpy.arange(6, dtype=numpy.float16).reshape(3, 2)
    y = F.sparse_matmul(chainer.utils.to_coo(a), b)
    assert y.dtype == numpy.float16
    numpy.testing.assert_array_equal(y.array, a.dot(b))


# CuPy


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


def write_distribution(directory, name, version):
    path = directory / f"{name.replace('-', '_')}-{version}.dist-info"
    path.mkdir()
    (path / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    )


@pytest.mark.skipif(
    compat._new_cupy_distribution(), reason="there is a CuPy already"
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
    assert compat._new_cupy_distribution() == is_new


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


# What stands in for pkg_resources


def test_require():
    version = importlib.metadata.version("numpy")
    for requirement in (
        "numpy",
        "NumPy",
        "numpy>=1.10",
        "numpy >= 1.10, <1000",
        "numpy==" + version,
        "numpy<=" + version,
        "numpy!=1.0",
        "numpy>0.9",
    ):
        compat._require(requirement)
    for requirement in (
        "numpy<1",
        "numpy>" + version,
        "numpy!=" + version,
        "numpy>=1.10,<1.11",
    ):
        with pytest.raises(compat.VersionConflict):
            compat._require("numpy", requirement)
    with pytest.raises(compat.DistributionNotFound):
        compat._require("no-such-distribution>=1")
    for requirement in ("", ">=1", "numpy=1", "numpy>="):
        with pytest.raises(ValueError, match="invalid requirement"):
            compat._require(requirement)


@pytest.mark.parametrize(
    "version,release",
    [
        ("1.26.4", (1, 26, 4)),
        ("2.0.0rc1", (2,)),
        ("2.1.0.dev0+git", (2, 1)),
        ("1!3.0", (3,)),
        ("v7.8.1.post1", (7, 8, 1)),
        ("nonsense", ()),
    ],
)
def test_release(version, release):
    assert compat._release(version) == release


# python -m chainer_sdtw.compat

SCRIPTS = {
    "globals": """
        import sys
        print(__name__, __file__, __spec__, __package__, __doc__)
        print(type(__loader__), __builtins__)
        print(sys.argv, sys.path[0], sys.modules['__main__'].__dict__
              is globals())
        """,
    "error": """
        def f():
            raise ValueError('wrong')
        f()
        """,
    "chained error": """
        def f():
            try:
                1 / 0
            except ZeroDivisionError as e:
                raise RuntimeError from e
        f()
        """,
    "syntax error": "a b\n",
    "exit 3": "import sys; sys.exit(3)",
    "exit with a message": 'raise SystemExit("message")',
    "interrupt": "raise KeyboardInterrupt",
    "atexit": """
        import atexit
        value = 'value'
        @atexit.register
        def f():
            import __main__
            print(__main__.value)
        """,
    "excepthook": """
        import sys
        sys.excepthook = lambda cls, value, traceback: print(cls, value)
        raise ValueError('wrong')
        """,
    "pickle": """
        import pickle
        class A: pass
        print(type(pickle.loads(pickle.dumps(A()))) is A)
        """,
}


def without_runpy(stderr):
    """Leaves out the lines that python -m puts above those of the script."""
    return re.sub(
        r'^  File ".*runpy.*\n(    .*\n)*', "", stderr, flags=re.MULTILINE
    )


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("kind", ["script", "directory", "module"])
def test_runs_as_python_would(name, kind, tmp_path):
    path = tmp_path / "scripts" / "script.py"
    path.parent.mkdir()
    path.write_text(textwrap.dedent(SCRIPTS[name]))
    if kind == "script":
        args = [os.path.join("scripts", "script.py"), "a", "-b"]
    elif kind == "directory":
        path.rename(path.with_name("__main__.py"))
        args = ["scripts", "a", "-b"]
    else:
        args = ["-m", "scripts.script", "a", "-b"]
    ours, expect = (
        python("-B", "-W", "error::RuntimeWarning", *run, *args, cwd=tmp_path)
        for run in (["-m", "chainer_sdtw.compat"], [])
    )
    assert re.sub("0x[0-9a-f]+", "0x", ours.stdout) == re.sub(
        "0x[0-9a-f]+", "0x", expect.stdout
    )
    assert ours.stderr == without_runpy(expect.stderr)
    assert ours.returncode == expect.returncode
    if name == "interrupt" and os.name == "posix":
        assert ours.returncode == -signal.SIGINT


@pytest.mark.parametrize(
    "args",
    [
        ["no_such_script.py"],
        ["-m", "no_such_module"],
        ["-m", "no.such.module"],
        ["-m", "email"],
    ],
)
def test_nothing_to_run(args, tmp_path):
    ours, expect = (
        python(*run, *args, cwd=tmp_path)
        for run in (["-m", "chainer_sdtw.compat"], [])
    )
    assert ours.stdout == expect.stdout == ""
    assert ours.stderr == expect.stderr
    assert ours.returncode == expect.returncode


def test_help():
    for option in "-h", "--help":
        result = python("-W", "error", "-m", "chainer_sdtw.compat", option)
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("usage: python -m chainer_sdtw.compat")
    for args in [], ["-m"], ["--no-such-option"]:
        result = python("-m", "chainer_sdtw.compat", *args)
        assert result.returncode == 2
        assert result.stderr.startswith("usage: ")
        assert result.stdout == ""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_multiprocessing(method, tmp_path):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this platform")
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        import multiprocessing
        import sys

        import chainer
        import numpy

        assert 'chainer_sdtw.compat' in sys.modules


        class Dataset(chainer.dataset.DatasetMixin):
            def __len__(self):
                return 4

            def get_example(self, i):
                x = numpy.ones((1, 1, 2, 2), numpy.float32)
                y = chainer.functions.resize_images(x, (3, 3)).array
                return i + y.mean()


        def nested(i):
            return 2 * i


        def run(i):
            p = context.Process(target=nested, args=(i,))
            p.start()
            p.join()
            return p.exitcode


        context = multiprocessing.get_context({method!r})
        if __name__ == '__main__':
            multiprocessing.set_start_method({method!r})
            iterator = chainer.iterators.MultiprocessIterator(
                Dataset(), 2, repeat=False, shuffle=False, n_processes=1)
            print([float(x) for batch in iterator for x in batch])
            iterator.finalize()
            p = context.Process(target=run, args=(1,))
            p.start()
            p.join()
            print(p.exitcode)
    """)
    )
    result = python(
        "-W", "ignore", "-m", "chainer_sdtw.compat", "script.py", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[1.0, 2.0, 3.0, 4.0]\n0\n"


def test_spawned_process_that_imports_chainer_sdtw_first(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import multiprocessing

        import chainer_sdtw
        import chainer


        def run(x):
            return (x + 1).array.tolist()


        if __name__ == '__main__':
            with multiprocessing.get_context('spawn').Pool(1) as pool:
                print(pool.map(run, [chainer.Variable(
                    chainer.backend.numpy.zeros(2, 'f'))]))
    """)
    )
    result = python("-W", "ignore", "script.py", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[[1.0, 1.0]]\n"
