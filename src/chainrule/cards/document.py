"""A model card as the parts of a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chainrule.cards.limits import source_name
from chainrule.cards.notes import NOTES
from chainrule.report.study.document import Cell, Document, Fold, Paragraph, Part, Row, Section, Table
from chainrule.report.study.shown import NONE, counted, duration, measured
from chainrule.shown import listing, one_line
from chainrule.tasks.measures import TITLES

#: What stands where only people know what to say.
TO_FILL_IN = "To be filled in"
#: Labels of a table, at most.
CLASSES = 30


def document(card: Mapping[str, Any]) -> Document:
    """The parts of a card, in the order of Mitchell et al."""
    sections = [
        Section("model", "Model", [*_model(card), *_note(card, "license"), *_note(card, "contact")]),
        Section("use", "Intended use", [*_note(card, "intended_use"), *_note(card, "out_of_scope")]),
        Section("factors", "Groups and conditions", [*_note(card, "factors")]),
        Section("measures", "Measures", list(_measures(card))),
        Section("data", "Training data", [*_data(card), *_note(card, "data")]),
        Section("limits", "Limits", [Paragraph(x) for x in card["limits"]]),
        Section("ethics", "Ethical considerations", [*_note(card, "ethics"), *_note(card, "caveats")]),
        Section("settings", "Settings", list(_settings(card))),
    ]
    open_notes = [NOTES[key][0].lower() for key, text in card["notes"].items() if not text]
    left = f"{TO_FILL_IN}: {', '.join(open_notes)}." if open_notes else ""
    return Document(f"Model card: {one_line(card['name'], 80)}", _answer(card), left, sections)


def _answer(card: Mapping[str, Any]) -> str:
    """What is said first: the most telling measure."""
    model = card["model"]
    told = f"{model['task']['name']} by {model['learner']['name']}"
    found = next(iter(card["measured"]), None)
    measures = found["measures"] if found else (card["training"] or {}).get("validation") or {}
    chosen = next((x for x in measures.items() if x[1]["low"] is not None), next(iter(measures.items()), None))
    if chosen is None:
        return f"{told}: not measured."
    name, figures = chosen
    rows = found["rows"] if found else card["training"]["data"]["valid"]["rows"]
    where = "test rows" if found else "validation rows, which training was stopped by"
    interval = f" (95 % interval {_between(figures).text})" if figures["low"] is not None else ""
    return f"{told}: {_title(name)} {measured(figures['value']).text}{interval} on {rows:,} {where}."


def _note(card: Mapping[str, Any], key: str) -> Iterator[Part]:
    title, asks = NOTES[key]
    text = card["notes"][key]
    if text:
        yield from (Paragraph(f"{title}: {part}" if not i else part) for i, part in enumerate(text.split("\n\n")))
    else:
        yield Paragraph(f"{title} – {TO_FILL_IN}: {asks}.", "note")


def _model(card: Mapping[str, Any]) -> Iterator[Part]:
    model, training = card["model"], card["training"] or {}
    versions = ", ".join(f"{name} {held}" for name, held in (training.get("versions") or {}).items())
    rows: list[Row] = [
        ["task", model["task"]["name"]],
        ["learner", model["learner"]["name"]],
        ["inputs", (model["inputs"] or {}).get("name", NONE)],
        ["parameters", f"{model['parameters']:,}"],
    ]
    if model["label_count"]:
        rows.append(["labels", f"{model['label_count']:,}: {listing(model['labels'])}"])
    if training:
        rows += [
            ["trained", str(training["time"])],
            ["with", versions],
            ["on", f"{training['machine']}, engine {training['engine']}"],
            ["time of training", f"{duration(training['seconds'])} for {training['epochs']:,} epochs"],
            ["random seed", str(training["seed"])],
        ]
    rows += [[f"SHA-256 of {name}", digest] for name, digest in model["sha256"].items()]
    yield Table("What the model is.", ["", ""], rows)


def _measures(card: Mapping[str, Any]) -> Iterator[Part]:
    for found in card["measured"]:
        intervals = f"{100 * found['level']:g} % intervals are over other rows of the same source"
        told = f"{source_name(found['name'])}: {found['rows']:,} rows, for this one model; {intervals}."
        yield _figures(told, found["measures"])
        if found["classes"]:
            yield _classes(found)
        yield Paragraph(f"Fingerprint of these rows: {found['fingerprint']}")
    validation = (card["training"] or {}).get("validation")
    if validation:
        told = (
            "Validation rows at the best epoch. Training was stopped by them, so that they flatter the model a little."
        )
        yield _figures(told, validation)
    if not card["measured"] and not validation:
        yield Paragraph("It was not measured: give rows of a test.", "note")


def _figures(caption: str, figures: Mapping[str, Any]) -> Table:
    """Measures, with their intervals."""
    rows: list[Row] = [[_title(name), measured(x["value"]), _between(x)] for name, x in figures.items()]
    return Table(caption, ["measure", "value", "interval"], rows)


def _classes(found: Mapping[str, Any]) -> Table:
    """Precision, recall and F1 of each label."""
    held = found["classes"]
    shown = sorted(held, key=lambda x: -held[x].get("support", 0))[:CLASSES]
    more = f" (the {CLASSES} commonest of {len(held):,})" if len(held) > CLASSES else ""
    rows: list[Row] = [
        [
            one_line(name) or "(empty)",
            *(measured(held[name].get(x)) for x in ("precision", "recall", "f1")),
            counted(held[name].get("support")),
        ]
        for name in shown
    ]
    return Table(f"Each label{more}.", ["label", "precision", "recall", "F1", "rows"], rows, sortable=True)


def _data(card: Mapping[str, Any]) -> Iterator[Part]:
    data = (card["training"] or {}).get("data") or {}
    if not data:
        yield Paragraph("There is no record of the training.", "note")
        return
    titles = {"train": "learned from", "valid": "stopped by"}
    rows: list[Row] = [
        [
            titles.get(part, part),
            source_name(x["name"]),
            counted(x["rows"]),
            counted(x.get("unlabelled")),
            x["fingerprint"],
        ]
        for part, x in data.items()
    ]
    yield Table("The rows of the training.", ["", "source", "rows", "left out, unlabelled", "fingerprint"], rows)
    counts = data.get("train", {}).get("labels") or {}
    if counts:
        total = sum(counts.values())
        shown = sorted(counts, key=lambda x: -counts[x])[:CLASSES]
        more = f" (the {CLASSES} commonest of {len(counts):,})" if len(counts) > CLASSES else ""
        held: list[Row] = [
            [one_line(x) or "(empty)", counted(counts[x]), Cell(f"{100 * counts[x] / total:.1f} %", counts[x])]
            for x in shown
        ]
        yield Table(
            f"Labels of the rows that were learned from{more}.", ["label", "rows", "share"], held, sortable=True
        )


def _settings(card: Mapping[str, Any]) -> Iterator[Part]:
    model, training = card["model"], card["training"] or {}
    for part in ("task", "inputs", "learner", "training"):
        held = {key: x for key, x in (model[part] or {}).items() if key not in ("name", "inputs")}
        if held:
            rows: list[Row] = [[key.replace("_", " "), one_line(_shown(x), 200)] for key, x in held.items()]
            yield Table(f"Settings of the {part}.", ["setting", "value"], rows)
    yield Fold("Layers and parameters", [Paragraph(model["summary"], "preformatted")])
    if training.get("settings"):
        yield Fold("Settings file that repeats the training", [Paragraph(training["settings"], "preformatted")])


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        rest = ", ".join(f"{key}={_shown(x)}" for key, x in value.items() if key != "name")
        name = str(value.get("name", ""))
        return f"{name} ({rest})" if name and rest else name or rest
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return "none" if value is None else str(value)


def _title(name: str) -> str:
    title, unit = TITLES.get(name, (name.replace("_", " "), ""))
    return f"{title} ({unit.strip()})" if unit else title


def _between(figures: Mapping[str, Any]) -> Cell:
    if figures["low"] is None:
        return Cell(NONE)
    return Cell(f"{measured(figures['low']).text} to {measured(figures['high']).text}", figures["low"])
