"""The command line of ``python -m chainer_sdtw.compat``."""

import sys
from collections.abc import Sequence
from typing import Optional

from chainer_sdtw.compat._environment import (
    disable,
    enable,
    files,
    folder,
    is_current,
)
from chainer_sdtw.compat._run import (
    clean_tracebacks,
    run_module,
    run_script,
)

_USAGE = """\
usage: python -m chainer_sdtw.compat SCRIPT [ARGS]
       python -m chainer_sdtw.compat -m MODULE [ARGS]
       python -m chainer_sdtw.compat (--enable | --disable | --status)

Runs an unmodified Chainer script or module as python itself would, on a
Python and a NumPy that Chainer does not know; or makes that unnecessary in
this environment.

  SCRIPT      a Python file, or a directory or zip file with a __main__.py
  -m MODULE   a module, or a package with a __main__ module
  --enable    repair Chainer wherever it is imported in this environment: write
              a small .pth file into its site-packages, which Python reads when
              it starts and which does nothing until Chainer is imported
  --disable   remove that file
  --status    tell whether there is such a file (exit status 0) or not (1)
  -h, --help  print this help
"""


def _enable() -> int:
    try:
        path = enable()
    except OSError as e:
        print(
            f"chainer_sdtw.compat cannot write to {folder()}: "
            f"{e.strerror or e}. Run this as somebody who can, or install "
            "Chainer and chainer-sdtw in a virtual environment",
            file=sys.stderr,
        )
        return 1
    print(f"Enabled: wrote {path}")
    return 0


def _disable() -> int:
    try:
        paths = disable()
    except OSError as e:
        print(
            f"chainer_sdtw.compat cannot remove {e.filename}: "
            f"{e.strerror or e}. Run this as somebody who can",
            file=sys.stderr,
        )
        return 1
    for path in paths:
        print(f"Disabled: removed {path}")
    if not paths:
        print("Not enabled in this environment")
    others = files()
    for path in others:
        print(f"Still enabled by {path}, of another environment")
    return 1 if others else 0


def _status() -> int:
    paths = files()
    for path in paths:
        stale = "" if is_current(path) else " (out of date: --enable again)"
        print(f"Enabled by {path}{stale}")
    if not paths:
        print("Not enabled")
    return 0 if paths else 1


_OPTIONS = {"--enable": _enable, "--disable": _disable, "--status": _status}


def main(args: Optional[Sequence[str]] = None) -> None:
    """Run a script or a module, or set up the environment for all of them.

    Args:
        args: The command line: ``[SCRIPT, ...]``, ``['-m', MODULE, ...]``,
            ``['--enable']``, ``['--disable']`` or ``['--status']``. The
            default is the command line of the process.
    """
    args = list(sys.argv[1:] if args is None else args)
    if args in (["-h"], ["--help"]):
        print(_USAGE, end="")
        return
    if len(args) == 1 and args[0] in _OPTIONS:
        sys.exit(_OPTIONS[args[0]]())
    is_module = args[:1] == ["-m"]
    if is_module:
        del args[0]
    if not args or args[0].startswith("-"):
        print(_USAGE, end="", file=sys.stderr)
        sys.exit(2)
    clean_tracebacks()
    run = run_module if is_module else run_script
    run(args[0], args[1:])
