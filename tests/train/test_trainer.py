"""The trainer as a building block: the loop, what observers see, and how it ends."""

import io

import numpy as np
import pytest

import chainrule
from chainrule.errors import DivergenceError
from chainrule.models import TextClassifier
from chainrule.train import Observer, Trainer
from chainrule.train.observers import EarlyStopping, Progress, Recorder
from chainrule.train.record import Record
from chainrule.train.trainer import Epoch, Examples
from tests.samples import LEARNERS, at_step, bag_of_words, feed_forward, poison


def make_trainer(learner, train, valid, *observers, seed=0):
    model = TextClassifier.untrained(learner, train, seed=seed)
    examples = [Examples(model.encode(table.texts), model.encode_labels(table)) for table in (train, valid)]
    return Trainer(model, *examples, seed=seed, observers=observers)


class Diary(Observer):
    """Writes down what it is told."""

    def __init__(self):
        self.events = []
        self.examples = 0

    def training_started(self, trainer):
        self.events.append("start")

    def batch_ended(self, trainer, examples, loss, correct):
        assert np.isfinite(loss)
        assert 0 <= correct <= examples
        self.examples += examples

    def epoch_ended(self, trainer, epoch):
        assert trainer.history[-1] is epoch
        self.events.append(epoch.epoch)

    def training_ended(self, trainer):
        self.events.append(trainer.stopped)


class Halt(Observer):
    """Halts once the training accuracy is high enough."""

    def __init__(self, accuracy):
        self.accuracy = accuracy

    def epoch_ended(self, trainer, epoch):
        if epoch.train_accuracy >= self.accuracy:
            trainer.stopped = f"accuracy {self.accuracy} reached"


@pytest.mark.parametrize("name", list(LEARNERS))
def test_it_learns_and_tells_its_observers(two_classes, held_out, name):
    diary = Diary()
    trainer = make_trainer(LEARNERS[name](epochs=4), two_classes, held_out, diary)
    trainer.run()
    assert diary.events == ["start", 1, 2, 3, 4, "all epochs done"]
    assert diary.examples == 4 * len(two_classes)
    assert [epoch.step for epoch in trainer.history] == [15, 30, 45, 60]  # 240 texts in batches of 16
    assert trainer.history[-1].train_loss < trainer.history[0].train_loss
    assert trainer.history[-1].valid_accuracy > 0.85


def test_an_epoch_says_what_the_model_does(two_classes, held_out):
    """Validation figures are those of `evaluate`."""
    trainer = make_trainer(bag_of_words(epochs=1), two_classes, held_out)
    trainer.run()
    (epoch,) = trainer.history
    evaluation = chainrule.evaluate(trainer.model, held_out)
    assert epoch.valid_accuracy == evaluation.accuracy
    assert epoch.valid_macro_f1 == evaluation.macro_f1
    assert epoch.valid_loss == pytest.approx(evaluation.loss)
    assert epoch.learning_rate == 0.03
    assert epoch.seconds > 0
    assert epoch.examples_per_second > 0


def test_an_observer_may_halt_it(two_classes, held_out):
    trainer = make_trainer(bag_of_words(epochs=50), two_classes, held_out, Halt(0.9))
    trainer.run()
    assert trainer.stopped == "accuracy 0.9 reached"
    assert len(trainer.history) < 50
    assert trainer.history[-1].train_accuracy >= 0.9


def test_it_goes_on_when_it_is_run_again(two_classes, held_out):
    """Halted and run on, it comes to the same weights as one that was not."""
    halted = make_trainer(feed_forward(epochs=4), two_classes, held_out, Halt(0))
    halted.run()
    assert len(halted.history) == 1
    halted.observers, halted.stopped = (), None
    halted.run()
    straight = make_trainer(feed_forward(epochs=4), two_classes, held_out)
    straight.run()
    assert len(halted.history) == 4
    for one, other in zip(halted.parameters, straight.parameters, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_every_text_is_seen_once_an_epoch_in_another_order(two_classes, held_out, monkeypatch):
    trainer = make_trainer(bag_of_words(epochs=2, batch_size=100), two_classes, held_out)
    rows = []
    step = trainer.step
    monkeypatch.setattr(trainer, "step", lambda batch, epoch: rows.append(batch.rows) or step(batch, epoch))
    trainer.run()
    assert [len(batch) for batch in rows] == [100, 100, 40] * 2
    first, second = np.concatenate(rows[:3]), np.concatenate(rows[3:])
    assert sorted(first) == sorted(second) == list(range(240))
    assert first.tolist() != second.tolist()


def run_early_stopping(losses, patience):
    """The trainer after epochs with these validation losses, or up to where it was stopped."""

    class Given(Trainer):
        def run_epoch(self):
            number = len(self.history) + 1
            self.parameters[0].assign(np.full(self.parameters[0].shape, number))
            return Epoch(number, number, 1, 0.5, losses[number - 1], 0.5, 0.5, 0.1, 1, 1)

    table = chainrule.Table.from_lists(["a", "b"], ["x", "y"])
    trainer = make_trainer(bag_of_words(epochs=len(losses)), table, table)
    trainer = Given(trainer.model, trainer.train, trainer.valid, seed=0, observers=[EarlyStopping(patience)])
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


def test_without_a_finished_epoch_there_is_no_best(two_classes, held_out):
    trainer = make_trainer(bag_of_words(), two_classes, held_out)
    before = [x.numpy().copy() for x in trainer.parameters]
    assert trainer.restore_best() is None
    for parameter, weights in zip(trainer.parameters, before, strict=True):
        np.testing.assert_array_equal(parameter.numpy(), weights)


def interrupt_at(epoch):
    class Interrupt(Observer):
        def batch_ended(self, trainer, examples, loss, correct):
            if len(trainer.history) == epoch - 1 and trainer.state.step % 15 == 7:
                raise KeyboardInterrupt

    return Interrupt()


@pytest.mark.parametrize("epoch", [1, 3])
def test_ctrl_c_ends_it_quietly(two_classes, held_out, epoch):
    diary = Diary()
    trainer = make_trainer(bag_of_words(epochs=9), two_classes, held_out, interrupt_at(epoch), diary)
    trainer.run()
    assert trainer.stopped == "interrupted"
    assert len(trainer.history) == epoch - 1
    assert diary.events[-1] == "interrupted"


def test_divergence_names_step_and_epoch(two_classes, held_out, monkeypatch):
    trainer = make_trainer(bag_of_words(epochs=9), two_classes, held_out, diary := Diary())
    at_step(monkeypatch, 20, poison)
    with pytest.raises(DivergenceError) as caught:
        trainer.run()
    message = "the loss became nan at step 20 (epoch 2); lower the learning rate, which is 0.03"
    assert str(caught.value) == trainer.stopped == diary.events[-1] == message
    assert isinstance(caught.value, ArithmeticError)


def test_divergence_in_validation(two_classes, held_out, monkeypatch):
    trainer = make_trainer(bag_of_words(epochs=9), two_classes, held_out)
    nothing = np.full((len(held_out), 2), np.nan, np.float32)
    monkeypatch.setattr(trainer.model, "probabilities", lambda bags, eager: nothing)
    with pytest.raises(DivergenceError, match=r"the validation loss became nan after step 15 \(epoch 1\)"):
        trainer.run()


def test_progress_says_a_line_an_epoch(two_classes, held_out):
    stream = io.StringIO()
    trainer = make_trainer(bag_of_words(epochs=2), two_classes, held_out, EarlyStopping(2), Progress(stream))
    trainer.run()
    first, second, last = stream.getvalue().splitlines()
    epoch = trainer.history[0]
    assert first.startswith(f"epoch 1: train loss {epoch.train_loss:.4f}, accuracy {epoch.train_accuracy:.3f}; valid")
    assert first.endswith("examples/s (best so far)")
    assert second.startswith("epoch 2: ")
    assert last == "stopped after epoch 2: all epochs done"


def test_progress_draws_a_bar_on_a_terminal(two_classes, held_out):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    make_trainer(bag_of_words(epochs=1), two_classes, held_out, Progress(stream)).run()
    assert "epoch 1/1" in stream.getvalue()
    assert "accuracy" in stream.getvalue()


def test_training_goes_on_when_nobody_listens(two_classes, held_out):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    trainer = make_trainer(bag_of_words(epochs=2), two_classes, held_out, Progress(Closed()))
    trainer.run()
    assert len(trainer.history) == 2


def test_the_recorder_writes_epochs_and_the_end(two_classes, held_out):
    record = Record([{"kind": "run"}])
    trainer = make_trainer(bag_of_words(epochs=2), two_classes, held_out, EarlyStopping(2), Recorder(record))
    trainer.run()
    assert [line["kind"] for line in record.lines] == ["run", "epoch", "epoch", "end"]
    assert record.lines[1] == trainer.history[0].as_line()
    assert record.lines[-1] == {"kind": "end", "reason": "all epochs done", "best_epoch": trainer.best[0].epoch}


@pytest.mark.parametrize("name", list(LEARNERS))
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_batches_of_empty_texts_do_no_harm(name, optimizer):
    """A batch without a single token is a step too."""
    table = chainrule.Table.from_lists(["", "good", "", "bad", " ", "?"] * 4, ["x", "x", "y", "y", "x", "y"] * 4)
    trainer = make_trainer(LEARNERS[name](epochs=2, batch_size=1, optimizer=optimizer), table, table)
    trainer.run()
    assert all(np.isfinite(x.numpy()).all() for x in trainer.parameters)


@pytest.mark.parametrize("name", list(LEARNERS))
def test_compiled_validation_is_eager_validation(two_classes, held_out, name):
    """Batch by batch, with a last one that is smaller, and after each epoch with the weights it left."""
    learner = LEARNERS[name](epochs=3)
    runs = [chainrule.fit(learner, two_classes, held_out, seed=0, eager=eager) for eager in (False, True)]
    for compiled, eager in zip(*(run.epochs for run in runs), strict=True):
        assert compiled.valid_loss == pytest.approx(eager.valid_loss, rel=1e-4)
        assert compiled.valid_accuracy == pytest.approx(eager.valid_accuracy, abs=1.5 / len(held_out))
    compiled, eager = (chainrule.evaluate(runs[0].model, held_out, eager=eager) for eager in (False, True))
    assert compiled.loss == pytest.approx(eager.loss, rel=1e-5)
    np.testing.assert_array_equal(compiled.confusion, eager.confusion)
