"""Answers that are labels: how they are shown to people and written for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.dataclasses import dataclass
from chainrule.graph.spec import Array
from chainrule.shown import one_line
from chainrule.tasks.labels import Labels

#: As many labels as an answer tells all probabilities of, and how many it tells of more, unless told otherwise.
FEW, LIKELIEST = 30, 5


@dataclass(frozen=True, eq=False)
class LabelAnswer:
    """The label of a row, or its labels, and the probability of each label there is.

    Attributes:
        labels: all that there are.
        response: their probabilities, shape (labels,).
        chosen: the place of the label among them, or the places of several.
    """

    labels: Labels
    response: Array
    chosen: int | Sequence[int]

    @property
    def value(self) -> Any:
        """The label, or a list of labels."""
        return self._of(self.labels.values)

    @property
    def probabilities(self) -> dict[str, float]:
        """The probability of each label."""
        return dict(zip(self.labels.names, self.response.tolist(), strict=True))

    def likeliest(self, top: int | None = None) -> list[tuple[int, float]]:
        """Places of labels and their probabilities: the likeliest first, as many as are asked for.

        None stands for all, in the order of the labels, where there are up to 30, and else for the 5 likeliest.
        """
        places = np.arange(len(self.response))
        if top is not None or len(places) > FEW:
            places = np.argsort(-self.response, kind="stable")[: LIKELIEST if top is None else top]
        return [(int(place), _rounded(self.response[place])) for place in places]

    def json(self, top: int | None = None) -> dict[str, Any]:
        """The keys are "prediction" and "probabilities"."""
        names = self.labels.names
        return {"prediction": self.value, "probabilities": {names[i]: p for i, p in self.likeliest(top)}}

    def line(self, top: int | None = None) -> str:
        """The label or labels, a tab, and probabilities."""
        names = self.labels.names
        chosen = self._of(names)
        shown = one_line(chosen if isinstance(chosen, str) else ", ".join(chosen))
        return f"{shown}\t" + " ".join(f"{one_line(names[i])}={p:.4f}" for i, p in self.likeliest(top))

    def cells(self, top: int | None = None) -> dict[str, Any]:
        """Columns "prediction" and "probability"; if so many are asked for, "top_1", "probability_1" and so on."""
        found = self._of(self.response)
        probability = [_rounded(p) for p in found] if isinstance(found, list) else _rounded(found)
        cells = {"prediction": self.value, "probability": probability}
        for number, (place, p) in enumerate([] if top is None else self.likeliest(top), start=1):
            cells |= {f"top_{number}": self.labels.values[place], f"probability_{number}": p}
        return cells

    def _of(self, values: Any) -> Any:
        """What is chosen of values, one a label."""
        return values[self.chosen] if isinstance(self.chosen, int) else [values[place] for place in self.chosen]


def _rounded(probability: Any) -> float:
    return round(float(probability), 6)
