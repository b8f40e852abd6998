"""Embeddings that start from word vectors: which rows do, which training changes, and models that need no file."""

from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.cli.configuration import Choice
from chainrule.errors import ConfigurationError, DataError, SettingError
from chainrule.models import Model
from chainrule.models.word_vectors import SPREAD
from chainrule.vectors import Vectors, read_vectors

TEXTS = ["so good", "good fun", "so bad", "bad luck"] * 10
TABLE = chainrule.Table.from_lists(TEXTS, list("ppnn") * 10)
WORDS = ["good", "bad", "elsewhere", "so"]
MATRIX = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
KNOWN = ["good", "bad", "so"]
FASTTEXT = Path(__file__).parents[1] / "vectors" / "saved" / "fasttext.bin"


@pytest.fixture
def file(tmp_path):
    Vectors(WORDS, MATRIX).save(tmp_path / "v.txt")
    return str(tmp_path / "v.txt")


def learner(file, **settings):
    return chainrule.FeedForward(**{"hidden": (4,), "vectors": file, "scale": 5.0, **settings})


def fit(learner, epochs=3, **settings):
    settings = {
        "training": chainrule.Training(epochs=epochs, learning_rate=0.05, **settings.pop("training", {})),
        **settings,
    }
    return chainrule.fit(learner, TABLE, TABLE, **settings)


def table_of(model, words):
    vocabulary = model.codec.inputs.vocabulary.entries.to_list()
    return model.network.embeddings.table.numpy()[[vocabulary.index(word) for word in words]]


def from_file(words):
    vectors = Vectors(WORDS, MATRIX)
    spread = np.sqrt(np.mean(np.square([vectors[word] for word in KNOWN])))
    return np.array([vectors[word] for word in words]) * SPREAD / (5.0 * spread)


def test_words_start_from_the_file_and_ngrams_do_not(file):
    model, _ = Model.untrained(learner(file), chainrule.Classify(), TABLE, seed=0)
    plain, _ = Model.untrained(learner(None, dim=5), chainrule.Classify(), TABLE, seed=0)
    assert model.learner.dim == 5
    assert table_of(model, KNOWN) == pytest.approx(from_file(KNOWN), rel=1e-6)
    assert (table_of(model, ["so good", "<unk>"]) == table_of(plain, ["so good", "<unk>"])).all()
    assert model.remarks == ["vectors: the file has those of 3 of 5 words (60.0 %) of the vocabulary"]


@pytest.mark.parametrize("unknown", ["random", "zero"])
def test_unknown_words(file, unknown):
    model, _ = Model.untrained(learner(file, unknown_words=unknown), chainrule.Classify(), TABLE, seed=0)
    found = table_of(model, ["fun", "luck"])
    assert (found == 0).all() == (unknown == "zero")
    again, _ = Model.untrained(learner(file, unknown_words=unknown), chainrule.Classify(), TABLE, seed=0)
    assert (table_of(again, ["fun", "luck"]) == found).all()


def test_random_vectors_vary_as_much_as_those_of_the_file(tmp_path):
    texts = [" ".join(f"w{n}" for n in range(m, m + 40)) for m in range(0, 2000, 40)]
    Vectors([f"w{n}" for n in range(50)], np.full((50, 20), 3.0)).save(tmp_path / "v.bin")
    held = chainrule.Table.from_lists(texts, ["a", "b"] * 25)
    drawing = learner(str(tmp_path / "v.bin"), unknown_words="random")
    model, _ = Model.untrained(drawing, chainrule.Classify(), held, seed=0)
    drawn = table_of(model, [f"w{n}" for n in range(50, 2000)])
    assert drawn.std() == pytest.approx(table_of(model, ["w0"]).max(), rel=0.02)


def test_what_suits_vectors_is_what_is_trained_with(file):
    """Without vectors as before; with them slower, and longer; what is given goes before; on the command line too."""
    for vectors, rate, epochs, scale, left_out in ((None, 0.03, 3, 20.0, 0.3), (file, 0.1, 10, 4.0, 0.5)):
        made = chainrule.FeedForward(vectors=vectors)
        resolved = chainrule.Training().resolved(made, rows=64 * 1000)
        assert (resolved.learning_rate, resolved.epochs) == (rate, epochs)
        assert (made.scale_for(2), made.left_out) == (scale, left_out)
        words = ["train", "t.csv", "--learner", "ffnn", *([] if vectors is None else ["--vectors", vectors])]
        _, _, training = Choice.of(words[1:]).built({"learner": {} if vectors is None else {"vectors": vectors}})
        assert training.learning_rate == rate
    given = chainrule.FeedForward(vectors=file, scale=7.0, word_dropout=0.1)
    assert (given.scale_for(2), given.left_out) == (7.0, 0.1)


def test_unknown_words_by_their_subwords():
    held = chainrule.Table.from_lists(["cats good", "film x"] * 10, ["a", "b"] * 10)
    made, _ = Model.untrained(learner(str(FASTTEXT), unknown_words="subword"), chainrule.Classify(), held, seed=0)
    vectors = read_vectors(FASTTEXT)
    factor = table_of(made, ["good"])[0] / vectors["good"]
    assert table_of(made, ["cats"])[0] == pytest.approx(vectors["cats"] * factor, rel=1e-4)
    assert "2 of 4 words (50.0 %), and 2 more by their subwords" in made.remarks[0]


@pytest.mark.parametrize("engine", ["native", "eager"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_frozen_vectors_stay_and_the_rest_learns(file, engine, optimizer):
    start, _ = Model.untrained(learner(file), chainrule.Classify(), TABLE, seed=0)
    run = fit(learner(file, vectors_training="frozen"), engine=engine, training={"optimizer": optimizer})
    assert (table_of(run.model, KNOWN) == table_of(start, KNOWN)).all()
    assert (table_of(run.model, ["fun", "luck", "so good"]) != table_of(start, ["fun", "luck", "so good"])).all()
    assert run.remarks[-1].startswith("vectors: the file has those of 3 of 5 words")


def test_tuned_after_some_epochs(file):
    start, _ = Model.untrained(learner(file), chainrule.Classify(), TABLE, seed=0)
    later = learner(file, vectors_training="2")
    assert (table_of(fit(later, 2).model, KNOWN) == table_of(start, KNOWN)).all()
    assert (table_of(fit(later, 3).model, KNOWN) != table_of(start, KNOWN)).any()
    assert (table_of(fit(learner(file), 1).model, KNOWN) != table_of(start, KNOWN)).any()


def test_a_frozen_start_changes_no_prediction(file):
    """What is frozen learns nothing, and is read as the others are."""
    tuned, _ = Model.untrained(learner(file), chainrule.Classify(), TABLE, seed=0)
    frozen, _ = Model.untrained(learner(file, vectors_training="frozen"), chainrule.Classify(), TABLE, seed=0)
    assert tuned.predict_probabilities(TEXTS) == pytest.approx(frozen.predict_probabilities(TEXTS), abs=1e-6)


@pytest.mark.parametrize("when", ["tuned", "frozen"])
def test_a_saved_model_needs_no_file(file, tmp_path, when):
    run = fit(learner(file, vectors_training=when), folder=tmp_path / "model")
    Path(file).unlink()
    loaded = Model.load(tmp_path / "model")
    assert (loaded.predict_probabilities(TEXTS) == run.model.predict_probabilities(TEXTS)).all()
    assert loaded.learner.dim == 5


def test_what_does_not_go_together(file, tmp_path):
    with pytest.raises(
        SettingError, match="vectors_training must be frozen, tuned or a whole number of epochs, got 'x'"
    ):
        learner(file, vectors_training="x")
    with pytest.raises(ConfigurationError, match=r"has no vectors of subwords, which fastText's \.bin files have"):
        fit(learner(file, unknown_words="subword"))
    with pytest.raises(ConfigurationError, match="frozen vectors stay as they are, and penalties"):
        fit(learner(file, vectors_training="frozen"), training={"l2": 0.1})
    with pytest.raises(DataError, match="no such file"):
        fit(learner(str(tmp_path / "nowhere.txt")))
    Vectors(["elsewhere"], MATRIX[:1]).save(tmp_path / "other.txt")
    with pytest.raises(ConfigurationError, match="has a vector of none of the 5 words"):
        fit(learner(str(tmp_path / "other.txt")))


def test_the_command(run, file, tmp_path):
    rows = "".join(f"{text},{label}\n" for text, label in zip(TEXTS, list("ppnn") * 10, strict=True))
    (tmp_path / "t.csv").write_text("text,label\n" + rows)
    words = ["train", tmp_path / "t.csv", "--learner", "ffnn", "--vectors", file, "--epochs", "2"]
    result = run(*words, "--vectors-training", "frozen", "--unknown-words", "zero", "--out", tmp_path / "model")
    assert result.code == 0
    assert "chainrule: vectors: the file has those of 3 of 5 words (60.0 %) of the vocabulary\n" in result.error
    assert "vectors: the file has those of" in (tmp_path / "model" / "record.jsonl").read_text()
    assert "dim=5" in run("summary", tmp_path / "model").out
    refused = run(*words, "--learner", "bow", "--out", tmp_path / "other")
    assert "--vectors belongs to --learner cnn or ffnn or rnn or gru or lstm or transformer" in refused.error
    assert refused.code == 2
