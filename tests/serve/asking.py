"""Requests to an application, without a server between."""

import asyncio
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chainrule.cards import model_card
from chainrule.serve.application import Application
from chainrule.serve.limits import Limits

SAVED = Path(__file__).parents[1] / "models" / "saved" / "0.2.0-bow"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Request:
    """A request as a web server hands it over, its body in parts."""

    body: object = b""
    path: str = "/predict"
    method: str = "POST"
    query: str = ""
    headers: dict = field(default_factory=dict)
    parts: int = 1

    async def to(self, application):
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        size = max(1, -(-len(body) // self.parts))
        left = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        sent = []

        async def receive():
            if not left:
                return {"type": "http.disconnect"}
            part = left.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(left)}

        async def send(message):
            sent.append(message)

        headers = {"host": "localhost:8000", **self.headers}
        scope = {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": self.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 1),
            "state": {},
        }
        await application(scope, receive, send)
        if not sent:
            return None
        start, *bodies = sent
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], found, b"".join(x.get("body", b"") for x in bodies))


def ask(application, body=b"", path="/predict", **settings):
    """The answer to one request."""
    return asyncio.run(Request(body, path, **settings).to(application))


@contextmanager
def serving(model, *, name="model", host="127.0.0.1", engine="native", **limits):
    """An application with its owner at work."""
    application = Application(
        model, name=name, limits=Limits(**limits), card=model_card(SAVED), host=host, engine=engine
    )
    application.owner.start()
    try:
        yield application
    finally:
        application.owner.stop()
