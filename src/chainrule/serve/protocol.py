"""Rejects requests as they arrive, before anything is made of them.

What rejecting costs decides whether a server that is asked twice what it bears still answers in time. A request that
goes the usual way costs a tenth of a millisecond (its head parsed, a task, an event, a scope) before the application
says that there are too many; all that waits behind it waits for that, too. So, while too many wait, a whole request
for rows is answered from its bytes alone. Whatever is not one whole, plain request goes the usual way.
"""

from __future__ import annotations

import json
import re
from typing import Any

from chainrule.serve.limits import RequestError
from chainrule.serve.owner import Owner

#: A request for rows, to the end of its first line.
ASKS = re.compile(rb"POST /predict(?:/batch)?(?:\?[!-~]*)? HTTP/1\.1\r\n")
#: Headers that a request may have which is more than its head and a body of the length that is told.
MORE = re.compile(rb"\r\n(?:connection|expect|transfer-encoding|upgrade)[ \t]*:", re.IGNORECASE)
LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([^\r]*)", re.IGNORECASE)


def rejection() -> RequestError:
    """Why a request is rejected while too many wait."""
    return RequestError(
        "server", "fewer requests", "more than the model answers; ask again later", 503, {b"retry-after": b"1"}
    )


def is_whole(data: bytes) -> bool:
    r"""Whether bytes are one request for rows, all of it and no more, after which the connection stays open.

    Example:
        >>> is_whole(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n\"good\"")
        True
        >>> is_whole(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n\"goo")
        False
    """
    if ASKS.match(data) is None:
        return False
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = LENGTH.findall(head)
    return lengths == [b"%d" % len(body)] and MORE.search(head) is None


def protocol(owner: Owner) -> Any:
    """How uvicorn talks HTTP on a connection: "auto" where the parser in native code is not installed."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return "auto"
    error = rejection()
    content = json.dumps(error.json()).encode()
    headers = {b"content-type": b"application/json", b"content-length": b"%d" % len(content), **error.headers}
    lines = [b"HTTP/1.1 503 Service Unavailable", *(b"%s: %s" % header for header in headers.items())]
    rejected = b"\r\n".join([*lines, b"", content])

    class Protocol(HttpToolsProtocol):
        """Rejects whole requests that come while too many rows wait."""

        between = True  # two requests: nothing of the next one has come

        def data_received(self, data: bytes) -> None:
            if owner.full and self.between and (self.cycle is None or self.cycle.response_complete) and is_whole(data):
                owner.rejected += 1
                self.transport.write(rejected)
                self.on_response_complete()
            else:
                super().data_received(data)

        def on_message_begin(self) -> None:
            self.between = False
            super().on_message_begin()

        def on_message_complete(self) -> None:
            self.between = True
            super().on_message_complete()

    return Protocol
