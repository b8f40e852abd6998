"""Layouts: the arrays that a network reads, which tasks provide and learners ask for."""

from __future__ import annotations

from typing import Any

from chainrule.dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """The arrays that stand for rows, in the order in which a network takes them.

    Attributes:
        name: what rows are, for messages.
        arrays: the names of the arrays.
        source: the folder whose tokenizer cuts texts into pieces; empty where nothing but the training rows tells.
    """

    name: str
    arrays: tuple[str, ...]
    source: str = ""


#: Each token or n-gram that a text has, once, by its id; without unknown ones.
BAGS = Layout("bags of tokens", ("ids", "offsets"))
#: The tokens of a text in order, by their ids; 0 for an unknown one.
SEQUENCES = Layout("sequences of tokens", ("ids", "offsets"))
#: The same, with the characters of all tokens, one token after the other, and how many each has.
SPELLED = Layout("sequences of spelled tokens", (*SEQUENCES.arrays, "characters", "lengths"))
#: The pieces of a text in order, by their ids in the vocabulary of a pretrained encoder.
PIECES = Layout("pieces of texts", ("ids", "offsets"))
#: The same of words: the pieces of a text, and of each word the place of its first piece in the text.
PIECED = Layout("words in pieces", ("first", "offsets", "pieces", "piece_offsets"))
#: Two sequences a row: the tokens of the one that is read, and of the one that is written, each with its end.
PAIRS = Layout("pairs of sequences", ("ids", "offsets", "target_ids", "target_offsets"))
#: Numbers, shape (rows, features), and categories by their ids, shape (rows, columns of categories).
ROWS = Layout("numbers and categories", ("numbers", "categories"))


#: What one output of a network may belong to: a row; a token of a text, which knows those around it; a token that is to
#: come, of which those before it are known; or a token of another text, of which those before it and the row are known.
ROW, TOKEN, NEXT_TOKEN, SEQUENCE = "row", "token", "next token", "token of another text"
#: A token that is to come, where a state is carried from one stretch of a text to the next.
CARRIED = "next token with a state that is carried"
#: The tokens that follow those that are read, and whether a row goes on from the one before it, where that is so.
FOLLOWING, CARRIES = "following", "carries"


@dataclass(frozen=True)
class Sizes:
    """How large the arrays of rows and the outputs of a network are.

    Attributes:
        outputs: numbers that the network gives for a row.
        entries: ids there are, of tokens and n-grams or of categories.
        hashed: how many of these hashed n-grams share.
        characters: ids there are of characters.
        features: numbers a row has.
        cardinalities: of each column of categories, the ids there are.
        encoder: the configuration of the pretrained encoder whose pieces are read; None for any other ids.
    """

    outputs: int
    entries: int = 0
    hashed: int = 0
    features: int = 0
    cardinalities: tuple[int, ...] = ()
    characters: int = 0
    encoder: Any = None
