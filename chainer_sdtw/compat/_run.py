"""Running a script or a module as python itself would."""

import builtins
import importlib.machinery
import io
import os
import runpy
import sys
import types
import zipfile
from typing import Optional


def clean_tracebacks() -> None:
    """Let the traceback that ends a script start in the script."""
    original = sys.excepthook
    package = os.path.dirname(__file__)

    def is_internal(path: str) -> bool:
        return (
            path == runpy.run_path.__code__.co_filename
            or os.path.dirname(path) == package
        )

    def excepthook(
        cls: type[BaseException],
        value: BaseException,
        traceback: Optional[types.TracebackType],
    ) -> None:
        while traceback is not None and is_internal(
            traceback.tb_frame.f_code.co_filename
        ):
            traceback = traceback.tb_next
        original(cls, value.with_traceback(traceback), traceback)

    sys.excepthook = excepthook


def _new_main() -> types.ModuleType:
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    vars(main).update(__builtins__=builtins)
    if sys.version_info < (3, 14):  # from then on made when asked for
        vars(main).update(__annotations__={})
    return main


def run_script(script: str, args: list[str]) -> None:
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


def run_module(name: str, args: list[str]) -> None:
    sys.argv[:] = ["-m", *args]
    _new_main()
    # The function that python -m calls.
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]
