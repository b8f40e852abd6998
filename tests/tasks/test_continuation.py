"""Continue: contexts, the loss against its equation token by token, perplexity, texts divided, and what is refused."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule import tensor
from chainrule.data import Examples, Ragged, Table
from chainrule.data.layout import BAGS, SEQUENCES
from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.tasks import Continue, Perplexity, Text, Units
from chainrule.tasks.contexts import contexts, with_edges
from chainrule.tasks.unit_inputs import TOKENIZER
from chainrule.text.pieces import EDGE, UNSEEN

TEXTS = ["abba", "", "a cab"]


def learned(texts=TEXTS, **settings):
    task = Continue(**settings).resolved(SEQUENCES, "lstm")
    return task, *task.learn(Table.from_lists(texts, name="book.txt"), SEQUENCES)


def rows(ids):
    return [part.tolist() for part in np.split(ids.ids, ids.offsets[1:-1])]


@given(st.lists(st.lists(st.integers(2, 9), max_size=9), max_size=5), st.integers(1, 12))
def test_each_token_but_the_first_of_a_text_is_predicted_once(texts, length):
    offsets = np.array([0, *np.cumsum([len(text) for text in texts])], np.int64)
    ids = Ragged(np.array([i for text in texts for i in text], np.int32), offsets)
    whole = with_edges(ids)
    assert rows(whole)[: len(texts)] == [[EDGE, *text, EDGE] for text in texts]
    cut = contexts(whole, length)
    held = rows(cut)[: len(cut)]
    assert all(2 <= len(row) <= length + 1 for row in held)
    predicted = [i for row in held for i in row[1:]]
    assert predicted == [i for text in texts for i in [*text, EDGE]]
    assert [row[0] for row in held] == [
        ([EDGE, *text])[place] for text in texts for place in range(0, len(text) + 1, length)
    ]


def test_contexts_are_for_learning_and_whole_texts_for_answers():
    task, codec, examples = learned(context=3)
    assert len(codec.inputs.pieces) == 6  # two that are no pieces, and four characters
    assert codec.sizes.entries == codec.sizes.outputs == 6
    assert [len(row) for row in rows(examples.fields["ids"])] == [4, 3, 2, 4, 4]
    table = Table.from_lists(["ab!", ""])
    answered = codec.encode(table, targets=False).fields["ids"]
    a, b = codec.inputs.pieces.ids("ab")
    assert rows(answered) == [[EDGE, a, b, UNSEEN, EDGE], [EDGE, EDGE]]
    assert rows(codec.encode_few(["ab!", ""]).fields["ids"]) == rows(answered)
    assert task.weight(examples) == sum(len(text) + 1 for text in TEXTS)


def outcome(outputs, ids):
    """By the equation, one token after another: losses, whether the likeliest came, and responses."""
    losses, right, responses, start = [], [], [], 0
    for row in rows(ids):
        for place in range(len(row)):
            z = outputs[start + place].astype(np.float64)
            if place + 1 == len(row):
                responses.append([0, 0])
                continue
            p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
            losses.append(-math.log(p[row[place + 1]]))
            right.append(z.argmax() == row[place + 1])
            responses.append([-losses[-1], right[-1]])
        start += len(row)
    return np.array(losses), np.array(right), np.array(responses, float)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_loss_is_the_equation(compiled):
    task, codec, examples = learned(context=3)
    ids = examples.fields["ids"]
    outputs = np.random.default_rng(0).normal(size=(len(ids.ids), codec.sizes.outputs)) * 2

    def both(outputs, ids, offsets):
        batch = {"ids": ids, "offsets": offsets}
        loss, sums = task.loss(outputs, batch, codec)
        return [loss, sums["accuracy"], task.response(outputs, batch), chainrule.grad(loss, outputs)]

    function = chainrule.compile(both) if compiled else both
    arrays = [tensor(outputs, "float64"), *(tensor(x) for x in examples.arrays().values())]
    loss, accuracy, response, gradient = function(*arrays)
    losses, right, responses = outcome(outputs, ids)
    np.testing.assert_allclose(loss.item(), losses.mean(), rtol=1e-12)
    assert accuracy.item() == right.sum()
    np.testing.assert_allclose(response.numpy(), responses, rtol=1e-12)
    last = responses[:, 0] == 0
    assert last.sum() == examples.rows
    assert (gradient.numpy()[last] == 0).all()
    assert (np.abs(gradient.numpy()[~last]).sum(axis=1) > 0).all()
    found = task.evaluate(responses, examples, codec)
    assert found.loss == pytest.approx(losses.mean())
    assert found.perplexity == pytest.approx(math.exp(losses.mean()))
    assert found.accuracy == right.mean()
    assert found.bits_per_byte == pytest.approx(losses.sum() / math.log(2) / sum(map(len, TEXTS)))
    assert task.measures({"weight": task.weight(examples), "loss": losses.sum(), "accuracy": right.sum()}) == {
        "loss": pytest.approx(losses.mean()), "accuracy": pytest.approx(right.mean())
    }  # fmt: skip


def test_bits_per_byte_count_bytes_and_leave_out_what_was_not_learned():
    found = Perplexity(
        np.log([0.5, 0.25, 0.1]), np.array([1, 0, 0]), np.array([3, 1, 0]), np.array([False, False, True])
    )
    assert found.bits_per_byte == pytest.approx((1 + 2) / 4)
    assert found.perplexity == pytest.approx(math.exp(-np.log([0.5, 0.25, 0.1]).mean()))
    assert found.as_dict() == {
        "tokens": 3, "unseen_tokens": 1, "perplexity": pytest.approx(4.30887), "bits_per_byte": 0.75,
        "accuracy": pytest.approx(1 / 3), "loss": pytest.approx(1.46067, abs=1e-5),
    }  # fmt: skip
    assert math.isnan(Perplexity(np.log([0.5]), np.ones(1), np.zeros(1), np.zeros(1, bool)).bits_per_byte)
    assert Perplexity(np.array([-1e4]), np.ones(1), np.ones(1), np.zeros(1, bool)).perplexity > 1e300


def test_the_baseline_is_that_of_counts():
    task, codec, examples = learned(["aab", "b"], context=2)
    (baseline,) = task.baselines(examples, codec)
    assert baseline.response.sum() == pytest.approx(1)
    entropy = -sum(n / 6 * math.log(n / 6) for n in (2, 2, 2))  # a, b, and the end of a text
    assert task.loss_of(baseline, examples, codec) == pytest.approx(entropy)


def test_answers_are_how_likely_texts_are():
    task, codec, _ = learned()
    examples = codec.encode_few(TEXTS)
    ids = examples.fields["ids"]
    outputs = np.random.default_rng(1).normal(size=(len(ids.ids), codec.sizes.outputs)).astype(np.float32)
    losses, _, responses = outcome(outputs, ids)
    answers = task.predict(responses, examples, codec)
    assert [answer.tokens for answer in answers] == [len(text) + 1 for text in TEXTS]
    assert sum(answer.value for answer in answers) == pytest.approx(-losses.sum())
    first = losses[: len(TEXTS[0]) + 1]
    assert answers[0].json() == {
        "perplexity": pytest.approx(math.exp(first.mean())), "log_probability": pytest.approx(-first.sum()),
        "bits_per_byte": pytest.approx(first.sum() / math.log(2) / len(TEXTS[0])), "tokens": 5,
    }  # fmt: skip
    assert answers[1].json()["bits_per_byte"] is None
    assert answers[0].line().startswith("perplexity=")


@pytest.mark.parametrize("blanks", [True, False])
def test_few_texts_keep_their_ends_to_validate_on(blanks):
    texts = ["one two three four five six seven eight nine ten"[: None if blanks else 3] * 5, "a" * 30, ""]
    table = Table.from_lists(texts, name="book.txt")
    train, valid, remark = Continue().divided(table, 0.1)
    assert [a + b for a, b in zip(train.texts, valid.texts, strict=True)] == texts
    assert [len(x) for x in valid.texts][1:] == [3, 0]
    assert not blanks or valid.texts[0][0] == " "
    assert Continue().divided(Table.from_lists(["a", ""]), 0.1) is None
    assert remark == "book.txt: the last 10% of each text are kept to validate on"


def test_fit_validates_on_the_ends_of_few_texts_and_on_some_of_many():
    training = chainrule.Training(epochs=1, batch_size=4)
    learner = chainrule.GatedRecurrentNetwork(dim=3, size=3)
    run = chainrule.fit(learner, Table.from_lists(["abc " * 30]), task=Continue(context=8), training=training)
    assert run.remarks[0] == "list: the last 10% of each text are kept to validate on"
    run = chainrule.fit(learner, Table.from_lists(["abc", "cab"] * 40), task=Continue(), training=training)
    assert "kept to validate on" not in "".join(run.remarks)
    assert run.record[0]["data"]["valid"]["rows"] == 8


def test_what_is_refused(tmp_path):
    with pytest.raises(
        ConfigurationError, match="bow gives one answer a row, and continue needs one a next token: use"
    ):
        chainrule.fit(chainrule.BagOfWords(), Table.from_lists(["a"] * 9), task=Continue())
    with pytest.raises(ConfigurationError, match="continue writes texts, and text inputs do not become texts again"):
        Continue(inputs=Text()).resolved(SEQUENCES, "lstm")
    with pytest.raises(ConfigurationError, match="bow reads bags of tokens, and units inputs give sequences of tokens"):
        Continue(inputs=Units()).resolved(BAGS, "bow")
    with pytest.raises(ConfigurationError, match="units inputs give sequences of tokens, and"):
        chainrule.fit(chainrule.LongShortTermMemory(character_filters=3), Table.from_lists(["a"]), task=Continue())
    with pytest.raises(ConfigurationError, match="context must be a whole number of 1 or more"):
        Continue(context=0)
    weighted = Table.from_lists(["a", "b"], weights=[1, 2])
    with pytest.raises(DataError, match="its rows have weights, and the task continue counts all tokens the same"):
        Continue().resolved(SEQUENCES, "lstm").learn(weighted, SEQUENCES)
    with pytest.raises(DataError, match="texts are empty"):
        learned(["", ""])
    with pytest.raises(ConfigurationError, match="minimum_count is of characters and words, and the unit is bytes"):
        Units(unit="bytes", minimum_count=2)
    with pytest.raises(ConfigurationError, match="maximum_size must be left out with the unit bytes"):
        Units(unit="bytes", maximum_size=99)
    (tmp_path / "words.txt").write_text("a 1 0\n")
    with pytest.raises(ConfigurationError, match="vectors: are of words, as the inputs text have them, and these are"):
        chainrule.fit(
            chainrule.LongShortTermMemory(vectors=str(tmp_path / "words.txt")), Table.from_lists(["a"]), task=Continue()
        )


def test_tables_and_files_are_read_as_texts(tmp_path):
    Path(tmp_path, "book.txt").write_text("All of it.\n")
    Path(tmp_path, "rows.csv").write_text("text,label,note\nfirst,a,x\nsecond,b,y\n")
    assert Continue().read(tmp_path / "book.txt").texts.to_list() == ["All of it.\n"]
    assert Continue().read(tmp_path / "rows.csv").texts.to_list() == ["first", "second"]
    assert Continue().read(tmp_path / "rows.csv", text="note").texts.to_list() == ["x", "y"]
    for option in ("label", "weight"):
        with pytest.raises(ConfigurationError, match=f"--{option} note: the task continue learns from texts alone"):
            Continue().read(tmp_path / "rows.csv", **{option: "note"})


def test_the_tokenizer_of_another_model_is_refused(tmp_path):
    training = chainrule.Training(epochs=1, batch_size=4)
    for name, text in (("one", "abcab" * 9), ("other", "abdab" * 9)):
        learner = chainrule.RecurrentNetwork(dim=3, size=3)
        table = Table.from_lists([text])
        chainrule.fit(learner, table, table, task=Continue(), training=training).model.save(tmp_path / name)
    task, codec, _ = learned(["abcab"])
    described = codec.describe()
    assert task.load(tmp_path / "one", described, SEQUENCES).inputs.pieces.pieces == ["a", "b", "c"]
    with pytest.raises(ModelError, match="is the tokenizer of another model, of 5 entries"):
        task.load(tmp_path / "other", described, SEQUENCES)
    (tmp_path / "one" / TOKENIZER).write_text("{")
    with pytest.raises(ModelError, match="is no list of pieces; copy the folder again"):
        task.load(tmp_path / "one", described, SEQUENCES)
    with pytest.raises(ModelError, match="is not what was saved"):
        chainrule.Model.load(tmp_path / "one")
    (tmp_path / "one" / TOKENIZER).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        task.load(tmp_path / "one", described, SEQUENCES)


def test_units_are_inputs_of_other_tasks_too():
    """Characters tell classes apart as words do, also those of words that were not learned."""
    table = Table.from_lists(["aaaa", "aaba", "bbbb", "bbab"] * 10, list("aabb") * 10)
    task = chainrule.Classify(inputs=Units())
    learner = chainrule.LongShortTermMemory(dim=6, size=6, dropout=0.0)
    training = chainrule.Training(epochs=30, learning_rate=0.03, batch_size=20)
    model = chainrule.fit(learner, table, table, task=task, training=training).model
    assert model.predict(["aaaaa", "bbbbb"]) == ["a", "b"]
    assert isinstance(model.encode(["ab", "a"]), Examples)
