"""Subwords: pieces that the `tokenizers` library finds in texts, by BPE, WordPiece or a unigram model.

All three work on the bytes of UTF-8, so that every text can be written, and none is unknown. Pieces do not reach over
the end of a word; the blank before a word belongs to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ConfigurationError, DataError, ModelError
from chainrule.text.pieces import EDGE, Pieces

BPE, WORDPIECE, UNIGRAM = SUBWORDS = ("bpe", "wordpiece", "unigram")

#: By the unit, what the library calls its model.
MODELS = {BPE: "BPE", WORDPIECE: "WordPiece", UNIGRAM: "Unigram"}
#: What marks a piece of WordPiece that is not the first of its word: no byte has this letter.
INNER = "\u25b8"
#: Characters that the library is given at a time; it takes some hundred bytes for each.
PART = 1 << 20
#: The bytes, and in WordPiece those within words as well, are pieces of their own.
FEWEST = 256


class Subwords(Pieces):
    """Subwords that were learned from texts.

    Args:
        tokenizer: of the `tokenizers` library.
        unit: "bpe", "wordpiece" or "unigram".

    Sources: Sennrich, Haddow and Birch, Neural Machine Translation of Rare Words with Subword Units (2016), for BPE;
    Schuster and Nakajima, Japanese and Korean Voice Search (2012), for WordPiece; Kudo, Subword Regularization (2018),
    for unigram; Radford et al., Language Models are Unsupervised Multitask Learners (2019), for bytes.
    """

    def __init__(self, tokenizer: Any, unit: str) -> None:
        self.unit = unit  # type: ignore[misc]
        self._tokenizer = tokenizer
        letters = {letter: bytes([byte]) for byte, letter in enumerate(_letters())}
        names = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
        if unit == WORDPIECE:
            names = [name.removeprefix(INNER) for name in names]
        self.content = [b"", b"", *(b"".join(letters[letter] for letter in name) for name in names)]

    @classmethod
    def learn(cls, texts: Sequence[str], unit: str, size: int) -> Subwords:
        """The subwords of texts.

        The library's unigram model is not the same in two trainings: its figures differ in the third place.

        Args:
            texts: to learn from.
            unit: "bpe", "wordpiece" or "unigram".
            size: entries of the vocabulary.

        Raises:
            ConfigurationError: when the library is missing, or for fewer entries than there are bytes.
            DataError: for texts in which nothing is found.
        """
        tokenizers = _library(unit)
        least = EDGE + 1 + FEWEST * (2 if unit == WORDPIECE else 1)
        if size < least:
            raise ConfigurationError(f"--max-vocabulary: {unit} needs {least} entries or more, got {size}")
        if not any(texts):
            raise DataError("texts are empty; give more text")
        alphabet, models, trainers = _letters(), tokenizers.models, tokenizers.trainers
        settings: dict[str, Any] = {
            "vocab_size": size - EDGE - 1, "initial_alphabet": alphabet, "special_tokens": [], "show_progress": False
        }  # fmt: skip
        if unit == BPE:
            learned = tokenizers.Tokenizer(models.BPE())
            trainer = trainers.BpeTrainer(**settings)
        elif unit == WORDPIECE:
            learned = tokenizers.Tokenizer(models.WordPiece(unk_token="", continuing_subword_prefix=INNER))
            # As special ones, the bytes within words have their ids first, in an order that is always the same.
            settings["special_tokens"] = [INNER + letter for letter in alphabet]
            trainer = trainers.WordPieceTrainer(**settings, continuing_subword_prefix=INNER)
        else:
            learned = tokenizers.Tokenizer(models.Unigram())
            trainer = trainers.UnigramTrainer(**settings)
        learned.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        try:
            learned.train_from_iterator(texts, trainer)
        except Exception as error:
            raise DataError(f"no {unit} pieces can be learned from these texts: {str(error)[:200]}") from error
        if unit == WORDPIECE:
            vocabulary = learned.get_vocab(with_added_tokens=True)
            learned.model = models.WordPiece(
                vocab=vocabulary, unk_token="", continuing_subword_prefix=INNER, max_input_chars_per_word=PART
            )
        return cls.of_file(_bare(learned, tokenizers), unit)

    @classmethod
    def of_file(cls, content: bytes, unit: str) -> Subwords:
        """The subwords of a file in the library's format, as `file` gives it.

        Raises:
            ConfigurationError: when the library is missing.
            ModelError: for a file that is something else.
        """
        tokenizers = _library(unit)
        try:
            kind = json.loads(content)["model"]["type"]
            found = cls(tokenizers.Tokenizer.from_buffer(content), unit) if kind == MODELS[unit] else None
        except Exception as error:
            raise ModelError(f"is no tokenizer of {unit} pieces as chainrule makes them: {str(error)[:200]}") from error
        if found is None:
            raise ModelError(f"expected a tokenizer of {unit} pieces, got one of {str(kind)[:80]}")
        return found

    def ids(self, text: str) -> np.ndarray:
        """The ids of its subwords."""
        found = self._tokenizer.encode_batch_fast(list(_parts(text)), add_special_tokens=False)
        return np.concatenate([np.zeros(0, np.int32), *(np.array(x.ids, np.int32) + (EDGE + 1) for x in found)])

    def cut(self, text: str) -> list[str]:
        """Its subwords."""
        return [self.content[i].decode("utf-8", "backslashreplace") for i in self.ids(text)]

    def file(self) -> bytes:
        """The library's own format, which `tokenizers.Tokenizer.from_file` reads."""
        return self._tokenizer.to_str(pretty=True).encode()  # type: ignore[no-any-return]


def _bare(learned: Any, tokenizers: Any) -> bytes:
    """A tokenizer as a file, without what the training marked as special, which would be found in texts."""
    made = tokenizers.Tokenizer(learned.model)
    made.pre_tokenizer, made.decoder = learned.pre_tokenizer, tokenizers.decoders.ByteLevel()
    return made.to_str().encode()  # type: ignore[no-any-return]


def _parts(text: str) -> Iterator[str]:
    """A text in parts, each of which begins at white space where there is some."""
    start = 0
    while len(text) - start > PART:
        blank = re.compile(r"\s\S").search(text, start + PART)
        if blank is None:
            break
        yield text[start : blank.start()]
        start = blank.start()
    yield text[start:]


def _letters() -> list[str]:
    """The letter that stands for each byte, as in GPT-2: itself where it can be seen, and else one from U+0100 on."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = iter(range(256))
    return [chr(byte) if byte in seen else chr(256 + next(others)) for byte in range(256)]


def _library(unit: str) -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ConfigurationError(
            f"{unit} pieces need the library tokenizers: pip install 'chainrule[subwords]'"
        ) from error
    return tokenizers
