"""Chainer 7.8.1 on today's Python, NumPy and CuPy.

Chainer's last release uses names that Python 3.12, NumPy 1.24, NumPy 2 and
setuptools 82 have removed, so that ``import chainer`` fails there, and it
relies on the behavior of CuPy 7. Importing this module first, which
``import chainer_sdtw`` does, repairs that::

    import chainer_sdtw
    import chainer

To run a script or a module without changing it::

    python -m chainer_sdtw.compat SCRIPT [ARGS]
    python -m chainer_sdtw.compat -m MODULE [ARGS]

To repair Chainer in all processes of an environment, also where it is imported
first or without chainer_sdtw::

    python -m chainer_sdtw.compat --enable
    python -m chainer_sdtw.compat --status
    python -m chainer_sdtw.compat --disable

``--enable`` writes a small ``.pth`` file into the site-packages of the
environment, which the interpreter reads when it starts. This takes a fraction
of a millisecond and imports nothing until Chainer is imported. If chainer_sdtw
is uninstalled, the file stays and does nothing. ``python -S`` does not read
it.

Without that file, processes that ``multiprocessing`` or joblib start from one
that has imported chainer_sdtw repair Chainer, too. Other processes do not.

:data:`REPAIRS` lists the code in Chainer's modules that does not work, and
what replaces it. When one of these modules is imported, an import hook
rewrites its syntax tree accordingly. Line numbers stay as they are, no
bytecode is cached, and modules of other packages are not rewritten. Nothing is
added to ``numpy``, ``cupy`` or :data:`sys.modules`. Repairs apply only where
they are needed; errors of Chainer itself are repaired everywhere.

With any CuPy, which Chainer looks for when it is imported, Chainer behaves as
it did with CuPy 7:

- If CuPy is not installed, cannot be imported or finds no CUDA driver,
  ``chainer.backends.cuda.available`` is false and ``to_gpu()`` raises
  Chainer's ``RuntimeError: CUDA environment is not correctly set up``, with
  the reason. If there is a driver but no GPU, it is true, and ``to_gpu()``
  raises CuPy's ``CUDARuntimeError``, which is a :class:`RuntimeError`.
- CuPy 14 does not support cuDNN. Chainer then computes everything without it
  except what requires it (``cudnn_fast=True``),
  ``chainer.backends.cuda.cudnn_enabled`` is false, and Chainer does not warn
  that cuDNN should be installed. With CuPy up to 13, which supports cuDNN,
  Chainer warns once.
- Without NCCL, ``MultiprocessParallelUpdater.available()`` is false.
"""

# Where Chainer is imported first, this package is imported without
# chainer_sdtw, which needs Chainer (see _processes.FINDER). So its modules
# import names from each other: "from chainer_sdtw.compat import _hook" would
# import chainer_sdtw.
from chainer_sdtw.compat._hook import TESTED_VERSION, install
from chainer_sdtw.compat._main import main
from chainer_sdtw.compat._repairs import REPAIRS, Repair

__all__ = ["REPAIRS", "TESTED_VERSION", "Repair", "install", "main"]

install()
