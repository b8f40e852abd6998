"""Parameter groups: the steps of PyTorch's groups, eagerly and compiled, and parameters that are frozen by name."""

import numpy as np
import pytest

import chainrule
from chainrule import gradients
from chainrule.nn import Linear, Sequential
from chainrule.optim import SGD, Adam, Groups
from tests.oracle import torch

INPUTS = np.random.default_rng(1).normal(size=(6, 5, 4)).astype(np.float32)


def network():
    draws = np.random.default_rng(0)
    return Sequential(*[Linear(*sizes, generator=draws) for sizes in ((4, 3), (3, 3), (3, 2))])


@pytest.mark.parametrize("engine", [lambda function: function, chainrule.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_groups_are_those_of_pytorch(engine, rule):
    layers = network()
    named = layers.named_parameters()
    body, head = "layers.0", "layers.2"
    theirs = {name: torch.tensor(x.value.copy(), requires_grad=True) for name, x in named.items()}
    ours = {"sgd": lambda rate: SGD(rate, momentum=0.9), "adam": Adam}[rule]
    rules = {body: ours(0.01), head: ours(0.1), f"{head}.bias": ours(0.02), "": None}
    chosen = [
        {"params": [theirs[f"{body}.weight"], theirs[f"{body}.bias"]], "lr": 0.01},
        {"params": [theirs[f"{head}.weight"]], "lr": 0.1},
        {"params": [theirs[f"{head}.bias"]], "lr": 0.02},
    ]
    reference = torch.optim.SGD(chosen, momentum=0.9) if rule == "sgd" else torch.optim.Adam(chosen)
    schedule = torch.optim.lr_scheduler.LambdaLR(reference, lambda taken: 1 / (taken + 1))
    groups = Groups(rules, named)
    before = {name: x.value.copy() for name, x in named.items()}

    @engine
    def step(x):
        loss = (layers(x) ** 2).mean()
        groups.step(gradients(loss, groups.parameters), scale=lambda number: 1 / number)
        return loss * 1

    for x in INPUTS:
        value = torch.tensor(x)
        for place in range(3):
            value = value @ theirs[f"layers.{place}.weight"] + theirs[f"layers.{place}.bias"]
        expected = (value**2).mean()
        reference.zero_grad()
        expected.backward()
        reference.step()
        schedule.step()
        assert step(chainrule.tensor(x)).item() == pytest.approx(expected.item(), rel=1e-4)
    for name, x in named.items():
        np.testing.assert_allclose(x.value, theirs[name].detach().numpy(), rtol=1e-4, atol=1e-5, err_msg=name)
        assert np.array_equal(x.value, before[name]) == name.startswith("layers.1.")
    assert {name: state.step for name, state in groups.states.items()} == dict.fromkeys([body, head, f"{head}.bias"], 6)
