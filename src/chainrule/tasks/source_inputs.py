"""The texts that a model reads in order to write others: as sequences of units, each with its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import chainrule.polars as pl
from chainrule.data import Table
from chainrule.data.layout import PAIRS, Layout, Sizes
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError, ModelError, shortened
from chainrule.settings import setting
from chainrule.tasks.codec import Fields, TextPart
from chainrule.tasks.inputs import INPUTS, Inputs
from chainrule.text.symbols import CHARACTERS, UNITS, Splitter, Symbols


@INPUTS.register
@dataclass(frozen=True, kw_only=True)
class Source(Inputs):
    """Texts to be read for others to be written: units in their order, and the end of the text.

    Attributes:
        source_unit: what a text is cut into: "words" and marks, "characters", or "symbols", which blanks separate.
        fold_case: whether upper and lower case are the same.
        minimum_count: how often a unit must occur in the training texts to be known.
        maximum_size: the most units that are known, the most frequent ones; None for no limit.
    """

    name: ClassVar[str] = "source"
    layouts: ClassVar[tuple[Layout, ...]] = (PAIRS,)

    source_unit: str = setting(CHARACTERS, "what a text that is read is a sequence of", choices=UNITS)
    fold_case: bool = setting(False, "upper and lower case are the same")
    minimum_count: int = setting(1, "how often a token must occur", least=1, option="--min-count")
    maximum_size: int | None = setting(200_000, "most entries of the vocabulary", least=2, option="--max-vocabulary")

    def columns(self) -> dict[str, Any]:
        """Nothing: the text column is named by whoever reads."""
        return {}

    @property
    def _splitter(self) -> Splitter:
        return Splitter(self.source_unit, self.fold_case)

    def learn(self, table: Table, reads: Layout) -> tuple[SourceCodec, Fields]:  # noqa: ARG002
        """The units of the texts, and their ids.

        Raises:
            DataError: when no unit is frequent enough.
        """
        symbols, ids = Symbols.learned(
            table.texts, self._splitter, minimum_count=self.minimum_count, maximum_size=self.maximum_size
        )
        if not symbols.names:
            raise DataError(
                f"{table.name}: no text has {self.source_unit} that occur {self.minimum_count} times or more"
            )
        return SourceCodec(symbols), {"ids": ids}

    def load(self, folder: Path, description: Mapping[str, Any], reads: Layout) -> SourceCodec:  # noqa: ARG002
        """The units of a model.

        Raises:
            ModelError: when they are not what they should be.
        """
        return SourceCodec(load_symbols(description, "source", self._splitter))


class SourceCodec(TextPart):
    """From texts to ids.

    Attributes:
        symbols: the units it knows.
    """

    remarks: tuple[str, ...] = ()

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols

    @property
    def sizes(self) -> Sizes:
        """The number of ids."""
        return Sizes(outputs=0, entries=len(self.symbols))

    def encode(self, table: Table) -> Fields:
        """The ids of the texts of a table."""
        if pl.threads_lost():
            return self.encode_few(table.texts.to_list())
        return {"ids": self.symbols.encode(table.texts)}

    def encode_few(self, texts: Sequence[str]) -> Fields:
        """What `encode` gives, without Polars."""
        return {"ids": self.symbols.encode_few(texts)}

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}

    def describe(self) -> dict[str, Any]:
        """The units."""
        return {"source": list(self.symbols.names)}


def load_symbols(description: Mapping[str, Any], name: str, splitter: Splitter) -> Symbols:
    """The units in what a codec described.

    Raises:
        ModelError: when they are no list of distinct texts.
    """
    held = description.get(name)
    if not isinstance(held, list) or not held or not all(isinstance(unit, str) and unit for unit in held):
        raise ModelError(f"expected {name} as a list of texts, got {shortened(held)}")
    if len(set(held)) < len(held):
        raise ModelError(f"expected units of {name} that differ, got {shortened(held)}")
    return Symbols(held, splitter)
