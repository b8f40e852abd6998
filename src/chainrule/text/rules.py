"""The rules by which a text becomes tokens, for one text in plain Python; `Tokenizer` has them in words."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable

from chainrule.text import characters
from chainrule.text.characters import members

#: Below this character every text is in normal form C and has no typographic apostrophe and no mark to remove: most
#: texts need lower case alone.
PLAIN = 0x300

#: The present version of the rules. By the first, control characters and zero-width marks were tokens of their own:
#: models that learned so read texts so.
RULES = 2

#: Of so many pieces between spaces the tokens are kept, where no piece of their text is longer.
PIECES_KEPT, LONGEST_KEPT = 1 << 14, 40

_NOTHING = r"[^\s\S]"


@functools.cache
def token_pattern(limit: int = 0x110000, rules: int = RULES) -> str:
    """The regular expression whose matches are the tokens of a normalized text, for Python and for Polars.

    The first alternative that matches wins, so that the order is part of the rules.

    Args:
        limit: what the characters of the text are below; the lower, the faster it is in Python.
        rules: their version.
    """

    def one_of(*kinds: str) -> str:
        found = members(" ".join(kinds), limit)
        return f"[{found}]" if found else _NOTHING

    letter, digit = one_of(characters.LETTER), one_of(characters.DIGIT)
    part, mark = one_of(characters.LETTER, characters.DIGIT), one_of(characters.MARK)
    inner = f"(?:'|{one_of(characters.INVISIBLE)}{'+' if rules > 1 else ''})"
    emoji = rf"{one_of(characters.EMOJI)}{one_of('FE0F E0020-E007F', characters.SKIN)}*"
    unseen = [characters.WHITE, *([characters.CONTROL, characters.INVISIBLE] if rules > 1 else [])]
    ignored = members(" ".join(unseen), limit)
    return "|".join(
        [
            "(?:[cdjlmnstCDJLMNST\u017f]|(?:[jJ][uU][sS\u017f]|[lL][oO][rR][sS\u017f]|[pP][uU][iI][sS\u017f]|"
            "[qQ][uU][oO][iI])?[qQ][uU])'",  # French elision
            "[0-9#*]\ufe0f?\u20e3",  # keycap
            rf"(?:{digit}+(?:[.,]{digit}+)*|{letter}){part}*(?:{inner}{part}+)*",
            r"\.+|!+|\?+",
            rf"{one_of(characters.REGIONAL)}{{2}}",  # flag
            rf"{emoji}(?:\u200d{emoji})*",
            rf"[^{ignored}]{mark}*",
        ]
    )


def tokens_of(text: str, *, lowercase: bool, rules: int = RULES) -> list[str]:
    """The tokens of a text.

    Example:
        >>> tokens_of("Don't miss l'Homme", lowercase=True)
        ["don't", 'miss', "l'", 'homme']
    """
    normalized = normalize(text, lowercase=lowercase, rules=rules)
    limit = 0x80 if normalized.isascii() else 0x110000 if _rare().search(normalized) else 0x10000
    pieces = normalized.split(" ")
    if max(map(len, pieces)) > LONGEST_KEPT:
        return _tokens(limit, rules).findall(normalized)
    tokens_in = _tokens_of_piece(limit, rules)
    found: list[str] = []
    for piece in pieces:
        if piece.isalnum() and piece.isascii():  # one token by rule 3, as nearly all pieces are
            found.append(piece)
        else:
            found += tokens_in(piece)
    return found


def normalize(text: str, *, lowercase: bool, rules: int = RULES) -> str:
    """A text as the rules see it: lower case, no direction marks, normal form C, plain apostrophes."""
    if text.isascii() or not _special().search(text):
        return text.lower() if lowercase else text
    if rules > 1:
        text = _removed().sub("", text)
    text = unicodedata.normalize("NFC", text.lower() if lowercase else text).replace("\u2019", "'")
    if rules > 1 and ("\u200c" in text or "\u200d" in text):
        text = unicodedata.normalize("NFC", _unjoined().sub(r"\1", text))
    return text


@functools.cache
def _tokens_of_piece(limit: int, rules: int) -> Callable[[str], list[str]]:
    """The tokens of a piece between spaces, which no token holds; of those met last they are kept, as words repeat."""
    return functools.lru_cache(PIECES_KEPT)(_tokens(limit, rules).findall)


@functools.cache
def _tokens(limit: int, rules: int) -> re.Pattern[str]:
    return re.compile(token_pattern(limit, rules))


@functools.cache
def _rare() -> re.Pattern[str]:
    return re.compile("[\U00010000-\U0010ffff]")


@functools.cache
def _special() -> re.Pattern[str]:
    return re.compile(f"[^\\x00-{chr(PLAIN - 1)}]")


@functools.cache
def _removed() -> re.Pattern[str]:
    return re.compile(f"[{members(characters.REMOVED)}]+")


@functools.cache
def _unjoined() -> re.Pattern[str]:
    return re.compile(f"([{members(characters.UNJOINED)}])[{members(characters.JOINER)}]+")
