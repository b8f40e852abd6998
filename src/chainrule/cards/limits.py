"""What a model cannot do, as far as it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.shown import listing, one_line

if TYPE_CHECKING:
    from chainrule.models import Model

#: So few rows of a label are said.
FEW_ROWS = 50
#: Rows to be measured on, below which the intervals are to be minded.
FEW_MEASURED = 200


def source_name(name: str) -> str:
    """The name of a table without the folders of this machine."""
    return one_line(name.replace("\\", "/").rstrip("/").rpartition("/")[2] or name, 80)


def limits_of(model: Model, training: Mapping[str, Any] | None, found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences of what a model knows and does not, what was not measured, and what training found."""
    return [*_of_model(model), *_of_training(training), *_of_measures(training, found)]


def _of_model(model: Model) -> Iterator[str]:
    labels = getattr(model.codec.targets, "values", None)
    if labels:
        yield f"It knows the labels {listing(labels)}: it answers by these whatever it is asked."
    columns = model.task.columns()
    if columns:
        yield (
            f"It reads numbers ({listing(columns['numbers'])}) and categories ({listing(columns['categories'])}); a "
            "category that training has not seen counts as unknown, and a number far from those of training gets an "
            "answer all the same."
        )
    elif model.codec.sizes.entries:
        yield (
            f"Of texts it knows {model.codec.sizes.entries:,} entries (words, n-grams or pieces) of the training rows; "
            "of others, such as those of another language, it knows nothing."
        )


def _of_training(training: Mapping[str, Any] | None) -> Iterator[str]:
    if training is None:
        yield "There is no record of its training: what it has learned from is not known here."
        return
    data = (training["data"] or {}).get("train") or {}
    counts = data.get("labels") or {}
    rare = {label: rows for label, rows in counts.items() if rows < FEW_ROWS}
    if rare:
        yield (
            f"Of {len(rare):,} of {len(counts):,} labels it has seen fewer than {FEW_ROWS} rows, such as "
            f"{one_line(min(rare, key=rare.__getitem__))} with {min(rare.values()):,}."
        )
    numbers = data.get("numbers")
    if numbers:
        yield f"The numbers that it has learned from lie between {numbers['least']:g} and {numbers['most']:g}."
    yield from (f"Training: {sentence}" for sentence in [*training["findings"], *training["remarks"]])


def _of_measures(training: Mapping[str, Any] | None, found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not found and training is not None:
        yield (
            "It was measured on the rows alone that training was stopped by, where it looks a little better than it "
            "is: measure it on rows of a test."
        )
    known = {x.get("fingerprint"): part for part, x in ((training or {}).get("data") or {}).items()}
    for table in found:
        part = known.get(table["fingerprint"])
        if part is not None:
            yield f"{source_name(table['name'])} has the rows of its training ({part}): measures on it say little."
        if table["rows"] < FEW_MEASURED:
            yield f"{source_name(table['name'])} has {table['rows']:,} rows: its intervals are wide."
        if table["unseen"]:
            yield (
                f"{source_name(table['name'])} has labels that the model does not know, which count as wrong: "
                f"{listing(table['unseen'])}."
            )
