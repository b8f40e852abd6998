"""Few texts in plain Python: the same tokens, n-grams and ids as Polars gives, on all of Unicode."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule.polars as pl
from chainrule.data import Ragged, Table
from chainrule.data.layout import BAGS, SEQUENCES
from chainrule.tasks.text_inputs import TextCodec
from chainrule.text import CharacterNgrams, HashedNgrams, Tokenizer, Vocabulary, characters
from chainrule.text.rules import LONGEST_KEPT, RULES

#: What the rules name, beside any other character.
NAMED = (
    "aZqu'’.,!?#19éÉßſΣİ日カไทยက👍🏽👩🇫🇷\u0301\u0085\x00\x1b\x1c\u00ad\u200b\u200c\u200d\u200e\u202e\u2066\ufeff\ufe0f"
)
TEXTS = st.lists(st.text(st.sampled_from(NAMED) | st.characters(exclude_categories=["Cs"]), max_size=30), max_size=5)

unhurried = settings(deadline=None)  # regular expressions of all characters take a while to get ready


@unhurried
@given(TEXTS, st.booleans(), st.sampled_from([1, 2]))
def test_the_same_tokens(texts, lowercase, rules):
    tokenizer = Tokenizer(lowercase, rules)
    assert [tokenizer.words(text) for text in texts] == tokenizer(texts).to_list()


@settings(unhurried, max_examples=40)
@given(st.lists(st.text("aZqu19'. ", max_size=30), max_size=5), st.booleans(), st.sampled_from([1, 2]))
def test_the_same_tokens_of_plain_words(texts, lowercase, rules):
    """Words of ASCII are most of what is read, and are known by their characters without the rules' pattern."""
    tokenizer = Tokenizer(lowercase, rules)
    assert [tokenizer.words(text) for text in texts] == tokenizer(texts).to_list()


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_same_tokens_at_characters_of_every_kind(lowercase):
    tokenizer = Tokenizer(lowercase)
    kinds = " ".join(value for name, value in vars(characters).items() if name.isupper())
    edges = {int(end, 16) for part in kinds.split() for end in part.split("-")}  # where a kind begins and ends
    chosen = {edge + step for edge in edges for step in (-1, 0, 1)} | set(range(0, 0x110000, 61))
    points = sorted(point for point in chosen if point >= 0 and not 0xD800 <= point < 0xE000)
    assert len(points) > 15_000
    texts = [" ".join(f"a{chr(point)}b" for point in points[i : i + 500]) for i in range(0, len(points), 500)]
    columnar = tokenizer(texts)
    plain = tokenizer._plainly(texts)
    np.testing.assert_array_equal(plain.offsets, columnar.offsets)
    assert plain.values.equals(columnar.values)


@unhurried
@given(TEXTS, TEXTS, st.integers(1, 3), st.sampled_from([None, CharacterNgrams(2, 3), CharacterNgrams(3, 5)]))
def test_the_same_ids(texts, others, ngrams, pieces):
    tokenizer = Tokenizer()
    built = Vocabulary.build(tokenizer([*texts, "always one"]), ngrams=ngrams, minimum_ngram_count=1, characters=pieces)
    loaded = Vocabulary(built.entries, built.counts, pieces)
    rows = [*texts, *others, "always one"]
    for vocabulary in (built, loaded):
        found = vocabulary.encode(tokenizer(rows))
        plain = [vocabulary.ids(tokenizer.words(text)) for text in rows]
        assert found.ids.tolist() == [number for row in plain for number in row]
        assert found.lengths.tolist() == list(map(len, plain))


@unhurried
@given(
    TEXTS,
    TEXTS,
    st.builds(Tokenizer, st.booleans(), st.integers(1, RULES)),
    st.sampled_from([BAGS, SEQUENCES]),
    st.integers(1, 3),
    st.sampled_from([None, CharacterNgrams(1, 2), CharacterNgrams(3, 5)]),
    st.booleans(),
)
def test_few_texts_are_encoded_as_many(texts, others, tokenizer, reads, ngrams, pieces, doubled):
    """What a network reads of them, with every setting."""
    tokens = tokenizer([*texts, "always one"])
    vocabulary = Vocabulary.build(tokens, ngrams=ngrams, minimum_ngram_count=1, characters=pieces)
    codec = TextCodec(vocabulary, tokenizer, reads, doubled=doubled)
    rows = [*texts, *others, "always one"]
    few, many = codec.encode_few(rows)["ids"], codec.encode(Table.from_lists(rows))["ids"]
    np.testing.assert_array_equal(few.ids, many.ids)
    np.testing.assert_array_equal(few.offsets, many.offsets)


@unhurried
@given(
    TEXTS,
    TEXTS,
    st.integers(2, 4),
    st.sampled_from([1, 7, 1000, 2**30 - 1]),
    st.none() | st.integers(2, 5),
    st.sampled_from([None, CharacterNgrams(2, 3)]),
    st.integers(1, 9),
)
def test_hashed_ngrams_of_few_texts_are_those_of_many(texts, others, longest, rows, most, pieces, portion):
    """Counted, encoded at once and in portions, one by one in plain Python, and after a save."""
    tokenizer, hashed = Tokenizer(), HashedNgrams(longest, rows)
    texts = [*texts, "always one"]
    kinds = {"minimum_count": 1, "minimum_ngram_count": 2, "maximum_size": most, "characters": pieces}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chainrule.text.vocabulary.CHUNK", portion)
        built, encoded = Vocabulary.build_and_encode(tokenizer(texts), ngrams=1, hashed=hashed, **kinds)
        first = Ragged.concatenate(encoded)
    loaded = Vocabulary(built.entries, built.counts, pieces, hashed)
    assert built.size == len(built) + rows
    for vocabulary in (built, loaded):
        again = vocabulary.encode(tokenizer(texts))
        assert (first.ids.tolist(), first.offsets.tolist()) == (again.ids.tolist(), again.offsets.tolist())
        found = vocabulary.encode(tokenizer([*texts, *others]))
        plain = [vocabulary.ids(tokenizer.words(text)) for text in [*texts, *others]]
        assert found.ids.tolist() == [number for row in plain for number in row]
        assert found.lengths.tolist() == list(map(len, plain))
        assert found.ids.max(initial=0) < vocabulary.size


@unhurried
@given(TEXTS, st.integers(1, 3), st.sampled_from([None, CharacterNgrams(2, 4)]))
def test_a_forked_process_counts_the_same_vocabulary(texts, ngrams, pieces):
    """Where the threads of Polars are lost, other code counts and sorts."""
    kinds = {"ngrams": ngrams, "minimum_ngram_count": 1, "characters": pieces}
    rows = [*texts, "always one", "one always one"]
    expected = Vocabulary.build(Tokenizer()(rows), **kinds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl, "_lost", True)
        found = Vocabulary.build(Tokenizer()(rows), **kinds)
        ids = found.encode(Tokenizer()(rows)).ids
    assert found.text() == expected.text()
    np.testing.assert_array_equal(ids, expected.encode(Tokenizer()(rows)).ids)


@pytest.mark.parametrize(
    ("kinds", "categories"),
    [(characters.LETTER, "LM"), (characters.MARK, "M"), (characters.DIGIT, "N"), (characters.CONTROL, "Cc")],
)
def test_kinds_of_characters_are_those_of_unicode(kinds, categories):
    """As far as Python knows the character; Chinese and Japanese ones are left out of letters and digits on purpose."""
    held = set()
    for part in kinds.split():
        first, _, last = part.partition("-")
        held |= set(range(int(first, 16), int(last or first, 16) + 1))
    wanted = {"LM": ("L", "M"), "M": ("M",), "N": ("N",), "Cc": ("Cc",)}[categories]
    for point in range(0x110000):
        category = unicodedata.category(chr(point))
        if point in held:
            assert category.startswith((*wanted, "Cn")), hex(point)
        elif category.startswith(wanted):
            assert chr(point).isspace() or _east_asian(unicodedata.name(chr(point))), hex(point)


def _east_asian(name):
    words = (
        "CJK",
        "KANA",
        "HIRAGANA",
        "IDEOGRAPH",
        "HANGZHOU",
        "KANBUN",
        "KAIDA",
        "MASU MARK",
        "COUNTING ROD",
        "HENTAIGANA",
        "OLD CHINESE",
    )
    return any(word in name for word in words)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("good\x00film \x07 a\x1b[31mb", "good film a [ 31mb"),
        ("a\x96b \x7f", "a b"),
        ("zero\u200bwidth \ufeffmark fi\u2060ne", "zerowidth mark fine"),
        ("\u202eright\u202c \u2067le\u2069ft\u200e", "right left"),
        ("vi\u200dagra Auf\u200clage \u0433\u200d\u043e", "viagra auflage го"),
        ("می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"),
        ("می\u200c\u200cخ \u200d \u200c! 日\u200d本", "می\u200c\u200cخ ! 日 本"),
        ("👩‍👧 👩\u200d x", "👩‍👧 👩 x"),
        ("\u00ad co\u00adop\u00ad", "co\u00adop"),
        ("e\u200b\u0301", "é"),
    ],
)
def test_what_is_not_seen_is_no_token(text, tokens):
    assert Tokenizer().words(text) == tokens.split(" ")
    assert Tokenizer()([text]).to_list() == [tokens.split(" ")]


def test_models_of_the_first_rules_read_as_they_did():
    text = "go\x00od zero\u200bwidth vi\u200dagra \u200d x\u00ad"
    assert Tokenizer(rules=1).words(text) == [
        "go",
        "\x00",
        "od",
        "zero",
        "\u200b",
        "width",
        "vi\u200dagra",
        "\u200d",
        "x",
        "\u00ad",
    ]


def test_controls_are_counted():
    assert Tokenizer().controls(pl.Series(["a\x00\x00b", "c\td\r\n\u0085", "\x1b[1m", ""])) == (3, 2)


@pytest.mark.parametrize("rules", [1, RULES])
def test_pieces_between_spaces_give_the_tokens_of_the_whole(rules):
    """Short pieces, whose tokens are kept, and long ones; also what separates in one version of the rules alone."""
    pieces = [
        "l'homme,",
        "",
        "tab\tnew\nline",
        "\x1cfile\x1fmark",
        "don't",
        "é!!",
        "漢字",
        "👍🏽👍",
        "x" * LONGEST_KEPT,
    ]
    texts = [" ".join(pieces), " ".join([*pieces, "y" * (LONGEST_KEPT + 1)]), "  ", ""]
    tokenizer = Tokenizer(rules=rules)
    for _ in range(2):  # first met, then kept
        assert [tokenizer.words(text) for text in texts] == tokenizer(texts).to_list()
