import numpy as np
import pytest


@pytest.fixture
def draws():
    """The same in each test, whichever ran before."""
    return np.random.default_rng(0)
