"""How well predicted tags of tokens fit the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule.forks import once
from chainrule.graph.spec import Array
from chainrule.shown import one_line
from chainrule.tasks import measures
from chainrule.tasks.classification import Decisions, class_table
from chainrule.tasks.entities import (
    BILOU,
    ENDS,
    IOB2,
    IOBES,
    Entities,
    EntityScores,
    broken,
    scheme_of,
    type_names,
)
from chainrule.tasks.task import Rows

#: The measures of entities by name: their prefix in the definition of CoNLL, and in the strict one.
DEFINITIONS = {"entity": False, "strict_entity": True}
#: What a broken sequence of a scheme is.
BROKEN = {
    IOB2: "I-X after neither B-X nor I-X",
    IOBES: "I-X or E-X after neither B-X nor I-X, B-X or I-X without an end",
    BILOU: "I-X or L-X after neither B-X nor I-X, B-X or I-X without an end",
}


class Tagging(Decisions):
    """How well predicted tags fit the true ones, token by token, and, where they are of entities, by these.

    Schemes of entities are IOB2, IOBES and BILOU; see `chainrule.tasks.entities`.

    A tag that the model has never seen is wrong, whatever was predicted; it is left out of the loss.

    Args:
        labels: the tags that the model knows.
        truth: the true tag of each token, shape (tokens,): its place among the labels, or a number above them for one
            that is unseen.
        predicted: shape (tokens,).
        offsets: where each text begins, and the last one ends.
        loss: the mean loss.
        kinds: of the true and the predicted tags, what they say of entities (`entities.kinds_of`); None for tags of
            something else.
        certainty: of each token, the probability of its tag; None where tags have none.

    Example:
        >>> truth, predicted = np.array([0, 1, 2, 0]), np.array([0, 1, 2, 2])
        >>> kinds = np.array([4, 5, 0])
        >>> names, offsets = ("B-PER", "I-PER", "O"), np.array([0, 3, 4])
        >>> evaluation = Tagging(names, truth, predicted, offsets, 0.1, (kinds[truth], kinds[predicted]))
        >>> evaluation.accuracy, round(evaluation.entity_f1, 4)
        (0.75, 0.6667)
    """

    word: ClassVar[str] = "tag"
    has: ClassVar[str] = "tokens"
    score: ClassVar[str] = "share of tokens right"

    def __init__(
        self,
        labels: Sequence[str],
        truth: Array,
        predicted: Array,
        offsets: Array,
        loss: float,
        kinds: tuple[Array, Array] | None = None,
        certainty: Array | None = None,
    ) -> None:
        super().__init__(labels, truth, predicted)
        self.offsets = offsets
        self.loss = loss
        self.kinds = kinds
        self.certainty = certainty

    @property
    def examples(self) -> int:
        """The number of texts."""
        return len(self.offsets) - 1

    @property
    def tokens(self) -> int:
        """The number of tokens."""
        return len(self.truth)

    @property
    def unseen_tokens(self) -> int:
        """The number of tokens with a tag that the model does not know."""
        return int((~self.known).sum())

    @property
    def sentence_accuracy(self) -> float:
        """The share of texts all of whose tags are right; an empty one is."""
        return float((self.scores == 1).mean())

    @property
    def scores(self) -> Array:
        """Of each text, the share of tokens with the right tag; 1 for an empty one."""
        return measures.means_of_rows(self.right, self.offsets, 1.0)

    @property
    def confidence(self) -> Array | None:
        """Of each text, the mean probability of its tags; None where tags have none."""
        return None if self.certainty is None else measures.means_of_rows(self.certainty, self.offsets, 1.0)

    @once
    def scheme(self) -> str:
        """The scheme of tags of entities: of those that the model knows, and of those that it met."""
        known = scheme_of(self.labels) or IOB2
        met = any((x % 4 >= ENDS).any() for x in self.kinds or ())
        return IOBES if known == IOB2 and met else known

    @once
    def _entities(self) -> dict[str, EntityScores]:
        """The scores of entities by both definitions; none where tags are of something else."""
        if self.kinds is None:
            return {}
        types = int(max(x.max(initial=0) for x in self.kinds)) // 4
        found = {}
        for name, strict in DEFINITIONS.items():
            truth, predicted = (
                Entities.of(x, self.offsets, strict=strict, marked=self.scheme != IOB2) for x in self.kinds
            )
            found[name] = EntityScores(truth, predicted, types)
        return found

    @property
    def entity_f1(self) -> float:
        """F1 of entities by the definition of CoNLL; NaN where tags are not of entities."""
        return self.measures.get("entity_f1", float("nan"))

    @property
    def strict_entity_f1(self) -> float:
        """F1 of entities by the strict definition; NaN where tags are not of entities."""
        return self.measures.get("strict_entity_f1", float("nan"))

    @property
    def broken(self) -> tuple[int, int]:
        """How many true and predicted tags go on with an entity that there is not, or leave one without its end."""
        if self.kinds is None:
            return 0, 0
        marked = self.scheme != IOB2
        true, predicted = (int(broken(x, self.offsets, marked=marked).sum()) for x in self.kinds)
        return true, predicted

    @property
    def measures(self) -> dict[str, float]:
        """All figures of the whole by name."""
        figures = {"accuracy": self.accuracy}
        for name, scores in self._entities.items():
            parts = ("precision", "recall", "f1")
            figures |= {f"{name}_{part}": x for part, x in zip(parts, scores.together(), strict=True)}
        figures |= {"sentence_accuracy": self.sentence_accuracy, "macro_f1": self.macro_f1, "loss": self.loss}
        return figures

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        held: dict[str, Any] = {"examples": self.examples, "tokens": self.tokens, **measures.for_json(self.measures)}
        if self.kinds is not None:
            true, predicted = self.broken
            held |= {"scheme": self.scheme, "broken": {"true": true, "predicted": predicted}}
            held["entities"] = {
                type_: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
                for type_, p, r, f, n in self._by_type()
            }
        return {**held, **self.by_label()}

    def tables(self) -> list[tuple[str, Rows]]:
        """Entities by type, if there are any, the figures of each tag, and which were confused."""
        held: list[tuple[str, Rows]] = []
        if self.kinds is not None:
            rows = list(self._by_type())
            if rows:
                names = [row[0] for row in rows]
                precision, recall, f1, support = (np.array([row[i] for row in rows]) for i in range(1, 5))
                _, cells = class_table(names, precision, recall, f1, support, "entity", "entities")
                held.append(("entities by the definition of CoNLL (conlleval)", cells))
            true, predicted = self.broken
            said = (
                f"broken sequences ({BROKEN[self.scheme]}): {true:,} true tags, {predicted:,} predicted; they are "
                f"entities by the definition of CoNLL, and none by the strict one (seqeval, {self.scheme})"
            )
            held.append((said, []))
        return [*held, *super().tables()]

    def _by_type(self) -> list[tuple[str, float, float, float, int]]:
        """Of each type of entities the name, precision, recall, F1 and support; unseen types together are the rest."""
        scores, names = self._entities["entity"], type_names(self.labels)
        figures = zip(*scores.by_type(), scores.counts()[2], strict=True)
        return [(one_line(name) or "(none)", *each) for name, each in zip(names, figures, strict=False)]
