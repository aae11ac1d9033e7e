"""The tapes that sweeps return."""

from __future__ import annotations

from sdtw_cpu import _kernels


class Tape:
    """What a value or tangent sweep keeps for its adjoint.

    Its content is private. It refers to the arrays that it was made from,
    which must not change before :func:`adjoint` or :func:`adjoint_tangent`
    has been called.
    """

    def __init__(self, sweep: _kernels.Sweep) -> None:
        self._sweep = sweep

    @property
    def _dual(self) -> bool:
        return self._sweep.direction is not None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(nbytes={self.nbytes})"

    @property
    def nbytes(self) -> int:
        """Bytes kept besides the input arrays."""
        return self._sweep.tape_bytes


class SeriesTape(Tape):
    """A tape of series, whose gradients are a pair."""


class CostTape(Tape):
    """A tape of cost matrices, which have one gradient."""


def make_tape(sweep: _kernels.Sweep) -> Tape:
    """Return the tape of a sweep."""
    return SeriesTape(sweep) if sweep.fused else CostTape(sweep)
