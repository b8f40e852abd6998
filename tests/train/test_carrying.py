"""Carried states: contexts of a text are as one long window forward, learned from one by one, and gone on with."""

from itertools import pairwise

import numpy as np
import pytest

import chainrule
from chainrule.blocks import stop_gradient
from chainrule.data import Examples, Ragged
from chainrule.errors import ConfigurationError
from chainrule.graph.autodiff import dense, gradients
from chainrule.models import LEARNERS, Model
from chainrule.tasks import Continue
from chainrule.tasks.contexts import streams, stretches
from chainrule.train.trainer import Trainer
from tests.samples import weights
from tests.train.test_resume import FIT, KilledError

DRAWS = np.random.default_rng(0)
TEXTS = [" ".join(DRAWS.choice(["to", "be", "or", "not", "that", "is"], count)) for count in (60, 1, 25, 0)]
TABLE = chainrule.Table.from_lists(TEXTS)
TASK = Continue(context=7, carry_state=True)
NAMES = ["rnn", "gru", "lstm"]


def learner(name, **settings):
    return LEARNERS[name](**{"dim": 5, "size": 6, "layers": 2, "dropout": 0.0, **settings})


def fit(name="lstm", *, training=None, task=TASK, **settings):
    training = chainrule.Training(epochs=2, learning_rate=0.02, batch_size=3) if training is None else training
    return chainrule.fit(learner(name), TABLE, TABLE, task=task, training=training, seed=1, **settings)


def test_a_stretch_goes_on_where_the_one_before_it_ended():
    ids = Ragged(np.array([1, 5, 6, 7, 8, 1, 1, 1, 1, 9, 1], np.int32), np.array([0, 6, 8, 11]))
    cut = stretches(ids, 2)
    held = [np.split(cut.fields[name].ids, cut.fields[name].offsets[1:-1]) for name in ("ids", "following")]
    assert [x.tolist() for x in held[0]] == [[1, 5], [6, 7], [8], [1], [1, 9]]
    assert [x.tolist() for x in held[1]] == [[5, 6], [7, 8], [1], [1], [9, 1]]
    assert cut.array("carries").tolist() == [0, 1, 1, 0, 0]


@pytest.mark.parametrize(("rows", "size"), [(1, 1), (5, 1), (5, 8), (6, 3), (7, 3), (8, 3), (20, 6)])
def test_streams_have_every_row_once_each_behind_the_one_before(rows, size):
    examples = Examples({"row": np.arange(rows), "carries": np.ones(rows, np.float32)})
    batches = [(x.array("row").tolist(), x.array("carries").tolist()) for x in streams(examples, size)]
    assert sorted(row for held, _ in batches for row in held) == list(range(rows))
    assert len(batches) == -(-rows // min(size, rows))
    assert [len(held) for held, _ in batches[:-1]] == [min(size, rows)] * (len(batches) - 1)
    assert set(batches[0][1]) == {0.0}
    for (before, _), (held, carries) in pairwise(batches):
        assert held == [row + 1 for row in before[: len(held)]]
        assert set(carries) == {1.0}


@pytest.mark.parametrize(("name", "engine"), [*((name, "native") for name in NAMES), ("gru", "eager")])
def test_contexts_are_answered_as_one_long_window(name, engine):
    model = fit(name, training=chainrule.Training(epochs=1, batch_size=3)).model
    examples = model.codec.encode(TABLE, targets=True)
    assert examples.rows > 20
    found = model.responses(examples, engine=engine)
    whole = model.responses(model.codec.encode(TABLE, targets=False), engine=engine)
    ends = np.cumsum([len(text) + 2 for text in TEXTS]) - 1
    np.testing.assert_allclose(found, np.delete(whole, ends, 0), rtol=1e-4, atol=1e-5)
    few = model.responses(examples, engine=engine, batch_size=2)
    np.testing.assert_allclose(few, found, rtol=1e-5, atol=1e-6)
    evaluation = model.evaluate(TABLE, engine=engine)
    assert evaluation.tokens == len(found) == sum(len(text) + 1 for text in TEXTS)
    np.testing.assert_allclose(evaluation.log_probabilities.sum(), sum(model.predict(TEXTS)), rtol=1e-5)
    assert len(model.generate("to b", length=5)) <= 5


@pytest.mark.parametrize("name", NAMES)
def test_states_are_those_after_all_tokens_that_a_stream_has_had(name):
    """With a learning rate that changes no weight, training is a walk along the text."""
    training = chainrule.Training(epochs=1, learning_rate=1e-30, batch_size=3, optimizer="sgd", schedule="constant")
    model, examples = Model.untrained(learner(name), TASK, TABLE, seed=1)
    trainer = Trainer(model, training, examples, examples, seed=1)
    batches = list(streams(examples, 3))
    for batch in batches[:-1]:
        trainer.run_batch(batch)
    for stream in range(3):
        rows, goes_on = zip(
            *((x.fields["ids"].slice(stream, stream + 1).ids, x.array("carries")[stream]) for x in batches[:-1]),
            strict=True,
        )
        begun = max(i for i, carried in enumerate(goes_on) if not carried)  # a text may begin in a stream
        ids = np.concatenate(rows[begun:])
        _, states = model.network.carry(ids, np.array([0, len(ids)]), states=model.network.start(1))
        for leaf, state in zip(trainer.carried.states, states, strict=True):
            np.testing.assert_allclose(leaf.numpy()[stream], state.numpy()[0], rtol=1e-4, atol=1e-5)


def test_gradients_are_of_one_context_and_know_nothing_of_the_one_before():
    """Against the equations written out: the state is a number that does not depend on the weights."""
    training = chainrule.Training(epochs=1, learning_rate=0.1, batch_size=2, optimizer="sgd", schedule="constant")
    models = [Model.untrained(learner("gru"), TASK, TABLE, seed=1) for _ in range(2)]
    (model, examples), (other, _) = models
    trainer = Trainer(model, training, examples, examples, seed=1)
    states = other.network.start(2)
    for batch in list(streams(examples, 2))[:3]:
        trainer.run_batch(batch)
        arrays = batch.arrays()
        held = [x * arrays["carries"][:, None] for x in states]
        outputs, after = other.network.carry(arrays["ids"], arrays["offsets"], states=held)
        loss, _ = TASK.loss(outputs, {name: chainrule.tensor(x) for name, x in arrays.items()}, other.codec)
        states = [stop_gradient(x) for x in after]
        parameters = other.network.parameters()
        for leaf, slope in zip(parameters, gradients(loss, parameters), strict=True):
            leaf.assign(leaf.numpy() - np.float32(0.1) * dense(slope).numpy())
    for name, leaf in model.network.named_parameters().items():
        np.testing.assert_allclose(leaf.numpy(), other.network.named_parameters()[name].numpy(), rtol=2e-3, atol=2e-5)


def test_engines_and_threads_learn_the_same_and_what_is_carried_tells(tmp_path):
    runs = {
        name: fit(folder=tmp_path / name, **settings).folder
        for name, settings in {
            "one": {"threads": 1}, "two": {"threads": 2}, "eager": {"engine": "eager"},
            "anew": {"task": Continue(context=7)},
        }.items()
    }  # fmt: skip
    assert weights(runs["one"]) == weights(runs["two"])
    models = [Model.load(tmp_path / name) for name in ("one", "eager", "anew")]
    one, eager, anew = ({k: v.numpy() for k, v in x.network.named_parameters().items()} for x in models)
    for key, value in one.items():
        np.testing.assert_allclose(value, eager[key], rtol=5e-3, atol=5e-4)
    assert any((one[key] != anew[key]).any() for key in one)
    assert models[0].task.carry_state


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_killed_training_goes_on_to_the_same_bits(monkeypatch, tmp_path, accumulate):
    given = {"training": chainrule.Training(epochs=3, learning_rate=0.02, batch_size=3, accumulate=accumulate)}

    class Killing(FIT.Checkpointer):
        def batch_ended(self, trainer, batch, sums):
            if trainer.taken == 13:  # in the middle of a pass
                self.write(trainer)
                raise KilledError

    fit(folder=tmp_path / "whole", **given)
    with monkeypatch.context() as patched:
        patched.setattr(FIT, "Checkpointer", Killing)
        with pytest.raises(KilledError):
            fit(folder=tmp_path / "killed", **given)
    fit(folder=tmp_path / "killed", resume=True, **given)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")


@pytest.mark.parametrize("name", ["cnn", "transformer"])
def test_learners_without_a_state_are_refused(name):
    with pytest.raises(
        ConfigurationError, match=f"{name} gives .* needs one a next token with a state that is carried: use rnn or gru"
    ):
        chainrule.fit(LEARNERS[name](), TABLE, TABLE, task=TASK)
    network = Model.untrained(LEARNERS[name](), Continue(), TABLE, seed=0)[0].network
    with pytest.raises(ConfigurationError, match="carries no state from one stretch of a text to the next"):
        network.carry(np.array([1]), np.array([0, 1]), states=[])


def test_an_optimizer_that_reads_all_rows_is_refused():
    training = chainrule.Training(epochs=1, optimizer="lbfgs", batch_size="all")
    with pytest.raises(ConfigurationError, match="carry_state: the optimizer reads all rows at the same time"):
        fit(training=training)


def test_on_the_command_line(run, tmp_path):
    book = tmp_path / "book.txt"
    book.write_text(TEXTS[0] * 5, encoding="utf-8")
    options = ["--task", "continue", "--carry-state", "--learner", "gru", "--dim", "5", "--state-size", "6"]
    options += ["--context", "8", "--batch-size", "4", "--epochs", "2", "--quiet"]
    result = run("train", book, *options, "--out", tmp_path / "model")
    assert result.code == 0, result.error
    assert "carry_state = true" in (tmp_path / "model" / "settings.toml").read_text()
    assert "perplexity" in run("evaluate", tmp_path / "model", book).out
    assert run("generate", tmp_path / "model", "to be", "--length", "5").code == 0
    options[options.index("gru")] = "transformer"
    refused = run("train", book, *options[:5], "--out", tmp_path / "refused")
    assert refused.code == 2
    assert "use rnn or gru or lstm" in refused.error
