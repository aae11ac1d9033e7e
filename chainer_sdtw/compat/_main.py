"""The command line."""

import os
import sys
import typing as tp

from chainer_sdtw.compat._run import (
    clean_tracebacks,
    run_module,
    run_script,
    stow_away,
)

_USAGE = """\
usage: python -m chainer_sdtw.compat SCRIPT [ARGS]
       python -m chainer_sdtw.compat -m MODULE [ARGS]

Runs an unmodified Chainer script or module as python itself would, on a
Python and a NumPy that Chainer does not know.

  SCRIPT      a Python file, or a directory or zip file with a __main__.py
  -m MODULE   a module, or a package with a __main__ module
  -h, --help  print this help
"""


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
    clean_tracebacks()
    stow_away([os.path.abspath(p) for p in sys.path])
    run = run_module if is_module else run_script
    run(args[0], args[1:])
