"""The tokenizer of a pretrained folder: texts as ids, by the `tokenizers` library."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data import Ragged
from chainrule.data.chunks import offsets_of
from chainrule.encoders.folder import read_json
from chainrule.errors import ConfigurationError, DataError, ModelError, shortened
from chainrule.forks import once

TOKENIZER, SETTINGS, SPECIAL = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"
#: Rows that a table of words may have behind the last id: tables are filled up to a multiple of that.
SPARE_ROWS = 128
#: A longest text of more tokens than this stands for none.
NO_END = 10**9


class PretrainedTokenizer:
    """Texts as the ids that an encoder was trained on.

    What a folder says of cutting and filling up texts is left aside: nothing is filled up, and a text is cut only where
    a length is given, and counted.

    Args:
        tokenizer: of the `tokenizers` library.
        longest: how many tokens a text may have, as the folder says; None where it says nothing.

    Attributes:
        vocabulary: how many ids there are, up to the largest.
    """

    def __init__(self, tokenizer: Any, longest: int | None = None) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer, self.longest = tokenizer, longest
        self.vocabulary = 1 + max(tokenizer.get_vocab(True).values(), default=-1)
        marks = tokenizer.encode("a").special_tokens_mask
        content = [place for place, mark in enumerate(marks) if not mark] or [len(marks)]
        self._before, self._behind = content[0], max(0, len(marks) - 1 - content[-1])

    @classmethod
    def of_folder(cls, folder: str | os.PathLike[str], vocabulary: int | None = None) -> PretrainedTokenizer:
        """The tokenizer of a folder: `tokenizer.json`, or else `vocab.txt`, or else `vocab.json` and `merges.txt`.

        Args:
            folder: with these files.
            vocabulary: how many ids the encoder has; None where nothing is to be checked.

        Raises:
            ConfigurationError: when the library is missing.
            ModelError: for missing or damaged files, and a tokenizer of another vocabulary size.
        """
        place = Path(folder)
        library = _library()
        settings = _settings(place)
        source = next((name for name in _READERS if (place / name).is_file()), None)
        if source is None:
            raise ModelError(
                f"{place}: {TOKENIZER} is missing (or vocab.txt, or vocab.json and merges.txt); copy the files of "
                f"the tokenizer into the folder"
            )
        longest = settings.get("model_max_length")
        if isinstance(longest, bool) or not isinstance(longest, int) or not 1 <= longest <= NO_END:
            longest = None
        where = str(place / source)
        found: PretrainedTokenizer = _guarded(where, lambda: cls(_READERS[source](library, place, settings), longest))
        if vocabulary is not None and not vocabulary - SPARE_ROWS < found.vocabulary <= vocabulary:
            raise ModelError(
                f"{where}: a tokenizer of {found.vocabulary:,} ids, and the encoder beside it has {vocabulary:,} "
                f"(vocab_size in config.json); they do not belong together"
            )
        return found

    def ids(self, texts: Sequence[str], longest: int | None = None) -> tuple[Ragged, int]:
        """The ids of texts, with those that begin and end a text.

        Args:
            texts: any number of them.
            longest: tokens that are kept of a text, those that begin and end it included; None for all.

        Returns:
            The ids, and how many texts were cut.

        Raises:
            DataError: for what is no text.
            ConfigurationError: for a length that leaves nothing of a text.
        """
        self._require(longest)
        clean = [_clean(text, f"text {place}") for place, text in enumerate(texts)]
        found = _guarded("tokenizer", lambda: self._tokenizer.encode_batch_fast(clean))
        rows = [self._cut(encoding.ids, longest) for encoding in found]
        return _ragged(rows), sum(longest is not None and len(x) > longest for x in found)

    def words(self, texts: Sequence[Sequence[str]], longest: int | None = None) -> tuple[Ragged, np.ndarray, int]:
        """The ids of texts that are cut into words already, and where each word begins.

        A word of which the tokenizer keeps nothing counts as one that it does not know.

        Args:
            texts: lists of words.
            longest: see `ids`.

        Returns:
            The ids; for each word of all texts the place of its first id among all ids, or -1 where it was cut off:
            int64 of shape (words,); and how many texts were cut.

        Raises:
            DataError: for what is no word.
            ConfigurationError: for a length that leaves nothing of a text.
        """
        self._require(longest)
        tokenizer = self._for_words
        clean = [[_clean(x, f"text {n}, word {m}") for m, x in enumerate(words)] for n, words in enumerate(texts)]
        found = _guarded("tokenizer", lambda: tokenizer.encode_batch(clean, is_pretokenized=True))
        firsts = [_firsts(encoding, len(words)) for encoding, words in zip(found, clean, strict=True)]
        for place, first in enumerate(firsts):
            if (first < 0).any():
                words = [x if known else self._unknown for x, known in zip(clean[place], first >= 0, strict=True)]
                found[place] = _guarded("tokenizer", lambda words=words: tokenizer.encode(words, is_pretokenized=True))  # type: ignore[misc]
                firsts[place] = _firsts(found[place], len(words))
        rows, begin, places = [], 0, [np.zeros(0, np.int64)]
        for encoding, first in zip(found, firsts, strict=True):
            row = self._cut(encoding.ids, longest)
            kept = (first >= 0) & (first < len(row) - (self._behind if len(row) < len(encoding.ids) else 0))
            places.append(np.where(kept, first + begin, -1))
            rows.append(row)
            begin += len(row)
        cut = sum(longest is not None and len(encoding.ids) > longest for encoding in found)
        return _ragged(rows), np.concatenate(places), cut

    def _cut(self, ids: list[int], longest: int | None) -> list[int]:
        if longest is None or len(ids) <= longest:
            return ids
        return ids[: longest - self._behind] + ids[len(ids) - self._behind :]

    def _require(self, longest: int | None) -> None:
        least = self._before + self._behind + 1
        if longest is not None and longest < least:
            raise ConfigurationError(
                f"longest: expected {least} tokens or more, as {least - 1} begin and end each text, got {longest}"
            )

    def pieces(self, ids: np.ndarray) -> list[str]:
        """The pieces that ids stand for, as they are read; those that begin and end a text by their names."""
        names = [self._tokenizer.decode([x], skip_special_tokens=False).strip() for x in ids.tolist()]
        return [name or self._tokenizer.id_to_token(x) for name, x in zip(names, ids.tolist(), strict=True)]

    def special(self, ids: np.ndarray) -> np.ndarray:
        """Of the ids of one text, which begin and end it: bool of the same shape."""
        places = np.arange(len(ids))
        found: np.ndarray = (places < self._before) | (places >= len(ids) - self._behind)
        return found

    @property
    def unknown(self) -> int:
        """The id of what has no piece, or of a mask where each text has pieces; 0 where there is neither."""
        own = getattr(self._tokenizer.model, "unk_token", None) or "<unk>"
        found = (self._tokenizer.token_to_id(x) for x in (own, "<unk>", "[UNK]", "<mask>", "[MASK]"))
        return next((x for x in found if x is not None), 0)

    @property
    def _unknown(self) -> str:
        """A word that becomes the id of unknown ones, or some other piece where every word is known."""
        return getattr(self._tokenizer.model, "unk_token", None) or "?"

    @once
    def _for_words(self) -> Any:
        """The tokenizer that reads words as if each had a blank before it."""
        content = json.loads(self._tokenizer.to_str())
        if not _with_blanks(content.get("pre_tokenizer")):
            return self._tokenizer
        return type(self._tokenizer).from_str(json.dumps(content))

    def file(self) -> bytes:
        """The content of a `tokenizer.json`, from whatever files it was read."""
        content: str = self._tokenizer.to_str()
        return content.encode()

    def __repr__(self) -> str:
        return f"PretrainedTokenizer({type(self._tokenizer.model).__name__}, {self.vocabulary:,} ids)"


def _firsts(encoding: Any, words: int) -> np.ndarray:
    """The place of each word's first id; -1 for a word without one."""
    first = np.full(words, -1, np.int64)
    for place, word in reversed([*enumerate(encoding.word_ids)]):
        if word is not None:
            first[word] = place
    return first


def _with_blanks(part: Any) -> bool:
    """Let a part of the library's format read words as if each had a blank before it; whether it has a say in that."""
    if not isinstance(part, dict):
        return False
    if part.get("type") == "ByteLevel":
        part["add_prefix_space"] = True
        return True
    return any(_with_blanks(x) for x in part.get("pretokenizers", []))


def _ragged(rows: list[list[int]]) -> Ragged:
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    ids = np.fromiter((x for row in rows for x in row), np.int32, int(lengths.sum()))
    return Ragged(ids, offsets_of(lengths))


def _clean(text: Any, where: str) -> str:
    """A text without halves of characters, which the library refuses."""
    if not isinstance(text, str):
        raise DataError(f"{where}, counted from 0: expected a text, got {shortened(text)}")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _guarded(where: str, call: Callable[[], Any]) -> Any:
    """The result of a call to the library, whose faults are ours to name; a panic of it is no ordinary exception."""
    try:
        return call()
    except (ModelError, ConfigurationError, DataError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ModelError(f"{where}: is no tokenizer that can be used: {shortened(str(error))}") from error


def _settings(place: Path) -> dict[str, Any]:
    """What the files beside a tokenizer say of it."""
    found: dict[str, Any] = {}
    for name in (SPECIAL, SETTINGS):
        if (place / name).is_file():
            found |= read_json(place / name)
    return found


def _word(settings: Mapping[str, Any], name: str, usual: str) -> str:
    """A special token, by its name in the settings."""
    found = settings.get(name)
    found = found.get("content") if isinstance(found, Mapping) else found
    return found if isinstance(found, str) else usual


def _whole(library: Any, place: Path, settings: Mapping[str, Any]) -> Any:  # noqa: ARG001
    return library.Tokenizer.from_file(str(place / TOKENIZER))


def _word_pieces(library: Any, place: Path, settings: Mapping[str, Any]) -> Any:
    """BERT's rules, with a piece a line."""
    lines = (place / "vocab.txt").read_text(encoding="utf-8").split("\n")
    pieces = {piece.rstrip("\r"): number for number, piece in enumerate(lines if lines[-1] else lines[:-1])}
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "cls_token": "[CLS]", "pad_token": "[PAD]"}
    special = {name: _word(settings, name, usual) for name, usual in (names | {"mask_token": "[MASK]"}).items()}
    for name in ("unk_token", "sep_token", "cls_token"):
        _require_piece(special[name], pieces, place / "vocab.txt")
    found = library.Tokenizer(
        library.models.WordPiece(pieces, unk_token=special["unk_token"], max_input_chars_per_word=100)
    )
    found.add_special_tokens([word for word in special.values() if word in pieces])
    found.normalizer = library.normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars") is not False,
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case") is not False,
    )
    found.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    ends = [(special[name], pieces[special[name]]) for name in ("sep_token", "cls_token")]
    found.post_processor = library.processors.BertProcessing(*ends)
    return found


def _byte_pairs(library: Any, place: Path, settings: Mapping[str, Any]) -> Any:
    """RoBERTa's rules, with the pieces and with what they were made of, in the order in which it was learned."""
    pieces = read_json(place / "vocab.json")
    if not (place / "merges.txt").is_file():
        raise ModelError(f"{place}: merges.txt is missing beside vocab.json; copy it from where the folder came from")
    special = {"cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    special = {name: _word(settings, name, usual) for name, usual in special.items()}
    for name in ("cls_token", "sep_token"):
        _require_piece(special[name], pieces, place / "vocab.json")
    found = library.Tokenizer(library.models.BPE.from_file(str(place / "vocab.json"), str(place / "merges.txt")))
    found.add_special_tokens([word for word in special.values() if word in pieces])
    mask = _word(settings, "mask_token", "<mask>")
    if mask in pieces:
        found.add_special_tokens([library.AddedToken(mask, lstrip=True)])
    blank = bool(settings.get("add_prefix_space"))
    found.pre_tokenizer, found.decoder = (
        library.pre_tokenizers.ByteLevel(add_prefix_space=blank),
        library.decoders.ByteLevel(),
    )
    ends = [(special[name], pieces[special[name]]) for name in ("sep_token", "cls_token")]
    found.post_processor = library.processors.RobertaProcessing(*ends, add_prefix_space=blank)
    return found


def _require_piece(word: str, pieces: Mapping[str, Any], path: Path) -> None:
    if word not in pieces:
        raise ModelError(f"{path}: the special token {shortened(word)} is missing; copy the file again")


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ConfigurationError(
            "the tokenizer of a pretrained model needs the library tokenizers: pip install 'chainrule[pretrained]'"
        ) from error
    return tokenizers


#: Who reads each file that a tokenizer may be in, the first that is there.
_READERS: dict[str, Callable[[Any, Path, Mapping[str, Any]], Any]] = {
    TOKENIZER: _whole,
    "vocab.txt": _word_pieces,
    "vocab.json": _byte_pairs,
}
