"""A few steps of trainings on the three engines; `make xla` compares 100 of each learner, and random graphs."""

import pytest

from chainrule.engines import engine_named
from tests.native.test_random_graphs import run
from tests.xla.agreement import TOLERANCE, furthest


@pytest.mark.parametrize(("name", "task", "dtype"), [("bow", "classify", "float64"), ("mlp", "classify", "float32")])
def test_engines_agree(name, task, dtype):
    assert furthest(name, task, dtype, 6) <= TOLERANCE[dtype]


def test_random_graphs_agree():
    run(3, number=0, compile=engine_named("xla").compile)
