"""Generation: what a model writes is drawn from what it learned, the same by the same seed, part by part."""

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, DataError
from chainrule.models import LEARNERS, Model, Sampling, generation
from chainrule.models.generation import generate
from chainrule.tasks import Continue, Units
from chainrule.text.pieces import EDGE, UNSEEN

TEXT = "so it is, and so it was. é 日本\n" * 12
TABLE = chainrule.Table.from_lists([TEXT])
SIZES = {
    "cnn": {"dim": 6, "filters": 5, "widths": (1, 3)},
    "transformer": {"dim": 8, "model_size": 8, "inner_size": 12, "heads": 2},
}


def made(unit="characters", name="lstm", epochs=1, **settings):
    sizes = SIZES.get(name, {"dim": 8, "size": 12})
    training = chainrule.Training(epochs=epochs, learning_rate=0.02, batch_size=4)
    task = Continue(inputs=Units(unit=unit), context=16)
    return chainrule.fit(
        LEARNERS[name](dropout=0.0, **sizes), TABLE, TABLE, task=task, training=training, **settings
    ).model


@pytest.fixture(scope="module")
def model():
    return made(epochs=8)


def outputs_of(model, ids):
    """The outputs of a network after the last of these tokens, which it reads as one text."""
    ids = np.array(ids)
    return model.network(ids, np.array([0, len(ids)])).numpy()[-1]


@pytest.mark.parametrize("name", ["cnn", "gru", "lstm", "transformer"])
def test_the_likeliest_is_that_of_the_whole_text(name):
    """Token by token, and compiled, as if the network read the whole text anew for each."""
    model = made(name=name)
    pieces = model.codec.inputs.pieces
    ids = [EDGE, *pieces.ids("so ").tolist()]
    for _ in range(12):
        z = outputs_of(model, ids)
        z[UNSEEN] = -np.inf
        ids.append(int(z.argmax()))
        if ids[-1] == EDGE:
            break
    expected = pieces.decode([i for i in ids[4:] if i != EDGE])
    for engine in ("native", "eager"):
        assert model.generate("so ", length=12, temperature=0, engine=engine) == expected


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_states_get_more_room(engine, monkeypatch):
    """Of 4 tokens at first, then twice as many each time: what is written is the same."""
    model = made(name="transformer")
    expected = model.generate("so ", length=60, engine=engine)
    monkeypatch.setattr(generation, "FIRST_ROOM", 4)
    assert model.generate("so ", length=60, engine=engine) == expected
    rooms = [key[1] for key in model._compiled if key[0] == "steppers" and key[2] == engine]
    assert rooms[:3] == [256, 4, 8]


def test_states_of_one_size_need_no_more_room(monkeypatch):
    model = made(name="lstm")
    expected = model.generate("so ", length=30)
    monkeypatch.setattr(generation, "FIRST_ROOM", 4)
    assert model.generate("so ", length=30) == expected
    assert [key[1] for key in model._compiled if key[0] == "steppers"] == [256, 4]


def test_a_step_is_traced_once_and_left_to_the_next_text():
    model = made(name="transformer")
    for length in (60, 30):
        model.generate("so ", length=length)
    (stepper,) = model._compiled["steppers", 256, "native"]
    assert stepper.run.stats()["programs"] == 1
    keys = stepper.states[1].array
    model.generate("it", length=20)
    assert stepper.states[1].array is keys  # which are written where they lie
    assert model.generate("so ", length=60) == model.generate("so ", length=60, engine="eager")


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_texts_that_are_written_at_one_time_do_not_meet(name):
    model = made(name=name)
    expected = [model.generate(prompt, length=15, seed=2) for prompt in ("so", "it is")]
    parts = [generate(model, prompt, 15, Sampling(), seed=2) for prompt in ("so", "it is")]
    found = [[], []]
    for _ in range(16):
        for text, part in zip(found, parts, strict=True):
            text.append(next(part, ""))
    assert ["".join(text) for text in found] == expected
    assert len(model._compiled["steppers", 256, "native"]) == 2


def test_tokens_are_drawn_by_the_probabilities_of_the_network(model):
    sampling = Sampling(temperature=0.8, top_k=4)
    draws, pieces = chainrule.random.generator(3, "generate"), model.codec.inputs.pieces
    ids = [EDGE, *pieces.ids("it ").tolist()]
    for _ in range(20):
        z = outputs_of(model, ids)
        z[UNSEEN] = -np.inf
        token = sampling.draw(z, draws)
        if token == EDGE:
            break
        ids.append(token)
    found = model.generate("it ", length=20, temperature=0.8, top_k=4, seed=3, engine="eager")
    assert found == pieces.decode(ids[4:])


@pytest.mark.parametrize("engine", ["native", "eager"])
def test_the_same_seed_writes_the_same(model, tmp_path, engine):
    first = model.generate("so", length=40, seed=5, engine=engine)
    assert model.generate("so", length=40, seed=5, engine=engine) == first
    assert model.generate("so", length=40, seed=6, engine=engine) != first
    model.save(tmp_path / "model")
    assert Model.load(tmp_path / "model").generate("so", length=40, seed=5, engine=engine) == first


@pytest.mark.parametrize("unit", ["bytes", "characters", "words", "bpe", "wordpiece", "unigram"])
def test_every_unit_learns_and_writes(unit, tmp_path):
    model = made(unit, epochs=25 if unit in ("words", "characters") else 3, folder=tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    text = model.generate("so it", length=30)
    assert loaded.generate("so it", length=30) == text
    assert loaded.codec.inputs.decode(loaded.codec.inputs.pieces.ids(TEXT)) == TEXT
    if unit == "words":
        assert model.generate("so it", length=7, temperature=0) in (" is, and so it was.", " was. é 日本\nso it is,")


def test_parts_come_as_they_are_written(model):
    parts = generate(model, "so", 30, Sampling(), seed=1)
    first = [next(parts) for _ in range(3)]
    assert all(len(part) == 1 for part in first)
    assert "".join([*first, *parts]) == model.generate("so", length=30, seed=1)


def test_a_character_of_several_tokens_comes_with_the_last_of_them():
    model = made("bytes")
    parts = list(generate(model, "", 300, Sampling(temperature=5.0), seed=0))
    assert "\ufffd" in "".join(parts)  # at this temperature bytes come that are no character
    assert all(parts)
    assert "".join(parts) == model.generate("", length=300, temperature=5.0)
    text = "日本é"
    pieces = model.codec.inputs.pieces
    assert pieces.decode(pieces.ids(text)) == text


def test_a_text_may_end_before():
    """After each text comes its end, and the model learns where."""
    table = chainrule.Table.from_lists(["ab", "ab"] * 20)
    training = chainrule.Training(epochs=30, learning_rate=0.05, batch_size=8)
    learner = chainrule.GatedRecurrentNetwork(dim=4, size=8, dropout=0.0)
    model = chainrule.fit(learner, table, table, task=Continue(), training=training).model
    assert model.generate(length=50, temperature=0) == "ab"
    assert model.generate("ab", length=50, temperature=0) == ""
    assert model.generate(length=1, temperature=0) == "a"
    assert model.generate(length=0) == ""


def test_it_is_never_written_what_was_not_learned():
    table = chainrule.Table.from_lists(["abcabcabcx" * 9])
    task = Continue(inputs=Units(maximum_size=4))  # two characters of four
    training = chainrule.Training(epochs=3, learning_rate=0.05, batch_size=8)
    model = chainrule.fit(chainrule.RecurrentNetwork(dim=4, size=4), table, table, task=task, training=training).model
    assert set(model.generate(length=200, temperature=2.0)) <= set("ab")
    assert model.evaluate(table).as_dict()["unseen_tokens"] == 36


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": -1}, "length: expected a whole number of 0 or more, got -1"),
        ({"length": 1.5}, "length: expected a whole"),
        ({"seed": -1}, "seed: expected a whole number of 0 or more, got -1"),
        ({"temperature": -0.1}, "temperature: expected a finite number of 0 or more"),
        ({"top_p": 2}, "top_p: expected a number above 0 and up to 1"),
        ({"engine": "eagre"}, "there is no engine 'eagre'"),
    ],
)
def test_figures_that_are_none(model, settings, message):
    with pytest.raises(ConfigurationError, match=message):
        model.generate("so", **settings)


def test_prompts_that_were_not_learned(model):
    with pytest.raises(
        DataError, match="the prompt holds 'X', '!', which the model has not learned: its characters are"
    ):
        model.generate("so X! X")
    assert made("bytes").generate("X!", length=2) is not None


def test_other_tasks_do_not_write(models):
    with pytest.raises(ConfigurationError, match="trained to classify does not write; train one with --task continue"):
        models["bow"].generate("good")
