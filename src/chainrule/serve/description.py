"""What a server tells of itself: OpenAPI for programs, and a page for people that needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.drawing.page import escaped, page
from chainrule.serve.limits import Limits
from chainrule.serve.rows import RowReader
from chainrule.tasks.column_inputs import ColumnsCodec
from chainrule.version import __version__

if TYPE_CHECKING:
    from chainrule.models import Model

HERE = Path(__file__).parent
TEXT = "A warm and funny film."

STATUSES = {
    "400": "what is no JSON, or not what the model reads; the answer says where, what was expected and what came",
    "408": "a body that does not arrive in time",
    "413": "a body with too many bytes or rows",
    "503": "more requests wait than the model answers soon; Retry-After says when to ask again",
}


def example(model: Model) -> Any:
    """A row that a model reads."""
    inputs = model.codec.inputs
    if not isinstance(inputs, ColumnsCodec):
        return TEXT
    numbers = {column.name: round(column.mean, 3) for column in inputs.numbers}
    return numbers | {column.name: next(iter(column.values), "") for column in inputs.categories}


def described(reader: RowReader, name: str, limits: Limits, row: Any, answer: Any) -> dict[str, Any]:
    """OpenAPI 3.1 of a server.

    Args:
        reader: of its requests.
        name: of the model.
        limits: what is taken at most.
        row: an example.
        answer: to the example.
    """
    given = row if reader.columns else {"text": row}
    top = {
        "name": "top", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 1},
        "description": "how many of the likeliest labels or texts are told",
    }  # fmt: skip
    refused = {
        status: {"description": text, "content": {"application/json": {"schema": _ref("Error")}}}
        for status, text in STATUSES.items()
    }

    def asked(summary: str, schema: Any, found: Any, examples: tuple[Any, Any]) -> dict[str, Any]:
        content = {"application/json": {"schema": schema, "example": examples[0]}}
        answered = {"application/json": {"schema": found, "example": examples[1]}}
        return {
            "post": {
                "summary": summary,
                "parameters": [top] if reader.ranks else [],
                "requestBody": {"required": True, "content": content},
                "responses": {"200": {"description": "the answers", "content": answered}, **refused},
            }
        }

    rows = {"type": "array", "items": _ref("Row"), "maxItems": limits.rows}
    answers = {"type": "array", "items": _ref("Answer")}
    either, found = {"oneOf": [_ref("Row"), rows]}, {"oneOf": [_ref("Answer"), answers]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": __version__,
            "description": f"A model of chainrule. A request has at most {limits.bytes:,} bytes and {limits.rows:,} "
            f"rows; where {limits.waiting:,} rows wait, further requests are rejected.",
        },
        "paths": {
            "/predict": asked("The answer for a row, or for each row of a list", either, found, (given, answer)),
            "/predict/batch": asked("The answer for each row of a list", rows, answers, ([given], [answer])),
            "/health": _page("Whether the server answers, and how many requests it has", "application/json"),
            "/card": _page("The model card: data, measures, limits", "text/html"),
            "/card.json": _page("The model card, for programs", "application/json"),
            "/openapi.json": _page("This description", "application/json"),
            "/": _page("This description, for people", "text/html"),
        },
        "components": {
            "schemas": {
                "Row": _row(reader),
                "Answer": {"type": "object", "required": list(answer), "example": answer},
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {x: {"type": "string"} for x in ("error", "where", "expected", "got")},
                },
            }
        },
    }


def _row(reader: RowReader) -> dict[str, Any]:
    """What a row is."""
    if reader.columns:
        kinds = {"numbers": ["number", "string", "null"], "categories": ["string", "number", "boolean", "null"]}
        cells = {name: {"type": kinds[option]} for name, option in reader.columns.items()}
        return {"type": "object", "required": list(cells), "properties": cells}
    text: dict[str, Any] = {"type": "string"}
    objects = {"text": text}
    if reader.tokens:
        objects["tokens"] = {"type": "array", "items": {"type": "string", "minLength": 1}}
    named = [{"type": "object", "required": [name], "properties": {name: held}} for name, held in objects.items()]
    return {"oneOf": [text, *named]}


def _page(summary: str, kind: str) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": {"200": {"description": summary, "content": {kind: {}}}}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def described_page(held: dict[str, Any]) -> tuple[str, str]:
    """The page of a description, and what it may load and run: its own script, and nothing from elsewhere."""
    script = HERE.joinpath("page.js").read_text("utf-8")
    sheet = HERE.joinpath("page.css").read_text("utf-8")
    info, parts = held["info"], []
    for path, methods in held["paths"].items():
        ((method, operation),) = methods.items()
        parts.append(f"<section><h2><code>{method.upper()} {escaped(path)}</code></h2>")
        parts.append(f"<p>{escaped(operation['summary'])}.</p>")
        if method == "post":
            parts.append(_form(path, operation))
        parts.append("</section>")
    statuses = "".join(f"<dt>{status}</dt><dd>{escaped(text)}</dd>" for status, text in STATUSES.items())
    body = (
        f"<header><h1>{escaped(info['title'])}</h1><p>{escaped(info['description'])}</p></header>\n<main>"
        + "\n".join(parts)
        + f"<section><h2>Requests that are refused</h2><dl>{statuses}</dl></section></main>\n"
        f"<footer>chainrule {escaped(info['version'])} · <a href='openapi.json'>openapi.json</a></footer>"
        f"<script>{script}</script>"
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page(f"{info['title']}: predictions", body, f"<style>{sheet}</style>\n"), policy


def _form(path: str, operation: dict[str, Any]) -> str:
    """An example of a request and its answer, which can be changed and sent."""
    (asked,) = operation["requestBody"]["content"].values()
    (answered,) = operation["responses"]["200"]["content"].values()
    given, found = (json.dumps(x["example"], ensure_ascii=False, indent=1) for x in (asked, answered))
    command = f"curl --json {json.dumps(json.dumps(asked['example']))} http://localhost:8000{path}"
    return (
        f'<form data-path="{escaped(path)}"><label>Body<textarea rows="4" spellcheck="false">{_lines(given)}</textarea>'
        f'</label><button>Send</button><pre role="status" tabindex="0">{_lines(found)}</pre></form>'
        f'<pre class="command" tabindex="0">{escaped(command)}</pre>'
    )


def _lines(text: str) -> str:
    return "\n".join(map(escaped, text.split("\n")))
