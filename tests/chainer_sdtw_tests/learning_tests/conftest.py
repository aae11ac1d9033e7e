"""Fixtures of the tests of averages."""

import pytest


@pytest.fixture
def series(rng):
    return [rng.standard_normal((n, 2)).cumsum(axis=0) for n in (7, 4, 6, 5)]
