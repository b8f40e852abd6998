"""Reading a table for several tasks, of which some may read texts and others columns of numbers and categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chainrule.data.roles import ALL, AUTO
from chainrule.tasks import Task


def reading_of(tasks: Sequence[Task]) -> tuple[Task, dict[str, Any]]:
    """The task that reads the table of all of them, and what its `read` is told beside what a user says.

    Where some read columns and others do not, it is one of texts that keeps the columns.

    Example:
        >>> from chainrule.tasks import Classify, Columns, Text
        >>> reading_of([Classify(inputs=Text()), Classify(inputs=Columns(numbers=("price",)))])[1]
        {'keep': ('price',)}
    """
    columns = [task.columns() for task in tasks]
    if all(columns) or not any(columns):
        return tasks[0], {}
    named = [names for held in columns for names in held.values()]
    automatic = any(AUTO in (names, *([] if isinstance(names, str) else names)) for names in named)
    keep = ALL[0] if automatic else tuple(dict.fromkeys(name for names in named for name in names))
    return replace(tasks[0], inputs=None), {"keep": keep}
