"""Sentence embeddings: every pooling, lengths and prompts, in the order of the texts; and what is refused."""

import numpy as np
import pytest

from chainrule.encoders import PretrainedTokenizer, SentenceEncoder, SentenceSettings, read_encoder
from chainrule.encoders.sentence import read_sentence_settings
from chainrule.errors import ConfigurationError, DataError, ModelError
from tests.encoders.tiny import sentences, tiny_folder, write_json

TEXTS = ["The film is good.", "", "a very long story and a dull plot", "fun", "not bad, was it?", "music " * 60]


@pytest.fixture
def folder(tmp_path):
    return tiny_folder(tmp_path / "model")


def by_hand(folder, text, longest=30):
    """The vectors of a text's tokens."""
    encoder = read_encoder(folder)
    ids, _ = PretrainedTokenizer.of_folder(folder).ids([text], longest)
    return encoder(ids.ids, ids.offsets).numpy()


POOLED = {
    "cls_token": lambda x: x[0],
    "mean_tokens": lambda x: x.mean(0),
    "max_tokens": lambda x: x.max(0),
    "mean_sqrt_len_tokens": lambda x: x.sum(0) / np.sqrt(len(x)),
}


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize(
    "modes", [["cls_token"], ["mean_tokens"], ["max_tokens"], ["mean_sqrt_len_tokens"], ["cls_token", "mean_tokens"]]
)
@pytest.mark.parametrize("engine", ["native", "eager"])
def test_poolings(folder, modes, normalise, engine):
    sentences(folder, normalise=normalise, **{f"pooling_mode_{mode}": True for mode in modes})
    encoder = SentenceEncoder.of_folder(folder)
    found = encoder.encode(TEXTS, engine=engine, batch_size=2)
    assert (found.dtype, found.shape) == (np.float32, (len(TEXTS), 16 * len(modes)))
    for text, vector in zip(TEXTS, found, strict=True):
        expected = np.concatenate([POOLED[mode](by_hand(folder, text)) for mode in modes])
        expected = expected / np.linalg.norm(expected) if normalise else expected
        np.testing.assert_allclose(vector, expected, rtol=1e-5, atol=1e-6)


def test_batches_and_order_do_not_matter(folder):
    encoder = SentenceEncoder.of_folder(folder)
    expected = encoder.encode(TEXTS)
    for batch_size in (1, 2, 4):
        np.testing.assert_allclose(encoder.encode(TEXTS, batch_size=batch_size), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1])[::-1], expected, rtol=1e-5, atol=1e-6)
    assert encoder.encode([]).shape == (0, 16)


def test_cut_texts_are_told(folder):
    told = []
    encoder = SentenceEncoder.of_folder(folder)
    encoder.encode(TEXTS, told=told.append)
    assert told == ["1 of 6 texts have more than 30 tokens, and were cut there"]
    encoder.cut_at(5).encode(TEXTS, told=told.append)
    assert told[1].startswith("4 of 6 texts have more than 5 tokens")
    for wrong in (2, 41, True, "7"):
        with pytest.raises(ConfigurationError, match="longest: expected from 3 tokens to 40, the positions"):
            encoder.cut_at(wrong)


def test_lengths(folder):
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 514})
    assert SentenceEncoder.of_folder(folder).longest == 40  # the positions
    (folder / "sentence_bert_config.json").unlink()
    assert SentenceEncoder.of_folder(folder).longest == 40
    write_json(folder / "tokenizer_config.json", {"model_max_length": 12})
    assert SentenceEncoder.of_folder(folder).longest == 12
    write_json(folder / "sentence_roberta_config.json", {"max_seq_length": 9})
    assert SentenceEncoder.of_folder(folder).longest == 9
    write_json(folder / "sentence_roberta_config.json", {"max_seq_length": "9"})
    with pytest.raises(ModelError, match="expected max_seq_length to be a whole number of 3 or more, got '9'"):
        SentenceEncoder.of_folder(folder)


def test_small_letters_and_prompts(folder):
    write_json(folder / "tokenizer_config.json", {"do_lower_case": False})
    plain = SentenceEncoder.of_folder(folder)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 30, "do_lower_case": True})
    small = SentenceEncoder.of_folder(folder)
    np.testing.assert_array_equal(small.encode(["GOOD"]), plain.encode(["good"]))
    content = {"prompts": {"query": "story: ", "document": ""}, "default_prompt_name": "query"}
    write_json(folder / "config_sentence_transformers.json", content)
    np.testing.assert_array_equal(SentenceEncoder.of_folder(folder).encode([" fun"]), plain.encode(["story:  fun"]))
    write_json(folder / "config_sentence_transformers.json", content | {"default_prompt_name": "other"})
    with pytest.raises(ModelError, match="default_prompt_name is 'other', and prompts has no text of that name"):
        SentenceEncoder.of_folder(folder)


def test_a_folder_without_modules_has_the_mean(folder):
    expected = SentenceEncoder.of_folder(folder).encode(TEXTS)
    (folder / "modules.json").unlink()
    found = SentenceEncoder.of_folder(folder)
    assert found.settings == SentenceSettings(("mean",), False, 30)
    vectors = found.encode(TEXTS)
    np.testing.assert_allclose(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), expected, rtol=1e-5)


def test_older_and_newer_layouts(folder):
    inner = folder / "0_Transformer"
    inner.mkdir()
    for name in ("config.json", "model.safetensors", "vocab.txt", "sentence_bert_config.json"):
        (folder / name).rename(inner / name)
    modules = [
        {"type": "sentence_transformers.models.Transformer", "path": "0_Transformer"},
        {"type": "sentence_transformers.base.modules.pooling.Pooling", "path": "1_Pooling"},
    ]
    write_json(folder / "modules.json", modules)
    write_json(folder / "1_Pooling" / "config.json", {"pooling_mode": "max"})
    assert SentenceEncoder.of_folder(folder).settings.poolings == ("max",)
    assert SentenceEncoder.of_folder(folder).encode(TEXTS).shape == (6, 16)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([], "expected the modules Transformer, Pooling and perhaps Normalize, got none"),
        ([{"type": "a.Transformer", "path": ""}, {"type": "a.Dense", "path": "d"}], "got Transformer, Dense"),
        ([{"type": "a.Transformer", "path": "../x"}], "expected modules with a type and a path inside the folder"),
        ([{"type": "a.Transformer", "path": "/x"}], "expected modules with a type and a path inside the folder"),
        ([7], "expected modules with a type and a path inside the folder, got 7"),
        ({}, "expected a list"),
    ],
)
def test_other_modules(folder, modules, message):
    write_json(folder / "modules.json", modules)
    with pytest.raises(ModelError, match=message):
        read_sentence_settings(folder)


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        (
            {"pooling_mode_weightedmean_tokens": True},
            r"expected poolings cls, max, mean, mean_sqrt_len, got \['weighted",
        ),
        ({"pooling_mode": "lasttoken"}, r"got \['lasttoken'\]"),
        ({"pooling_mode": 7}, r"got \['7'\]"),
        ({"pooling_mode_mean_tokens": False}, "got none"),
    ],
)
def test_other_poolings(folder, pooling, message):
    sentences(folder, **pooling)
    with pytest.raises(ModelError, match=message):
        read_sentence_settings(folder)


def test_a_missing_pooling(folder):
    (folder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(ModelError, match=r"1_Pooling: config.json is missing"):
        read_sentence_settings(folder)


def test_what_is_no_text(folder):
    encoder = SentenceEncoder.of_folder(folder)
    with pytest.raises(DataError, match="expected a list of texts, got one text"):
        encoder.encode("text")
    with pytest.raises(DataError, match="text 1, counted from 0: expected a text, got 3"):
        encoder.encode(["a", 3])
    with pytest.raises(ConfigurationError, match="batch_size: expected a whole number of 1 or more, got 0"):
        encoder.encode(["a"], batch_size=0)
    with pytest.raises(ConfigurationError, match="there is no engine 'jit'"):
        encoder.encode(["a"], engine="jit")
