"""PyTorch as the oracle of schedules: the learning rates of all steps."""

import numpy as np
import pytest

from chainrule.optim import Cosine, Exponential, OneCycle, Plateau, Polynomial, Product, Sequence, Step, Warmup
from tests.oracle import torch

scheduler = torch.optim.lr_scheduler
STEPS = 40
COSINE = lambda o: scheduler.CosineAnnealingLR(o, STEPS)  # noqa: E731
CASES = {
    "step": (Step(drops=3, drop=0.5), lambda o: scheduler.StepLR(o, 10, 0.5)),
    "exponential": (Exponential(last=0.01), lambda o: scheduler.ExponentialLR(o, 0.01 ** (1 / (STEPS - 1)))),
    "polynomial": (Polynomial(power=2), lambda o: scheduler.PolynomialLR(o, STEPS, 2)),
    "cosine": (Cosine(), COSINE),
    "cosine, final": (Cosine(final=0.1), lambda o: scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1)),
    "restarts": (Cosine(restarts=3), lambda o: scheduler.CosineAnnealingWarmRestarts(o, 10)),
    "one cycle": (OneCycle(), lambda o: scheduler.OneCycleLR(o, 1.0, STEPS, cycle_momentum=False)),
    "product": (
        Product(schedules=("step:drops=3:drop=0.5", "exponential:last=0.1")),
        lambda o: scheduler.ChainedScheduler(
            [scheduler.StepLR(o, 10, 0.5), scheduler.ExponentialLR(o, 0.1 ** (1 / (STEPS - 1)))]
        ),
    ),
    "sequence": (
        Sequence(schedules=("constant", "polynomial:power=3"), shares=(0.25, 0.75)),
        lambda o: scheduler.SequentialLR(
            o, [scheduler.ConstantLR(o, 1.0), scheduler.PolynomialLR(o, 30, 3)], milestones=[10]
        ),
    ),
    "warmup": (Warmup(warmup=0.25), lambda o: scheduler.LinearLR(o, 0.1, total_iters=9)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_rates(name):
    ours, make = CASES[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs, expected = make(optimizer), []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    np.testing.assert_allclose([ours.factor(step, STEPS) for step in range(1, STEPS + 1)], expected, atol=1e-12)


@pytest.mark.parametrize("wait", [1, 2, 4])
def test_plateau(wait):
    losses = list(np.round(np.random.default_rng(0).exponential(size=60) + 20 / np.arange(1, 61), 2))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=wait - 1, threshold=0, eps=0)
    for taken, loss in enumerate(losses, start=1):
        theirs.step(loss)
        assert Plateau(wait=wait).scale(losses[:taken]) == optimizer.param_groups[0]["lr"]
    assert optimizer.param_groups[0]["lr"] < 0.1
