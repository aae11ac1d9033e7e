"""A prior for alignments near the diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np
from chainer import backend
from numpy.typing import NDArray

from chainer_sdtw._engine.series import checked_lengths
from chainer_sdtw._engine.types import Counts
from sdtw_cpu.checks import as_integer, as_number
from sdtw_cpu.types import Integer, Real


def diagonal_prior(
    m: Integer,
    n: Integer,
    nu: Real = 1e3,
    *,
    x_length: Counts | None = None,
    y_length: Counts | None = None,
) -> NDArray[np.float64]:
    """Penalties that grow with the distance from the diagonal.

    .. math::
        P_{ij} = 1 - \\exp\\left(-\\frac{\\delta_{ij}^2}{2 \\nu}\\right)

    with the distance :math:`\\delta_{ij}` of a cell from the diagonal of the
    table, in steps of the longer series. The diagonal has as many cells as
    that: for equal lengths :math:`\\delta_{ij} = |i - j|`; else it is a
    staircase, from one corner to the other.

    Early in a training, when the alignments of what a model puts out are
    arbitrary, a multiple of it is added to the costs; its weight goes down to
    0 later. :class:`~chainer_sdtw.links.SoftDTWLoss` does the former, and
    :class:`~chainer_sdtw.training.AttributeShift` the latter.

    See: J. Zeitler, S. Deniffel, M. Krause and M. Müller, `Stabilizing
    Training with Soft Dynamic Time Warping: A Case Study for Pitch Class
    Estimation with Weakly Aligned Targets <https://arxiv.org/abs/2308.05429>`_,
    ISMIR 2023. The default for ``nu`` is that of its code, for 500 steps.

    Args:
        m (int): Rows, the length of ``x``.
        n (int): Columns, the length of ``y``.
        nu (float): Square of the width, > 0: half of the largest penalty is
            reached some 1.2 times the root of it away from the diagonal.
        x_length (:ref:`ndarray`): ``(B,)`` integers, the valid length of each
            padded series in ``x``. The diagonal is that of a pair's own part
            of the table; the penalties beyond do not mean anything.
        y_length (:ref:`ndarray`): The same for ``y``.

    Returns:
        :ref:`ndarray`: ``(m, n)``, or ``(B, m, n)`` if there are lengths, on
        their device; from 0 to 1, in float64.

    Raises:
        TypeError: If an argument is not a number, or a length no integer.
        ValueError: If a length is out of range, there are not as many of both
            or ``nu`` is not positive.

    .. admonition:: Example

        >>> chainer_sdtw.diagonal_prior(3, 3, nu=1).round(2)
        array([[0.  , 0.39, 0.86],
               [0.39, 0.  , 0.39],
               [0.86, 0.39, 0.  ]])

    """
    m, n = as_integer("m", m, 1), as_integer("n", n, 1)
    nu = check_nu(nu)
    batched = x_length is not None or y_length is not None
    lengths = (
        checked_lengths("x_length", x_length, (None, m)),
        checked_lengths("y_length", y_length, (None, n)),
    )
    sizes = [len(a) for a in lengths if a is not None]
    if len(set(sizes)) > 1:
        raise ValueError(
            f"x_length and y_length must have one shape, got {sizes} lengths"
        )
    xp = backend.get_array_module(*(a for a in lengths if a is not None))
    m_own, n_own = (
        # Not all lengths on a device have been checked.
        xp.maximum(xp.asarray(whole if own is None else own), 1).reshape(-1, 1)
        for whole, own in zip((m, n), lengths)
    )
    # The middles of steps, from 0 to 1, and how far apart these may be where
    # a step of one series is part of a step of the other.
    i = ((xp.arange(m) + 0.5) / m_own)[:, :, None]
    j = ((xp.arange(n) + 0.5) / n_own)[:, None]
    within = abs(1 / m_own - 1 / n_own)[:, :, None] / 2
    gap = xp.maximum(abs(i - j) - within, 0)
    distance = gap * xp.maximum(m_own, n_own)[:, :, None]
    with np.errstate(over="ignore"):  # a penalty of 1
        prior = -xp.expm1(-(distance**2) / (2 * nu))
    return prior if batched else prior[0]


def check_nu(nu: Any) -> float:
    """Return the square of a prior's width as a float.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is not positive, or not finite.
    """
    nu = as_number("nu", nu)
    if not 0 < nu < float("inf"):
        raise ValueError(f"nu must be > 0 and finite, got {nu!r}")
    return nu
