"""python -m chainer_sdtw.compat SCRIPT."""

import multiprocessing
import os
import re
import signal
import textwrap

import pytest
from interpreters import python

SCRIPTS = {
    "globals": """
        import sys
        print(__name__, __file__, __spec__, __package__, __doc__)
        print(type(__loader__), __builtins__)
        print(sys.argv, sys.path[0], sys.modules['__main__'].__dict__
              is globals())
        """,
    "annotations": """
        import sys
        value: int = 1
        print(sys.modules['__main__'].__annotations__)
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
