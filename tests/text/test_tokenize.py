"""Tokenizing: each rule by examples, and that no letter is ever lost."""

import re
import unicodedata

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import DataError
from chainrule.text import Tokenizer, Tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The cat SAT.", "the cat sat ."),
        ("don't can't rock'n'roll o'clock", "don't can't rock'n'roll o'clock"),
        ("DON’T ‘quote’", "don't ‘ quote '"),
        ("aujourd'hui l'homme L’Homme", "aujourd'hui l' homme l' homme"),
        ("qu'il d'accord s'il j'ai lorsqu'elle jusqu'à", "qu' il d' accord s' il j' ai lorsqu' elle jusqu' à"),
        ("Puisqu’on quoiqu'il c'est n'a m'a t'a", "puisqu' on quoiqu' il c' est n' a m' a t' a"),
        ("the cats' toys 'quoted'", "the cats ' toys ' quoted '"),
        ("1,000.5 3.14. 10/10 $5 50% 1.5km", "1,000.5 3.14 . 10 / 10 $ 5 50 % 1.5km"),
        ("3rd covid19 1980's '90s m²", "3rd covid19 1980's ' 90s m²"),
        ("1, 2,3 ٣٫١٤ Ⅷ", "1 , 2,3 ٣ ٫ ١٤ ⅷ"),
        ("state-of-the-art", "state - of - the - art"),
        ("wait... what?! no!!! ??", "wait ... what ? ! no !!! ??"),
        ("-- == ,, (a)", "- - = = , , ( a )"),
        ("U.S.A. x@y.com #tag a_b", "u . s . a . x @ y . com # tag a _ b"),
        ("日本語。カタカナ ラーメン ひらがな", "日 本 語 。 カ タ カ ナ ラ ー メ ン ひ ら が な"),
        ("python3を学ぶ 〇", "python3 を 学 ぶ 〇"),
        ("한국어 Ελλάς हिन्दी العَرَبِيَّة", "한국어 ελλάς हिन्दी العَرَبِيَّة"),
        ("می\u200cخواهم co\u00adoperate", "می\u200cخواهم co\u00adoperate"),
        ("👍🏽👍 ☎️ 🇫🇷🇩🇪", "👍🏽 👍 ☎️ 🇫🇷 🇩🇪"),
        ("👩‍👩‍👧‍👦❤️‍🔥ok 1️⃣2", "👩‍👩‍👧‍👦 ❤️‍🔥 ok 1️⃣ 2"),
        ("🏴\U000e0067\U000e0062\U000e007f!", "🏴\U000e0067\U000e0062\U000e007f !"),
        ("cafe\u0301 CAFÉ \u212b", "café café å"),
        ("§\u0308 e\u0323\u0302", "§\u0308 ệ"),
        ("a\u00a0b\u3000c\td\r\ne", "a b c d e"),
        ("<br />", "< br / >"),
    ],
)
def test_rules(text, tokens):
    assert Tokenizer()([text]).to_list() == [tokens.split(" ")]


def test_case_is_kept_when_asked():
    assert Tokenizer(lowercase=False)(["The L'Homme QU'IL"]).to_list() == [["The", "L'", "Homme", "QU'", "IL"]]


def test_texts_keep_their_tokens():
    tokens = Tokenizer()(["", "a b", " \n", "c", ""])
    assert tokens.to_list() == [[], ["a", "b"], [], ["c"], []]
    assert tokens.offsets.tolist() == [0, 0, 2, 2, 3, 3]
    assert tokens.offsets.dtype == np.int64
    assert len(tokens) == 5


@pytest.mark.parametrize("texts", [[], pl.Series([], dtype=pl.String)])
def test_no_texts(texts):
    tokens = Tokenizer()(texts)
    assert (len(tokens), len(tokens.values)) == (0, 0)


def test_the_texts_given_are_left_alone():
    texts = pl.Series(["e\u0301’S", "plain"])
    Tokenizer()(texts)
    assert texts.to_list() == ["e\u0301’S", "plain"]


def test_a_text_of_ten_megabytes():
    assert len(Tokenizer()(["Word, " * 1_700_000]).values) == 3_400_000


@given(st.lists(st.text(), max_size=5), st.booleans())
def test_no_character_that_is_seen_is_lost(texts, lowercase):
    tokenizer = Tokenizer(lowercase)
    unseen = r"[\s\p{Cc}\x{AD}\x{200C}\x{200D}]"
    for text, tokens in zip(tokenizer.normalize(texts), tokenizer(texts).to_list(), strict=True):
        kept, whole = (pl.Series([x]).str.replace_all(unseen, "")[0] for x in ("".join(tokens), text))
        assert kept == whole
        assert all(tokens)


ALPHABET = st.sampled_from("aZéÉe\u0301ßœ'’-.!?19,日カ👍🏽\u200d🇫🇷 \n")


@given(st.text(ALPHABET.filter(lambda character: character != "\u200d")))
def test_normalizing_is_what_python_does(text):
    plain = unicodedata.normalize("NFC", text).replace("’", "'")
    assert "".join(Tokenizer(lowercase=False)([text]).values) == re.sub(r"\s", "", plain)
    lower = unicodedata.normalize("NFC", text.lower()).replace("’", "'")
    assert Tokenizer().normalize([text]).to_list() == [lower]


@given(st.text(ALPHABET), st.text(ALPHABET))
def test_white_space_always_separates(left, right):
    both = Tokenizer()([f"{left} {right}", left, right]).to_list()
    assert both[0] == both[1] + both[2]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", "\ud800"], "a text holds half of a surrogate pair, which is no character"),
        ("one text", "expected a list of texts, got one string: 'one text'; put it in a list"),
        (["a", None], r"texts\[1\] is of type NoneType; expected a string"),
        (pl.Series(["a", None]), "expected texts of String without nulls, got String with 1 nulls"),
        (pl.Series([1]), "expected texts of String without nulls, got Int64"),
    ],
)
def test_what_is_not_texts_is_refused(texts, message):
    with pytest.raises(DataError, match=message):
        Tokenizer()(texts)


@pytest.mark.parametrize(
    ("values", "offsets", "message"),
    [
        ([1], np.array([0, 1]), "tokens must be a String series without nulls, got Int64"),
        (["a", None], np.array([0, 2]), "tokens must be a String series without nulls"),
        (["a"], np.array([0, 1], np.int32), r"token offsets must be int64 of shape \(texts \+ 1,\), got int32 \(2,\)"),
        (["a"], np.array([], np.int64), "token offsets must be int64"),
        (["a"], np.array([0, 2]), "token offsets must ascend from 0 to 1, the number of tokens"),
        (["a", "b"], np.array([0, 2, 1, 2]), "token offsets must ascend"),
    ],
)
def test_tokens_check_themselves(values, offsets, message):
    with pytest.raises(DataError, match=message):
        Tokens.of(pl.Series(values), offsets)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.array([0, 1]), r"token codes must be int32 of shape \(n,\), got int64 of shape \(2,\)"),
        (np.array([[0, 1]], np.int32), "token codes must be int32"),
        (np.array([0, 2], np.int32), "token codes must be from 0 to 1, got 0 to 2"),
        (np.array([-1, 1], np.int32), "token codes must be from 0 to 1, got -1 to 1"),
    ],
)
def test_codes_are_checked(codes, message):
    with pytest.raises(DataError, match=message):
        Tokens(pl.Series(["a", "b"]), codes, np.array([0, 2]))
