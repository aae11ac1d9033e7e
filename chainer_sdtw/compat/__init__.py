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

An environment can have this done in each of its processes, so that Chainer
may be imported first, or alone::

    python -m chainer_sdtw.compat --enable
    python -m chainer_sdtw.compat --status
    python -m chainer_sdtw.compat --disable

The first writes a small ``.pth`` file into its site-packages, which the
interpreter reads when it starts.  It takes a fraction of a millisecond and
imports nothing until Chainer is imported.  If chainer_sdtw is uninstalled, the
file stays and does nothing.  ``python -S`` does not read it.

Without that, processes that ``multiprocessing`` or joblib start from one that
has imported chainer_sdtw repair Chainer, too; other processes are on their
own.

How it works: :data:`REPAIRS` lists what does not work in which module of
Chainer, and what to read instead.  When one of these modules is imported, an
import hook rewrites its syntax tree accordingly; line numbers stay as they
are, no bytecode is cached, and no module of others is rewritten.  Nothing is
added to ``numpy`` or ``cupy`` and nothing to :data:`sys.modules`.  A repair
applies only where it is needed; errors of Chainer's own are mended everywhere.

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

# Where Chainer is imported first, this package is there without chainer_sdtw,
# which needs Chainer (see _processes.FINDER).  So its modules import names
# from each other: "from chainer_sdtw.compat import _hook" imports both.
from chainer_sdtw.compat._hook import TESTED_VERSION, install
from chainer_sdtw.compat._main import main
from chainer_sdtw.compat._repairs import REPAIRS, Repair

__all__ = ["REPAIRS", "TESTED_VERSION", "Repair", "install", "main"]

install()
