"""Tokenizers of pretrained folders: the ids that transformers gives, cut and counted; and what is refused."""

import json
import sys

import numpy as np
import pytest
import tokenizers

from chainrule.encoders import PretrainedTokenizer
from chainrule.errors import ConfigurationError, DataError, ModelError
from tests.encoders.tiny import PIECES, word_pieces, write_json

TEXTS = [
    "The film is GOOD, very good!", "", "  été   [MASK] fun\n", "not_a\tlong story?", "x" * 120, "音楽 is fun",
    "a\u200bb", "\U0001f600 plot",
]  # fmt: skip
WORDS = [["The", "film", "unfun"], [], ["\u200b", "good", "\U0001f600"], ["story"] * 30]


def byte_pairs(folder, lowest=300):
    """RoBERTa's two files, learned from some texts, and its settings."""
    folder.mkdir(exist_ok=True)
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(TEXTS * 3, lowest, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    made.save_model(str(folder))
    return made


@pytest.fixture
def pieces(tmp_path):
    word_pieces(tmp_path)
    return tmp_path


@pytest.mark.parametrize("settings", [{}, {"do_lower_case": False}, {"strip_accents": False}])
def test_word_pieces_are_those_of_transformers(pieces, settings):
    transformers = pytest.importorskip("transformers")
    write_json(pieces / "tokenizer_config.json", settings)
    theirs = transformers.BertTokenizer(str(pieces / "vocab.txt"), **settings)
    ids, cut = PretrainedTokenizer.of_folder(pieces, len(PIECES)).ids(TEXTS)
    assert [x.tolist() for x in np.split(ids.ids, ids.offsets[1:-1])] == theirs(TEXTS)["input_ids"]
    assert cut == 0


def test_cuts_are_those_of_transformers_and_counted(pieces):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BertTokenizer(str(pieces / "vocab.txt"))
    for longest in (3, 5, 9, 200):
        ids, cut = PretrainedTokenizer.of_folder(pieces).ids(TEXTS, longest)
        expected = theirs(TEXTS, truncation=True, max_length=longest)["input_ids"]
        assert [x.tolist() for x in np.split(ids.ids, ids.offsets[1:-1])] == expected
        assert cut == sum(len(x) > longest for x in theirs(TEXTS)["input_ids"])


def test_the_whole_file_comes_first_and_neither_cuts_nor_fills_up(pieces):
    expected, _ = PretrainedTokenizer.of_folder(pieces).ids(TEXTS)
    whole = tokenizers.BertWordPieceTokenizer(str(pieces / "vocab.txt"))
    whole.enable_truncation(4)
    whole.enable_padding(length=8)
    whole.save(str(pieces / "tokenizer.json"))
    (pieces / "vocab.txt").write_text("nothing")
    found, _ = PretrainedTokenizer.of_folder(pieces).ids(TEXTS)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.offsets, expected.offsets)


def test_byte_pairs_are_those_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    byte_pairs(tmp_path)
    theirs = transformers.RobertaTokenizer.from_pretrained(str(tmp_path))
    ours = PretrainedTokenizer.of_folder(tmp_path)
    ids, _ = ours.ids(TEXTS)
    assert [x.tolist() for x in np.split(ids.ids, ids.offsets[1:-1])] == theirs(TEXTS)["input_ids"]
    theirs = transformers.RobertaTokenizer.from_pretrained(str(tmp_path), add_prefix_space=True)
    words = [["The", "film", "unfun"], ["story"] * 30]
    ids, first, _ = ours.words(words, 20)
    expected = theirs(words, is_split_into_words=True, truncation=True, max_length=20)
    assert [x.tolist() for x in np.split(ids.ids, ids.offsets[1:-1])] == expected["input_ids"]
    begins = [expected.word_to_tokens(0, word).start for word in range(3)]
    assert first[:3].tolist() == begins


def test_words(pieces):
    ours = PretrainedTokenizer.of_folder(pieces)
    ids, first, cut = ours.words(WORDS, 10)
    assert cut == 1
    assert ids.lengths.tolist() == [9, 2, 5, 10]
    assert first[:3].tolist() == [1, 2, 3]
    assert (ids.ids[first[first >= 0]] != PIECES.index("[CLS]")).all()
    assert [PIECES[x] for x in ids.ids[first[3:6]]] == ["[UNK]", "good", "[UNK]"]
    assert (first[6:14] == 17 + np.arange(8)).all()
    assert (first[14:] == -1).all()
    assert ours.words([])[1].shape == (0,)


def test_texts_that_are_none(pieces):
    ours = PretrainedTokenizer.of_folder(pieces)
    with pytest.raises(DataError, match="text 1, counted from 0: expected a text, got None"):
        ours.ids(["a", None])
    with pytest.raises(DataError, match="text 0, word 1, counted from 0: expected a text, got 7"):
        ours.words([["a", 7]])
    with pytest.raises(
        ConfigurationError, match="longest: expected 3 tokens or more, as 2 begin and end each text, got 2"
    ):
        ours.ids(["a"], 2)
    half, _ = ours.ids(["fun \ud800"])
    whole, _ = ours.ids(["fun \ufffd"])
    assert half.ids.tolist() == whole.ids.tolist()


def test_another_vocabulary_is_refused(pieces):
    for wrong in (len(PIECES) - 1, len(PIECES) + 128):
        with pytest.raises(
            ModelError, match=f"a tokenizer of {len(PIECES)} ids, and the encoder beside it has {wrong}"
        ):
            PretrainedTokenizer.of_folder(pieces, wrong)
    assert PretrainedTokenizer.of_folder(pieces, len(PIECES) + 27).vocabulary == len(PIECES)


def test_missing_and_damaged_files(pieces, tmp_path):
    with pytest.raises(ModelError, match=r"tokenizer.json is missing \(or vocab.txt, or vocab.json and merges.txt\)"):
        PretrainedTokenizer.of_folder(pieces / "..")
    (pieces / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(ModelError, match=r"vocab.txt: the special token '\[UNK\]' is missing"):
        PretrainedTokenizer.of_folder(pieces)
    (pieces / "vocab.txt").write_bytes(b"\xff\xff")
    with pytest.raises(ModelError, match=r"vocab.txt: is no tokenizer that can be used"):
        PretrainedTokenizer.of_folder(pieces)
    (pieces / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(ModelError, match=r"tokenizer.json: is no tokenizer that can be used"):
        PretrainedTokenizer.of_folder(pieces)
    (pieces / "tokenizer_config.json").write_text("[]")
    with pytest.raises(ModelError, match=r"tokenizer_config.json: expected an object"):
        PretrainedTokenizer.of_folder(pieces)


def test_ids_are_shown_as_their_pieces(pieces, tmp_path):
    """Those of bytes as the letters that they are, where these are whole."""
    tokenizer = PretrainedTokenizer.of_folder(pieces)
    ids, _ = tokenizer.ids(["films \U0001f600 film"])
    assert tokenizer.pieces(ids.ids) == ["[CLS]", "film", "##s", "[UNK]", "film", "[SEP]"]
    assert tokenizer.special(ids.ids).tolist() == [True, *[False] * 4, True]
    assert (ids.ids == tokenizer.unknown).tolist() == [False] * 3 + [True] + [False] * 2
    byte_pairs(tmp_path / "bytes", 400)
    tokenizer = PretrainedTokenizer.of_folder(tmp_path / "bytes")
    ids, _ = tokenizer.ids(["The été film is GOOD"])
    assert tokenizer.pieces(ids.ids)[:4] == ["<s>", "The", "été", "film"]
    assert tokenizer.pieces(np.array([tokenizer.unknown])) == ["<unk>"]


def test_byte_pairs_need_both_files(tmp_path):
    byte_pairs(tmp_path)
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(ModelError, match=r"merges.txt is missing beside vocab.json"):
        PretrainedTokenizer.of_folder(tmp_path)


def test_without_the_library(pieces, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'chainrule\[pretrained\]'"):
        PretrainedTokenizer.of_folder(pieces)


def test_the_longest_text(pieces):
    assert PretrainedTokenizer.of_folder(pieces).longest == 512
    for nothing in (10**30, "long", None, True, 0):
        (pieces / "tokenizer_config.json").write_text(json.dumps({"model_max_length": nothing}))
        assert PretrainedTokenizer.of_folder(pieces).longest is None
