"""The languages of texts, told by their commonest words."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Words that make a large part of any text of a language, and little of others.
WORDS = {
    "Danish": "og det er ikke på til af jeg for som der den med han ikke blev",
    "Dutch": "de het een en van is dat niet op te zijn voor met die ook",
    "English": "the of and to is that it this with for was as but not are",
    "Finnish": "ja on ei se että oli hän joka mutta niin kun ovat myös sen",
    "French": "le la les des est et une dans que pour pas qui sur avec ce",
    "German": "der die und das ist nicht ein eine mit zu den von auf sich auch",
    "Italian": "il di che non una per è con sono gli della del le anche più",
    "Norwegian": "og det er ikke på til av jeg for som den med han etter ble",
    "Polish": "i w nie na się że z do jest to jak ale po tak od",
    "Portuguese": "o de que não uma para é com os do da em mais foi como",
    "Russian": "и в не на что он как это по но из за так все от",
    "Spanish": "el la de que los y una en por con no para es las se",
    "Swedish": "och det är inte på att som en för av jag den med han till",
    "Turkish": "ve bir bu da de için çok ile ne gibi daha o ama değil kadar",
}
#: Writing that belongs to one language.
WRITING = {
    "Japanese": "[\u3040-\u30ff]", "Korean": "[\uac00-\ud7af]", "Greek": "[\u0370-\u03ff]", "Thai": "[\u0e00-\u0e7f]",
    "Hebrew": "[\u0590-\u05ff]", "Georgian": "[\u10a0-\u10ff]", "Armenian": "[\u0530-\u058f]",
}  # fmt: skip
#: A language is told by so many of its words, which are this part of the text, and so many times those of any other.
LEAST, PART, CLEARLY = 3, 0.08, 1.5


def language_of(texts: Iterable[str]) -> str | None:
    """The language that most of the texts are in; None where that cannot be told.

    Example:
        >>> language_of(["It is not the worst film of the year, but it was close to that."])
        'English'
        >>> language_of(["xyzzy"]) is None
        True
    """
    whole = " ".join(texts).lower()
    letters = sum(character.isalpha() for character in whole) or 1
    for name, pattern in WRITING.items():
        if len(re.findall(pattern, whole)) > letters / 5:
            return name
    words = re.findall(r"[^\W\d_]+", whole)
    counts = {
        name: sum(word in known for word in words) for name, text in WORDS.items() for known in [set(text.split())]
    }
    first, second = sorted(counts.values(), reverse=True)[:2]
    if first < LEAST or first < PART * len(words) or first < CLEARLY * second:
        return None
    return next(name for name, count in counts.items() if count == first)
