"""Columns of numbers and categories that stand beside texts, for what reads these and no texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainrule.data.helper import uses_polars
from chainrule.data.table import Table
from chainrule.errors import DataError


@uses_polars
def columns_beside(table: Table, numbers: str | Sequence[str], categories: str | Sequence[str]) -> Table:
    """The rows as columns of numbers and categories; a table of texts has those that it kept (`read_table`, keep=...).

    Args:
        table: of columns already, or of texts.
        numbers: columns of numbers; "auto" for all whose cells are numbers.
        categories: columns of categories; "auto" for all that are left. Texts, labels and weights are none.

    Raises:
        DataError: where it kept none, or they do not hold what they should.

    Example:
        >>> import chainrule, polars, tempfile
        >>> path = tempfile.mkdtemp() + "/films.csv"
        >>> polars.DataFrame({"text": ["so good", "bad"], "year": [1999, 2001], "label": ["p", "n"]}).write_csv(path)
        >>> table = chainrule.read_table(path, keep="all")
        >>> columns_beside(table, "auto", "auto").columns.columns, table.texts.to_list()
        (['year'], ['so good', 'bad'])
    """
    if not table.textual:
        return table
    if table.kept is None:
        raise DataError(
            f"{table.name}: has texts, and no columns of numbers and categories; read it with numbers=... and "
            "categories=..., --numbers and --categories, or with texts as well by keep=..."
        )
    roles = {table.source.get(role) for role in ("text", "label", "weight")}
    frame = table.kept.drop([name for name in table.kept.columns if name in roles])
    found = Table.from_frame(frame, numbers=numbers, categories=categories, label=None, name=table.name)
    return replace(table, columns=found.columns, textual=False, kept=None)
