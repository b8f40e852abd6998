"""Steps whose results a device computes later: figures, checkpoints and errors are as if they were read at once.

The engine here is the native one that says its results arrive later: no XLA needs to compile.
"""

import re

import numpy as np
import pytest

import chainrule
from chainrule.engines import ENGINES, Native
from chainrule.errors import DivergenceError
from chainrule.train.epoch import Position
from chainrule.train.observer import Observer
from chainrule.train.sums import BEHIND, Pace, Sums
from tests import samples
from tests.samples import at_step, timeless


class Later(Native):
    """As native, and nobody waits for a step."""

    name = "later"
    later = True


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    monkeypatch.setitem(ENGINES, "later", Later())


class Unread(Observer):
    """How many of the last steps were not read when the next one ended."""

    def __init__(self):
        self.seen = []
        self.numbers = []

    def batch_ended(self, trainer, batch, sums):
        self.seen.append(sums)
        self.numbers.append(sum(not each.known for each in self.seen))


def sums(loss, weight=4):
    def require(value):
        if not np.isfinite(value):
            raise DivergenceError(f"{value}")

    return Sums(weight, chainrule.tensor(loss), {"right": chainrule.tensor(3)}, require)


def test_sums_are_read_when_someone_looks():
    one = sums(0.5)
    assert not one.known
    assert dict(one) == {"weight": 4, "loss": 2.0, "right": 3}
    assert one.known
    with pytest.raises(DivergenceError, match="nan"):
        len(sums(np.nan))


def test_an_engine_that_computes_later_is_a_few_steps_ahead():
    at_once, later = Pace(later=False), Pace(later=True)
    assert at_once.begun(sums(1.0)).known
    begun = [later.begun(sums(1.0)) for _ in range(5)]
    assert [each.known for each in begun] == [True] * (5 - BEHIND) + [False] * BEHIND
    later.begun(sums(np.nan))
    later.begun(sums(1.0))
    with pytest.raises(DivergenceError, match="nan"):
        later.begun(sums(1.0))


def test_a_position_adds_up_in_order_what_is_known():
    position, given = Position(), [sums(0.1), sums(1e8), sums(0.7)]
    for each in given:
        position.advance(4, each, 1.0)
    assert (position.steps, position.sums) == (3, {})
    given[1].read()
    position.advance(4, sums(0.3), 1.0)
    assert position.sums == {}
    given[0].read()
    position.advance(4, sums(0.2), 1.0)
    assert position.sums["weight"] == 8
    exact = 0.0
    for each in (0.1, 1e8, 0.7, 0.3, 0.2):
        exact += float(np.float32(each)) * 4
    assert position.settled().sums == {"weight": 20, "loss": exact, "right": 15}


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2, "every": 3}])
def test_the_record_and_the_weights_are_the_same(two_classes, held_out, tmp_path, settings):
    runs, unread = [], []
    for engine in ("native", "later"):
        observer, place = Unread(), {"folder": tmp_path / engine, "engine": engine, "seed": 1}
        setup = samples.setup("bow", epochs=2, **settings)
        runs.append(chainrule.fit(train=two_classes, valid=held_out, observers=[observer], **setup, **place))
        unread.append(max(observer.numbers))
    assert timeless(runs[0].record[1:]) == timeless(runs[1].record[1:])
    assert samples.weights(runs[0].folder) == samples.weights(runs[1].folder)
    assert unread[0] == 0 < unread[1] <= BEHIND


def kill(_):
    raise OSError("killed")


def test_a_checkpoint_has_all_sums(two_classes, held_out, tmp_path, monkeypatch):
    """Killed in the middle of an epoch, a training goes on to the same record."""
    whole = samples.fit("bow", two_classes, held_out, epochs=2, engine="later")
    monkeypatch.setattr("chainrule.train.checkpoint.INTERVAL", 0.0)
    monkeypatch.setattr("chainrule.train.checkpoint.SHARE", np.inf)
    settings = {"epochs": 2, "engine": "later", "folder": tmp_path / "m"}
    with monkeypatch.context() as patch:
        at_step(patch, 6, kill)
        with pytest.raises(OSError, match="killed"):
            samples.fit("bow", two_classes, held_out, **settings)
    again = samples.fit("bow", two_classes, held_out, resume=True, **settings)
    assert timeless(again.record) == timeless(whole.record)


def test_a_loss_that_is_none_names_its_own_step_and_block(two_classes, held_out):
    """It is found when later steps are begun; the step that is told, and taken again, is the one that had it."""
    told = {}
    for engine in ("native", "later"):
        with pytest.raises(DivergenceError) as caught:
            samples.fit("ffnn", two_classes, held_out, optimizer="sgd", learning_rate=1e38, engine=engine)
        told[engine] = str(caught.value)
        assert caught.value.batch == int(re.search(r"at step (\d+) ", told[engine])[1])
    assert told["native"] == told["later"]
    assert "the first block that made one, forward, is " in told["later"]


class Interrupted(Observer):
    """Ctrl-C after a step whose loss nobody has read."""

    def batch_ended(self, trainer, batch, sums):
        if trainer.state.step == 6:
            assert not sums.known
            raise KeyboardInterrupt


@pytest.mark.parametrize(("act", "error"), [(samples.poison, DivergenceError), (lambda _: None, KeyboardInterrupt)])
def test_what_is_not_read_when_the_user_interrupts_is_read_then(two_classes, held_out, monkeypatch, act, error):
    at_step(monkeypatch, 6, act)
    given = {"engine": "later", "observers": [Interrupted()], "diagnostics": False, **samples.setup("bow")}
    with pytest.raises(error) as caught:
        chainrule.fit(train=two_classes, valid=held_out, **given)
    assert ("nan at step 6" in str(caught.value)) == (error is DivergenceError)
