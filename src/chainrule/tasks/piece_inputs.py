"""Texts as the pieces that the tokenizer of a pretrained encoder cuts them into."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.data import Ragged, Table
from chainrule.data.chunks import offsets_of
from chainrule.data.layout import PIECED, PIECES, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.encoders import EncoderConfiguration, PretrainedTokenizer, read_configuration
from chainrule.errors import DataError
from chainrule.settings import SettingError, setting
from chainrule.tasks.codec import Fields, TextPart
from chainrule.tasks.inputs import INPUTS, Inputs
from chainrule.text import Tokenizer

TOKENIZER, CONFIGURATION = "tokenizer.json", "config.json"


@INPUTS.register
@dataclass(frozen=True, kw_only=True)
class Pieces(Inputs):
    """Texts in the pieces of a pretrained encoder's tokenizer, with the ones that it begins and ends each text with.

    Attributes:
        truncate: to how many pieces a longer text is cut, those at both ends included; it is said how many texts were.
            None for no text: one of more pieces than the encoder has positions is refused.
    """

    name: ClassVar[str] = "pieces"
    layouts: ClassVar[tuple[Layout, ...]] = (PIECES, PIECED)
    files: ClassVar[tuple[str, ...]] = (TOKENIZER, CONFIGURATION)

    truncate: int | None = setting(
        None, "pieces that longer texts are cut to; none refuses texts that the encoder cannot read", least=3
    )

    def columns(self) -> dict[str, Any]:
        """Nothing: the text column is named by whoever reads."""
        return {}

    def learn(self, table: Table, reads: Layout) -> tuple[PiecesCodec, Fields]:
        """The tokenizer and the configuration of the encoder's folder, and the pieces of the texts.

        Raises:
            ModelError: for a folder that cannot be read.
            DataError: for texts that are longer than the encoder can read.
        """
        codec = self._codec(Path(reads.source), reads, fingerprint(Path(reads.source)))
        fields, cut = codec.cut(table.texts.to_list(), table.name)
        if cut:
            codec.remarks = (f"{table.name}: {codec.cut_texts(cut, len(table))}",)
        return codec, fields

    def load(self, folder: Path, description: Mapping[str, Any], reads: Layout) -> PiecesCodec:
        """The tokenizer and the configuration of a model folder.

        Raises:
            ModelError: when a file is missing or damaged.
        """
        return self._codec(folder, reads, str(description.get("encoder", "")))

    def _codec(self, folder: Path, reads: Layout, source: str) -> PiecesCodec:
        configuration = read_configuration(folder)
        tokenizer = PretrainedTokenizer.of_folder(folder, configuration.vocabulary)
        if self.truncate is not None and self.truncate > configuration.positions:
            reason = f"must be at most {configuration.positions}, the positions of the encoder, got {self.truncate}"
            raise SettingError(self.name, "truncate", reason)
        return PiecesCodec(tokenizer, configuration, self.truncate, reads, source)


class PiecesCodec(TextPart):
    """From texts to the ids of their pieces.

    Attributes:
        tokenizer: what cuts texts.
        configuration: of the encoder that reads the pieces.
        truncate: the pieces that longer texts are cut to; None where those that the encoder cannot read are refused.
        reads: how ids are laid out.
        source: the fingerprint of the encoder's folder.
        remarks: how many of the texts that it was learned from were cut.
    """

    def __init__(
        self,
        tokenizer: PretrainedTokenizer,
        configuration: EncoderConfiguration,
        truncate: int | None,
        reads: Layout,
        source: str,
    ) -> None:
        self.tokenizer = tokenizer
        self.configuration = configuration
        self.truncate = truncate
        self.reads = reads
        self.source = source
        self.remarks: tuple[str, ...] = ()

    @property
    def sizes(self) -> Sizes:
        """The number of ids, and the configuration of the encoder."""
        return Sizes(outputs=0, entries=self.configuration.vocabulary, encoder=self.configuration)

    def encode(self, table: Table) -> Fields:
        """The ids of the texts of a table."""
        return self.cut(table.texts.to_list(), table.name)[0]

    def encode_few(self, texts: Sequence[str | Sequence[str]]) -> Fields:
        """What `encode` gives."""
        return self.cut(texts, "texts")[0]

    def cut(self, texts: Sequence[str | Sequence[str] | None], name: str) -> tuple[Fields, int]:
        """The ids of texts, and how many of these were cut as they are too long.

        Raises:
            DataError: for texts that are too long, where they are not to be cut.
        """
        most = self.truncate or self.configuration.positions
        if self.reads.arrays == PIECED.arrays:
            words = list(self.words(texts))
            pieces, places, cut = self.tokenizer.words(words, most)
            fields = {"first": _first(places, offsets_of(np.array([len(x) for x in words])), pieces), "pieces": pieces}
        else:
            ids, cut = self.tokenizer.ids([text or "" for text in texts], most)  # type: ignore[misc]
            fields = {"ids": ids}
        if cut and self.truncate is None:
            raise DataError(
                f"{name}: {cut:,} of {len(texts):,} texts have more pieces than the encoder reads, {most}; shorten "
                f"them, or have them cut: --truncate {most}"
            )
        return fields, cut

    def count_cut(self, texts: Sequence[str | Sequence[str]]) -> int:
        """How many of these texts have more pieces than `truncate`."""
        return 0 if self.truncate is None else self.cut(texts, "texts")[1]

    def cut_texts(self, cut: int, texts: int) -> str:
        """What is said of texts so many of which were cut."""
        return f"{cut:,} of {texts:,} texts have more than {self.truncate} pieces, and were cut (--truncate)"

    def words(self, texts: Iterable[str | Sequence[str] | None]) -> Iterator[list[str]]:
        """The words of texts; those that are given, where a text is a list of them."""
        written = Tokenizer(lowercase=False)
        for text in texts:
            yield written.words(text or "") if isinstance(text, str | None) else list(text)

    def files(self) -> dict[str, bytes]:
        """The tokenizer, and the configuration of the encoder."""
        return {TOKENIZER: self.tokenizer.file(), CONFIGURATION: self.configuration.written().encode()}

    def describe(self) -> dict[str, Any]:
        """How many pieces there are, and the fingerprint of the encoder's folder."""
        return {"pieces": self.configuration.vocabulary, "encoder": self.source}


def _first(places: np.ndarray, offsets: np.ndarray, pieces: Ragged) -> Ragged:
    """The place of each word's first piece in its text; of a word that was cut off, that of the text's last piece."""
    rows = np.repeat(np.arange(len(pieces)), np.diff(offsets))
    found = np.where(places < 0, pieces.offsets[1:][rows] - 1, places) - pieces.offsets[:-1][rows]
    return Ragged(found.astype(np.int32), offsets)


def fingerprint(folder: Path) -> str:
    """What tells a folder of an encoder from all others: SHA-256 over its configuration, tokenizer and weights."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.name in ("config.json", "tokenizer.json", "vocab.txt") or path.suffix == ".safetensors":
            with path.open("rb") as stream:
                digest.update(f"{path.name}:{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
