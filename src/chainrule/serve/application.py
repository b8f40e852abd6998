"""The application: which address of a server answers what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs

from chainrule.errors import DataError, shortened
from chainrule.serve.description import described, described_page, example
from chainrule.serve.limits import Limits, RequestError
from chainrule.serve.listening import is_here
from chainrule.serve.owner import Owner
from chainrule.serve.protocol import rejection
from chainrule.serve.rows import BODY, Asked, RowReader
from chainrule.version import __version__

if TYPE_CHECKING:
    from chainrule.cards import Card
    from chainrule.models import Model

#: The parts of ASGI, the interface of web servers in Python.
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers: TypeAlias = Mapping[bytes, bytes]

#: The addresses that answer for rows, and whether they take lists alone.
PREDICT = {"/predict": False, "/predict/batch": True}
JSON = b"application/json"
CLOSE = {b"connection": b"close"}
#: Why a task is cancelled whose body takes too long.
LATE = "late"
#: Seconds in which the rest of a request that is refused may still come, so that its sender reads why.
LINGER = 1.0


class GoneError(Exception):
    """Whoever asked has closed the connection."""


class Application:
    """What a web server calls for each request.

    The addresses that answer for rows are served here, and the pages beside them by Starlette: what it does for any
    application takes as long, of each request, as a small model does.

    Args:
        model: that answers.
        name: of the model, for people.
        limits: what is taken at most.
        card: of the model.
        host: where the server listens; on this machine alone, requests have to be for this machine.
        engine: "native" or "eager".

    Attributes:
        owner: of the model.
    """

    def __init__(
        self, model: Model, *, name: str, limits: Limits, card: Card, host: str = "127.0.0.1", engine: str = "native"
    ) -> None:
        self.limits = limits
        self.reader = RowReader(model, limits.rows)
        self.owner = Owner(model, self.reader, limits.waiting, engine)
        self._name, self._here = name, is_here(host)
        row = example(model)
        (answer,) = model.answers(self.reader.given([row]), engine=engine)  # it is compiled now, and not while asked
        self._described = described(self.reader, name, limits, row, answer.json())
        self._pages = self._routes(card)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: Headers = {}
        try:
            given = dict(scope["headers"])
            self._require_host(given)
            if scope["path"] not in PREDICT:
                await self._pages(scope, receive, send)
                return
            asked = await self._asked(scope, given, receive)
            status, content = 200, await self.owner.answer(asked)
        except GoneError:
            return
        except RequestError as error:
            status, content, headers = error.status, json.dumps(error.json()).encode(), error.headers
        except DataError as error:
            status, content = 400, json.dumps({"error": str(error)}).encode()
        if status in (408, 413):
            await _refuse(receive, send, status, content)
        else:
            await _respond(send, status, content, headers)

    def _require_host(self, headers: Headers) -> None:
        """Refuse what a page from elsewhere asks, whose name leads to this machine."""
        host = headers.get(b"host")
        if host is not None and self._here and not _is_here(host):
            raise RequestError("header host", "this machine, such as localhost", shortened(_text(host)), 403)

    async def _asked(self, scope: Scope, headers: Headers, receive: Receive) -> Asked:
        """What a request asks for; one that is rejected is not even read."""
        if scope["method"] != "POST":
            raise RequestError("method", "POST", shortened(scope["method"]), 405, {b"allow": b"POST"})
        if self.owner.full:
            self.owner.rejected += 1
            raise rejection()
        top = self._top(scope["query_string"])
        return self.reader.read(await self._body(headers, receive), listed=PREDICT[scope["path"]], top=top)

    def _top(self, query: bytes) -> int | None:
        """How many labels are to be told."""
        if not query:
            return None
        given = parse_qs(query.decode("latin-1"), keep_blank_values=True)
        unknown = given.keys() - {"top"}
        if unknown or len(given.get("top", ())) > 1:
            raise RequestError("query", "top alone, once", shortened(_text(query)))
        (top,) = given["top"]
        if not (top.isascii() and top.isdigit() and len(top) < 10 and int(top)):
            raise RequestError("query, top", "a whole number of 1 or more", shortened(top))
        if not self.reader.ranks:
            raise RequestError("query, top", "nothing, as the model does not answer by a label", shortened(top))
        return int(top)

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        """The body of a request, as far as it is not too long.

        Raises:
            RequestError: for one that is too long, or too slow.
        """
        most = self.limits.bytes
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise RequestError("header content-length", "a whole number", shortened(_text(length)))
        if len(length) > 18 or int(length) > most:
            raise RequestError(BODY, f"at most {most:,} bytes", f"{_text(length)}", 413)
        parts, size, more = [], 0, True
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # a server has one for a request
        # As `asyncio.timeout` does, in a fifth of the time, which is a part of what a request costs.
        alarm = asyncio.get_running_loop().call_later(self.limits.seconds, task.cancel, LATE)
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise GoneError
                part, more = message.get("body", b""), message.get("more_body", False)
                size += len(part)
                if size > most:
                    raise RequestError(BODY, f"at most {most:,} bytes", "more", 413)
                parts.append(part)
        except asyncio.CancelledError as error:
            if error.args != (LATE,):
                raise
            task.uncancel()
            raise RequestError(BODY, f"all of it in {self.limits.seconds} seconds", "a part", 408) from None
        finally:
            alarm.cancel()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _routes(self, card: Card) -> Any:
        """The pages beside."""
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.requests import Request
        from starlette.responses import HTMLResponse, JSONResponse, Response
        from starlette.routing import Route

        page, policy = described_page(self._described)
        card_page, card_json = card.html(), card.json()
        secured = {"content-security-policy": policy, "x-content-type-options": "nosniff"}

        async def health(_request: Request) -> Response:
            return JSONResponse(self.health(), headers={"cache-control": "no-store"})

        async def openapi(_request: Request) -> Response:
            return JSONResponse(self._described)

        async def index(_request: Request) -> Response:
            return HTMLResponse(page, headers=secured)

        async def refused(request: Request, error: Exception) -> Response:
            status = error.status_code if isinstance(error, HTTPException) else 500
            there = [*PREDICT, *(route.path for route in routes)]
            held = RequestError("path", " or ".join(there), shortened(request.url.path), status)
            if status == 405:
                held = RequestError("method", "GET", shortened(request.method), status)
            return JSONResponse(held.json(), status, getattr(error, "headers", None))

        async def card_shown(_request: Request) -> Response:
            return HTMLResponse(card_page, headers={"x-content-type-options": "nosniff"})

        async def card_told(_request: Request) -> Response:
            return Response(card_json, media_type="application/json")

        found = {
            "/": index, "/openapi.json": openapi, "/health": health, "/card": card_shown, "/card.json": card_told,
        }  # fmt: skip
        routes = [Route(path, endpoint, methods=["GET"]) for path, endpoint in found.items()]
        return Starlette(routes=routes, exception_handlers={HTTPException: refused})

    def health(self) -> dict[str, Any]:
        """How the server is."""
        owner = self.owner
        counts = {"waiting": owner.waiting, "answered": owner.answered, "rejected": owner.rejected}
        return {"status": "busy" if owner.full else "ok", "model": self._name, "chainrule": __version__, **counts}


async def _respond(send: Send, status: int, content: bytes, headers: Headers) -> None:
    held = [(b"content-type", JSON), (b"content-length", b"%d" % len(content)), *headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": held})
    await send({"type": "http.response.body", "body": content})


async def _refuse(receive: Receive, send: Send, status: int, content: bytes) -> None:
    """Answer before the whole request is there, and take no more from this connection.

    What still comes is read and forgotten for a moment: a connection that is closed at once loses the answer.
    """
    held = [(b"content-type", JSON), (b"content-length", b"%d" % len(content)), *CLOSE.items()]
    await send({"type": "http.response.start", "status": status, "headers": held})
    await send({"type": "http.response.body", "body": content, "more_body": True})
    try:
        async with asyncio.timeout(LINGER):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})


@lru_cache(64)
def _is_here(host: bytes) -> bool:
    """Whether a host, with or without a port, is this machine."""
    text = _text(host).lower()
    return is_here(text[1 : text.find("]")] if text.startswith("[") else text.partition(":")[0])


def _text(header: bytes) -> str:
    return header.decode("latin-1")
