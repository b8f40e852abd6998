"""What is asked of a server: the JSON of a request, as rows that its model reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import chainrule.polars as pl
from chainrule.data.json_cells import checked, column
from chainrule.dataclasses import dataclass
from chainrule.errors import DataError, shortened
from chainrule.serve.limits import RequestError
from chainrule.shown import listing

if TYPE_CHECKING:
    from chainrule.models import Model

BODY = "body"


@dataclass(frozen=True)
class Asked:
    """Rows to answer for.

    Attributes:
        rows: texts, lists of tokens, or cells by the names of columns.
        one: whether one row was asked for, and no list.
        top: how many labels or texts are to be told; None for what is usual.
    """

    rows: list[Any]
    one: bool
    top: int | None = None


class RowReader:
    """From the JSON of requests to rows, for one model.

    Args:
        model: that is to answer.
        most: rows of a request, at most.

    Attributes:
        columns: the columns that the model reads, and whether they hold "numbers" or "categories"; empty for texts.
        tokens: whether a row may be a list of tokens.
    """

    def __init__(self, model: Model, most: int) -> None:
        named = model.task.columns()
        self.columns = {name: option for option in named for name in named[option]}
        self.tokens = model.task.target == "tags"
        self.ranks = model.ranks
        self.most = most
        text = 'a text, or an object such as {"text": "..."}'
        self._expected = f'{text} or {{"tokens": ["...", "..."]}}' if self.tokens else text
        if self.columns:
            self._expected = f"an object with the columns {listing(self.columns)}"

    def read(self, body: bytes, *, listed: bool = False, top: int | None = None) -> Asked:
        """The rows of a request: of a list, several.

        Args:
            body: of the request.
            listed: whether it has to be a list.
            top: as of `Asked`.

        Raises:
            RequestError: for what is no JSON, or not what the model reads.
        """
        try:
            content = _DECODER.decode(body.decode())
        except RecursionError:
            raise RequestError(BODY, self._expected, "JSON that is nested too deeply") from None
        except json.JSONDecodeError as error:
            place = f"{BODY}, line {error.lineno}, column {error.colno}"
            raise RequestError(place, "JSON", f"what is none: {error.msg}") from None
        except ValueError as error:  # no UTF-8, or numbers of thousands of digits
            raise RequestError(BODY, "JSON in UTF-8", shortened(str(error))) from None
        if not isinstance(content, list):
            if listed:
                raise RequestError(BODY, "a list of rows", _kind(content))
            return Asked([self._row(content, BODY)], one=True, top=top)
        if len(content) > self.most:
            raise RequestError(BODY, f"at most {self.most:,} rows, in several requests", f"{len(content):,}", 413)
        rows = [self._row(row, f"row {number} (the first is 0)") for number, row in enumerate(content)]
        if self.tokens and len({type(row) for row in rows}) > 1:
            raise RequestError(BODY, "texts alone, or lists of tokens alone", "both")
        return Asked(rows, one=False, top=top)

    def given(self, rows: list[Any]) -> Any:
        """Rows as the model takes them.

        Raises:
            DataError: for cells that a column does not hold.
        """
        if not self.columns:
            return rows
        return pl.DataFrame(
            [column(name, [row[name] for row in rows], option) for name, option in self.columns.items()]
        )

    def _row(self, row: object, where: str) -> Any:
        if self.columns:
            return self._cells(row, where)
        if isinstance(row, dict):
            if self.tokens and "tokens" in row:
                return self._tokens(row["tokens"], f"{where}, tokens")
            if "text" not in row:
                raise RequestError(where, self._expected, f"an object with {listing(row)}")
            row, where = row["text"], f"{where}, text"
        if not isinstance(row, str):
            raise RequestError(where, self._expected, _kind(row))
        return _whole(row, where)

    def _tokens(self, tokens: object, where: str) -> list[str]:
        if not isinstance(tokens, list):
            raise RequestError(where, "a list of tokens", _kind(tokens))
        for place, token in enumerate(tokens):
            if not isinstance(token, str) or not token:
                raise RequestError(f"{where}, number {place}", "a token, a text that is not empty", _kind(token))
            _whole(token, where)
        return tokens

    def _cells(self, row: object, where: str) -> dict[str, Any]:
        if not isinstance(row, Mapping):
            raise RequestError(where, self._expected, _kind(row))
        missing = [name for name in self.columns if name not in row]
        if missing:
            raise RequestError(where, self._expected, f"an object without {listing(missing)}")
        cells = {}
        for name, option in self.columns.items():
            try:
                cells[name] = checked(row[name], option, where)
            except DataError:
                raise RequestError(
                    f"{where}, column {shortened(name)}", "a text, a number, a boolean or null", _kind(row[name])
                ) from None
        return cells


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name}, which JSON does not have")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _whole(text: str, where: str) -> str:
    """A text without halves of characters, which JSON can hold."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RequestError(where, "a text", "half of a surrogate pair, which is no character") from None
    return text


def _kind(value: object) -> str:
    """A value as a message repeats it, in the words of JSON."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"a list of {len(value):,}"
        case dict():
            return f"an object with {listing(value)}"
    return shortened(value)
