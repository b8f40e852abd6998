"""Vocabularies: counted as a plain Python count does, encoded by it, saved and read back unchanged."""

import pickle
import sys
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data import Ragged
from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.text import UNKNOWN, Tokenizer, Tokens, Vocabulary

#: \x01 and \x1f come before the space: "a\x01 b" before "a b".
NAMES = ["a", "b", "a\x01", "a\x1f", "ab", "é", "<unk>"]
WORDS = st.lists(st.lists(st.sampled_from(NAMES), max_size=8), max_size=8)


def tokens_of(texts: list[list[str]]) -> Tokens:
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return Tokens.of(pl.Series([word for text in texts for word in text], dtype=pl.String), offsets)


def ngrams_of(words: list[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + order]) for i in range(len(words) - order + 1)]


def count_plainly(texts, ngrams, minimum_count, minimum_ngram_count, maximum_size):
    """What `build` must give, by definition: a list of (entry, count)."""
    words = Counter(word for text in texts for word in text if word != UNKNOWN)
    kept = {(word,): count for word, count in words.items() if count >= minimum_count}
    found = Counter(ngram for text in texts for order in range(2, ngrams + 1) for ngram in ngrams_of(text, order))
    for ngram, count in found.items():
        if count >= minimum_ngram_count and all((word,) in kept for word in ngram):
            kept[ngram] = count
    ordered = sorted(kept.items(), key=lambda item: (-item[1], len(item[0]), " ".join(item[0])))
    entries = [(" ".join(ngram), count) for ngram, count in ordered][: maximum_size and maximum_size - 1]
    known = sum(count for entry, count in entries if " " not in entry)
    return [(UNKNOWN, sum(map(len, texts)) - known), *entries]


@given(
    texts=WORDS.filter(lambda texts: any(word != UNKNOWN for text in texts for word in text)),
    others=WORDS,
    ngrams=st.integers(1, 4),
    minimum_ngram_count=st.integers(1, 3),
    maximum_size=st.none() | st.integers(2, 12),
)
def test_build_and_encode_agree_with_plain_counting(texts, others, ngrams, minimum_ngram_count, maximum_size):
    most = Counter(word for text in texts for word in text if word != UNKNOWN).most_common(1)[0][1]
    vocabulary, encoded = Vocabulary.build_and_encode(
        tokens_of(texts),
        ngrams=ngrams,
        minimum_count=min(2, most),
        minimum_ngram_count=minimum_ngram_count,
        maximum_size=maximum_size,
    )
    found, again = Ragged.concatenate(encoded), vocabulary.encode(tokens_of(texts))
    assert (found.ids.tolist(), found.offsets.tolist()) == (again.ids.tolist(), again.offsets.tolist())
    expected = count_plainly(texts, ngrams, min(2, most), minimum_ngram_count, maximum_size)
    assert list(zip(vocabulary.entries, vocabulary.counts.tolist(), strict=True)) == expected
    ids = {entry: number for number, (entry, _) in enumerate(expected)}
    bags = vocabulary.encode(tokens_of(others))
    assert len(bags) == len(others)
    for row, words in enumerate(others):
        rest = [" ".join(ngram) for order in range(2, ngrams + 1) for ngram in ngrams_of(words, order)]
        plain = [ids.get(word, 0) for word in words] + [ids[ngram] for ngram in rest if ngram in ids]
        assert bags.ids[bags.offsets[row] : bags.offsets[row + 1]].tolist() == plain


@settings(deadline=None)  # it waits for the disk
@given(texts=st.lists(st.text(), min_size=1, max_size=6), ngrams=st.integers(1, 3), lowercase=st.booleans())
def test_saved_and_loaded_vocabularies_are_equal(tmp_path_factory, texts, ngrams, lowercase):
    path = tmp_path_factory.getbasetemp() / "vocabulary.txt"
    tokens = Tokenizer(lowercase)([*texts, "always one"])
    vocabulary = Vocabulary.build(tokens, ngrams=ngrams, minimum_ngram_count=1)
    vocabulary.save(path)
    loaded = Vocabulary.load(path)
    assert loaded.entries.to_list() == vocabulary.entries.to_list()
    assert loaded.counts.tolist() == vocabulary.counts.tolist()
    assert loaded.ngrams == vocabulary.ngrams
    ours, theirs = vocabulary.encode(tokens), loaded.encode(tokens)
    assert ours.ids.tolist() == theirs.ids.tolist()
    assert ours.offsets.tolist() == theirs.offsets.tolist()


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_portions_change_nothing(monkeypatch, size):
    texts = [f"a b c d{i % 7} a b! {'x ' * (i % 5)}" for i in range(60)]
    whole = Tokenizer()(texts)
    vocabulary = Vocabulary.build(whole, ngrams=3)
    expected = vocabulary.encode(whole)
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 3)
    for module in ("tokenize", "vocabulary"):
        monkeypatch.setattr(sys.modules[f"chainrule.text.{module}"], "CHUNK", size)
    monkeypatch.setattr(sys.modules["chainrule.text.tokenize"], "SAMPLE", size)
    tokens = Tokenizer()(texts)
    assert tokens.to_list() == whole.to_list()
    assert Vocabulary.build(tokens, ngrams=3).entries.to_list() == vocabulary.entries.to_list()
    found = vocabulary.encode(tokens)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.offsets, expected.offsets)


def test_a_copy_before_the_entries_were_asked_for():
    vocabulary = Vocabulary.build(Tokenizer()(["so good, so good", "so bad"]), ngrams=3, minimum_ngram_count=1)
    copied = pickle.loads(pickle.dumps(vocabulary))
    assert len(copied) == len(vocabulary) == len(vocabulary.entries)
    assert copied.entries.to_list() == vocabulary.entries.to_list()


def test_few_and_many_texts_are_encoded_alike():
    texts = [f"word{i} word{i + 1} other{i}" for i in range(3000)]
    vocabulary = Vocabulary.build(Tokenizer()(texts[:2000]), ngrams=2, minimum_ngram_count=1)
    bags = vocabulary.encode(Tokenizer()(texts))
    for row in (0, 7, 1999, 2500):
        alone = vocabulary.encode(Tokenizer()([texts[row]]))
        np.testing.assert_array_equal(alone.ids, bags.slice(row, row + 1).ids)


def test_the_file_is_readable(tmp_path):
    path = tmp_path / "vocabulary.txt"
    vocabulary = Vocabulary.build(Tokenizer()(["é a, é a", "b"]), ngrams=2, maximum_size=5)
    vocabulary.save(path)
    assert path.read_bytes().decode() == "<unk>\t1\na\t2\né\t2\né a\t2\n,\t1\n"
    assert repr(vocabulary) == "Vocabulary(5 entries, n-grams up to 2)"
    assert len(vocabulary) == 5


def test_many_entries_of_every_width_of_code():
    """Categories are coded in 8, 16 or 32 bits: all must hold the unknown too."""
    for size in (254, 255, 256, 257, 65_534, 65_535, 65_536, 70_000):
        words = [f"w{i}" for i in range(size)]
        vocabulary = Vocabulary.build(tokens_of([words]))
        ids = vocabulary.encode(tokens_of([[*words, "other"]])).ids
        assert sorted(ids.tolist()) == list(range(size + 1))
        assert ids[-1] == 0


def test_no_text_at_all_is_encoded_as_no_row():
    vocabulary = Vocabulary.build(tokens_of([["a", "b"]]), ngrams=3, minimum_ngram_count=1)
    assert len(vocabulary.encode(tokens_of([]))) == 0
    assert vocabulary.encode(tokens_of([[], []])).offsets.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("texts", "minimum_count", "message"),
    [
        ([], 1, "no vocabulary: the 0 texts hold no token"),
        ([[], []], 1, "no vocabulary: the 2 texts hold no token"),
        ([[UNKNOWN]], 1, "no vocabulary: the 1 texts hold no token"),
        ([["a", "a", "b"]], 3, "no token occurs 3 times, at most 2; lower minimum_count"),
        ([["a b"]], 1, "token 'a b' is empty or holds white space"),
        ([["a", ""]], 1, "token '' is empty or holds white space"),
        ([["a\u2028"]], 1, "is empty or holds white space"),
    ],
)
def test_what_gives_no_vocabulary(texts, minimum_count, message):
    with pytest.raises(DataError, match=message):
        Vocabulary.build(tokens_of(texts), minimum_count=minimum_count)


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("ngrams", 0, 1), ("minimum_count", 0, 1), ("minimum_ngram_count", -1, 1), ("maximum_size", 1, 2)],
)
def test_arguments_out_of_range(name, value, least):
    with pytest.raises(ConfigurationError, match=f"{name} must be {least} or more, got {value}"):
        Vocabulary.build(tokens_of([["a"]]), **{name: value})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1: the file ends inside a line; it is cut short"),
        (b"<unk>\t0\na\t1", "line 2: the file ends inside a line; it is cut short"),
        (b"<unk>\t0\na 1\n", "line 2: expected an entry, a tab and a count, got 'a 1'"),
        (b"<unk>\t0\n\n", "line 2: expected an entry, a tab and a count, got ''"),
        (b"<unk>\t0\na\t-1\n", "line 2: expected an entry, a tab and a count"),
        (b"<unk>\t0\r\na\t1\r\n", "line 1: expected an entry, a tab and a count"),
        (b"a\t1\n", "line 1: expected '<unk>', the unknown token, got 'a'"),
        (b"<unk>\t0\na\t2\na\t1\n", "line 3: 'a' comes a second time"),
        (b"<unk>\t0\na\t2\na  a\t1\n", "line 3: 'a  a' is not tokens joined by single spaces"),
        (b"<unk>\t0\na\t2\na a a\t1\n", "line 3: n-gram 'a a a' begins or ends with what has no entry"),
        (b"<unk>\t0\na\t2\na <unk>\t1\n", "line 3: n-gram 'a <unk>' begins or ends with what has no entry"),
        (
            b"<unk>\t0\na\t2\n" + b"a " * 200_000 + b"a\t1\n",
            r"line 3: n-gram 'a a .*a\.\.\.' begins or ends with what",
        ),
        (b"<unk>\t0\na\t2\n\xff\t1\n", "line 3: not UTF-8 at offset 12; the file is damaged"),
    ],
)
def test_damaged_files(tmp_path, data, message):
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=message.replace("(", r"\(")):
        Vocabulary.load(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"none\.txt: cannot be read: No such file"):
        Vocabulary.load(tmp_path / "none.txt")


def test_entries_given_by_hand_are_checked():
    with pytest.raises(DataError, match="vocabulary entry 1: there are 2 entries but 1 counts"):
        Vocabulary(pl.Series([UNKNOWN, "a"]), np.array([0]))
    with pytest.raises(DataError, match="vocabulary entry 0: expected '<unk>', the unknown token, got nothing"):
        Vocabulary(pl.Series([], dtype=pl.String), np.array([], np.int64))
