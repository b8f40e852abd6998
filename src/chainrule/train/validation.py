"""Validation: the rows to stop by, and what is to be said of what their figures are worth."""

from __future__ import annotations

from chainrule.data import Table
from chainrule.data.helper import uses_polars
from chainrule.shown import one_line
from chainrule.tasks import Task
from chainrule.tasks.measures import TITLES, confidence_interval
from chainrule.train.trainer import Trainer

#: Of fewer rows none are kept to validate on: so few would stop training by chance, before anything is learned.
FEWEST_TO_SPLIT = 50
#: Of fewer validation rows it is said what a figure is worth.
FEWEST_TO_TRUST = 20
#: Rows repeat by nature where a smaller part of them is distinct.
DISTINCT = 0.7
#: Labels that are named in a remark.
SHOWN = 10


def parted(table: Table, fraction: float, seed: int, task: Task | None = None) -> tuple[Table, Table, list[str]]:
    """The rows to learn from, those to stop by, and what is to be said of it.

    They are the same table where it has too few rows, or only labels with one row each. A label with one row is learned
    from.

    Args:
        table: with what is to be predicted.
        fraction: of the rows, to stop by.
        seed: of the split.
        task: what is asked, which may divide few rows; None for one that does not.
    """
    if len(table) >= FEWEST_TO_SPLIT:
        train, valid = table.split(1 - fraction, fraction, seed=seed)
        if len(valid):
            return train, valid, _rare(table)
        why = "no label has two rows or more, so none are kept to validate on"
    elif task is not None and (divided := task.divided(table, fraction)) is not None:
        train, valid, remark = divided
        return train, valid, [remark]
    else:
        why = f"has {len(table)} rows, too few to keep some to validate on ({FEWEST_TO_SPLIT} are enough)"
    remark = (
        f"{table.name}: {why}: all rows are learned from and validated on, so the figures tell how well these are "
        "remembered, not how new ones are answered; a table of its own to validate on tells that (--valid FILE)"
    )
    return table, table, [remark]


def _rare(table: Table) -> list[str]:
    labels = table.rare_labels(2)
    if not labels:
        return []
    named = ", ".join(repr(one_line(label)) for label in labels[:SHOWN]) + (", ..." if len(labels) > SHOWN else "")
    if len(labels) == 1:
        return [f"{table.name}: the label {named} has one row, which is learned from and not validated on"]
    return [
        f"{table.name}: {len(labels):,} labels have one row each ({named}), which are learned from and not validated on"
    ]


@uses_polars
def repeated_rows(train: Table, valid: Table) -> dict[str, int] | None:
    """How many rows of validation are training rows, too; None where rows repeat by nature, as few categories do."""
    names = [name for name in train.columns.columns if name in valid.columns.columns]
    hashes = train.columns.select(names).hash_rows()
    if hashes.n_unique() < DISTINCT * len(hashes):
        return None
    again = valid.columns.select(names).hash_rows().is_in(hashes.implode())
    return {"rows": int(again.sum()), "of": len(valid)}


def outcome(trainer: Trainer) -> dict[str, object]:
    """What a record says at the end of a training that had an epoch: what it had to be better than, and remarks."""
    if trainer.best is None:
        return {}
    task, figures = trainer.task, trainer.best[0].valid
    remarks = _worth(task, figures, trainer.valid.rows) if trainer.valid is not trainer.train else []
    reached, said = {}, []
    for baseline in task.baselines(trainer.train, trainer.model.codec):
        evaluation = task.evaluate(task.answered(baseline, trainer.valid), trainer.valid, trainer.model.codec)
        figure, value = float(getattr(evaluation, baseline.measure)), figures[baseline.measure]
        reached[baseline.measure] = figure
        if baseline.reached_by(value, figure):
            rate = trainer.optimizer.learning_rate
            said.append(
                f"the model is no better than {baseline.answer}: validation {_title(baseline.measure)} {value:.4g} "
                f"against {figure:.4g}; try another learning rate (this was {rate:g}), more epochs or more rows"
            )
    return {"baseline": reached, "remarks": remarks + said[:1]}


def _worth(task: Task, figures: dict[str, float], rows: int) -> list[str]:
    """What a figure of few rows is worth."""
    if rows >= FEWEST_TO_TRUST:
        return []
    of = "1 row" if rows == 1 else f"{rows} rows"
    if task.share is None:
        return [f"validation {task.monitor} {figures[task.monitor]:.4f} is of {of}: too few to tell how new rows fare"]
    share = figures[task.share]
    low, high = confidence_interval(round(share * rows), rows)
    return [
        f"validation {_title(task.share)} {share:.4f} is of {of}: that of new rows lies between {low:.2f} and "
        f"{high:.2f}, with 95 % confidence (Clopper and Pearson)"
    ]


def _title(measure: str) -> str:
    return TITLES.get(measure, (measure.replace("_", " "), ""))[0]
