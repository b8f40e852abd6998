"""The playground over HTTP, to this machine alone."""

from __future__ import annotations

import json
import signal
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Lock
from time import monotonic
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from chainrule.errors import ChainruleError, ConfigurationError, shortened
from chainrule.playground.page import Kind, playground_page, policy, told
from chainrule.playground.points import Points
from chainrule.playground.run import Run
from chainrule.playground.scene import known_unit
from chainrule.playground.setup import OWN, UNIT, Setup, parsed, step_of

#: The address that no other machine reaches.
HERE = "127.0.0.1"
PORT = 8766
#: Trainings that are kept, to go on with; requests that are answered at a time, and connections, more of which are
#: closed at once; seconds that a request may train, and wait for its bytes.
KEPT, REQUESTS, CONNECTIONS, PATIENCE, IDLE = 8, 16, 64, 5.0, 10.0
#: Steps between two looks at the clock.
STRIDE = 20

#: Makes the points of a setup from a table of one's own.
Table = Callable[[Setup], Points]


class OnTheWayError(ChainruleError, RuntimeError):
    """A training that is not there yet: whoever asks again finds it farther on."""


class Trainings:
    """Trainings that were asked for last, which go on where they are when a later step is asked for.

    Args:
        table: of one's own; None without.
    """

    def __init__(self, table: Table | None = None) -> None:
        self.table = table
        self._held: OrderedDict[Setup, Run] = OrderedDict()
        self._lock = Lock()

    def page(self, query: str) -> str:
        """The page at a query.

        Raises:
            ChainruleError: as `answer` does.
        """
        with self._lock:
            run, unit = self._reached(query)
            return playground_page(run, unit, Kind(own=self.table is not None))

    def answer(self, query: str) -> dict[str, Any]:
        """What is told of the training at a query.

        Raises:
            ConfigurationError: for settings or a step that cannot be.
            OnTheWayError: when it takes longer.
        """
        with self._lock:
            return told(*self._reached(query))

    def _reached(self, query: str) -> tuple[Run, str]:
        """The training of a query, after its step; and the unit that is chosen."""
        step, unit = step_of(query), parsed(query).get(UNIT, "")
        if not query and self.table is not None:
            query = f"data={OWN}"
        run = self._training(Setup.of_address(query), step)
        until = monotonic() + PATIENCE
        while run.step < step and run.stopped is None:
            if monotonic() > until:
                raise OnTheWayError(f"playground: at step {run.step} of {step}; ask again")
            run.advance(min(step, run.step + STRIDE))
        return run, known_unit(run, unit)

    def _training(self, setup: Setup, step: int) -> Run:
        """The training that is kept, unless it is beyond the step already."""
        run = self._held.pop(setup, None)
        if run is None or run.step > step:
            run = Run(setup, self._points(setup))
        self._held[setup] = run
        while len(self._held) > KEPT:
            self._held.popitem(last=False)
        return run

    def _points(self, setup: Setup) -> Points | None:
        if setup.data != OWN:
            return None
        if self.table is None:
            raise ConfigurationError("playground: there is no table; start it with one: chainrule playground TABLE.csv")
        return self.table(setup)


class Server(ThreadingHTTPServer):
    """A server of so many connections at a time, each in a thread that does not keep it from ending."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = BoundedSemaphore(CONNECTIONS)
        super().__init__((HERE, port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Have a thread answer, or close the connection where there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, in a thread of its own."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of those who go before they are answered; anything else is told as usual."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def server(port: int = PORT, table: Table | None = None) -> Server:
    """A server of the playground, on this machine alone; `serve` runs it.

    Args:
        port: where it listens; 0 for any that is free.
        table: what makes points of a table; None without one.

    Raises:
        ConfigurationError: for a port that is in use, or not allowed.
    """
    try:
        return Server(port, _handler(Trainings(table)))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"port {port} cannot be used: {reason}; give another one, such as --port 0") from error


def serve(serving: Server, ready: Callable[[], None]) -> None:
    """Answer until Ctrl-C or SIGTERM; for the main thread.

    Args:
        serving: from `server`.
        ready: called when it answers, and ends as it should.
    """

    def end(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        ready()
        serving.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _handler(trainings: Trainings) -> type[BaseHTTPRequestHandler]:
    """What answers requests: "/" with the page, and "/state" with what its script asks for."""
    room = BoundedSemaphore(REQUESTS)
    allowed = policy()

    class Handler(BaseHTTPRequestHandler):
        timeout = IDLE

        def do_GET(self) -> None:
            if not room.acquire(blocking=False):
                self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at a time")
                return
            try:
                self._get()
            finally:
                room.release()

        def do_HEAD(self) -> None:
            self.do_GET()

        def _get(self) -> None:
            parts = urlsplit(self.path)
            if not self._is_here():
                self._refuse(HTTPStatus.FORBIDDEN, "this page is for this machine alone")
                return
            try:
                if parts.path == "/":
                    self._answer(HTTPStatus.OK, "text/html", trainings.page(parts.query))
                elif parts.path == "/state":
                    found = json.dumps(trainings.answer(parts.query), allow_nan=False)
                    self._answer(HTTPStatus.OK, "application/json", found)
                else:
                    there = f"expected / or /state, got {shortened(unquote_plus(parts.path))}"
                    self._refuse(HTTPStatus.NOT_FOUND, there)
            except OnTheWayError as error:
                waiting = json.dumps({"waiting": str(error)})
                self._answer(HTTPStatus.ACCEPTED, "application/json", waiting, {"Refresh": "1"})
            except ChainruleError as error:
                self._refuse(HTTPStatus.BAD_REQUEST, str(error))

        def _is_here(self) -> bool:
            """Whether the request is of this machine's own page, or of somebody who opens it.

            A page from elsewhere cannot choose the name of the host, and browsers say of it that it is from elsewhere.
            """
            port = self.connection.getsockname()[1]
            if self.headers.get("Host") not in {f"{HERE}:{port}", f"localhost:{port}"}:
                return False
            opened = self.headers.get("Sec-Fetch-Mode") == "navigate"
            return opened or self.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}

        def _refuse(self, status: HTTPStatus, message: str) -> None:
            self._answer(status, "application/json", json.dumps({"error": message}))

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            """Errors of the protocol, such as another method, as JSON, too."""
            self.close_connection = True
            self._refuse(HTTPStatus(code), message or explain or HTTPStatus(code).phrase)

        def _answer(
            self, status: HTTPStatus, kind: str, text: str, further: Mapping[str, str] = MappingProxyType({})
        ) -> None:
            body = text.encode(errors="replace")
            self.send_response(status)
            for name, value in {
                "Content-Type": f"{kind}; charset=utf-8",
                "Content-Length": str(len(body)),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": allowed,
                "Cross-Origin-Resource-Policy": "same-origin",
                "Referrer-Policy": "no-referrer",
                **further,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing of each request."""

    return Handler
