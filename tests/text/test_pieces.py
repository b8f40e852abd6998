"""Pieces of texts: put together again they are the text, for any Unicode; what was not learned is said."""

import functools
import json
import unicodedata

import numpy as np
import pytest
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.text import subword_pieces
from chainrule.text.pieces import UNSEEN, Bytes, Characters, Listed, Words, listed_of_file
from chainrule.text.subword_pieces import BPE, SUBWORDS, UNIGRAM, WORDPIECE, Subwords

TEXTS = ["The cat sat on the mat, and the cats sat, too.\n\n", "  It's 3 o'clock;\tthe café is open. 日本語 " * 3]
#: Any text that can be written: without halves of surrogate pairs.
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
LISTED = {kind.unit: kind for kind in (Characters, Words)}
SIZE = 600


@functools.cache
def subwords(unit):
    return Subwords.learn(TEXTS, unit, SIZE)


@given(st.lists(TEXT, max_size=4), st.sampled_from(list(LISTED)))
@example(["a\r\n b\x00\x1c", "\ufeff"], "words")
def test_what_was_learned_comes_back(texts, unit):
    """Whatever the texts are, blanks, controls and marks included."""
    if not any(texts):
        with pytest.raises(DataError, match="texts are empty; give more text"):
            LISTED[unit].learn(texts, minimum_count=1, maximum_size=None)
        return
    pieces = LISTED[unit].learn(texts, minimum_count=1, maximum_size=None)
    for text in texts:
        ids = pieces.ids(text)
        assert (ids > UNSEEN).all()
        assert pieces.decode(ids) == text == "".join(pieces.cut(text))
        assert len(ids) == len(pieces.cut(text))
    again = listed_of_file(json.loads(pieces.file()), LISTED[unit])
    assert (again.content, again.file()) == (pieces.content, pieces.file())


@given(TEXT, TEXT)
def test_what_was_not_learned_is_unseen(known, text):
    if not known:
        return
    pieces = Characters.learn([known], minimum_count=1, maximum_size=None)
    expected = "".join(x if x in known else "\ufffd" for x in text)
    assert pieces.decode(pieces.ids(text)) == expected
    assert [i == UNSEEN for i in pieces.ids(text)] == [x not in known for x in text]


@given(TEXT)
def test_bytes_write_every_text(text):
    pieces = Bytes()
    assert pieces.decode(pieces.ids(text)) == text
    assert len(pieces.ids(text)) == len(text.encode()) == len(pieces.cut(text))


@pytest.mark.parametrize("unit", SUBWORDS)
def test_subwords_write_every_text(unit):
    pieces = subwords(unit)
    assert len(pieces) <= SIZE

    @given(st.lists(TEXT | st.sampled_from([*TEXTS, subword_pieces.INNER, " the", "##a"])).map("".join))
    def check(text):
        ids = pieces.ids(text)
        assert pieces.decode(ids) == text
        assert b"".join(pieces.content[i] for i in ids) == text.encode()
        assert len(ids) == len(pieces.cut(text))
        assert (ids > 1).all()

    check()


@pytest.mark.parametrize("unit", SUBWORDS)
def test_common_words_are_one_piece(unit):
    assert subwords(unit).cut("sat on the cat")[-1] == " cat"


@pytest.mark.parametrize("unit", [BPE, WORDPIECE])
def test_subwords_are_learned_alike_again(unit):
    """The library's own trainer of unigram models draws an order at random, which the documentation says."""
    assert Subwords.learn(TEXTS, unit, SIZE).file() == subwords(unit).file()


@pytest.mark.parametrize("unit", SUBWORDS)
def test_subwords_are_a_file_of_the_library(unit, tmp_path):
    pieces = subwords(unit)
    (tmp_path / "tokenizer.json").write_bytes(pieces.file())
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    again = Subwords.of_file(pieces.file(), unit)
    for text in TEXTS:
        assert (np.array(theirs.encode(text).ids) + 2 == pieces.ids(text)).all()
        assert (again.ids(text) == pieces.ids(text)).all()
    assert again.file() == pieces.file()


def test_long_texts_are_cut_at_white_space(monkeypatch):
    text = " ".join(TEXTS) * 20
    pieces = subwords(BPE)
    whole = pieces.ids(text)
    monkeypatch.setattr(subword_pieces, "PART", 50)
    assert len(list(subword_pieces._parts(text))) > 10
    assert "".join(subword_pieces._parts(text)) == text
    assert (pieces.ids(text) == whole).all()


def test_files_that_are_no_subwords():
    with pytest.raises(ModelError, match="expected a tokenizer of wordpiece pieces, got one of BPE"):
        Subwords.of_file(subwords(BPE).file(), WORDPIECE)
    for content in (b"", b"{}", b'{"model": {"type": "BPE"}}', b"\xff", b'{"model": 3}'):
        with pytest.raises(ModelError, match="is no tokenizer of bpe pieces"):
            Subwords.of_file(content, BPE)


def test_subwords_need_room_and_texts():
    with pytest.raises(ConfigurationError, match="--max-vocabulary: bpe needs 258 entries or more, got 257"):
        Subwords.learn(TEXTS, BPE, 257)
    with pytest.raises(ConfigurationError, match="wordpiece needs 514 entries or more"):
        Subwords.learn(TEXTS, WORDPIECE, 513)
    with pytest.raises(DataError, match="texts are empty"):
        Subwords.learn(["", ""], UNIGRAM, 600)


def test_the_library_that_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(
        ConfigurationError, match=r"bpe pieces need the library tokenizers: pip install 'chainrule\[sub"
    ):
        Subwords.learn(TEXTS, BPE, 600)


def test_the_commonest_are_kept():
    pieces = Characters.learn(["aaabbc"], minimum_count=2, maximum_size=None)
    assert pieces.pieces == ["a", "b"]
    assert Characters.learn(["aaabbc"], minimum_count=1, maximum_size=3).pieces == ["a"]
    assert Words.learn(["so so it"], minimum_count=1, maximum_size=None).pieces == [" it", " so", "so"]
    with pytest.raises(DataError, match="none of 3 characters occurs 9 times; give more text, or a lower --min-count"):
        Characters.learn(["aaabbc"], minimum_count=9, maximum_size=None)


@pytest.mark.parametrize("kind", [Characters, Words])
@pytest.mark.parametrize("content", [None, [], {}, {"unit": "bytes", "pieces": []}, {"pieces": ["a"]}])
def test_files_that_are_no_list(kind, content):
    with pytest.raises(ModelError, match=f"expected a list of {kind.unit}"):
        listed_of_file(content, kind)


@pytest.mark.parametrize("pieces", [["a", "a"], ["ab", "c d"], [""], [1], ["a", None]])
@pytest.mark.parametrize("kind", [Characters, Words])
def test_lists_that_are_no_pieces(kind, pieces):
    with pytest.raises(ModelError, match="each once"):
        kind(pieces)


def test_halves_of_surrogate_pairs_are_no_characters():
    with pytest.raises(DataError, match="half of a surrogate pair"):
        Characters(["a"]).ids("\ud800")


def test_a_letter_and_its_mark_are_two_characters():
    """No text is normalized: what is written twice in Unicode comes back as it was."""
    composed, apart = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    pieces = Characters.learn([composed + apart], minimum_count=1, maximum_size=None)
    assert [len(pieces.ids(x)) for x in (composed, apart)] == [1, 2]
    assert issubclass(Characters, Listed)
