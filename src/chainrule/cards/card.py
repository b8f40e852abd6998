"""Card: what is to be known of a model before it is used."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.cards.limits import limits_of
from chainrule.cards.measured import LEVEL, measured
from chainrule.cards.notes import NOTES, checked_notes
from chainrule.data import Table
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError
from chainrule.models import Model
from chainrule.models.folder import DESCRIPTION
from chainrule.report.record import Line, read_record
from chainrule.tasks.measures import confidence_interval
from chainrule.train.run_folder import RECORD
from chainrule.version import __version__

#: Labels that a card lists.
LABELS = 100


@dataclass(frozen=True)
class Card:
    """A model card.

    Attributes:
        content: all that it tells, as JSON can hold it.

    Source: Mitchell et al., Model Cards for Model Reporting (2019).
    """

    content: Mapping[str, Any]

    def json(self) -> str:
        """All of it, for programs."""
        return json.dumps(self.content, ensure_ascii=False, indent=2) + "\n"

    def markdown(self) -> str:
        """Text with tables."""
        from chainrule.cards.document import document
        from chainrule.report.study.markdown import markdown

        return markdown(document(self.content))

    def html(self) -> str:
        """One page that needs nothing else, for light and dark screens and for phones."""
        from chainrule.cards.document import document
        from chainrule.report.study.page import page

        return page(document(self.content), made=f"Made by chainrule {self.content['chainrule']}.")

    def text(self, format: str) -> str:
        """As "html", "markdown" or "json"."""
        return {"html": self.html, "markdown": self.markdown, "json": self.json}[format]()


def model_card(
    model: Model | str | os.PathLike[str],
    tables: Table | Iterable[Table] = (),
    *,
    folder: str | os.PathLike[str] | None = None,
    name: str | None = None,
    license: str | None = None,
    notes: Mapping[str, str] | None = None,
    record: Sequence[Line] | None = None,
) -> Card:
    """What is to be known of a model before it is used: a model card.

    What only people know, such as what it is to be used for, is left to be filled in, and marked; see `NOTES`.

    Args:
        model: that it is of, or its folder, in which the record of its training is looked for.
        tables: rows with labels to measure it on, which training has not seen.
        folder: that the model was loaded from, where it is not given itself.
        name: of the model; None for that of its folder.
        license: under which the model may be used.
        notes: what only people know, by the keys of `NOTES`.
        record: of its training (`Run.record`); None for that of its folder, if there is one.

    Raises:
        ModelError: for a folder that is no model.
        DataError: for tables that it cannot be measured on, a record that cannot be read, or a note that there is not.

    Example:
        >>> import chainrule
        >>> table = chainrule.Table.from_lists(["good", "fun", "bad", "dull"] * 5, list("ppnn") * 5)
        >>> run = chainrule.fit(chainrule.BagOfWords(), table, table)
        >>> card = model_card(run.model, table, record=run.record, license="CC BY 4.0")
        >>> card.content["measured"][0]["measures"]["accuracy"]["value"]
        1.0
        >>> "To be filled in" in card.markdown()
        True
    """
    checksums: Mapping[str, str] = {}
    if not isinstance(model, Model):
        folder = model
        model = Model.load(folder)
    if folder is not None:
        place = Path(folder)
        name = name or place.absolute().name
        checksums = json.loads((place / DESCRIPTION).read_bytes())["sha256"]
        if record is None and (place / RECORD).is_file():
            record = read_record(place / RECORD)
    held = checked_notes({**(notes or {}), **({} if license is None else {"license": license})})
    tables = [tables] if isinstance(tables, Table) else list(tables)
    found = [measured(model, table) for table in tables]
    training = _training(model, list(record or ()))
    labels = list(getattr(model.codec.targets, "values", None) or ())
    inputs = model.task.inputs
    content = {
        "kind": "model card",
        "chainrule": __version__,
        "name": name or f"a model of the learner {model.learner.name}",
        "notes": {key: held.get(key) for key in NOTES},
        "model": {
            "task": model.task.settings(),
            "inputs": None if inputs is None else inputs.settings(),
            "learner": model.learner.settings(),
            "training": dict(model.training),
            "parameters": sum(x.spec.size for x in model.network.parameters()),
            "labels": labels[:LABELS],
            "label_count": len(labels),
            "summary": model.summary(),
            "sha256": dict(checksums),
        },
        "training": training,
        "measured": found,
        "limits": limits_of(model, training, found),
    }
    return Card(json.loads(json.dumps(content, default=str)))


def _training(model: Model, record: Sequence[Line]) -> dict[str, Any] | None:
    """What the record of a training says; None where there is none."""
    lines: dict[str, list[Line]] = {"run": [], "epoch": [], "end": []}
    for line in record:
        lines.setdefault(str(line.get("kind")), []).append(line)
    if not lines["run"]:
        return None
    first, end, epochs = lines["run"][0], (lines["end"] or [{}])[-1], lines["epoch"]
    try:
        best = next((x for x in epochs if x["epoch"] == end.get("best_epoch")), None)
        valid = {name.removeprefix("valid_"): x for name, x in (best or {}).items() if name.startswith("valid_")}
        return {
            **{name: first.get(name) for name in ("time", "seed", "engine", "machine", "versions", "data", "settings")},
            "seconds": sum(x.get("seconds", 0) for x in epochs),
            "epochs": len(epochs),
            "best_epoch": end.get("best_epoch"),
            "reason": end.get("reason"),
            "remarks": [*first.get("remarks", ()), *end.get("remarks", ())],
            "findings": [str(x["sentence"]) for x in end.get("findings", ())],
            "validation": _with_interval(model, valid, (first.get("data") or {}).get("valid") or {}),
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"the record of the training is not one that chainrule writes: {error!r}") from error


def _with_interval(model: Model, values: Mapping[str, float], rows: Mapping[str, Any]) -> dict[str, Any]:
    """The measures of the validation rows; the share of rows that are right has an interval."""
    found = {name: {"value": value, "low": None, "high": None} for name, value in values.items()}
    share, count = model.task.share, rows.get("rows")
    if share in found and count:
        low, high = confidence_interval(round(values[share] * count), count, level=LEVEL)
        found[share] |= {"low": low, "high": high}
    return found
