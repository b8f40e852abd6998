"""The columns that are wanted of a file, checked against those that there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.errors import DataError, shortened
from chainrule.shown import listing

#: A column that is wanted: the command-line option that names it, without dashes, and its name.
Wanted = tuple[str, str]

#: Columns that a message lists.
LISTED = 30


def check_columns(
    where: object, there: Iterable[str], wanted: Sequence[Wanted], *, everything: bool, advice: str = ""
) -> None:
    """Refuse columns that are missing or doubled.

    Args:
        where: for messages.
        there: the names of all columns.
        wanted: those that are to be read.
        everything: whether all others are read as well.
        advice: what else may be the reason, as a sentence.

    Raises:
        DataError: naming the column, those that are there, and the option that names another.
    """
    names = list(there)
    for option, name in [*wanted, *(("column", name) for name in names if everything)]:
        if names.count(name) == 1:
            continue
        fault = "no column" if name not in names else "more than one column"
        hint = f"Name the one that holds the {option}s with --{option} NAME"
        if option == "tokens":
            hint = "Name the one that holds the tokens with --text NAME"
        if option in ("numbers", "categories"):
            hint = f"It is wanted as one of the {option}"
        if option == "column":
            hint = "Rename one, or, to predict, name those to keep: --keep NAME,NAME"
        if option == "keep":
            hint = "Name columns that are there: --keep NAME,NAME"
        raise DataError(f"{where}: {fault} {shortened(name)}; the columns are {listing(names, LISTED)}. {hint}{advice}")
