"""`chainrule serve`: a model answers over HTTP."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule.cli.options import add_beam_option, add_engine_option, set_beam
from chainrule.cli.printing import say, stream
from chainrule.errors import ConfigurationError, shortened
from chainrule.shown import one_line

HOST, PORT = "127.0.0.1", 8000
#: The options of limits: by the attribute of `Limits`, what stands for its number, and its help.
LIMITS = {
    "bytes": "most bytes of a request (default: 1048576)",
    "rows": "most rows of a request (default: 1000)",
    "waiting": "rows that may wait before further requests are rejected (default: 32)",
    "connections": "most connections at a time (default: 512)",
}

EPILOG = """\
examples:
  chainrule serve model
  chainrule serve model --port 0 --waiting 100
  curl --json '{"text": "A warm and funny film."}' http://127.0.0.1:8000/predict

POST /predict answers for a row or a list of rows, /predict/batch for a list; GET / explains and tries them, /card is
the model card; /health, /card.json and /openapi.json are for programs. It listens to this machine alone, unless --host
names another address; there is neither password nor cipher. Ctrl-C and SIGTERM end it, when the requests in flight
have been answered.
"""


def add_parser(subparsers: Any, arguments: list[str]) -> None:  # noqa: ARG001
    """The options of the command."""
    parser = subparsers.add_parser(
        "serve",
        help="let a model answer over HTTP, in JSON",
        description="Serve the answers of a model over HTTP, in JSON, to this machine alone.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument("--host", default=HOST, metavar="ADDRESS", help=f"where it listens (default: {HOST})")
    parser.add_argument("--port", default=str(PORT), metavar="N", help=f"0 for any that is free (default: {PORT})")
    for name, text in LIMITS.items():
        parser.add_argument(f"--{name}", metavar="N", help=text)
    add_beam_option(parser)
    add_engine_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Raises:
        ChainruleError: when there is no model, or the port cannot be used.
    """
    from chainrule.serve.limits import Limits
    from chainrule.serve.listening import is_here, listen
    from chainrule.serve.server import require_libraries, serve

    if not (arguments.port.isascii() and arguments.port.isdigit() and int(arguments.port[:9]) < 65536):
        raise ConfigurationError(f"--port must be a whole number from 0 to 65535, got {shortened(arguments.port)}")
    limits = Limits(**{name: _whole(name, given) for name in LIMITS if (given := getattr(arguments, name)) is not None})
    require_libraries()
    with listen(arguments.host, int(arguments.port)) as listening:
        from chainrule.cards import model_card
        from chainrule.models import Model

        model = Model.load(arguments.model)
        card = model_card(model, folder=arguments.model)
        set_beam(model, arguments.beam)
        address, port = listening.getsockname()[:2]
        if not is_here(address):
            say(f"{address} is reached from other machines, and whoever reaches it may ask: there is no password")
        shown = f"[{address}]" if ":" in address else address
        name = Path(arguments.model).absolute().name

        def ready() -> None:
            stream(f"http://{shown}:{port}/ answers for {one_line(name)}; Ctrl-C ends it\n")

        serve(
            model,
            listening=listening,
            name=name,
            limits=limits,
            card=card,
            engine=arguments.engine or "native",
            ready=ready,
        )


def _whole(name: str, given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 13 and int(given)):
        raise ConfigurationError(f"--{name} must be a whole number of 1 or more, got {shortened(given)}")
    return int(given)
