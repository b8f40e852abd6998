"""Each illness once, and each kind of healthy training; `make illnesses` runs many."""

import numpy as np
import pytest

from chainrule.train.diagnostics import ILLNESSES
from tests.illnesses.provoked import HEALTHY_KINDS, PROVOKED, healthy


def test_each_illness_is_provoked():
    assert set(ILLNESSES) == set(PROVOKED) - {"number that is none"}


@pytest.mark.parametrize("name", PROVOKED)
def test_it_is_found(name):
    said = PROVOKED[name](np.random.default_rng(5), 5)
    assert name in said
    assert name == "number that is none" or len(said[name]) > 30


@pytest.mark.parametrize("kind", range(HEALTHY_KINDS))
def test_a_healthy_training_is_left_alone(kind):
    assert healthy(np.random.default_rng(5), 5, kind) == {}
