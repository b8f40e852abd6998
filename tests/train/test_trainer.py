"""The trainer as a building block: the loop, what observers see, and how it ends."""

import io
import json
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest

import chainrule
from chainrule.errors import DivergenceError
from chainrule.models import Model
from chainrule.tasks import Classification
from chainrule.train import Observer, Trainer
from chainrule.train.checkpoint import Checkpointer
from chainrule.train.observers import EarlyStopping, Progress, Recorder
from chainrule.train.record import Record
from chainrule.train.trainer import Epoch
from tests import samples
from tests.samples import LEARNERS, at_step, poison


def make_trainer(name, train, valid, *observers, seed=0, engine="native", **changes):
    held = samples.setup(name, **changes)
    model, examples = Model.untrained(held["learner"], held["task"], train, seed=seed)
    validation = model.codec.encode(valid, targets=True)
    return Trainer(model, held["training"], examples, validation, seed=seed, observers=observers, engine=engine)


def weights_of(trainer):
    return {name: parameter.numpy().copy() for name, parameter in trainer.named_parameters.items()}


def same_weights(one, other):
    assert list(one) == list(other)
    for name, weights in one.items():
        np.testing.assert_array_equal(weights, other[name], err_msg=name)


class Diary(Observer):
    """Writes down what it is told."""

    def __init__(self):
        self.events = []
        self.sums = []
        self.batches = []

    def training_started(self, trainer):
        self.events.append("start")

    def batch_ended(self, trainer, batch, sums):
        assert set(sums) == {"weight", "loss", "accuracy"}
        assert np.isfinite(sums["loss"])
        assert 0 <= sums["accuracy"] <= sums["weight"] == batch.rows
        assert sums["accuracy"] == int(sums["accuracy"])
        self.batches.append(batch)
        self.sums.append(sums)

    def epoch_ended(self, trainer, epoch):
        assert trainer.history[-1] is epoch
        self.events.append(epoch.number)

    def training_ended(self, trainer):
        self.events.append(trainer.stopped)


class Halt(Observer):
    """Halts once the training accuracy is high enough."""

    def __init__(self, accuracy):
        self.accuracy = accuracy

    def epoch_ended(self, trainer, epoch):
        return f"accuracy {self.accuracy} reached" if epoch.train["accuracy"] >= self.accuracy else None


@pytest.mark.parametrize("name", list(LEARNERS))
def test_it_learns_and_tells_its_observers(two_classes, held_out, name):
    diary = Diary()
    trainer = make_trainer(name, two_classes, held_out, diary, epochs=4)
    trainer.run()
    assert diary.events == ["start", 1, 2, 3, 4, "all epochs done"]
    assert sum(sums["weight"] for sums in diary.sums) == 4 * len(two_classes)
    assert [epoch.step for epoch in trainer.history] == [15, 30, 45, 60]  # 240 texts in batches of 16
    assert [epoch.epoch for epoch in trainer.history] == [1, 2, 3, 4]
    assert trainer.history[-1].train["loss"] < trainer.history[0].train["loss"]
    assert trainer.history[-1].valid["accuracy"] > 0.85


def test_training_measures_are_means_over_what_was_seen(two_classes, held_out):
    """Of batches that differ in size, each row counts the same."""
    diary = Diary()
    trainer = make_trainer("ffnn", two_classes, held_out, diary, epochs=2, batch_size=100)
    trainer.run()
    for epoch, sums in zip(trainer.history, (diary.sums[:3], diary.sums[3:]), strict=True):
        assert [each["weight"] for each in sums] == [100, 100, 40]
        assert set(epoch.train) == {"loss", "accuracy"}
        for name, value in epoch.train.items():
            assert value == pytest.approx(sum(each[name] for each in sums) / 240, rel=1e-12)


def test_a_step_counts_what_the_network_got_right(two_classes, held_out):
    """Loss and accuracy of a step are those of the outputs before it."""
    trainer = make_trainer("bow", two_classes, held_out)
    for rows in (range(16), range(16, 25)):
        batch = trainer.train.take(np.array(rows))
        evaluation = trainer.task.evaluate(trainer.model.responses(batch), batch, trainer.model.codec)
        sums = trainer.run_batch(batch)
        assert sums["weight"] == len(rows)
        assert sums["loss"] / len(rows) == pytest.approx(evaluation.loss, rel=1e-5)
        assert sums["accuracy"] == round(evaluation.accuracy * len(rows))


def test_an_epoch_says_what_the_model_does(two_classes, held_out):
    """Validation figures are those of `evaluate`."""
    trainer = make_trainer("bow", two_classes, held_out, epochs=1)
    trainer.run()
    (epoch,) = trainer.history
    evaluation = chainrule.evaluate(trainer.model, held_out)
    assert set(epoch.valid) == {"loss", "accuracy", "macro_f1"}
    assert epoch.valid["accuracy"] == evaluation.accuracy
    assert epoch.valid["macro_f1"] == evaluation.macro_f1
    assert epoch.valid["loss"] == pytest.approx(evaluation.loss)
    assert epoch.learning_rate == 0.03
    assert epoch.seconds > 0
    assert epoch.examples_per_second == pytest.approx(240 / epoch.seconds)


@pytest.mark.parametrize("value", [0.1234567890123456789, 1e-300, 3.0, float("nan")])
def test_an_epoch_comes_back_from_its_line(value):
    """Through JSON, to the last bit."""
    train, valid = {"loss": value, "accuracy": 0.5}, {"loss": 0.25, "macro_f1": value, "of_all_r2": -value}
    epoch = Epoch(7, 2.4, 12, train, valid, 0.03, 1.5, 160.125)
    line = json.loads(json.dumps(epoch.as_line(), allow_nan=False))
    again = Epoch.of_line(line, 7)
    for one, other in zip(asdict(epoch).items(), asdict(again).items(), strict=True):
        np.testing.assert_equal(one, other)
    assert {"kind", "epoch", "step", "train_loss", "train_accuracy", "valid_loss", "valid_macro_f1"} <= set(line)
    assert {"valid_of_all_r2", "learning_rate", "seconds", "examples_per_second"} <= set(line)


def test_an_observer_may_halt_it(two_classes, held_out):
    trainer = make_trainer("bow", two_classes, held_out, Halt(0.9), epochs=50)
    trainer.run()
    assert trainer.stopped == "accuracy 0.9 reached"
    assert len(trainer.history) < 50
    assert trainer.history[-1].train["accuracy"] >= 0.9
    assert all(epoch.train["accuracy"] < 0.9 for epoch in trainer.history[:-1])


def test_it_goes_on_when_it_is_run_again(two_classes, held_out):
    """Halted and run on, it comes to the same weights as one that was not."""
    halted = make_trainer("ffnn", two_classes, held_out, Halt(0), epochs=4)
    halted.run()
    assert len(halted.history) == 1
    halted.observers, halted.stopped = (), None
    halted.run()
    straight = make_trainer("ffnn", two_classes, held_out, epochs=4)
    before = weights_of(straight)
    straight.run()
    assert len(halted.history) == 4
    same_weights(weights_of(halted), weights_of(straight))
    assert all((weights != before[name]).any() for name, weights in weights_of(straight).items())


@pytest.mark.parametrize("step", [1, 7, 16])
@pytest.mark.parametrize("moment", ["before the step", "after the step"])
def test_it_goes_on_where_ctrl_c_stopped_it(two_classes, held_out, monkeypatch, step, moment):
    """In the middle of an epoch: each mini-batch is learned from once, and the epoch is that of a straight training."""
    straight = make_trainer("ffnn", two_classes, held_out, epochs=2)
    straight.run()
    trainer = make_trainer("ffnn", two_classes, held_out, epochs=2)
    if moment == "before the step":
        with monkeypatch.context() as patch:
            at_step(patch, step, samples.interrupt)
            trainer.run()
    else:
        trainer.observers = [interrupt_after(step)]
        trainer.run()
    assert trainer.stopped == "interrupted"
    assert trainer.state.step == (step - 1 if moment == "before the step" else step)
    trainer.observers, trainer.stopped = (), None
    trainer.run()
    same_weights(weights_of(trainer), weights_of(straight))
    assert [epoch.step for epoch in trainer.history] == [15, 30]
    assert [epoch.train for epoch in trainer.history] == [epoch.train for epoch in straight.history]
    assert [epoch.valid for epoch in trainer.history] == [epoch.valid for epoch in straight.history]


def test_every_text_is_seen_once_an_epoch_in_another_order(two_classes, held_out, monkeypatch):
    trainer = make_trainer("bow", two_classes, held_out, epochs=2, batch_size=100)
    trainer.train.fields["row"] = np.arange(240)  # no step reads it
    taken = []
    run_batch = trainer.run_batch
    monkeypatch.setattr(trainer, "run_batch", lambda batch: taken.append(batch) or run_batch(batch))
    trainer.run()
    rows = [batch.array("row") for batch in taken]
    assert [len(batch) for batch in rows] == [100, 100, 40] * 2
    first, second = np.concatenate(rows[:3]), np.concatenate(rows[3:])
    assert sorted(first) == sorted(second) == list(range(240))
    assert first.tolist() != second.tolist()
    again = make_trainer("bow", two_classes, held_out, diary := Diary(), epochs=2, batch_size=100)
    again.run()
    for one, other in zip(taken, diary.batches, strict=True):  # the seed tells the order
        np.testing.assert_array_equal(one.fields["ids"].ids, other.fields["ids"].ids)


def run_early_stopping(losses, patience, **changes):
    """The trainer after epochs with these validation losses, or up to where it was stopped."""

    class Given(Trainer):
        def run_epoch(self):
            number = len(self.history) + 1
            self.position.passes = number
            self.parameters[0].assign(np.full(self.parameters[0].shape, number))
            valid = {"loss": losses[number - 1], "accuracy": 0.5, "macro_f1": 0.5}
            return Epoch(number, number, number, {"loss": 1, "accuracy": 0.5}, valid, 0.1, 1, 1)

    table = chainrule.Table.from_lists(["a", "b"], ["x", "y"])
    made = make_trainer("bow", table, table, epochs=len(losses), **changes)
    trainer = Given(
        made.model, made.training, made.train, made.valid, seed=0, observers=[EarlyStopping(patience)], engine="eager"
    )
    trainer.run()
    return trainer


@pytest.mark.parametrize(
    ("losses", "patience", "epochs", "best", "reason"),
    [
        ([5, 4, 3, 2], 1, 4, 4, "all epochs done"),
        ([5, 4, 6, 3], 1, 3, 2, "no better validation loss for 1 epochs"),
        ([5, 4, 6, 3, 7, 7], 2, 6, 4, "no better validation loss for 2 epochs"),
        ([5, 5, 5, 5], 2, 3, 1, "no better validation loss for 2 epochs"),  # as good is not better
    ],
)
def test_early_stopping(losses, patience, epochs, best, reason):
    trainer = run_early_stopping(losses, patience)
    assert len(trainer.history) == epochs
    assert trainer.stopped == reason
    assert trainer.restore_best() is trainer.history[best - 1]
    assert (trainer.parameters[0].numpy() == best).all()


def test_early_stopping_counts_validations_where_they_are_not_epochs():
    trainer = run_early_stopping([5, 4, 6, 6, 3], 2, every=1)
    assert trainer.stopped == "no better validation loss for 2 validations"
    assert (len(trainer.history), trainer.best[0].number) == (4, 2)


def test_early_stopping_watches_what_the_task_names(two_classes, held_out, monkeypatch):
    """The measure is the task's: here its accuracy, of which less is better to a task that says so."""
    monkeypatch.setattr(chainrule.Classify, "monitor", "accuracy")
    trainer = make_trainer("bow", two_classes, held_out, EarlyStopping(1), epochs=20)
    trainer.run()
    assert trainer.stopped == "no better validation accuracy for 1 epochs"
    found = [epoch.valid["accuracy"] for epoch in trainer.history]
    assert found[-1] >= found[-2]
    assert all(one > other for one, other in pairwise(found[:-1]))
    assert trainer.best[0].number == len(found) - 1


def test_without_a_finished_epoch_there_is_no_best(two_classes, held_out):
    trainer = make_trainer("bow", two_classes, held_out)
    before = weights_of(trainer)
    assert trainer.restore_best() is None
    same_weights(weights_of(trainer), before)


def test_the_best_weights_are_those_of_their_epoch(two_classes, held_out):
    """They do not change while training goes on, and come back to the bit."""

    class Remember(Observer):
        turn = Observer.KEEPS

        def __init__(self):
            self.weights = []

        def epoch_ended(self, trainer, epoch):
            self.weights.append(weights_of(trainer))

    changes = {"epochs": 6, "learning_rate": 0.3, "dropout": 0.0, "word_dropout": 0.0}
    remember = Remember()
    trainer = make_trainer("ffnn", two_classes, held_out, EarlyStopping(6), remember, **changes)
    trainer.run()
    losses = [epoch.valid["loss"] for epoch in trainer.history]
    best = int(np.argmin(losses))
    assert best < 5  # else nothing would be told
    assert trainer.restore_best() is trainer.history[best]
    same_weights(weights_of(trainer), remember.weights[best])
    assert chainrule.evaluate(trainer.model, held_out).loss == pytest.approx(losses[best])


def test_ctrl_c_while_the_best_weights_are_kept(two_classes, held_out, monkeypatch):
    """After any of the arrays: all are of one epoch then, and training has ended."""
    for number in range(1, 6):
        trainer = make_trainer("ffnn", two_classes, held_out, EarlyStopping(6), epochs=6)
        real, copied = np.copyto, []

        def copy(target, source, copied=copied, number=number, real=real):
            copied.append(1)
            real(target, source)
            if len(copied) == 5 + number:  # 5 parameters in the first epoch
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(np, "copyto", copy)
            trainer.run()
        assert (trainer.stopped, len(trainer.history), trainer.best[0].number) == ("interrupted", 2, 2)
        assert len(copied) == 5 + number + 5
        kept = {name: array.copy() for name, array in trainer.best[1].items()}
        for name, parameter in trainer.named_parameters.items():
            np.testing.assert_array_equal(kept[name], parameter.numpy())


def test_ctrl_c_between_a_validation_and_its_comparison(two_classes, held_out, monkeypatch):
    """The epoch is in the record, so its weights are kept where they are the best."""
    trainer = make_trainer("ffnn", two_classes, held_out, EarlyStopping(6), epochs=6)
    real = trainer.rescale

    def rescale():
        real()
        if len(trainer.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "rescale", rescale)
    trainer.run()
    assert trainer.history[1].valid["loss"] < trainer.history[0].valid["loss"]
    assert (trainer.stopped, trainer.best[0].number) == ("interrupted", 2)
    for name, parameter in trainer.named_parameters.items():
        np.testing.assert_array_equal(trainer.best[1][name], parameter.numpy())


def test_the_best_weights_take_the_memory_of_those_before(two_classes, held_out):
    class Look(Observer):
        turn = Observer.KEEPS

        def __init__(self):
            self.seen = []

        def epoch_ended(self, trainer, epoch):
            self.seen.append([array.ctypes.data for array in trainer.best[1].values()])

    look = Look()
    trainer = make_trainer("ffnn", two_classes, held_out, EarlyStopping(3), look, epochs=3)
    trainer.run()
    assert trainer.best[0].number > 1
    assert look.seen[0] == look.seen[1] == look.seen[2]


def interrupt_after(step):
    class Interrupt(Observer):
        def batch_ended(self, trainer, batch, sums):
            if trainer.state.step == step:
                raise KeyboardInterrupt

    return Interrupt()


@pytest.mark.parametrize("epoch", [1, 3])
def test_ctrl_c_ends_it_quietly(two_classes, held_out, epoch):
    diary = Diary()
    step = 15 * (epoch - 1) + 7
    trainer = make_trainer("bow", two_classes, held_out, interrupt_after(step), diary, epochs=9)
    trainer.run()
    assert trainer.stopped == "interrupted"
    assert trainer.state.step == step
    assert len(trainer.history) == epoch - 1
    assert diary.events[-1] == "interrupted"


def test_divergence_names_step_and_epoch(two_classes, held_out, monkeypatch):
    trainer = make_trainer("bow", two_classes, held_out, diary := Diary(), epochs=9)
    at_step(monkeypatch, 20, poison)
    with pytest.raises(DivergenceError) as caught:
        trainer.run()
    message = "the loss became nan at step 20 (epoch 2); lower the learning rate, which is 0.03"
    assert str(caught.value) == trainer.stopped == diary.events[-1] == message
    assert isinstance(caught.value, ArithmeticError)


@pytest.mark.parametrize(("every", "when"), [(None, r"after step 15 \(epoch 1\)"), (6, r"after step 6 \(epoch 0.4\)")])
def test_divergence_in_validation(two_classes, held_out, monkeypatch, every, when):
    trainer = make_trainer("bow", two_classes, held_out, epochs=9, every=every)
    nothing = np.full((len(held_out), 2), np.nan, np.float32)
    monkeypatch.setattr(trainer.model, "responses", lambda examples, engine: nothing)
    with pytest.raises(DivergenceError, match=f"the validation loss became nan {when}; lower the learning rate"):
        trainer.run()


def test_progress_says_a_line_an_epoch(two_classes, held_out):
    stream = io.StringIO()
    trainer = make_trainer("bow", two_classes, held_out, EarlyStopping(2), Progress(stream), epochs=2)
    trainer.run()
    *lines, last = stream.getvalue().splitlines()
    for line, epoch in zip(lines, trainer.history, strict=True):
        train, valid = epoch.train, epoch.valid
        assert line == (
            f"epoch {epoch.epoch}: train loss {train['loss']:.4f}, accuracy {train['accuracy']:.3f}; "
            f"validation loss {valid['loss']:.4f}, accuracy {valid['accuracy']:.3f}; "
            f"{epoch.examples_per_second:,.0f} examples/s (best so far)"
        )
    assert last == "stopped after epoch 2: all epochs done"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_draws_a_bar_on_a_terminal(two_classes, held_out):
    stream = Terminal()
    make_trainer("bow", two_classes, held_out, Progress(stream), epochs=1).run()
    assert "epoch 1/1" in stream.getvalue()
    assert "accuracy" in stream.getvalue()


def bars(stream):
    """What bars say before their first step: their epochs, and the examples until they are full."""
    drawn = [line for line in stream.getvalue().split("\r") if ":   0%|" in line]
    return [(line.partition(":")[0].strip(), int(line.partition("| 0/")[2].partition(" ")[0])) for line in drawn]


def test_a_bar_is_full_when_the_epoch_ends(two_classes, held_out):
    stream = Terminal()
    make_trainer("bow", two_classes, held_out, Progress(stream), epochs=2).run()
    assert bars(stream) == [("epoch 1/2", 240), ("epoch 2/2", 240)]


def test_bars_of_validations_name_the_epoch_and_are_full_at_each(two_classes, held_out):
    """15 steps an epoch and a validation every 6 steps: 96 texts, 96, and 48 that are left."""
    stream = Terminal()
    diary = Diary()
    trainer = make_trainer("bow", two_classes, held_out, Progress(stream), diary, epochs=2, every=6)
    trainer.run()
    assert diary.events[1:-1] == list(range(1, len(trainer.history) + 1))
    steps = [0, *(epoch.step for epoch in trainer.history)]
    expected = [
        (f"epoch {1 if last < 15 else 2}/2", sum(sums["weight"] for sums in diary.sums[last:step]))
        for last, step in pairwise(steps)
    ]
    assert bars(stream) == expected


def test_training_goes_on_when_nobody_listens(two_classes, held_out):
    """It takes the same steps as a training that is watched, or that nobody watches."""

    class Closed(io.StringIO):
        writes = 0

        def write(self, text):
            Closed.writes += 1
            raise BrokenPipeError

    trainer = make_trainer("bow", two_classes, held_out, Progress(Closed()), epochs=2)
    trainer.run()
    assert Closed.writes  # it was told
    assert trainer.stopped == "all epochs done"
    silent = make_trainer("bow", two_classes, held_out, epochs=2)
    start = weights_of(silent)
    silent.run()
    assert [(x.train, x.valid) for x in trainer.history] == [(x.train, x.valid) for x in silent.history]
    same_weights(weights_of(trainer), weights_of(silent))
    assert all((weights != start[name]).any() for name, weights in weights_of(trainer).items())


def test_the_recorder_writes_epochs_and_the_end(two_classes, held_out):
    record = Record([{"kind": "run"}])
    trainer = make_trainer("bow", two_classes, held_out, EarlyStopping(2), Recorder(record), epochs=2)
    trainer.run()
    assert [line["kind"] for line in record.lines] == ["run", "epoch", "epoch", "end"]
    assert record.lines[1:3] == [epoch.as_line() for epoch in trainer.history]
    end = {"kind": "end", "reason": "all epochs done", "best_epoch": trainer.best[0].epoch}
    assert end.items() <= record.lines[-1].items()


@pytest.mark.parametrize("name", list(LEARNERS))
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_batches_of_empty_texts_do_no_harm(name, optimizer):
    """A batch without a single token is a step too: it trains the biases alone, and the others still learn."""
    table = chainrule.Table.from_lists(["", "good", "", "bad", " ", "?"] * 4, ["x", "x", "y", "y", "x", "y"] * 4)
    diary = Diary()
    trainer = make_trainer(name, table, table, diary, epochs=2, batch_size=1, optimizer=optimizer)
    before = weights_of(trainer)
    trainer.run()
    empty = [batch for batch in diary.batches if not len(batch.fields["ids"].ids)]
    assert len(empty) >= 24  # three of six texts, in two epochs
    after = weights_of(trainer)
    assert all(np.isfinite(weights).all() for weights in after.values())
    assert all((weights != before[key]).any() for key, weights in after.items())
    assert trainer.state.step == len(diary.batches) == 48
    one_step = make_trainer(name, table, table, batch_size=1, optimizer=optimizer)
    start = weights_of(one_step)
    one_step.run_batch(empty[0])
    changed = {key for key, weights in weights_of(one_step).items() if (weights != start[key]).any()}
    assert changed
    assert all(key.endswith("bias") for key in changed)


@pytest.mark.parametrize("name", list(LEARNERS))
def test_native_validation_is_eager_validation(two_classes, held_out, name):
    """Batch by batch, with a last one that is smaller, and after each epoch with the weights it left."""
    runs = [samples.fit(name, two_classes, held_out, seed=0, engine=engine) for engine in ("native", "eager")]
    assert [len(run.epochs) for run in runs] == [3, 3]
    for native, eager in zip(*(run.epochs for run in runs), strict=True):
        assert native.train["loss"] == pytest.approx(eager.train["loss"], rel=1e-4)
        assert native.train["accuracy"] == pytest.approx(eager.train["accuracy"], abs=1.5 / len(two_classes))
        assert native.valid["loss"] == pytest.approx(eager.valid["loss"], rel=1e-4)
        assert native.valid["accuracy"] == pytest.approx(eager.valid["accuracy"], abs=1.5 / len(held_out))
    native, eager = (chainrule.evaluate(runs[0].model, held_out, engine=engine) for engine in ("native", "eager"))
    assert isinstance(native, Classification)
    assert native.loss == pytest.approx(eager.loss, rel=1e-5)
    np.testing.assert_array_equal(native.confusion, eager.confusion)


@pytest.mark.parametrize("batch_size", [1, 7, 16, 59, 1000])
def test_three_traces_serve_a_whole_training(two_classes, held_out, batch_size):
    """All sizes of mini-batches, the last of each epoch too; sizes of 1 are another program."""
    trainer = make_trainer("bow", two_classes, held_out, epochs=4, batch_size=batch_size)
    trainer.run()
    assert trainer.state.step == 4 * -(-240 // batch_size)
    assert 1 <= trainer.native_step.stats()["programs"] <= (3 if batch_size > 1 else 8)


class Asked(Observer):
    """Writes down that it was asked, and what there was to see."""

    def __init__(self, name, turn, log, reason=None):
        self.name, self.turn, self.log, self.reason = name, turn, log, reason

    def training_started(self, trainer):
        self.log.append(("start", self.name))

    def batch_ended(self, trainer, batch, sums):
        self.log.append(("batch", self.name))

    def epoch_ended(self, trainer, epoch):
        self.log.append(("epoch", self.name))
        return self.reason

    def training_ended(self, trainer):
        self.log.append(("end", self.name))


TURNS = (Observer.DECIDES, Observer.RECORDS, Observer.SHOWS, Observer.KEEPS)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 4, 0, 3, 1)])
def test_observers_are_asked_by_their_turn_however_they_are_listed(two_classes, held_out, order):
    """Those of one turn in the order in which they are listed."""
    log = []
    turns = [*TURNS, Observer.SHOWS]
    names = ["decides", "records", "shows", "keeps", "shows too"]
    observers = [Asked(names[i], turns[i], log) for i in order]
    trainer = make_trainer("bow", two_classes, held_out, *observers, epochs=1, batch_size=240)
    trainer.run()
    shows = [names[i] for i in order if turns[i] == Observer.SHOWS]
    expected = ["decides", "records", *shows, "keeps"]
    assert log == [(event, name) for event in ("start", "batch", "epoch", "end") for name in expected]


def test_the_observers_of_the_package_decide_then_record_then_show_then_keep():
    assert list(TURNS) == sorted(set(TURNS))
    assert [kind.turn for kind in (EarlyStopping, Recorder, Progress, Checkpointer)] == list(TURNS)
    assert Observer.turn == Observer.SHOWS


@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_shown_and_kept_knows_what_was_decided(two_classes, held_out, reverse):
    """However they are listed: the line says which epoch is best, and what is kept, that it is the last."""

    class Keep(Observer):
        turn = Observer.KEEPS

        def epoch_ended(self, trainer, epoch):
            self.content = trainer.stopped, trainer.best[0].number, record.lines[1:]

    record, stream, keep = Record([{"kind": "run"}]), io.StringIO(), Keep()
    observers = [EarlyStopping(1), Recorder(record), Progress(stream), keep]
    trainer = make_trainer(
        "ffnn", two_classes, held_out, *(reversed(observers) if reverse else observers), epochs=30, learning_rate=0.3
    )
    trainer.run()
    assert trainer.stopped == "no better validation loss for 1 epochs"
    lines = [epoch.as_line() for epoch in trainer.history]
    assert keep.content == (trainer.stopped, trainer.best[0].number, lines)
    lines = stream.getvalue().splitlines()[:-1]
    best = np.minimum.accumulate([epoch.valid["loss"] for epoch in trainer.history])
    assert [line.endswith("(best so far)") for line in lines] == [
        epoch.valid["loss"] == least and (i == 0 or least < best[i - 1])
        for i, (epoch, least) in enumerate(zip(trainer.history, best, strict=True))
    ]


def test_all_observers_are_asked_also_when_one_stops_it(two_classes, held_out):
    log = []
    observers = [Asked("first", Observer.DECIDES, log, "enough"), Asked("second", Observer.SHOWS, log)]
    trainer = make_trainer("bow", two_classes, held_out, *observers, epochs=5)
    trainer.run()
    assert trainer.stopped == "enough"
    assert len(trainer.history) == 1
    assert [event for event in log if event[0] != "batch"] == [
        (event, name) for event in ("start", "epoch", "end") for name in ("first", "second")
    ]


def positions(trainer):
    """What steps and validations there were."""
    return [(epoch.number, epoch.step, epoch.epoch) for epoch in trainer.history]


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (None, [(1, 15, 1), (2, 30, 2)]),
        (15, [(1, 15, 1), (2, 30, 2)]),
        (5, [(1, 5, 0.3333), (2, 10, 0.6667), (3, 15, 1), (4, 20, 1.3333), (5, 25, 1.6667), (6, 30, 2)]),
        (1, [(step, step, round(step / 15, 4)) for step in range(1, 31)]),
    ],
)
def test_validations_every_so_many_steps(two_classes, held_out, every, expected):
    trainer = make_trainer("bow", two_classes, held_out, epochs=2, every=every)
    trainer.run()
    assert positions(trainer) == expected
    assert trainer.stopped == "all epochs done"


@pytest.mark.parametrize("every", [7, 20])
def test_steps_between_validations_are_those_asked_for(two_classes, held_out, every):
    """Also where they do not divide the steps of an epoch, 15, or are more; the last validation ends the training."""
    trainer = make_trainer("bow", two_classes, held_out, epochs=3, every=every)
    trainer.run()
    assert [epoch.step for epoch in trainer.history] == [*range(every, 45, every), 45]


def test_validations_change_no_step(two_classes, held_out):
    """However often there are any, the weights are the same; measures are of the steps since the last."""
    plain = make_trainer("ffnn", two_classes, held_out, diary := Diary(), epochs=2)
    plain.run()
    for every in (1, 4, 5, 15):
        trainer = make_trainer("ffnn", two_classes, held_out, epochs=2, every=every)
        trainer.run()
        same_weights(weights_of(trainer), weights_of(plain))
        steps = [0, *(epoch.step for epoch in trainer.history)]
        for epoch, (last, step) in zip(trainer.history, pairwise(steps), strict=True):
            sums = diary.sums[last:step]
            weight = sum(each["weight"] for each in sums)
            for name, value in epoch.train.items():
                assert value == pytest.approx(sum(each[name] for each in sums) / weight, rel=1e-12)
        found = {epoch.step: epoch.valid for epoch in trainer.history}
        assert found[30] == plain.history[-1].valid
        assert found.get(15, plain.history[0].valid) == plain.history[0].valid
