"""Soft-DTW for Chainer.

Importing this package first makes Chainer 7.8.1 work on a current Python and
NumPy (see :mod:`chainer_sdtw.compat`).
"""

# isort: off
from chainer_sdtw import compat  # noqa: F401  (must come before chainer)

# isort: on
from chainer_sdtw.functions import soft_dtw, soft_dtw_from_cost
from sdtw_cpu._version import __version__

__all__ = ["__version__", "soft_dtw", "soft_dtw_from_cost"]
