import pytest


@pytest.fixture
def pair(rng):
    """A batch (3, 6, 2) and (3, 5, 2)."""
    return rng.standard_normal((3, 6, 2)), rng.standard_normal((3, 5, 2))
