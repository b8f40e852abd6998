"""Schedules of learning rates: by hand, eagerly, compiled, over rows that wait, and through a whole training."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import chainrule
from chainrule import Parameter, gradients, tensor
from chainrule.errors import ConfigurationError, SettingError
from chainrule.optim import SCHEDULES, SGD, Adam, Constant, Linear, Plateau, Product, Schedule, Sequence
from chainrule.settings import setting
from tests import samples
from tests.optim.test_deferred import Training as Lookup
from tests.optim.test_deferred import zipf
from tests.samples import as_table, make_rows


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 1000])
def test_every_schedule_gives_shares_of_the_learning_rate(name, steps):
    schedule = SCHEDULES.make(name)
    found = [schedule.factor(step, steps) for step in range(1, steps + 1)]
    assert all(math.isfinite(x) and 0 <= x <= 1 for x in found)
    assert max(found) == 1 or name == "product"
    assert found == [SCHEDULES.make(schedule.settings()).factor(step, steps) for step in range(1, steps + 1)]


def test_linear_follows_its_equation():
    found = [Linear(warmup=0.2).factor(step, 10) for step in range(1, 11)]
    expected = [1 / 2, 2 / 2, *(k / 9 for k in range(8, 0, -1))]
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_without_a_warmup_linear_begins_at_the_learning_rate():
    assert [Linear(warmup=0).factor(step, 4) for step in range(1, 5)] == [1, 0.75, 0.5, 0.25]


@pytest.mark.parametrize("warmup", [-0.1, 1, True, "0.1"])
def test_a_warmup_is_a_share(warmup):
    with pytest.raises(SettingError, match="linear: warmup must be a number of 0 or more and below 1"):
        Linear(warmup=warmup)


@pytest.mark.parametrize("compiled", [False, True])
def test_steps_follow_the_schedule(compiled):
    """By hand; a compiled step is compiled once for all rates."""
    weight, rule, schedule = Parameter.of([1.0, -2.0], dtype="float64"), SGD(0.5), Linear(warmup=0.3)
    state = rule.start([weight])

    def step(x):
        loss = (weight * weight * x).sum()
        rule.step([weight], gradients(loss, [weight]), state, learning_rate=lambda n: 0.5 * schedule.factor(n, 8))
        return loss

    run = chainrule.compile(step) if compiled else step
    expected = np.array([1.0, -2.0])
    for number in range(1, 9):
        x = np.array([0.3, 0.1]) * number
        run(tensor(x, "float64"))
        rises = math.ceil(0.3 * 8)
        share = number / rises if number <= rises else (9 - number) / (9 - rises)
        expected = expected - 0.5 * share * 2 * expected * x
        np.testing.assert_allclose(weight.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("rule", [Adam(1e-2), SGD(0.05, momentum=0.9)], ids=["adam", "momentum"])
def test_rows_that_wait_see_all_rates_that_passed(rule):
    """As the learning rate rises and falls to almost zero, deferred rows are those of the dense rule."""
    steps, schedule = 400, Linear()

    def rate(step):
        return rule.learning_rate * schedule.factor(step, steps)

    deferred, dense = (Lookup(rule, "float64", compiled=compiled, schedule=rate) for compiled in (True, False))
    for ids, weights in zipf(steps, 60, 3, 8, seed=1):
        deferred.take(ids, weights)
        dense.take(ids, weights)
    for one, other in zip(deferred.everything, dense.everything, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-9)


TABLES = as_table(make_rows(80)), as_table(make_rows(40, seed=1))


def rates(run):
    return [epoch.learning_rate for epoch in run.epochs]


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_a_training_writes_down_its_learning_rates(engine):
    """Of the last step of each epoch: 80 rows in mini-batches of 16 are 5 steps a pass, of 20."""
    run = samples.fit("bow", *TABLES, epochs=4, patience=9, schedule=Linear(warmup=0.1), seed=1, engine=engine)
    expected = [0.03 * (21 - step) / 19 for step in (5, 10, 15, 20)]
    np.testing.assert_allclose(rates(run), expected, rtol=1e-12)
    assert run.record[0]["training"]["schedule"] == {"name": "linear", "warmup": 0.1}


def test_both_engines_follow_the_same_schedule():
    settings = {"epochs": 4, "patience": 9, "schedule": "linear", "seed": 1}
    native, eager = (samples.fit("ffnn", *TABLES, engine=engine, **settings) for engine in ("native", "eager"))
    for one, other in zip(native.model.network.parameters(), eager.model.network.parameters(), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3, atol=1e-4)


def test_a_constant_rate_is_the_rate_itself():
    run = samples.fit("bow", *TABLES, epochs=3, schedule="constant", seed=1)
    assert rates(run) == [0.03] * 3


def test_epochs_and_schedule_suit_learner_and_rows():
    bow, ffnn, mlp = chainrule.BagOfWords(), chainrule.FeedForward(), chainrule.MultilayerPerceptron()
    training = chainrule.Training()
    assert training.resolved(bow).epochs is None  # rows are not known yet
    assert training.resolved(bow, rows=64 * 1000).epochs == bow.passes
    assert training.resolved(ffnn, rows=64 * 1000).epochs == ffnn.passes
    assert training.resolved(bow, rows=64 * 10).epochs == bow.steps / 10  # few rows are read more often
    assert training.resolved(bow, rows=3).epochs == 100
    assert training.resolved(bow, rows=3).schedule == Linear()
    assert training.resolved(mlp, rows=64 * 1000).epochs == 100
    assert training.resolved(mlp, rows=64 * 1000).schedule == Constant()
    assert chainrule.Training(schedule="constant").resolved(bow, rows=64 * 1000).epochs == 100
    with_adam = chainrule.Training(optimizer="adam").resolved(bow, rows=64 * 1000)
    assert (with_adam.schedule, with_adam.epochs) == (Constant(), 100)  # its rates are for early stopping
    assert chainrule.Training(epochs=7).resolved(bow, rows=64 * 1000).epochs == 7
    resolved = training.resolved(bow, rows=640)
    assert resolved.resolved(bow, rows=640) == resolved
    assert chainrule.Training(**resolved.settings()) == resolved


def test_a_rate_is_known_only_once_it_is_found():
    with pytest.raises(ConfigurationError, match="has no learning rate yet"):
        chainrule.Training().rate(1, 10)
    assert chainrule.Training().resolved(chainrule.BagOfWords()).rate(10, 10) < 0.2


def test_a_schedule_of_ones_own():
    """One class in a file of its own, and trainings know it by its name."""

    @dataclass(frozen=True, kw_only=True)
    class Halving(Schedule):
        name: ClassVar[str] = "halving"
        every: int = setting(5, "steps", least=1)

        def factor(self, step, steps):
            return 0.5 ** ((step - 1) // self.every)

    run = samples.fit("bow", *TABLES, epochs=3, schedule=Halving(), seed=1)
    assert rates(run) == [0.03, 0.015, 0.0075]
    assert run.record[0]["training"]["schedule"] == {"name": "halving", "every": 5}


@pytest.mark.parametrize("schedule", ["cosinus", 3, {"name": "lin"}])
def test_a_schedule_that_there_is_not(schedule):
    with pytest.raises(ConfigurationError, match=r"there is no schedule"):
        chainrule.Training(schedule=schedule)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Product(schedules=("warmup", "one-cycle")),
            "product: schedules contradict each other: warmup and one-cycle both rise at the beginning",
        ),
        (lambda: Product(schedules=("cosine",)), "product: schedules must be two or more, got 1"),
        (lambda: Product(schedules=("cosin", "step")), "there is no schedule 'cosin'; did you mean 'cosine'"),
        (lambda: Product(schedules=("cosine:restart=2", "step")), "no setting 'restart'; did you mean 'restarts'"),
        (lambda: Product(schedules=("cosine:restarts=-1", "step")), "restarts must be a whole number of 0 or more"),
        (lambda: Product(schedules=("product", "step")), "product: schedules must be simple ones, got product"),
        (lambda: Sequence(schedules=("step", "cosine"), shares=(1.0,)), "shares must be numbers above 0 and below 1"),
        (lambda: Sequence(schedules=("step", "cosine"), shares=(0.5,)), "must be one for each of 2 schedules, got 1"),
        (lambda: Sequence(schedules=("step", "cosine"), shares=(0.5, 0.6)), "shares must add up to 1, got 1.1"),
        (lambda: Sequence(schedules=("step", "plateau"), shares=(0.5, 0.5)), "plateau ends with no step; multiply it"),
    ],
)
def test_schedules_that_contradict_each_other(make, message):
    with pytest.raises(SettingError, match=message):
        make()


def test_a_plateau_that_early_stopping_forestalls_is_refused():
    training = chainrule.Training(schedule=Plateau(wait=3), patience=3)
    with pytest.raises(SettingError, match="plateau: wait must be below the patience, 3: training would stop before"):
        training.resolved(chainrule.BagOfWords())


def test_the_rate_halves_when_validation_gets_no_better():
    run = samples.fit("bow", *TABLES, epochs=12, patience=12, schedule=Plateau(wait=1), seed=1, learning_rate=0.5)
    losses = [epoch.valid["loss"] for epoch in run.epochs]
    assert rates(run) == [0.5 * Plateau(wait=1).scale(losses[:taken]) for taken in range(len(losses))]
    assert rates(run)[-1] < 0.5
