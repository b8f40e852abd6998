"""The report of a study while its runs go on: a page on this machine alone, which updates by itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from chainrule.errors import ChainruleError, ConfigurationError
from chainrule.report.study.build import build, made
from chainrule.report.study.page import page
from chainrule.report.study.study import read_study

#: The address that no other machine reaches.
HERE = "127.0.0.1"
FILES = ("study.json", "runs.jsonl", "winner.json", "notes.toml")


class LivePage:
    """The page of a study, made anew when its folder has changed.

    Args:
        folder: of the study.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()
        self._made: tuple[str, str] = ("", "")

    def state(self) -> str:
        """What tells the folder of now from that of another time: how long its files are, and of when."""
        found = [_mark(self.folder / name) for name in FILES]
        try:
            on = sorted(entry.name for entry in os.scandir(self.folder / "runs") if entry.name.endswith(".partial"))
        except OSError:
            on = []
        found += [f"{name}:{_mark(self.folder / 'runs' / name / 'record.jsonl')}" for name in on]
        return " ".join(found)

    def text(self) -> str:
        """The page.

        Raises:
            DataError: when a record cannot be read.
        """
        with self._lock:
            state = self.state()
            if self._made[0] != state:
                study = read_study(self.folder)
                self._made = state, page(build(study), made=made(study), live=state)
            return self._made[1]


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the page of a study, on this machine alone; its `serve_forever` runs until it is interrupted.

    Args:
        folder: of the study.
        port: where it listens; 0 for any that is free.

    Raises:
        ConfigurationError: for a port that is in use, or not allowed.
        DataError: when there is no study in the folder.
    """
    read_study(folder)
    live = LivePage(folder)
    try:
        made = ThreadingHTTPServer((HERE, port), _handler(live))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"port {port} cannot be used: {reason}; give another one, such as --port 0") from error
    made.daemon_threads = True
    return made


def _mark(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_size}.{found.st_mtime_ns}"


def _handler(live: LivePage) -> type[BaseHTTPRequestHandler]:
    """What answers requests: "/" with the page, and "/state" with what tells it from a later one."""
    pages: dict[str, tuple[str, Callable[[], str]]] = {
        "/": ("text/html", live.text), "/state": ("text/plain", live.state),
    }  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            port = self.connection.getsockname()[1]
            if self.headers.get("Host") not in {f"{HERE}:{port}", f"localhost:{port}"}:
                # A page from elsewhere whose name leads to this machine is not to read it.
                self._answer(HTTPStatus.FORBIDDEN, "text/plain", "this page is for this machine alone\n")
            elif self.path not in pages:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", "there are / and /state\n")
            else:
                kind, text = pages[self.path]
                try:
                    self._answer(HTTPStatus.OK, kind, text())
                except ChainruleError as error:
                    self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", f"{error}\n")

        def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
            body = text.encode(errors="replace")
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing of each request."""

    return Handler
