"""Which words moved a decision: against finite differences, exact where it is, and what attention looks at."""

import numpy as np
import polars as pl
import pytest

import chainrule
from chainrule.errors import ChainruleError
from chainrule.models import LEARNERS, Model
from chainrule.models.sequence import SequenceNetwork
from chainrule.vectors import Vectors

TEXTS = ["good and fun", "bad and dull", "so good", "so bad", "a good film", "a bad film", "fun , not dull", "dull"]
LABELS = ["p", "n", "p", "n", "p", "n", "p", "n"]
TABLE = chainrule.Table.from_lists(TEXTS * 4, LABELS * 4)
SMALL = {
    "bow": {},
    "ffnn": {"dim": 6, "hidden": (5,)},
    "cnn": {"dim": 6, "filters": 4, "widths": (1, 2)},
    "rnn": {"dim": 6, "size": 4},
    "gru": {"dim": 6, "size": 4},
    "lstm": {"dim": 6, "size": 4},
    "transformer": {"dim": 6, "model_size": 8, "heads": 2, "inner_size": 8},
}
TEXT = "a good film , not dull"


def fit(name, *, table=TABLE, task=None, epochs=3, **settings):
    training = chainrule.Training(epochs=epochs, learning_rate=0.02, batch_size=8)
    learner = LEARNERS[name](**{**SMALL[name], **settings})
    return chainrule.fit(
        learner, table, table, task=task or chainrule.Classify(), training=training, seed=1, engine="eager"
    ).model


def outputs(model, text):
    arrays = model.encode([text]).arrays()
    return model.network(*[arrays[name] for name in model.reads.arrays]).numpy()[0].astype(np.float64)


def score(model, text, found):
    return outputs(model, text) @ found.decision.weights + found.decision.constant


def table_of(network):
    return network.bag.table if hasattr(network, "bag") else network.embeddings.table


@pytest.mark.parametrize("name", SMALL)
def test_contributions_are_how_the_score_grows_with_the_vector_of_a_word(name):
    """(1 + t) times the row of a word, which comes once: the slope of the score at t = 0."""
    model = fit(name, task=chainrule.Classify(inputs=chainrule.Text(ngrams=1)))
    found = chainrule.explain(model, TEXT, steps=0)
    assert found.words == tuple(TEXT.split())
    assert found.score == pytest.approx(score(model, TEXT, found), abs=1e-5)
    table, vocabulary = table_of(model.network), model.codec.inputs.vocabulary.entries.to_list()
    before, step = table.numpy().copy(), 2e-3
    for word, contribution in zip(found.words, found.contributions, strict=True):
        ends = []
        for t in (step, -step):
            changed = before.copy()
            changed[vocabulary.index(word)] *= 1 + t
            table.assign(changed)
            ends.append(score(model, TEXT, found))
        table.assign(before)
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(contribution, abs=2e-3, rel=2e-2)


@pytest.mark.parametrize("name", SMALL)
def test_contributions_add_up_to_the_score_without_that_of_unknown_words(name, monkeypatch):
    """Whether many points go through the network together or few."""
    model = fit(name)
    found = chainrule.explain(model, TEXT)
    monkeypatch.setattr("chainrule.explanation.contributions.TOKENS_AT_ONCE", 20)
    np.testing.assert_allclose(chainrule.explain(model, TEXT).contributions, found.contributions, atol=1e-5)
    table = table_of(model.network)
    unknown = 0 if name in ("bow", "ffnn") else table.numpy()[0].copy()
    table.assign(np.zeros(table.shape) + unknown)
    assert found.rest == pytest.approx(score(model, TEXT, found), abs=0.05 * abs(found.contributions).max())


def test_where_outputs_are_flat_the_mean_of_gradients_still_tells():
    """9 tanh(9 x / x₀) at the text x₀: there is hardly any gradient there."""
    model = fit("ffnn", hidden=(1,), dim=1, epochs=1)
    first, last = (layer for layer in model.network.layers.layers if hasattr(layer, "weight"))
    first.bias.assign([0.0])
    row = model.codec.inputs.vocabulary.ids(["good"])
    first.weight.assign([[9 / (model.network.scale * table_of(model.network).numpy()[row[0], 0])]])
    last.weight.assign([[0.0, 9.0]])
    flat, found = (chainrule.explain(model, "good", steps=steps) for steps in (0, 64))
    assert abs(flat.contributions[0]) < 1e-3
    assert abs(found.contributions[0]) == pytest.approx(9, abs=1e-3)


@pytest.mark.parametrize(
    "inputs", [{}, {"ngrams": 3}, {"hashed_ngrams": 50}, {"characters": "2-3"}, {"hashed_ngrams": 3, "ngrams": 3}]
)
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_a_bag_of_words_is_explained_exactly(inputs, output):
    model = fit("bow", task=chainrule.Classify(inputs=chainrule.Text(**inputs), output=output))
    for text in [*TEXTS, "good good, good film", "never seen", ""]:
        found = chainrule.explain(model, text)
        assert found.rest == pytest.approx(model.network.bias.numpy() @ found.decision.weights, abs=2e-5)
        likely = model.predict_probabilities([text])[0].astype(np.float64)
        chosen = model.labels.index(found.answer.value)
        assert found.score == pytest.approx(np.log(likely[chosen] / likely[1 - chosen]), abs=1e-4)


def test_an_ngram_is_shared_by_its_tokens_and_places():
    model = fit("bow")
    entries = model.codec.inputs.vocabulary.entries.to_list()
    weights = np.zeros(table_of(model.network).shape, np.float32)
    weights[entries.index("a good")] = [0, 6]
    table_of(model.network).assign(weights)
    once, twice = (chainrule.explain(model, text, answer="p") for text in ("a good film", "a good a good"))
    a, good, film = once.contributions
    assert a == pytest.approx(good)
    assert a > 0
    assert film == 0
    assert np.ptp(twice.contributions) < 1e-6
    assert twice.contributions.sum() == pytest.approx(twice.score - twice.rest)


def test_words_that_a_model_does_not_know():
    found = chainrule.explain(fit("bow"), "a strange film")
    assert (found.words, found.known) == (("a", "strange", "film"), (True, False, True))
    assert found.contributions[1] == 0
    assert "strange ?" in str(found)
    assert chainrule.explain(fit("lstm"), "a strange film").contributions[1] == 0  # it is compared with one
    assert chainrule.explain(fit("lstm"), "a strange film", steps=0).contributions[1] != 0


@pytest.mark.parametrize("name", SMALL)
def test_a_text_without_words(name):
    found = chainrule.explain(fit(name, epochs=1), " ")
    assert (found.words, found.contributions.shape) == ((), (0,))
    assert found.rest == found.score
    assert found.svg.startswith("<svg")
    assert "no words" in found._repr_html_()
    assert len(str(found).splitlines()) == 4


@pytest.mark.parametrize("name", ["ffnn", "lstm"])
def test_vectors_that_are_frozen_contribute(name, tmp_path):
    path = tmp_path / "v.txt"
    Vectors(["good", "film"], np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)).save(path)
    model = fit(name, vectors=str(path), vectors_training="frozen")
    found = chainrule.explain(model, "a good film")
    assert (found.contributions[1:] != 0).all()


def test_several_texts_and_a_saved_model(tmp_path):
    model = fit("gru")
    model.save(tmp_path / "model")
    together = chainrule.explain(Model.load(tmp_path / "model"), TEXTS)
    for text, found in zip(TEXTS, together, strict=True):
        alone = chainrule.explain(model, text)
        assert (found.text, repr(found)) == (text, repr(alone))
        assert (found.contributions == alone.contributions).all()


def test_one_label_against_another():
    texts, labels = ["red apple", "green pear", "blue car"] * 8, ["apple", "pear", "car"] * 8
    model = fit("bow", table=chainrule.Table.from_lists(texts, labels))
    found = chainrule.explain(model, "red apple")
    logits = outputs(model, "red apple")
    names = [str(x) for x in model.labels]
    assert found.decision.answer == "apple"
    runner = max({"pear", "car"}, key=lambda name: logits[names.index(name)])
    assert found.decision.against == runner
    other = chainrule.explain(model, "red apple", answer="car", against="pear")
    assert other.question == "car against pear"
    assert other.score == pytest.approx(logits[names.index("car")] - logits[names.index("pear")], abs=1e-5)
    with pytest.raises(ChainruleError, match="the model knows no label 'appel'; did you mean 'apple'"):
        chainrule.explain(model, "red", answer="appel")
    with pytest.raises(ChainruleError, match="compared with another one, got 'car' twice"):
        chainrule.explain(model, "red", answer="car", against="car")


def test_labels_that_were_numbers():
    model = fit("bow", table=chainrule.Table.from_lists(TEXTS * 4, [x == "p" for x in LABELS * 4]))
    assert chainrule.explain(model, "good", answer=False).decision.answer == "false"


def test_other_tasks():
    tags = chainrule.Table.from_lists(TEXTS * 4, [["x"] if "good" in text else ["y", "z"] for text in TEXTS * 4])
    model = fit("cnn", table=tags, task=chainrule.MultiLabel())
    found = chainrule.explain(model, "so good")
    probability = model.predict_probabilities(["so good"])[0][list(model.labels).index(found.decision.answer)]
    assert 1 / (1 + np.exp(-found.score)) == pytest.approx(probability, abs=1e-5)
    assert chainrule.explain(model, "so good", answer="z").question == "z against no z"
    with pytest.raises(ChainruleError, match="decides each label by itself"):
        chainrule.explain(model, "so good", against="y")
    stars = chainrule.Table.from_lists(TEXTS * 4, [float(len(x)) for x in TEXTS * 4], target="number")
    for loss, number in (("mse", lambda x: x), ("poisson", np.exp)):
        model = fit("ffnn", table=stars, task=chainrule.Regress(criterion=loss))
        found = chainrule.explain(model, TEXT)
        assert number(found.score) == pytest.approx(model.predict([TEXT])[0], rel=1e-5)
        with pytest.raises(ChainruleError, match="answers by a number, and has no labels"):
            chainrule.explain(model, TEXT, answer="p")


SENTENCES = [["a", "red", "car"], ["the", "car", "stops"], ["red", "cars"], ["a", "dog", "stops"]]
TAGS = [["D", "A", "N"], ["D", "N", "V"], ["A", "N"], ["D", "N", "V"]]


@pytest.mark.parametrize("settings", [{}, {"crf": True}, {"character_filters": 0}])
def test_the_tag_of_a_word(settings):
    """By the vectors of words and of their characters."""
    task = chainrule.Tag(crf=settings.get("crf", False))
    learner = {name: x for name, x in settings.items() if name != "crf"}
    model = fit("gru", table=chainrule.Table.from_lists(SENTENCES * 5, TAGS * 5), task=task, epochs=20, **learner)
    text = "A red dog stops"
    for word in ("red", "1"):
        found = chainrule.explain(model, text, word=word, answer="A", against="N")
        assert (found.place, found.words, found.question) == (1, ("A", "red", "dog", "stops"), "red: A against N")
    arrays = [model.encode([text]).arrays()[name] for name in model.reads.arrays]
    scores = model.network(*arrays).numpy()[1]
    assert found.score == pytest.approx(scores[0] - scores[2], abs=1e-5)
    (tags,) = model.predict([text])
    assert found.answer.line() == " ".join(f"{word}/{tag}" for word, tag in zip(text.split(), tags, strict=True))
    table = table_of(model.network)
    table.assign(np.zeros(table.shape) + table.numpy()[0])
    if model.network.speller is not None:
        for x in model.network.speller.convolution.parameters():
            x.assign(np.zeros(x.shape))
    scores = model.network(*arrays).numpy()[1]
    assert found.rest == pytest.approx(scores[0] - scores[2], abs=0.05 * abs(found.contributions).max())


def test_which_words_tag_is_explained():
    table = chainrule.Table.from_lists(SENTENCES * 5, TAGS * 5)
    model = fit("lstm", table=table, task=chainrule.Tag(), epochs=1)
    for word in (None, "cat", 4, -1, "9"):
        with pytest.raises(ChainruleError, match="expected one of 'a', 'red', 'car', or its place from 0"):
            chainrule.explain(model, "a red car", word=word)
    with pytest.raises(ChainruleError, match="the model has one answer for the text; leave it out"):
        chainrule.explain(fit("bow", epochs=1), "good", word="good")


def test_what_is_refused():
    frame = pl.DataFrame({"a": [1.0, 2.0] * 8, "label": list("pn") * 8})
    columns = chainrule.Table.from_frame(frame, numbers=["a"], label="label")
    model = chainrule.fit(chainrule.LinearModel(), columns, columns, training=chainrule.Training(epochs=1)).model
    with pytest.raises(ChainruleError, match="explain: the model reads columns of numbers and categories"):
        chainrule.explain(model, "good")
    language = fit("gru", table=chainrule.Table.from_lists(TEXTS, None), task=chainrule.Continue(), epochs=1)
    with pytest.raises(ChainruleError, match=r"expected a model that answers .*, and the task continue writes"):
        chainrule.explain(language, "good")
    model = fit("bow", epochs=1)
    with pytest.raises(ChainruleError, match="steps must be 0 or more, got -1"):
        chainrule.explain(model, "good", steps=-1)
    for wrong in (3, ["good", 3], None):
        with pytest.raises(ChainruleError, match="explain: expected "):
            chainrule.explain(model, wrong)


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("settings", [{}, {"causal": True}, {"norm_first": False, "positions": "learned"}])
def test_attention_is_what_the_equation_gives(settings):
    """The first layer, from its weights and its input, head by head."""
    model = fit("transformer", **{"positions": "sinusoidal", **settings})
    network = model.network
    assert isinstance(network, SequenceNetwork)
    found = chainrule.explain(model, TEXT)
    assert list(found.attention) == ["layer 1", "layer 2"]
    count = len(found.words)
    for p in found.attention.values():
        assert p.shape == (2, count, count)
        np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-6)
    arrays = model.encode([TEXT]).arrays()
    encoder, layer = network.encoder, network.encoder.layers[0]
    x = encoder.input(network.embeddings.rows(arrays["ids"])) * 8**0.5
    x = encoder.positions(x, arrays["offsets"])
    x = (layer.attention_norm(x) if layer.norm_first else x).numpy()
    made = x @ layer.attention.input_weight.numpy() + layer.attention.input_bias.numpy()
    for head in range(2):
        q, k = (made[:, start + 4 * head : start + 4 * head + 4] for start in (0, 8))
        scores = q @ k.T / 2
        if settings.get("causal"):
            scores = np.where(np.tri(count, dtype=bool), scores, -np.inf)
        np.testing.assert_allclose(found.attention["layer 1"][head], softmax(scores), atol=1e-5)


def test_rotary_attention_is_there():
    found = chainrule.explain(fit("transformer", positions="rotary", layers=1, epochs=1), TEXT)
    np.testing.assert_allclose(found.attention["layer 1"].sum(axis=-1), 1, atol=1e-6)


def test_attention_pooling():
    model = fit("lstm", pooling="attention")
    found = chainrule.explain(model, TEXT)
    arrays = model.encode([TEXT]).arrays()
    network = model.network
    encoded = network.encoder(network.embeddings.rows(arrays["ids"]), arrays["offsets"]).numpy()
    expected = softmax((encoded @ network.pooling.vector.numpy())[:, 0])
    np.testing.assert_allclose(found.attention["pooling"], expected, atol=1e-6)
    assert "attention pooling" in found.svg


def test_learners_without_attention_have_none():
    assert chainrule.explain(fit("cnn", epochs=1), TEXT).attention == {}


def test_attention_of_very_long_texts_is_left_out(monkeypatch):
    monkeypatch.setattr("chainrule.explanation.contributions.MOST_ATTENDED", 3)
    model = fit("transformer", epochs=1)
    assert chainrule.explain(model, "a b c d").attention == {}
    assert chainrule.explain(model, "a b c").attention != {}
