"""Sums that hardly depend on the order of their terms.

A search for barycenters turns the last bit of an objective into another
result. Sums are therefore kept as the unevaluated sum of two numbers of
float64, whose roundoff is about ``2**-104`` of the largest partial sum: they
round to the same float64 whether series are summed at once or block by block.

See: T. J. Dekker, `A Floating-Point Technique for Extending the Available
Precision <https://doi.org/10.1007/BF01397083>`_, Numerische Mathematik 1971;
for the sum and its roundoff D. E. Knuth, The Art of Computer Programming,
volume 2, section 4.2.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from chainer.backend import get_array_module

# Numbers that are summed at once, which fit into a processor's cache.
_AT_ONCE = 2**15


def double_sum(terms: Any) -> Any:
    """Sum over the first axis.

    Args:
        terms: ``(n, ...)``, of any device.

    Returns:
        ``(2, ...)`` float64, whose sum over the first axis is that of the
        terms; not finite where a sum is not.
    """
    xp = get_array_module(terms)
    total = xp.zeros((2, *terms.shape[1:]))
    step = max(1, _AT_ONCE // max(1, total[0].size))
    for start in range(0, len(terms), step):
        high = terms[start : start + step].astype(xp.float64)
        low = xp.zeros_like(high)
        while len(high) > 1:
            half = len(high) // 2
            first, second = slice(half), slice(half, 2 * half)
            rest = high[2 * half :], low[2 * half :]
            high, low = _added(
                high[first], low[first], high[second], low[second]
            )
            if len(rest[0]):
                high = xp.concatenate([high, rest[0]])
                low = xp.concatenate([low, rest[1]])
        total = xp.stack(_added(total[0], total[1], high[0], low[0]))
    return total


def add_doubles(sums: Any) -> Any:
    """Add sums ``(n, 2, ...)``, each as :func:`double_sum` returns it."""
    total = sums[0]
    xp = get_array_module(total)
    for other in sums[1:]:
        total = xp.stack(_added(total[0], total[1], other[0], other[1]))
    return total


@np.errstate(over="ignore", invalid="ignore")
def _added(a: Any, a_low: Any, b: Any, b_low: Any) -> tuple[Any, Any]:
    """Add numbers that are each the sum of two."""
    total = a + b
    of_b = total - a
    rest = (a - (total - of_b)) + (b - of_b)
    rest += a_low + b_low
    high = total + rest
    return high, rest - (high - total)
