"""A server of a model, until it is told to end."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from chainrule.errors import ConfigurationError
from chainrule.serve.limits import Limits
from chainrule.serve.listening import HOST, PORT, listen

if TYPE_CHECKING:
    from chainrule.cards import Card
    from chainrule.models import Model
    from chainrule.serve.application import Application

#: Seconds that requests in flight have when the server is told to end.
GRACE = 30
#: Seconds in which requests are still taken then: those that were sent before may not have been read.
SETTLE = 0.1
#: Seconds that a connection may be idle.
IDLE = 75
#: Seconds after which a thread that runs lets another one run that waits: the thread that reads requests takes a tenth
#: of a millisecond for one, and is not to wait for the model's 5.
SWITCH = 0.0005


def serve(
    model: Model,
    *,
    host: str = HOST,
    port: int = PORT,
    name: str = "model",
    limits: Limits | None = None,
    card: Card | None = None,
    engine: str = "native",
    listening: socket.socket | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Answer over HTTP until Ctrl-C or SIGTERM; requests in flight are answered before it returns.

    Args:
        model: that answers.
        host: where to listen; other machines reach anything but 127.0.0.1, and there is neither password nor cipher.
        port: 0 for any that is free.
        name: of the model, for people.
        limits: what is taken at most; None for what is usual.
        card: what `/card` shows; None for what the model alone tells.
        engine: "native" or "eager".
        listening: a socket from `listen`, in the place of host and port.
        ready: called when it answers.

    Raises:
        ConfigurationError: for a port that is in use, or where the extra is not installed.
    """
    require_libraries()
    from chainrule.cards import model_card
    from chainrule.serve.application import Application

    held = listening or listen(host, port)
    with held:
        application = Application(
            model,
            name=name,
            limits=limits or Limits(),
            card=card or model_card(model, name=name),
            host=held.getsockname()[0],
            engine=engine,
        )
        application.owner.start()
        try:
            _run(application, held, ready)
        finally:
            application.owner.stop()


def require_libraries() -> None:
    """Refuse to serve without what it takes.

    Raises:
        ConfigurationError: saying how to install it.
    """
    from importlib.util import find_spec

    for library in ("starlette", "uvicorn"):
        if find_spec(library) is None:
            raise ConfigurationError(f"serve needs the library {library}: pip install 'chainrule[serve]'")


def _run(application: Application, listening: socket.socket, ready: Callable[[], None] | None) -> None:
    import uvicorn

    from chainrule.serve.protocol import protocol

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """End at SIGINT and SIGTERM, which is no failure: uvicorn would send them to the process again."""

            def end(_number: int, _frame: FrameType | None) -> None:
                self.force_exit = self.should_exit  # at the second one, without waiting
                self.should_exit = True

            with _signals(end):
                yield

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Take what has come before, of which some may not have been read yet, and end."""
            await asyncio.sleep(SETTLE)
            for _ in range(10):  # a connection is accepted, looked at and read in turns of their own
                await asyncio.sleep(0)
            await super().shutdown(sockets)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if ready is not None:
                ready()

    settings = uvicorn.Config(
        application,
        http=protocol(application.owner),
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        limit_concurrency=application.limits.connections + 1,  # uvicorn refuses from so many on
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=GRACE,
    )
    before = sys.getswitchinterval()
    gc.freeze()  # the model stays: looking through it again and again would hold up requests
    sys.setswitchinterval(SWITCH)
    try:
        Server(settings).run([listening])
    finally:
        sys.setswitchinterval(before)
        gc.unfreeze()


@contextmanager
def _signals(handler: Any) -> Iterator[None]:
    """Have SIGINT and SIGTERM handled, in the main thread, where Python allows it."""
    try:
        before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        before = {}
    try:
        yield
    finally:
        for number, held in before.items():
            signal.signal(number, held)
