"""Gradients of several mini-batches in one step: as one large mini-batch, also with weights, penalties, resumption."""

from dataclasses import replace

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError
from chainrule.optim import SGD, Accumulation
from tests.samples import weights
from tests.train.test_resume import FIT, KilledError
from tests.train.test_trainer import make_trainer, weights_of

TEXTS = ["so good", "good fun today", "so bad", "bad luck", "fun and good luck", "no luck so bad", "dull"] * 9
LABELS = ["pos", "pos", "neg", "neg", "pos", "neg", "neg"] * 9
WEIGHTS = [1.0, 3.0, 0.5, 2.0, 1.0, 0.25, 4.0] * 9
#: All that a step does with gradients and weights; no dropout, which each mini-batch has its own of.
SETTINGS = {
    "plain": {},
    "penalties": {"l1": 0.001, "l2": 0.01, "clip": 0.1},
    "proximal": {"l1": 0.001, "proximal": True, "max_norm": 2.0, "average": 0.9},
    "groups": {"groups": ("embeddings=adagrad+0.5x", "layers.layers.3=frozen")},
    "adam": {"optimizer": "adam", "learning_rate": 0.01, "schedule": "linear"},
}


def trained(batch_size, accumulate, *, row_weights=None, engine="native", classes=None, **settings):
    learner = chainrule.FeedForward(dim=8, hidden=(6,), dropout=0.0, word_dropout=0.0, scale=5.0)
    table = chainrule.Table.from_lists(TEXTS, LABELS, weights=row_weights)
    given = {"optimizer": SGD(0.2), "schedule": "constant", "epochs": 3, **settings}
    training = chainrule.Training(batch_size=batch_size, accumulate=accumulate, **given)
    task = chainrule.Classify(class_weights=classes)
    return chainrule.fit(learner, table, table, task=task, training=training, seed=3, engine=engine, threads=1)


@pytest.mark.parametrize("settings", SETTINGS)
def test_it_is_one_large_mini_batch(settings):
    """63 rows: steps of 16 rows from 4, and a last one of 15 from 4, 4, 4 and 3."""
    large, small = (trained(*sizes, **SETTINGS[settings]) for sizes in ((16, 1), (4, 4)))
    assert [epoch.step for epoch in small.epochs] == [epoch.step for epoch in large.epochs] == [4, 8, 12]
    assert [x.learning_rate for x in small.epochs] == [x.learning_rate for x in large.epochs]
    expected, found = (run.model.network.named_parameters() for run in (large, small))
    for name, leaf in found.items():
        np.testing.assert_allclose(leaf.numpy(), expected[name].numpy(), rtol=2e-4, atol=2e-6, err_msg=name)
    for one, other in zip(small.epochs, large.epochs, strict=True):
        assert one.train == pytest.approx(other.train, rel=1e-4)


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_weights_of_rows_and_classes_count_as_in_one(engine):
    held = {"row_weights": WEIGHTS, "classes": {"pos": 3.0}, "engine": engine}
    large, small, plain = trained(20, 1, **held), trained(4, 5, **held), trained(4, 5, engine=engine)
    expected, found, other = (run.model.network.named_parameters() for run in (large, small, plain))
    for name, leaf in found.items():
        np.testing.assert_allclose(leaf.numpy(), expected[name].numpy(), rtol=2e-4, atol=2e-6, err_msg=name)
    assert not np.allclose(found["embeddings.table"].numpy(), other["embeddings.table"].numpy(), rtol=1e-3)


def test_each_mini_batch_has_its_own_dropout(two_classes, held_out):
    settings = {"optimizer": SGD(0.1), "batch_size": 8, "accumulate": 2}
    trainer = make_trainer("ffnn", two_classes, held_out, **settings)
    batch = trainer._next_batch()
    before = weights_of(trainer)
    losses = [trainer.run_batch(batch)["loss"]]
    assert (trainer.waits, trainer.state.step) == (True, 0)
    for name, array in weights_of(trainer).items():
        np.testing.assert_array_equal(array, before[name])
    losses.append(trainer.run_batch(batch)["loss"])
    assert (trainer.waits, trainer.state.step) == (False, 1)
    assert losses[0] != losses[1]


def test_validation_every_so_many_steps():
    run = trained(4, 4, every=3)
    assert [epoch.step for epoch in run.epochs] == [3, 6, 9, 12]
    assert [epoch.epoch for epoch in run.epochs] == [round(48 / 63, 4), round(1 + 32 / 63, 4), round(2 + 16 / 63, 4), 3]


def test_a_killed_training_goes_on_to_the_same_bits(monkeypatch, tmp_path):
    learner = chainrule.FeedForward(dim=8, hidden=(6,))
    table = chainrule.Table.from_lists(TEXTS, LABELS, weights=WEIGHTS)
    training = chainrule.Training(batch_size=4, accumulate=4, epochs=3, optimizer="adam", average=0.9)

    def run(name, **settings):
        return chainrule.fit(learner, table, table, training=training, seed=3, folder=tmp_path / name, **settings)

    run("whole")
    with monkeypatch.context() as patched:  # the checkpoint is of a step's second mini-batch, as it waits for others

        class Killing(FIT.Checkpointer):
            def batch_ended(self, trainer, batch, sums):
                if trainer.taken == 22:
                    assert trainer.waits
                    self.write(trainer)
                    raise KilledError

        patched.setattr(FIT, "Checkpointer", Killing)
        with pytest.raises(KilledError):
            run("killed")
    run("killed", resume=True)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


def test_lazy_updates_are_refused():
    with pytest.raises(ConfigurationError, match=r"^accumulate: gradients of several .* leave one of both out$"):
        trained(4, 2, optimizer=SGD(0.1, lazy=True))


def test_the_range_test_takes_the_same_steps():
    table = chainrule.Table.from_lists(TEXTS, LABELS)
    found = [
        chainrule.find_rate(
            chainrule.BagOfWords(),
            table,
            training=replace(chainrule.Training(epochs=10), batch_size=size, accumulate=several),
        )
        for size, several in ((16, 1), (4, 4))
    ]
    assert found[0].rates == found[1].rates
    np.testing.assert_allclose(found[0].losses[:20], found[1].losses[:20], rtol=1e-4)


@pytest.mark.parametrize("compiled", [False, True])
def test_row_sparse_gradients_are_added_row_by_row(compiled):
    table = chainrule.Parameter.of(np.arange(8.0).reshape(4, 2))
    accumulation = Accumulation([table])

    def add(ids):
        (gradient,) = chainrule.gradients(chainrule.gather(table, ids).sum(axis=1).mean(), [table])
        accumulation.add([gradient], 2)
        return gradient.rows

    def complete(ids):
        loss = chainrule.gather(table, ids).sum(axis=1).mean() * accumulation.part(1).astype("float32")
        return accumulation.completed(chainrule.gradients(loss, [table]), 1)

    if compiled:
        add, complete = chainrule.compile(add), chainrule.compile(complete)
    for _ in range(2):  # it begins anew
        add(np.array([1, 1]))
        add(np.array([3, 1]))
        (found,) = complete(np.array([0]))
        expected = np.array([[1.0, 1], [3, 3], [0, 0], [1, 1]]) / 5
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
        assert accumulation.weight.item() == 0
