"""The rules by which a text becomes tokens, for one text in plain Python; `Tokenizer` has them in words."""

from __future__ import annotations

import functools
import re
import unicodedata

from chainrule.text import characters
from chainrule.text.characters import members

#: Below this character every text is in normal form C and has no typographic apostrophe and no mark to remove: most
#: texts need lower case alone.
PLAIN = 0x300

_NOTHING = r"[^\s\S]"


@functools.cache
def token_pattern(limit: int = 0x110000) -> str:
    """The regular expression whose matches are the tokens of a normalized text, for Python and for Polars.

    The first alternative that matches wins, so that the order is part of the rules.

    Args:
        limit: what the characters of the text are below; the shorter one for ASCII is several times faster.
    """

    def one_of(*kinds: str) -> str:
        found = members(" ".join(kinds), limit)
        return f"[{found}]" if found else _NOTHING

    letter, digit = one_of(characters.LETTER), one_of(characters.DIGIT)
    part, mark = one_of(characters.LETTER, characters.DIGIT), one_of(characters.MARK)
    inner = f"(?:'|{one_of(characters.INVISIBLE)}+)"
    emoji = rf"{one_of(characters.EMOJI)}{one_of('FE0F E0020-E007F', characters.SKIN)}*"
    ignored = members(" ".join([characters.WHITE, characters.CONTROL, characters.INVISIBLE]), limit)
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


def tokens_of(text: str, *, lowercase: bool) -> list[str]:
    """The tokens of a text.

    Example:
        >>> tokens_of("Don't miss l'Homme", lowercase=True)
        ["don't", 'miss', "l'", 'homme']
    """
    normalized = normalize(text, lowercase=lowercase)
    return _tokens(0x80 if normalized.isascii() else 0x110000).findall(normalized)


def normalize(text: str, *, lowercase: bool) -> str:
    """A text as the rules see it: lower case, no direction marks, normal form C, plain apostrophes."""
    if text.isascii() or not _special().search(text):
        return text.lower() if lowercase else text
    text = _removed().sub("", text)
    text = unicodedata.normalize("NFC", text.lower() if lowercase else text).replace("\u2019", "'")
    if "\u200c" in text or "\u200d" in text:
        text = unicodedata.normalize("NFC", _unjoined().sub(r"\1", text))
    return text


@functools.cache
def _tokens(limit: int) -> re.Pattern[str]:
    return re.compile(token_pattern(limit))


@functools.cache
def _special() -> re.Pattern[str]:
    return re.compile(f"[^\\x00-{chr(PLAIN - 1)}]")


@functools.cache
def _removed() -> re.Pattern[str]:
    return re.compile(f"[{members(characters.REMOVED)}]+")


@functools.cache
def _unjoined() -> re.Pattern[str]:
    return re.compile(f"([{members(characters.UNJOINED)}])[{members(characters.JOINER)}]+")
