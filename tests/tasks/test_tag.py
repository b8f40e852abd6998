"""Tagging: losses, answers, measures, what is unseen, and that a text alone is answered as in any batch."""

import numpy as np
import pytest

import chainrule
from chainrule import tensor
from chainrule.data import Examples, Ragged, Table
from chainrule.errors import ConfigurationError, DataError
from chainrule.models import LEARNERS, Model
from chainrule.nn.chain import chain_log_likelihood
from chainrule.tasks import Codec, Tag
from chainrule.tasks.tag import Tags

WORDS = {"D": ["a", "The"], "A": ["red", "old"], "N": ["car", "Peter", "house"], "V": ["sees", "likes"]}
FORMS = ["D N V D A N", "N V N", "D A N V N", "D A A N V D N"]


def rows(count, seed=0):
    """Sentences and their tags."""
    draws = np.random.default_rng(seed)
    tags = [FORMS[int(i)].split() for i in draws.integers(0, len(FORMS), count)]
    return [[str(draws.choice(WORDS[tag])) for tag in row] for row in tags], tags


TABLE = Table.from_lists(*rows(60))
TRAINING = chainrule.Training(epochs=8, learning_rate=0.02, batch_size=10)
SMALL = {"dim": 6, "character_filters": 4}
SIZES = {"cnn": {"filters": 6, "widths": (1, 2, 3)}, "rnn": {"size": 6}, "gru": {"size": 6}, "lstm": {"size": 6}}


def made(name="lstm", **settings):
    return LEARNERS[name](**{**SMALL, **SIZES[name], **settings})


def fit(learner=None, table=TABLE, **settings):
    running = {"task": Tag(), "training": TRAINING, "seed": 1, "threads": 1, **settings}
    return chainrule.fit(made() if learner is None else learner, table, table, **running)


# The loss


LENGTHS = [3, 0, 2]
CODES = np.array([0, 2, 1, 1, 0], np.int32)
OFFSETS = np.array([0, 3, 3, 5])
CODEC = Codec(None, Tags(["x", "y", "z"], 3))


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("weights", [None, [2.0, 5.0, 0.5]])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_loss_is_the_equation(crf, weights, compiled):
    task = Tag(crf=crf)
    z = np.random.default_rng(0).normal(size=(5, 12 if crf else 3))
    batch = {"tags": CODES, "offsets": OFFSETS} | ({} if weights is None else {"weights": np.array(weights)})

    def both(outputs, *arrays):
        loss, sums = task.loss(outputs, dict(zip(batch, arrays, strict=True)), CODEC)
        return [loss, *sums.values()]

    function = chainrule.compile(both, ragged=True) if compiled else both
    arrays = [tensor(x, "float64" if x.dtype.kind == "f" else None) for x in batch.values()]
    loss, right, *_ = function(tensor(z, "float64"), *arrays)
    if crf:
        losses = -chain_log_likelihood(tensor(z, "float64"), CODES, OFFSETS).numpy()
    else:
        each = np.log(np.exp(z).sum(1)) - z[np.arange(5), CODES]
        losses = np.array([each[:3].sum(), 0, each[3:].sum()])
    held = np.ones(3) if weights is None else np.array(weights)
    expected = (held * losses).sum() / (held * LENGTHS).sum()
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-12)
    assert right.item() == (z[:, :3].argmax(1) == CODES).sum()
    fields = {"tags": Ragged(CODES, OFFSETS)} | ({} if weights is None else {"weights": np.array(weights)})
    responses = task.response(tensor(z, "float64"), {}).numpy()
    assert task.evaluate(responses, Examples(fields), CODEC).loss == pytest.approx(expected, rel=1e-6)


# Learning and answering


@pytest.mark.parametrize(("name", "crf"), [*((name, False) for name in SIZES), ("cnn", True), ("lstm", True)])
def test_every_learner_learns_and_answers_a_text_alike_in_any_batch(name, crf, tmp_path):
    run = fit(made(name), task=Tag(crf=crf), folder=tmp_path / "model")
    texts, tags = rows(40, seed=1)
    assert run.model.evaluate(Table.from_lists(texts, tags)).accuracy > 0.9
    together = run.model.predict([*texts, []])
    assert together[-1] == []
    assert [run.model.predict([text])[0] for text in texts] == together[:-1]
    loaded = Model.load(tmp_path / "model")
    assert loaded.predict([*texts, []]) == together
    outputs = [model.responses(model.encode(texts)) for model in (run.model, loaded)]
    assert (outputs[0] == outputs[1]).all()
    eager = loaded.responses(loaded.encode(texts), engine="eager")
    np.testing.assert_allclose(eager, outputs[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("crf", [False, True])
def test_engines_learn_the_same_and_threads_change_no_bit(crf):
    def weights(**settings):
        short = chainrule.Training(epochs=1, learning_rate=0.01, batch_size=8)
        model = fit(made("gru"), task=Tag(crf=crf), training=short, **settings).model
        return {name: x.numpy() for name, x in model.network.named_parameters().items()}

    native, eager, two = weights(), weights(engine="eager"), weights(threads=2)
    for name, x in native.items():
        np.testing.assert_allclose(x, eager[name], rtol=2e-3, atol=2e-4)
        assert (x == two[name]).all()


def test_texts_are_split_and_lists_are_taken_as_they_are():
    model = fit().model
    answers = list(model.answers(["The old Peter!", ""]))
    assert [answer.tokens for answer in answers] == [["The", "old", "Peter", "!"], []]
    assert answers[0].line().startswith("The/D old/A Peter/N !/")
    assert answers[0].json() == {"tokens": ["The", "old", "Peter", "!"], "prediction": answers[0].value}
    (given,) = model.answers([["The old", "Peter!"]])
    assert given.tokens == ["The old", "Peter!"]
    assert len(given.value) == 2
    same = model.predict(chainrule.Table.from_lists([["The", "old", "Peter", "!"]]))
    assert same == [answers[0].value]


def test_the_ends_of_words_tell_what_new_words_are():
    """Words of which none is known: those that end in -ly and those that begin with a capital."""
    draws = np.random.default_rng(0)
    letters = list("abcdefghimnoprstu")

    def word(kind):
        stem = "".join(draws.choice(letters, 5))
        return {"ADV": f"{stem}ly", "NAME": stem.capitalize(), "NOUN": stem}[kind]

    def table(count):
        tags = [[str(x) for x in draws.choice(["ADV", "NAME", "NOUN"], 4)] for _ in range(count)]
        return Table.from_lists([[word(tag) for tag in row] for row in tags], tags)

    train, test = table(150), table(40)
    training = chainrule.Training(epochs=12, learning_rate=0.02, batch_size=10)
    with_, without = (
        fit(made("cnn", character_filters=filters), train, training=training).model.evaluate(test).accuracy
        for filters in (16, 0)
    )
    assert with_ > 0.95
    assert without < 0.6


def test_weights_of_rows_count():
    texts, tags = [["a", "b"]] * 20, [["X", "Y"]] * 10 + [["Y", "X"]] * 10
    table = Table.from_lists(texts, tags, weights=[5.0] * 10 + [1.0] * 10)
    assert fit(table=table).model.predict([["a", "b"]]) == [["X", "Y"]]


# Evaluation


def test_unseen_tags_are_wrong_and_left_out_of_the_loss():
    model = fit().model
    texts, tags = rows(10, seed=2)
    known = model.evaluate(Table.from_lists(texts, tags))
    assert known.accuracy == 1
    changed = [[*row[:-1], "NEW"] if i < 3 else row for i, row in enumerate(tags)]
    table = Table.from_lists(texts, changed)
    found = model.evaluate(table)
    assert model.unseen_labels(table) == {"NEW": 3}
    assert found.accuracy == pytest.approx(1 - 3 / found.tokens)
    assert (found.unseen_tokens, found.sentence_accuracy) == (3, pytest.approx(0.7))
    assert np.isfinite(found.loss)
    assert "accuracy" in found.as_dict()
    with pytest.raises(DataError, match="none of the labels is known"):
        model.evaluate(Table.from_lists([["a"]], [["NEW"]]))


@pytest.mark.parametrize("crf", [False, True])
def test_entities_are_measured_where_tags_are_of_them(crf):
    names = {"PER": ["Peter", "Anna"], "ORG": ["EU", "UN"]}
    texts = [[names["PER"][i % 2], "Smith", "visits", names["ORG"][i % 3 % 2]] for i in range(30)]
    tags = [["B-PER", "I-PER", "O", "B-ORG"]] * 30
    model = fit(table=Table.from_lists(texts, tags), task=Tag(crf=crf)).model
    found = model.evaluate(Table.from_lists(texts, tags))
    assert (found.entity_f1, found.strict_entity_f1, found.broken) == (1, 1, (0, 0))
    others = [["B-PER", "I-PER", "O", "B-LOC"]] * 10 + [["O", "I-PER", "O", "B-ORG"]] * 20  # unseen, and broken
    found = model.evaluate(Table.from_lists(texts, others))
    assert found.measures["entity_precision"] == pytest.approx(30 / 60)  # 10 of PER and 20 of ORG
    assert found.measures["strict_entity_recall"] == pytest.approx(30 / 40)
    assert found.broken == (20, 0)
    held = found.as_dict()
    assert (held["broken"], held["entities"]["ORG"]["support"]) == ({"true": 20, "predicted": 0}, 20)
    titles = [title for title, _ in found.tables()]
    assert titles[0] == "entities by the definition of CoNLL (conlleval)"
    assert titles[1].startswith("broken sequences (I-X after neither B-X nor I-X): 20 true tags, 0 predicted")


@pytest.mark.parametrize(("scheme", "end", "alone"), [("IOBES", "E", "S"), ("BILOU", "L", "U")])
def test_entities_whose_ends_are_marked(scheme, end, alone):
    texts = [[["Peter", "Anna"][i % 2], "Smith", "visits", ["EU", "UN"][i % 3 % 2]] for i in range(30)]
    tags = [["B-PER", f"{end}-PER", "O", f"{alone}-ORG"]] * 30
    model = fit(table=Table.from_lists(texts, tags), task=Tag()).model
    found = model.evaluate(Table.from_lists(texts, tags))
    assert (found.scheme, found.entity_f1, found.strict_entity_f1, found.broken) == (scheme, 1, 1, (0, 0))
    other = {"E": "L", "L": "E"}[end]  # of another scheme, which says nothing of entities
    others = [["B-PER", "O", "O", f"{alone}-LOC"]] * 10 + [["B-PER", f"{other}-PER", "O", f"{alone}-ORG"]] * 20
    found = model.evaluate(Table.from_lists(texts, others))
    assert found.measures["entity_recall"] == pytest.approx(20 / 60)
    assert found.measures["strict_entity_recall"] == pytest.approx(20 / 30)  # no PER ends
    assert found.broken == (30, 0)
    assert found.as_dict()["scheme"] == scheme
    said = f"broken sequences (I-X or {end}-X after neither B-X nor I-X, B-X or I-X without an end): 30 true tags"
    assert [title for title, _ in found.tables()][1].startswith(said)


def test_baselines_are_the_commonest_tag_and_the_shares():
    for crf in (False, True):
        task = Tag(crf=crf, inputs=chainrule.Text())
        codec, examples = task.learn(TABLE, made().layout("token"))
        commonest, shares = task.baselines(examples, codec)
        tags = examples.fields["tags"].ids
        counts = np.bincount(tags)
        responses = commonest.response[None].repeat(len(tags), axis=0)
        assert task.evaluate(responses, examples, codec).accuracy == pytest.approx(counts.max() / counts.sum())
        p = counts / counts.sum()
        assert task.loss_of(shares, examples, codec) == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)


# What is refused


def test_refused():
    with pytest.raises(DataError, match="only the tag 'X'; tagging needs examples of at least two tags"):
        fit(table=Table.from_lists([["a", "b"]] * 5, [["X", "X"]] * 5))
    with pytest.raises(ConfigurationError, match="bow gives one answer a row, and tag needs one a token: use cnn or"):
        fit(chainrule.BagOfWords())
    many = [[f"T{i}" for i in range(101)]]
    with pytest.raises(DataError, match=r"101 tags, and crf scores each pair of them .* leave --crf out"):
        fit(table=Table.from_lists(many, many), task=Tag(crf=True))
    model = fit().model
    with pytest.raises(DataError, match=r"texts\[1\] is of type str; expected a list of tokens"):
        model.predict([["a"], "b"])
    with pytest.raises(ConfigurationError, match="trained to tag has no probabilities of rows"):
        model.predict_probabilities(["a"])


def test_texts_without_tokens_have_no_tags():
    table = chainrule.Table.from_lists([["a", "b"], ["b", "a"]] * 10, [["x", "y"], ["y", "x"]] * 10)
    training = chainrule.Training(epochs=1)
    model = chainrule.fit(
        chainrule.LongShortTermMemory(dim=2, size=2), table, table, task=chainrule.Tag(), training=training
    ).model
    assert model.predict([""]) == model.predict([[]]) == [[]]
    assert model.predict(["", "a"])[0] == []
