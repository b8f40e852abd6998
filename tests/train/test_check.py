"""Checks before training: each finds what it is for, and leaves a network alone that is as it should be."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.data.layout import ROWS
from chainrule.models import Learner, Network
from chainrule.nn import Linear
from chainrule.train.check import CHECKS
from tests import samples
from tests.illnesses.provoked import Altered, columns


class Broken(Network):
    """A linear map with a fault."""

    def __init__(self, fault, sizes, generator):
        self.fault = fault
        self.linear = Linear(sizes.features, sizes.outputs, generator=generator)
        self.idle = Linear(sizes.features, sizes.outputs, generator=generator)

    def __call__(self, numbers, categories, *, key=None):
        numbers = chainrule.tensor(numbers) if isinstance(numbers, np.ndarray) else numbers
        if self.fault == "mixes rows":
            numbers = numbers - numbers.mean(0, keepdims=True)
        if self.fault == "reads nothing":
            numbers = numbers * 0.0
        outputs = self.linear(numbers)
        return outputs if self.fault == "idle parameter" else outputs + self.idle(numbers)


@dataclass(frozen=True, kw_only=True)
class Faulty(Learner):
    """A learner of networks with a fault, which its class names."""

    name: ClassVar = "faulty"
    reads: ClassVar = ROWS
    tuned: ClassVar = {"adam": {"learning_rate": 0.05}}
    fault: ClassVar = ""

    def network(self, sizes, answers, generator):
        return Broken(self.fault, sizes, generator)


def faults(learner, table, **further):
    found = chainrule.check(learner, table, **further)
    assert all(each.sentence for each in found)
    return {each.name for each in found if not each.passed}


def with_fault(fault):
    return type("Faulty", (Faulty,), {"fault": fault})()


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("mixes rows", {"rows independent, forward", "rows independent, backward"}),
        ("idle parameter", {"every parameter has a gradient"}),
        ("reads nothing", {"better than without a look at rows", "one mini-batch overfitted"}),
    ],
)
def test_a_fault_is_found(fault, found):
    table = columns(np.random.default_rng(0), classes=3)
    assert found <= faults(with_fault(fault), table)
    assert not faults(with_fault(""), table)


def test_wild_initial_weights():
    found = faults(Altered(dim=102, hidden=(16, 16), activation="relu"), columns(np.random.default_rng(0)))
    assert {"loss at the start", "calibration at the start"} <= found


def test_inputs_that_tell_nothing():
    draws = np.random.default_rng(0)
    frame = pl.DataFrame(draws.standard_normal((2000, 2)), schema=["a", "b"])
    table = chainrule.Table.from_frame(
        frame.with_columns(pl.Series("y", draws.choice(["p", "q"], 2000))), numbers=["a", "b"], label="y"
    )
    assert "better than without a look at rows" in faults(chainrule.LinearModel(), table)


@pytest.mark.parametrize("name", ["bow", "ffnn"])
def test_texts_as_they_should_be(two_classes, name):
    held = samples.setup(name)
    assert not faults(held["learner"], two_classes, task=held["task"])


@pytest.mark.parametrize("learner", [chainrule.LinearModel(), chainrule.MultilayerPerceptron()])
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_columns_as_they_should_be(learner, kind):
    task = chainrule.Regress() if kind == "numbers" else chainrule.Classify()
    found = chainrule.check(learner, columns(np.random.default_rng(1), kind=kind), task=task)
    assert all(each.passed for each in found)
    assert len(found) == (len(CHECKS) if kind == "classes" else len(CHECKS) - 1)  # numbers have no calibration


def test_many_labels_as_they_should_be():
    texts, labels = ["red apple", "red car", "green apple", "so"], [["red", "fruit"], ["red"], ["fruit"], []]
    table = chainrule.Table.from_lists(texts * 30, labels * 30)
    assert not faults(
        chainrule.BagOfWords(), table, task=chainrule.MultiLabel(), training=chainrule.Training(learning_rate=0.05)
    )


def test_the_same_again(two_classes):
    one, two = (chainrule.check(chainrule.BagOfWords(), two_classes, seed=4) for _ in range(2))
    assert one == two
