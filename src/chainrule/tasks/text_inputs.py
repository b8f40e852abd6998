"""Texts as inputs: tokens and n-grams, by their ids in a vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import chainrule.polars as pl
from chainrule.data import Ragged, Table
from chainrule.data.layout import BAGS, SEQUENCES, SPELLED, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.errors import ConfigurationError, DataError, ModelError, SettingError, shortened
from chainrule.settings import setting
from chainrule.tasks.codec import Fields, TextPart
from chainrule.tasks.inputs import INPUTS, Inputs
from chainrule.text import CharacterNgrams, HashedNgrams, Tokenizer, Tokens, Vocabulary
from chainrule.text.rules import RULES
from chainrule.text.spelling import Spelling
from chainrule.text.subwords import AUTO, chosen

VOCABULARY = "vocabulary.txt"

#: About as many texts are looked at to find out which scripts they are in.
SAMPLE = 10_000

#: How often a bag of tokens holds what a text repeats.
BINARY, LOG = "binary", "log"

#: Hashed n-grams share fewer rows, as ids have 32 bits.
MOST_ROWS = 10**9


@INPUTS.register
@dataclass(frozen=True, kw_only=True)
class Text(Inputs):
    """Texts, split into tokens; each token and n-gram that is frequent enough in the training texts has an id.

    Attributes:
        lowercase: whether upper and lower case are the same.
        ngrams: the longest n-gram; 1 for single tokens.
        minimum_count: how often a token must occur in the training texts.
        minimum_ngram_count: how often an n-gram must.
        maximum_size: the most entries a vocabulary may have, which are the most frequent; None for no limit. So the
            count that gives an n-gram an entry grows with the texts.
        hashed_ngrams: None, or how many rows the n-grams of two and more tokens share: each is in the row that a hash
            of its tokens gives, so that none is counted or saved (`chainrule.text.HashedNgrams`).
        characters: "none", or the lengths of the character n-grams of each token, such as "3-5": what misspelt words
            and words of unspaced scripts share. "auto" takes "2-4" where more than a tenth of the characters of the
            training texts are of scripts without spaces (Thai, Lao, Khmer, Burmese), and none elsewhere. A bag of
            tokens holds them beside these.
        minimum_character_count: how often a character n-gram must occur in the training texts.
        term_frequency: what a bag of tokens holds of those that a text repeats: "binary" has each once, and "log" has
            one that occurs c times 1 + ⌊log₂ c⌋ times.
    """

    name: ClassVar[str] = "text"
    layouts: ClassVar[tuple[Layout, ...]] = (BAGS, SEQUENCES, SPELLED)
    files: ClassVar[tuple[str, ...]] = (VOCABULARY,)

    lowercase: bool = setting(True, "upper and lower case are the same", option="--keep-case")
    ngrams: int = setting(2, "longest n-gram", least=1)
    minimum_count: int = setting(1, "how often a token must occur", least=1, option="--min-count")
    minimum_ngram_count: int = setting(2, "how often an n-gram must occur", least=1, option="--min-ngram-count")
    maximum_size: int | None = setting(200_000, "most entries of the vocabulary", least=2, option="--max-vocabulary")
    hashed_ngrams: int | None = setting(
        None, "rows that n-grams share by their hashes, instead of entries", least=1, below=MOST_ROWS, metavar="ROWS"
    )
    characters: str = setting(
        AUTO, "character n-grams of tokens: auto, none, or their lengths, such as 3-5", metavar="LENGTHS"
    )
    minimum_character_count: int = setting(
        2, "how often a character n-gram must occur", least=1, option="--min-character-count"
    )
    term_frequency: str = setting(
        LOG, "how often a text holds what it repeats: once (binary), or each time that doubles (log)",
        choices=(BINARY, LOG),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            chosen(self.characters, [])
        except ConfigurationError:
            expected = f"must be auto, none or lengths such as 3-5, got {self.characters[:40]!r}"
            raise SettingError(self.name, "characters", expected) from None
        if self.hashed_ngrams is not None:
            counted = next(x.default for x in self.declared() if x.name == "minimum_ngram_count")
            if self.ngrams == 1:
                expected = f"must go with ngrams of 2 or more, got {self.hashed_ngrams} and ngrams of 1"
                raise SettingError(self.name, "hashed_ngrams", expected)
            if self.minimum_ngram_count != counted:
                expected = f"must be left at {counted} where n-grams are hashed, as none is counted then"
                raise SettingError(self.name, "minimum_ngram_count", f"{expected}, got {self.minimum_ngram_count}")

    def columns(self) -> dict[str, Any]:
        """Nothing: the text column is named by whoever reads."""
        return {}

    def learn(self, table: Table, reads: Layout) -> tuple[TextCodec, Fields]:
        """The vocabulary of the texts, and their ids.

        Raises:
            DataError: when no token is frequent enough.
        """
        tokenizer = Tokenizer(lowercase=self.lowercase)
        tokens, written = _split(table.texts, tokenizer, spelled=reads == SPELLED)
        characters = None
        if reads == BAGS:
            sample = table.texts.gather_every(1 + len(table) // SAMPLE).to_list()
            characters = chosen(self.characters, sample)
        hashed = self._hashed(reads)
        try:
            vocabulary, encoded = Vocabulary.build_and_encode(
                tokens,
                ngrams=self.ngrams if reads == BAGS and hashed is None else 1,
                minimum_count=self.minimum_count,
                minimum_ngram_count=self.minimum_ngram_count,
                maximum_size=self.maximum_size,
                characters=characters,
                minimum_character_count=self.minimum_character_count,
                hashed=hashed,
            )
        except DataError as error:
            raise DataError(f"{table.name}: {error}") from error
        remarks: tuple[str, ...] = ()
        if characters is not None and self.characters == AUTO:
            remarks = (
                f"{table.name}: its script writes words without spaces, so pieces of {characters} characters stand for "
                f"them (--characters none leaves them out)",
            )
        spelling = Spelling.learn(written) if reads == SPELLED else None
        codec = TextCodec(vocabulary, tokenizer, reads, spelling, remarks, doubled=self.term_frequency == LOG)
        return codec, codec.fields(encoded, written)

    def load(self, folder: Path, description: Mapping[str, Any], reads: Layout) -> TextCodec:
        """The vocabulary of a model folder.

        Raises:
            ModelError: when it is missing or damaged.
        """
        characters = None
        if "characters" in description:
            try:
                characters = CharacterNgrams.parsed(str(description["characters"]))
            except ConfigurationError as error:
                raise ModelError(f"characters: {error}") from error
        rules = description.get("rules", 1)
        if rules not in range(1, RULES + 1):
            raise ModelError(f"rules: expected a version of the rules of tokens up to {RULES}, got {rules!r}")
        tokenizer = Tokenizer(self.lowercase, rules)
        vocabulary = Vocabulary.load(folder / VOCABULARY, characters, self._hashed(reads))
        alphabet = description.get("alphabet", "")
        if not isinstance(alphabet, str) or list(alphabet) != sorted(set(alphabet)):
            raise ModelError(f"alphabet: expected distinct characters in ascending order, got {shortened(alphabet)}")
        spelling = Spelling(alphabet) if reads == SPELLED else None
        return TextCodec(vocabulary, tokenizer, reads, spelling, doubled=self.term_frequency == LOG)

    def _hashed(self, reads: Layout) -> HashedNgrams | None:
        """How n-grams are hashed; None where they are not."""
        if self.hashed_ngrams is None or reads != BAGS:
            return None
        return HashedNgrams(self.ngrams, self.hashed_ngrams)


class TextCodec(TextPart):
    """From texts to ids.

    Attributes:
        vocabulary: the tokens and n-grams it knows.
        tokenizer: what splits texts.
        reads: how ids are laid out.
        spelling: the characters of tokens; None where they are not read.
        remarks: what was chosen for the texts that it was learned from.
        doubled: whether a bag holds what a text repeats again each time that its occurrences double.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        tokenizer: Tokenizer,
        reads: Layout,
        spelling: Spelling | None = None,
        remarks: tuple[str, ...] = (),
        *,
        doubled: bool = False,
    ) -> None:
        self.vocabulary = vocabulary
        self.tokenizer = tokenizer
        self.reads = reads
        self.spelling = spelling
        self.remarks = remarks
        self.doubled = doubled

    @property
    def sizes(self) -> Sizes:
        """The number of ids, of entries and hashed n-grams, and of characters."""
        hashed = self.vocabulary.size - len(self.vocabulary)
        characters = 0 if self.spelling is None else self.spelling.size
        return Sizes(outputs=0, entries=self.vocabulary.size, hashed=hashed, characters=characters)

    def encode(self, table: Table) -> Fields:
        """The ids of the texts of a table."""
        if pl.threads_lost():
            return self.encode_few(table.texts.to_list())
        tokens, written = _split(table.texts, self.tokenizer, spelled=self.spelling is not None)
        return self.fields(self.vocabulary.chunks(tokens), written)

    def fields(self, encoded: Iterable[Ragged], written: Tokens) -> Fields:
        """The ids of texts as the network reads them, and their characters, if it does."""
        spelled = {} if self.spelling is None else self.spelling.encode(written)
        return {"ids": Ragged.concatenate(map(self.laid_out, encoded)), **spelled}

    def words(self, texts: Iterable[str | Sequence[str] | None]) -> Iterator[list[str]]:
        """The tokens of texts as they are written; those that are given, where a text is a list of them."""
        written = replace(self.tokenizer, lowercase=False)
        for text in texts:
            if isinstance(text, str | None):
                found, known = written.words(text or ""), self.tokenizer.words(text or "")
                yield found if len(found) == len(known) else known
            else:
                yield list(text)

    def encode_few(self, texts: Sequence[str | Sequence[str]]) -> Fields:
        """What `encode` gives, without Polars: sooner for few texts, and possible in a forked process."""
        spelled: Fields = {}
        if self.spelling is not None:
            texts = [replace(self.tokenizer, lowercase=False).words(text) for text in texts]
            spelled = self.spelling.encode_few(texts)
        rows = [self.vocabulary.ids(self.tokenizer.words(text)) for text in texts]
        if self.reads == BAGS:
            rows = [self._bag(row) for row in rows]
        return {"ids": Ragged.of(rows), **spelled}

    def laid_out(self, encoded: Ragged) -> Ragged:
        """Ids as the network reads them."""
        return encoded.distinct(without=0, doubled=self.doubled) if self.reads == BAGS else encoded

    def _bag(self, row: list[int]) -> list[int]:
        """The ids of a text as `laid_out` gives them."""
        if not self.doubled:
            return sorted({*filter(None, row)})
        counted = Counter(filter(None, row))
        return [entry for entry in sorted(counted) for _ in range(counted[entry].bit_length())]

    def files(self) -> dict[str, bytes]:
        """The vocabulary."""
        return {VOCABULARY: self.vocabulary.text().encode()}

    def describe(self) -> dict[str, Any]:
        """The size of the vocabulary, the version of the rules, the lengths of character n-grams, and the alphabet."""
        held: dict[str, Any] = {"vocabulary": len(self.vocabulary)}
        if self.tokenizer.rules > 1:
            held["rules"] = self.tokenizer.rules
        if self.vocabulary.characters is not None:
            held["characters"] = str(self.vocabulary.characters)
        if self.spelling is not None:
            held["alphabet"] = self.spelling.alphabet
        return held


def _split(texts: pl.Series, tokenizer: Tokenizer, *, spelled: bool) -> tuple[Tokens, Tokens]:
    """The tokens of texts as the vocabulary knows them, and as they are written, where their characters are read."""
    if not spelled:
        tokens = tokenizer(texts)
        return tokens, tokens
    written = replace(tokenizer, lowercase=False)(texts)
    return written.renamed(tokenizer.normalize(written.names)), written
