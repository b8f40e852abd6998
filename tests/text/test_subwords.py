"""Character n-grams: counted as a plain count does, and taken where a script needs them."""

from collections import Counter

import numpy as np
import pytest

import chainrule
from chainrule.errors import ConfigurationError, ModelError, SettingError
from chainrule.models import Model
from chainrule.text import CharacterNgrams, Tokenizer, Vocabulary
from chainrule.text.subwords import chosen

THAI = "ภาษาไทยไม่มีช่องว่าง"


def test_the_pieces_of_a_token():
    assert CharacterNgrams(2, 3).of("so") == ["##<s", "##so", "##o>", "##<so", "##so>"]
    assert CharacterNgrams(5, 9).of("so") == []
    assert CharacterNgrams(1, 3).of("a") == []


@pytest.mark.parametrize(("lengths", "expected"), [("3-5", (3, 5)), ("4", (4, 4)), ("1-12", (1, 12))])
def test_lengths(lengths, expected):
    found = CharacterNgrams.parsed(lengths)
    assert (found.least, found.most) == expected
    assert CharacterNgrams.parsed(str(found)) == found


@pytest.mark.parametrize("lengths", ["", "3-", "-3", "5-3", "0-2", "0", "a", "3 - 5", "3-5-7", "100", "³"])
def test_what_are_no_lengths(lengths):
    with pytest.raises(ConfigurationError, match="expected lengths of character n-grams such as 3-5, got "):
        CharacterNgrams.parsed(lengths)
    with pytest.raises(SettingError, match="text: characters must be auto, none or lengths such as 3-5, got "):
        chainrule.Text(characters=lengths)


@pytest.mark.parametrize("minimum", [1, 2, 3])
def test_pieces_are_counted_as_by_hand(minimum):
    texts = ["so good so goood", "", "good goods"]
    pieces = CharacterNgrams(3, 4)
    words = [word for text in texts for word in text.split()]
    expected = Counter(piece for word in words for piece in pieces.of(word))
    vocabulary = Vocabulary.build(
        Tokenizer()(texts), ngrams=2, minimum_ngram_count=1, characters=pieces, minimum_character_count=minimum
    )
    found = dict(zip(vocabulary.entries, vocabulary.counts.tolist(), strict=True))
    held = {entry: count for entry, count in found.items() if entry.startswith("##")}
    assert held == {piece: count for piece, count in expected.items() if count >= minimum}
    plain = Vocabulary.build(Tokenizer()(texts), ngrams=2, minimum_ngram_count=1)
    assert {entry for entry in found if not entry.startswith("##")} == set(plain.entries)
    assert vocabulary.counts[1:].tolist() == sorted(vocabulary.counts[1:], reverse=True)


def test_the_largest_size_counts_pieces_too():
    tokens = Tokenizer()(["aaa aaa aaa bbb bbb c"])
    entries = Vocabulary.build(tokens, maximum_size=4, characters=CharacterNgrams(3, 3)).entries.to_list()
    assert entries == ["<unk>", "aaa", "##<aa", "##aa>"]


def test_the_least_count_of_a_piece_is_checked():
    with pytest.raises(ConfigurationError, match="minimum_character_count must be 1 or more, got 0"):
        Vocabulary.build(Tokenizer()(["a"]), minimum_character_count=0)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], None),
        (["plain words"], None),
        (["日本語のテキスト", "中文"], None),
        (["слова и слова", "λόγος", "한국어 말"], None),
        ([THAI], CharacterNgrams(2, 4)),
        (["ພາສາລາວ", "ភាសាខ្មែរ", "မြန်မာဘာသာ"], CharacterNgrams(2, 4)),
        (["only English here, and a lot of it, with one word of Thai at its end: ไทย"], None),
    ],
)
def test_which_texts_need_them(texts, expected):
    assert chosen("auto", texts) == expected
    assert chosen("none", texts) is None
    assert chosen("3-5", texts) == CharacterNgrams(3, 5)


def made_up(kind, rows, seed):
    """Texts of 4 labels, a quarter of whose words tell the label; without spaces, or misspelt."""
    draws = np.random.default_rng(seed)
    letters = [chr(point) for point in range(0xE01, 0xE2F)] if kind == "unspaced" else list("abcdefghijklmnoprstuvw")
    spell = np.random.default_rng(0)
    words = ["".join(spell.choice(letters, spell.integers(4, 8))) for _ in range(200)]
    found = []
    for row in range(rows):
        label = row % 4
        held = [
            words[label * 8 + draws.integers(8) if draws.random() < 0.3 else draws.integers(32, 200)] for _ in range(8)
        ]
        if kind == "misspelt":
            for place, word in enumerate(held):
                wrong = draws.integers(len(word))
                held[place] = word[:wrong] + str(draws.choice(letters)) + word[wrong + draws.integers(2) :]
        found.append((("" if kind == "unspaced" else " ").join(held), "abcd"[label]))
    return chainrule.Table.from_lists([text for text, _ in found], [label for _, label in found])


def accuracy(kind, characters):
    task = chainrule.Classify(inputs=chainrule.Text(characters=characters))
    train, valid, test = (made_up(kind, rows, seed) for rows, seed in ((600, 1), (200, 2), (200, 3)))
    run = chainrule.fit(chainrule.BagOfWords(), train, valid, task=task, training=chainrule.Training(epochs=10))
    return run.model.evaluate(test).measures["accuracy"], run.model


def test_a_script_without_spaces_is_learned():
    chance, _ = accuracy("unspaced", "none")
    found, model = accuracy("unspaced", "auto")
    assert chance < 0.4
    assert found > 0.85
    assert model.codec.describe()["characters"] == "2-4"


def test_misspelt_words_are_learned_better():
    without, _ = accuracy("misspelt", "auto")  # a script with spaces gets none by itself
    found, _ = accuracy("misspelt", "3-5")
    assert found > without + 0.1


def test_a_model_with_pieces_comes_back(tmp_path):
    _, model = accuracy("misspelt", "2-3")
    texts = made_up("misspelt", 100, 9).texts
    model.save(tmp_path / "model")
    loaded = Model.load(tmp_path / "model")
    assert loaded.codec.describe() == model.codec.describe()
    for some in (texts.to_list(), texts):  # without Polars and with it
        np.testing.assert_array_equal(loaded.encode(some).arrays()["ids"], model.encode(texts).arrays()["ids"])
    np.testing.assert_array_equal(loaded.predict_probabilities(texts), model.predict_probabilities(texts))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("characters", "5-3", "characters: expected lengths"), ("rules", 9, "rules: expected")],
)
def test_a_description_that_is_none(tmp_path, key, value, message):
    _, model = accuracy("misspelt", "3-5")
    (tmp_path / "vocabulary.txt").write_text(model.codec.inputs.vocabulary.text(), encoding="utf-8")
    described = {**model.codec.describe(), key: value}
    with pytest.raises(ModelError, match=message):
        model.task.inputs.load(tmp_path, described, model.learner.reads)
