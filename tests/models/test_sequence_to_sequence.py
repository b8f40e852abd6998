"""Sequence to sequence: its equations, step by step and at once, what it learns, saves and goes on with."""

import dataclasses
import importlib

import numpy as np
import pytest

import chainrule
from chainrule import tensor
from chainrule.data.layout import SEQUENCE, Sizes
from chainrule.engines import engine_named
from chainrule.models import LEARNERS, Model
from chainrule.train.checkpoint import Checkpointer

DRAWS = np.random.default_rng(0)
WORDS = ["".join(DRAWS.choice(list("abcd"), DRAWS.integers(1, 5))) for _ in range(120)]
#: Letters to capitals: in their order, or from the end to the beginning.
ORDERS = {"copy": 1, "reverse": -1}
TABLES = {
    name: chainrule.Table.from_lists(WORDS, [" ".join(word[::step].upper()) for word in WORDS], target="text")
    for name, step in ORDERS.items()
}
TASK = chainrule.Transduce(inputs=chainrule.Source(source_unit="characters"), target_unit="symbols", beam=3)
SMALL = {
    "seq2seq": {"dim": 6, "size": 5, "dropout": 0.1},
    "transformer": {
        "dim": 6, "model_size": 8, "heads": 2, "inner_size": 10, "layers": 1, "dropout": 0.1, "inner_dropout": 0.1
    },
}  # fmt: skip
VARIANTS = {
    "luong": {},
    "bahdanau": {"attention": "bahdanau"},
    "none": {"attention": "none"},
    "gru": {"cell": "gru", "bidirectional": False, "tie_embeddings": True},
    "layers": {"layers": 2, "tie_embeddings": True},
    "variational": {"layers": 2, "variational": True, "recurrent_dropout": 0.3, "dropout": 0.2},
    "transformer": {"name": "transformer"},
    "learned": {"name": "transformer", "positions": "learned", "most_positions": 9, "norm_first": False},
    "rotary": {"name": "transformer", "positions": "rotary", "layers": 2},
}
IDS, OFFSETS = np.array([2, 3, 0, 0, 4, 3, 2, 0], np.int64), np.array([0, 3, 4, 8])
WRITTEN, WRITTEN_OFFSETS = np.array([3, 0, 2, 3, 4, 0, 0], np.int64), np.array([0, 2, 6, 7])


def made(name="seq2seq", **settings):
    return LEARNERS[name](**{**SMALL[name], **settings})


def fit(epochs=2, table="copy", task=TASK, **settings):
    running = {name: settings.pop(name) for name in ("engine", "threads", "folder", "resume") if name in settings}
    training = chainrule.Training(epochs=epochs, learning_rate=settings.pop("learning_rate", 0.01), batch_size=16)
    return chainrule.fit(
        made(**settings), TABLES[table], TABLES[table], task=task, training=training, seed=1, **running
    )


def weights(model):
    return {name: np.array(x.numpy()) for name, x in model.network.named_parameters().items()}


def network(**settings):
    return made(**settings).network(Sizes(outputs=5, entries=6), SEQUENCE, np.random.default_rng(3))


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


@pytest.mark.parametrize("attention", ["luong", "bahdanau"])
def test_the_outputs_are_the_equations(attention):
    """Attention by its definition, text by text; the recurrent layers have tests of their own."""
    held = network(bidirectional=False, attention=attention)
    found = held(IDS, OFFSETS, WRITTEN, WRITTEN_OFFSETS).numpy()
    parts = []
    for i in range(3):
        ids, written = IDS[OFFSETS[i] : OFFSETS[i + 1]], WRITTEN[WRITTEN_OFFSETS[i] : WRITTEN_OFFSETS[i + 1]]
        memory, last = held.encoder[0](held.source(ids), [0, len(ids)])
        first = [np.tanh(bridge(state).numpy()) for bridge, state in zip(held.bridges[0], last, strict=True)]
        x = held.target([0, *written[:-1]])
        states, _ = held.decoder[0](x, [0, len(written)], first)
        keys = held.keys(memory).numpy()
        for state in states.numpy():
            scores = keys @ state
            if attention == "bahdanau":
                scores = np.tanh(held.queries(state[None]).numpy() + keys) @ held.score.numpy()
            context = softmax(scores) @ memory.numpy()
            attentional = np.tanh(held.combine(np.concatenate([state, context])[None]).numpy())
            parts.append(held.output(attentional).numpy()[0] + held.bias.numpy())
    np.testing.assert_allclose(found, parts, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "engine"),
    [*((variant, "eager") for variant in VARIANTS), ("luong", "native"), ("bahdanau", "native"), ("rotary", "native")],
)
def test_step_by_step_it_gives_what_it_gives_at_once(variant, engine):
    held = network(**VARIANTS[variant])
    together = held(IDS, OFFSETS, WRITTEN, WRITTEN_OFFSETS).numpy()
    compiled = engine_named(engine).compile
    start, step = compiled(held.start, ragged=True), compiled(held.step, ragged=True)
    read = [x.numpy() for x in start(IDS, OFFSETS)]
    memory, states = read[: held.memories], read[held.memories :]
    lengths, found = np.diff(WRITTEN_OFFSETS), np.zeros_like(together)
    for place in range(lengths.max()):  # texts that have ended take one more step, which nobody reads
        at = np.minimum(WRITTEN_OFFSETS[:-1] + place, WRITTEN_OFFSETS[1:] - 1)
        last = WRITTEN[at - 1] if place else np.zeros(3, np.int64)
        outputs, *states = (x.numpy() for x in step(last, np.arange(4), OFFSETS, *memory, *states))
        for i in np.flatnonzero(place < lengths):
            found[at[i]] = outputs[i]
    np.testing.assert_allclose(found, together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", ["luong", "bahdanau", "gru", "variational", "transformer"])
def test_engines_learn_the_same(variant):
    found = [fit(epochs=1, engine=engine, threads=1, **VARIANTS[variant]) for engine in ("native", "eager")]
    native, eager = (weights(run.model) for run in found)
    for name in native:
        if not name.endswith("input_bias") or variant != "transformer":  # no score depends on that of keys
            np.testing.assert_allclose(native[name], eager[name], rtol=2e-3, atol=3e-4)
    assert found[0].best.valid["loss"] == pytest.approx(found[1].best.valid["loss"], rel=1e-3)


def test_variational_dropout_drops_the_same_numbers_in_all_units_of_a_text():
    """Against each text by itself, with masks that are drawn once a text."""
    held = network(bidirectional=False, attention="none", variational=True, recurrent_dropout=0.4, dropout=0.5)
    key = chainrule.Key.of(seed=3)
    found = held(IDS, OFFSETS, WRITTEN, WRITTEN_OFFSETS, key=key).numpy()

    def masks(size, rate, place):
        return chainrule.dropout(np.ones((3, size), np.float32), rate, key.at(place)).numpy()

    source, target, outward = masks(6, 0.5, 0), masks(6, 0.5, 1), masks(5, 0.5, 2)
    reading, writing = masks(5, 0.4, 1000), masks(5, 0.4, 2000)
    assert all(len(np.unique(x)) == 2 for x in (source, target, outward, reading, writing))
    parts = []
    for i in range(3):
        ids, written = IDS[OFFSETS[i] : OFFSETS[i + 1]], WRITTEN[WRITTEN_OFFSETS[i] : WRITTEN_OFFSETS[i + 1]]
        x = held.source(ids) * source[i]
        _, last = held.encoder[0](x, [0, len(ids)], state_mask=np.tile(reading[i], (len(ids), 1)))
        first = [chainrule.tanh(bridge(state)) for bridge, state in zip(held.bridges[0], last, strict=True)]
        x = held.target([0, *written[:-1]]) * target[i]
        states, _ = held.decoder[0](x, [0, len(written)], first, state_mask=np.tile(writing[i], (len(written), 1)))
        outputs = held.output(chainrule.tanh(held.combine(states)) * outward[i])
        parts.append(outputs.numpy() + held.bias.numpy())
    np.testing.assert_allclose(found, np.concatenate(parts), rtol=1e-4, atol=1e-5)


def test_a_few_programs_of_a_transformer_write_all_texts(monkeypatch):
    """However many rows are left of a beam, and however many units were read; states have room for 16, and for 32."""
    monkeypatch.setattr(chainrule.tasks.transduce, "ROWS", 36)
    model = fit(name="transformer", epochs=1).model
    task = dataclasses.replace(model.task, longest=20)
    examples = model.codec.encode_few([*WORDS, "abcd" * 5])
    found = task.write(model, examples, "native")
    sizes = {len(x.ids) for texts in found for x in texts}
    assert len(sizes) > 3
    steps = {name: held.stats()["programs"] for (name, _), held in model._compiled.items() if name.startswith("step")}
    assert steps.keys() <= {"step, room 16", "step, room 32"}
    assert sum(steps.values()) < 25
    again = task.write(model, examples, "native")
    assert again == found
    assert {k: v.stats()["programs"] for (k, _), v in model._compiled.items() if k.startswith("step")} == steps


def test_same_seed_same_bits_at_any_number_of_threads():
    first, second = (weights(fit(threads=threads).model) for threads in (1, 2))
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("variant", ["luong", "none", "transformer"])
def test_a_text_is_answered_alike_in_any_batch_and_after_loading(variant, tmp_path):
    model = fit(folder=tmp_path / "model", **VARIANTS[variant]).model
    texts = [*WORDS[:20], "", "z"]
    together = list(model.answers(texts))
    alone = [next(model.answers([text])) for text in texts]
    loaded = list(Model.load(tmp_path / "model").answers(texts))
    eager = list(model.answers(texts, engine="eager"))
    for answers in (alone, loaded, eager):
        assert [[x.ids for x in answer.found] for answer in answers] == [[x.ids for x in y.found] for y in together]
        for answer, other in zip(answers, together, strict=True):
            np.testing.assert_allclose(
                [x.score for x in answer.found], [x.score for x in other.found], rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize("table", ORDERS)
def test_it_learns_to_copy_and_to_reverse(table):
    run = fit(epochs=30, table=table, size=24, dim=12, dropout=0.0, learning_rate=0.02)
    assert run.best.valid["loss"] < 0.1
    found = run.model.evaluate(TABLES[table])
    assert found.exact_match > 0.95
    assert found.token_error_rate < 0.02
    assert found.forced.exact_match == run.best.valid["exact_match"]
    assert run.model.predict(["dab"]) == [" ".join("DAB"[:: ORDERS[table]])]


def test_the_likeliest_units_are_those_of_a_beam_of_one():
    """What validation calls an exact match is what greedy search writes."""
    model = fit(epochs=6, size=10, learning_rate=0.02, task=chainrule.Transduce(**{**vars(TASK), "beam": 1})).model
    found = model.evaluate(TABLES["copy"])
    assert found.exact_match == pytest.approx(found.forced.exact_match)
    assert 0 < found.exact_match < 1


class KilledError(BaseException):
    """Stands for the end of a process: nothing catches it."""


def kill_after(monkeypatch, step):
    """The process ends as soon as the checkpoint after this step is written."""

    class Killing(Checkpointer):
        def batch_ended(self, trainer, batch, sums):
            if trainer.state.step == step:
                self.write(trainer)
                raise KilledError

    monkeypatch.setattr(importlib.import_module("chainrule.train.fit"), "Checkpointer", Killing)


def test_a_training_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    whole = weights(fit(epochs=3, folder=tmp_path / "whole").model)
    with monkeypatch.context() as patched:
        kill_after(patched, 13)  # in the middle of the second pass
        with pytest.raises(KilledError):
            fit(epochs=3, folder=tmp_path / "halved")
    again = weights(fit(epochs=3, folder=tmp_path / "halved", resume=True).model)
    assert all((again[name] == x).all() for name, x in whole.items())


def test_mini_batches_of_any_lengths_have_one_program(monkeypatch):
    from chainrule.native import compile as native

    built, real = [], native.build
    monkeypatch.setattr(native, "build", lambda *arguments: built.append(1) or real(*arguments))
    words = ["".join(DRAWS.choice(list("abcd"), DRAWS.integers(1, 12))) for _ in range(320)]
    other = [" ".join(DRAWS.choice(list("AB"), DRAWS.integers(1, 12))) for _ in words]
    table = chainrule.Table.from_lists(words, other, target="text")
    learner, training = made(), chainrule.Training(epochs=4, batch_size=16)
    chainrule.fit(learner, table, table, task=TASK, training=training, diagnostics=False)
    assert len(built) < 12  # of 80 steps, and those of validation


def test_a_transformer_learns_to_reverse():
    settings = {"name": "transformer", "model_size": 32, "inner_size": 64, "dropout": 0.0, "inner_dropout": 0.0}
    run = fit(epochs=30, table="reverse", learning_rate=0.005, **settings)
    assert run.best.valid["loss"] < 0.2
    assert run.model.evaluate(TABLES["reverse"]).exact_match > 0.8


def test_no_more_is_written_than_there_are_positions():
    task = chainrule.Transduce(**{**vars(TASK), "longest": 50})
    model = fit(epochs=1, task=task, **VARIANTS["learned"]).model
    assert max(len(x.ids) for answer in model.answers(["abcd", "a"]) for x in answer.found) <= 8
    with pytest.raises(chainrule.errors.ShapeError, match="has 13 tokens, and there are 9 learned positions"):
        model.predict(["abcdabcdabcd"])


def test_rows_may_have_weights():
    table = chainrule.Table.from_lists(WORDS, [" ".join(w) for w in WORDS], target="text", weights=[1, 2, 3] * 40)
    learner = made()
    run = chainrule.fit(learner, table, table, task=TASK, training=chainrule.Training(epochs=1))
    assert np.isfinite(run.best.valid["loss"])


def test_frozen_inputs_of_a_step_are_checked():
    with pytest.raises(chainrule.errors.IndexRangeError, match="gather: index 9"):
        network()(tensor([9, 0]), [0, 2], [2, 0], [0, 2])
