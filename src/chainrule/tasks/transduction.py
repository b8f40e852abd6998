"""How well texts that a model wrote fit the true ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule.forks import once
from chainrule.graph.spec import Array
from chainrule.shown import one_line
from chainrule.tasks import measures
from chainrule.tasks.task import Rows
from chainrule.text.symbols import CHARACTERS, UNKNOWN_SYMBOL, Symbols

#: Rows of the table of outputs that are wrong, and characters of a text in it.
SHOWN, WIDEST = 10, 40


def edit_distance(one: Sequence[int], other: Sequence[int]) -> int:
    """The fewest insertions, deletions and substitutions that make one sequence the other.

    Example:
        >>> edit_distance([1, 2, 3], [2, 3, 4])
        2

    Source: Levenshtein, Binary codes capable of correcting deletions, insertions, and reversals (1966).
    """
    places, other_ids = np.arange(len(other) + 1), np.asarray(other, np.int64)
    best = places
    for number, symbol in enumerate(one, start=1):
        kept = np.minimum(best[:-1] + (other_ids != symbol), best[1:] + 1)
        # An insertion costs one more than the place before: the least over all places before, and the way from there.
        best = np.minimum.accumulate(np.concatenate([[number], kept]) - places) + places
    return int(best[-1])


class TeacherForced:
    """How likely each symbol of the true texts was, where all before it were given.

    Attributes:
        loss: the mean over symbols and ends.
        token_accuracy: the share of symbols and ends that were the likeliest.
        exact_match: the share of texts all of whose symbols were: those that greedy search writes.
        scores: of each text, the share of its symbols and its end that were.
    """

    score: ClassVar[str] = "share of tokens right"
    confidence: ClassVar[None] = None  # the true text is no answer

    def __init__(self, loss: float, hits: Array, offsets: Array) -> None:
        self.loss = loss
        self.token_accuracy = float(hits.mean()) if len(hits) else math.nan
        self.scores = measures.means_of_rows(hits, offsets, 1.0)
        self.exact_match = float((self.scores == 1).mean()) if len(self.scores) else math.nan

    @property
    def measures(self) -> dict[str, float]:
        """All figures by name."""
        return {name: getattr(self, name) for name in ("token_accuracy", "exact_match", "loss")}

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return dict(measures.for_json(self.measures))

    def tables(self) -> list[tuple[str, Rows]]:
        """None."""
        return []


class Transduction:
    """How well texts that a model wrote fit the true ones.

    Args:
        symbols: of the texts that are written.
        sources: the texts that were read.
        truth: of each row, the ids of the true text.
        written: of each row, those of the text that was written.
        forced: how likely the true texts were.
        log_probabilities: of each row, ln p of the text that was written; None where it is not known.

    An unknown unit of a true text counts as wrong, as it is never written. BLEU and chrF are those of sacrebleu: of
    units with blanks between them as they are, and where units are characters, of the text by its own tokenisation
    (13a); they are left out where it is not installed.

    Example:
        >>> from chainrule.text.symbols import Splitter
        >>> forced = TeacherForced(0.5, np.array([1.0, 1.0, 0.0]), np.array([0, 3]))
        >>> found = Transduction(Symbols(["a", "b"], Splitter("symbols")), ["x"], [[2, 3]], [[2, 2]], forced)
        >>> found.exact_match, found.token_error_rate
        (0.0, 0.5)
    """

    score: ClassVar[str] = "right"

    def __init__(
        self,
        symbols: Symbols,
        sources: Sequence[str],
        truth: Sequence[Sequence[int]],
        written: Sequence[Sequence[int]],
        forced: TeacherForced,
        log_probabilities: Array | None = None,
    ) -> None:
        self.symbols, self.sources = symbols, sources
        self.truth, self.written, self.forced = list(map(list, truth)), list(map(list, written)), forced
        self.log_probabilities = log_probabilities

    @property
    def examples(self) -> int:
        """The number of rows."""
        return len(self.truth)

    @once
    def distances(self) -> Array:
        """Of each row, the edit distance of what was written from what is true; see `edit_distance`."""
        return np.array([edit_distance(a, b) for a, b in zip(self.written, self.truth, strict=True)], np.int64)

    @once
    def _right(self) -> Array:
        """Which rows are right."""
        pairs = zip(self.written, self.truth, strict=True)
        return np.array([a == b and UNKNOWN_SYMBOL not in b for a, b in pairs], bool)

    @property
    def scores(self) -> Array:
        """1 for each row whose text is the true one, and 0 for the others; their mean is the exact match."""
        return self._right.astype(np.float64)

    @property
    def confidence(self) -> Array | None:
        """The probability of the text that was written for each row, with its end; None where it is not known."""
        return None if self.log_probabilities is None else np.exp(self.log_probabilities)

    @property
    def exact_match(self) -> float:
        """The share of rows whose text is the true one."""
        return float(self._right.mean())

    @property
    def token_error_rate(self) -> float:
        """Σ edit distance / Σ units of the true texts; above 1 where more is written than there should be."""
        units = sum(map(len, self.truth))
        return float(self.distances.sum() / units) if units else math.nan

    @once
    def _overlap(self) -> dict[str, float]:
        """BLEU and chrF from 0 to 100, where sacrebleu is installed."""
        try:
            import sacrebleu
        except ImportError:
            return {}
        written, truth = ([self.symbols.text(ids) for ids in rows] for rows in (self.written, self.truth))
        way = "13a" if self.symbols.splitter.unit == CHARACTERS else "none"
        bleu = sacrebleu.corpus_bleu(written, [truth], tokenize=way, force=True).score
        return {"bleu": float(bleu), "chrf": float(sacrebleu.corpus_chrf(written, [truth]).score)}

    @property
    def remarks(self) -> tuple[str, ...]:
        """That measures are left out, where they are."""
        lacking = "BLEU and chrF are left out, as sacrebleu is not installed: pip install 'chainrule[bleu]'"
        return () if self._overlap else (lacking,)

    @property
    def measures(self) -> dict[str, float]:
        """All figures by name."""
        own = {name: getattr(self, name) for name in ("exact_match", "token_error_rate")}
        return {**own, **self._overlap, "token_accuracy": self.forced.token_accuracy, "loss": self.forced.loss}

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {"examples": self.examples, **measures.for_json(self.measures)}

    def tables(self) -> list[tuple[str, Rows]]:
        """Some of the rows whose text is wrong, the first ones."""
        wrong = np.flatnonzero(~self._right)
        if not len(wrong):
            return []
        rows = [["text", "expected", "written"]]
        for i in wrong[:SHOWN]:
            texts = (self.sources[i], self.symbols.text(self.truth[i]), self.symbols.text(self.written[i]))
            rows.append([one_line(text, WIDEST) for text in texts])
        return [(f"{len(wrong):,} of {self.examples:,} texts are not as expected; the first of them", rows)]
