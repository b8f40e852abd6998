"""Hopeless runs: the median rule and successive halving on given curves, and what they are worth on made-up runs."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.experiment.search.stopping import STOPPING, Curve, Halving, Hopeless, Median, Never
from tests import samples


def curve(*values, epochs=None, stopped=False):
    """A curve with a value an epoch, of so many that it may take."""
    most = epochs or len(values)
    return Curve(tuple(((i + 1) / most, value) for i, value in enumerate(values)), stopped)


EARLIER = [curve(*(level + 0.1 * i for i in range(4))) for level in (0.1, 0.2, 0.3, 0.4, 0.5)]


def test_curves_at_a_share_of_the_epochs():
    held = curve(0.3, 0.5, 0.4, epochs=10)
    assert held.until(0.2) == [0.3, 0.5]
    assert held.until(0.05) == []
    assert held.best(0.25, higher=True) == 0.5
    assert held.best(0.1, higher=False) == 0.3
    assert held.best(0.05, higher=True) is None
    assert held.until(0.9) == [0.3, 0.5, 0.4]  # it ended by itself
    assert curve(0.3, 0.5, 0.4, epochs=10, stopped=True).until(0.3) == [0.3, 0.5, 0.4]
    assert curve(0.3, 0.5, 0.4, epochs=10, stopped=True).until(0.9) == []
    assert curve(float("nan"), 0.5).until(1) == [0.5]


def test_the_median_of_averages():
    """Averages until half of the epochs are 0.15, 0.25, 0.35, 0.45 and 0.55."""
    rule = Median()
    assert rule.reason(curve(0.0, 0.35, epochs=4), EARLIER, higher=True) is None
    reason = rule.reason(curve(0.34, 0.1, epochs=4), EARLIER, higher=True)
    assert reason == "0.34 after 50% of the epochs, worse than 0.35, the median of 5 runs"
    assert rule.reason(curve(0.36, 0.9, epochs=4), EARLIER, higher=False) is not None
    assert rule.reason(curve(0.34, 0.9, epochs=4), EARLIER, higher=False) is None


def test_the_median_has_a_warm_up_and_needs_runs():
    hopeless = curve(0.0, epochs=4)
    assert Median().reason(hopeless, EARLIER, higher=True) is not None
    assert Median(warmup=0.3).reason(hopeless, EARLIER, higher=True) is None
    assert Median().reason(hopeless, EARLIER[1:], higher=True) is None
    assert Median(least=4).reason(hopeless, EARLIER[1:], higher=True) is not None
    assert Median().reason(curve(0.0, 0.0, 0.0, 0.0), EARLIER, higher=True) is None  # it is over
    assert Median().reason(curve(float("nan"), epochs=4), EARLIER, higher=True) is None
    coarse = [curve(0.9), *EARLIER[1:]]  # nobody knows what the first was after a quarter
    assert Median().reason(hopeless, coarse, higher=True) is None


def test_halving_lets_the_best_third_go_on():
    """Of nine runs at a rung, with this one, three go on."""
    earlier = [curve(0.1 * level, 1.0, 1.0, epochs=9) for level in range(8)]
    rule = Halving(rungs=2)
    assert rule.reason(curve(0.55, epochs=9), earlier, higher=True) is None
    reason = rule.reason(curve(0.45, epochs=9), earlier, higher=True)
    assert reason == "0.45 after 11% of the epochs, place 4 of 9 there"
    assert rule.reason(curve(0.15, epochs=9), earlier, higher=False) is None
    assert rule.reason(curve(0.25, epochs=9), earlier, higher=False) is not None


def test_halving_asks_at_rungs_alone():
    earlier = [curve(*[1.0] * 9) for _ in range(8)]
    rule = Halving(rungs=2)
    asked = [n for n in range(1, 10) if rule.reason(curve(*[0.0] * n, epochs=9), earlier, higher=True)]
    assert asked == [1, 3]
    assert Halving(rungs=1).reason(curve(0.0, epochs=9), earlier, higher=True) is None
    assert Halving(factor=2).reason(curve(0.0, epochs=2), earlier, higher=True) is not None  # three rungs at once
    assert Halving().reason(curve(0.0), earlier, higher=True) is None  # it is over


def test_halving_compares_with_those_that_came_to_the_rung():
    there = [curve(0.5, 0.5, 0.5, epochs=9) for _ in range(2)]
    gone = [curve(0.9, epochs=9, stopped=True) for _ in range(6)]
    rule = Halving(rungs=2)
    assert rule.reason(curve(0.6, 0.6, 0.6, epochs=9), [*there, *gone], higher=True) is None
    assert rule.reason(curve(0.4, 0.4, 0.4, epochs=9), [*there, *gone], higher=True) is not None
    assert rule.reason(curve(0.4, 0.4, 0.4, epochs=9), [*there[:1], *gone], higher=True) is None  # two are too few


def test_nobody_is_stopped_unless_asked_for():
    assert not Never().stops
    assert Never().reason(curve(0.0, epochs=4), EARLIER, higher=True) is None
    assert isinstance(STOPPING.make("none"), Never)
    assert STOPPING.make("halving:factor=4,rungs=2") == Halving(factor=4.0, rungs=2)
    with pytest.raises(ConfigurationError, match="there is no rule for stopping 'medain'; did you mean 'median'"):
        STOPPING.make("medain")


@pytest.mark.parametrize("rule", [Median(), Halving()])
def test_rules_save_epochs_and_keep_the_best(rule):
    """Of 64 made-up runs whose levels differ more than their noise, few epochs are spent, and a good one is found."""
    draws = np.random.default_rng(0)
    levels = draws.uniform(0.3, 0.9, 64)
    curves, spent, ended = [], 0, []
    for generation in range(8):
        earlier = list(curves)
        for level in levels[8 * generation : 8 * generation + 8]:
            values = level * (1 - np.exp(-np.arange(1, 28) / 6)) + draws.normal(0, 0.01, 27)
            length = next(
                (n for n in range(1, 28) if rule.reason(curve(*values[:n], epochs=27), earlier, higher=True)), 27
            )
            curves.append(curve(*values[:length], epochs=27, stopped=length < 27))
            spent += length
            ended += [level] if length == 27 else []
    assert spent < 0.8 * 64 * 27
    assert max(ended) >= sorted(levels)[-3]


def test_a_training_is_stopped(two_classes, held_out):
    """A run that learns nothing is stopped with the reason; a run that learns goes on."""
    earlier = tuple(curve(0.69, 0.68, 0.6) for _ in range(5))
    watch = Hopeless(Median(), "loss", higher=False, earlier=earlier)
    for rate, stopped in ((1e-7, True), (0.03, False)):
        setup = samples.setup("bow", learning_rate=rate, epochs=3)
        run = chainrule.fit(train=two_classes, valid=held_out, observers=[watch], **setup)
        assert run.stopped.startswith("hopeless: loss 0.6931 after 33% of the epochs, worse than 0.69") == stopped
        assert (len(run.epochs) == 1) == stopped
        read = Curve.of_record(run.record, "loss", stopped=stopped)
        assert read == Curve.of(run.epochs, "loss", 3, stopped=stopped)
