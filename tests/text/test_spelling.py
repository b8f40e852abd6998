"""Spelling: the characters of tokens, many at once and few without Polars."""

import numpy as np
import polars as pl

from chainrule.text import Tokenizer
from chainrule.text.spelling import Spelling


def test_many_and_few_are_the_same():
    texts = ["So good, so é", "", "x", "Ünder 🎉 the Ses"]
    tokens = Tokenizer(lowercase=False)(texts)
    spelling = Spelling.learn(tokens)
    many, few = spelling.encode(tokens), spelling.encode_few([Tokenizer(lowercase=False).words(x) for x in texts])
    for name in ("characters", "lengths"):
        np.testing.assert_array_equal(many[name].ids, few[name].ids)
        np.testing.assert_array_equal(many[name].offsets, few[name].offsets)
    assert many["lengths"].ids.sum() == len("".join("".join(x) for x in tokens.to_list()))


def test_characters_of_one_token_alone_are_unknown():
    spelling = Spelling.learn(Tokenizer(lowercase=False)(["ab bc Bé", "ab ab"]))
    assert spelling.alphabet == "b"
    assert spelling.encode_few([["ab", "b"]])["characters"].ids.tolist() == [0, 1, 1]
    assert Spelling("").encode_few([["ab"], []])["characters"].ids.tolist() == [0, 0]


def test_tokens_that_are_given_stay_whole():
    given = pl.Series([["So", "10 000", "#!"], [], ["\u200e"]])
    tokens = Tokenizer()(given)
    assert tokens.to_list() == [["so", "10_000", "#!"], [], ["<unk>"]]
    assert [Tokenizer().words(row) for row in given.to_list()] == tokens.to_list()
    assert Tokenizer(lowercase=False).words(["So good"]) == ["So_good"]
