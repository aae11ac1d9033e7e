"""Iterators that would not draw the same batches in all processes."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # starts several processes

PROGRAM = Path(__file__).with_name("draw.py")


@pytest.mark.parametrize("how", ["seed", "random", "data", "batches"])
def test_other_batches_are_refused(start, how):
    """In all processes, so none waits for the others."""
    run = start(2, PROGRAM, how)
    assert run.status == 0, run.err
    assert run.out.count("others in process 1 than in process 0") == 2
