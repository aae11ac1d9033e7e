"""Importing and repairing Chainer's modules."""

import ast
import importlib
import importlib.util
import re
import sys
import textwrap
import warnings

import numpy
import pytest
from interpreters import check, has, python

from chainer_sdtw import compat
from chainer_sdtw.compat import _hook
from chainer_sdtw.compat._repairs import _always

NUMPY = tuple(int(n) for n in numpy.__version__.split(".")[:2])


def test_import_leaves_nothing_behind():
    check("""
        import sys
        import numpy
        before = dict(vars(numpy))
        import chainer_sdtw
        import chainer
        # submodules that have been imported since are real ones
        for name in set(vars(numpy)) - set(before):
            assert sys.modules.get('numpy.' + name) is getattr(numpy, name)
        assert all(vars(numpy)[name] is before[name] for name in before)
        for name in ('pkg_resources', 'numpy.distutils', 'distutils'):
            module = sys.modules.get(name)
            assert module is None or module.__file__, name
        assert 'chainer_sdtw' not in str(
            sys.modules['chainer.functions.array.as_strided'].__spec__)
    """)


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
    # All but errors of Chainer's own and what another package brought about
    changed = {
        "chainer.functions.math.sparse_matmul",
        "chainer.links.caffe.protobuf3.caffe_pb2",
    }
    changed |= {r.module for r in compat.REPAIRS if r.needed is _always}
    names = {r.module for r in compat.REPAIRS} - changed
    if not has("mpi4py"):
        names = {name for name in names if not name.startswith("chainermn.")}
    for name in names:
        assert _hook._repairs_of(name) == []
    # The code of Chainer is what it is without compat.
    codes = textwrap.dedent("""
        import importlib
        for name in {!r}:
            for key, value in vars(importlib.import_module(name)).items():
                if hasattr(value, '__code__'):
                    print(name, key, hash(value.__code__.co_code))
    """).format(sorted(names))
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
        _hook._check_version(version)


@pytest.mark.parametrize("version", ["6.7.0", "7.8.0", "7.8.10", "8.0.0b1"])
def test_version_that_was_not_tested(version):
    with pytest.warns(UserWarning, match=re.escape(version)):
        _hook._check_version(version)


@pytest.mark.parametrize(
    "repair", compat.REPAIRS, ids=lambda r: r.module + ": " + r.old
)
def test_repair_matches_chainer(repair):
    spec = importlib.util.find_spec(repair.module)
    tree = ast.parse(spec.loader.get_source(repair.module))
    old = _hook._parse(repair.old)
    assert any(_hook._same(node, old) for node in ast.walk(tree))
    _hook._parse(repair.new)


def test_repaired_source_keeps_lines():
    source = "import os\n\n\ndef f(x):\n    return (old,\n            x.y)\n"
    repair = compat.Repair("m", lambda: True, "old", "[a(\n\n1\n), 2]")
    tree = _hook._Rewriter([repair]).visit(ast.parse(source))
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
            _hook,
            "REPAIRS",
            (
                compat.Repair("repairable", lambda: True, "'old'", "'new'"),
                compat.Repair("repairable", lambda: False, "f", "g"),
            ),
        )
        _hook._repair_imported(repairable)
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
