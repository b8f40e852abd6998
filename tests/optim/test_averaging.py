"""Averages of weights: by hand, eagerly and compiled, swapped in and out, and messages."""

import numpy as np
import pytest

import chainrule
from chainrule import Parameter
from chainrule.errors import ConfigurationError
from chainrule.optim import SGD, Adam, Averages


@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("engine", [lambda function: function, chainrule.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("rule", [SGD(0.1, 0.5), Adam(0.05)], ids=repr)
def test_averages_of_a_training(decay, engine, rule):
    """Also of rows of a table that wait for their updates."""
    table = Parameter.of(np.random.default_rng(0).normal(size=(6, 2)), dtype="float64", name="table")
    averages, state, seen = Averages([table], decay), rule.start([table]), []

    @engine
    def step(ids):
        loss = (chainrule.gather(table, ids) ** 2).sum()
        rule.step([table], chainrule.gradients(loss, [table]), state)
        averages.update()
        return loss

    for ids in np.random.default_rng(1).integers(0, 6, size=(30, 2)):
        step(chainrule.tensor(ids))
        seen.append(table.numpy().copy())
    weights = np.ones(30) if decay is None else 0.9 ** np.arange(29, -1, -1)
    expected = np.tensordot(weights / weights.sum(), seen, 1)
    with averages.swapped():
        np.testing.assert_allclose(table.numpy(), expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(table.numpy(), seen[-1])


def test_parameters_come_back_whatever_happens():
    weight = Parameter.of([1.0])
    averages = Averages([weight])
    averages.update()
    weight.assign([3.0])

    def fail():
        with averages.swapped():
            assert weight.item() == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert weight.item() == 3


def test_messages():
    with pytest.raises(ConfigurationError, match="Averages: there are none before the first update"):
        Averages([Parameter.of([1.0])]).swapped().__enter__()
    with pytest.raises(ConfigurationError, match="Averages: expected a decay above 0 and below 1, got 1"):
        Averages([Parameter.of([1.0])], decay=1)
